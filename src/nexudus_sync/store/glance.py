"""How all connections are, in a few questions however many there are: what health and long lists are made of."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from nexudus_sync.errors import STORED_DIFFERENTLY
from nexudus_sync.store.ask import Ask, moment


@dataclass(frozen=True, slots=True)
class SetBrake:
    """A brake that is set; `at` is aware UTC."""

    name: str
    evidence: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Glance:
    """One connection: what waits for a person, when it last succeeded, and what stops it.

    `failures` are without those that only inform; `brake` is the first that was set. Moments are aware UTC. All is
    nothing for a connection that the store does not know yet.
    """

    conflicts: int = 0
    failures: int = 0
    last_success: datetime | None = None
    backfilled_at: datetime | None = None
    paused_at: datetime | None = None
    paused_by: str = ""
    brake: SetBrake | None = None

    @property
    def waiting(self) -> int:
        """How many conflicts and failures wait for a person."""
        return self.conflicts + self.failures


_STATES = "SELECT name, last_success, backfilled_at, paused_at, paused_by FROM connection_state"
_CONFLICTS = "SELECT connection, count(*) FROM conflict WHERE state = 'open' GROUP BY connection"
_FAILURES = "SELECT connection, count(*) FROM failure WHERE state = 'open' AND kind <> :told GROUP BY connection"
_BRAKES = "SELECT connection, name, evidence, set_at FROM brake WHERE state = 'set' ORDER BY id DESC"


def glances(ask: Ask, names: Collection[str]) -> dict[str, Glance]:
    """How each of these connections is."""
    conflicts = Counter({str(name): int(count) for name, count in ask(_CONFLICTS, {})})
    failures = Counter({str(name): int(count) for name, count in ask(_FAILURES, {"told": STORED_DIFFERENTLY})})
    states = {str(name): row for name, *row in ask(_STATES, {})}
    # the first that was set comes last, and so counts
    brakes = {str(name): SetBrake(brake, why, moment(at)) for name, brake, why, at in ask(_BRAKES, {})}
    found = {}
    for name in names:
        last, backfilled, paused, by = states.get(name, (None, None, None, ""))
        times = (moment(last), moment(backfilled), moment(paused))
        found[name] = Glance(conflicts[name], failures[name], *times, by or "", brakes.get(name))
    return found
