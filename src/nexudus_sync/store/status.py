"""What `status` tells of a connection, counted."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nexudus_sync import codec
from nexudus_sync.errors import STORED_DIFFERENTLY
from nexudus_sync.store.ask import Ask, moment, number, over, value

if TYPE_CHECKING:
    from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """The counts of one connection.

    `links` are the active ones; `conflicts` those that wait for a person; `failures` the open ones; `pending` the
    journal rows whose outcome is not known; `last_success` is aware UTC, None before the first; `brake` is the name
    of the brake that is set; `paused_at` (aware UTC) and `paused_by` tell of one that a person paused. `told` are
    failures that only inform (renderings of a text): nothing waits for them.
    """

    name: str
    links: int
    conflicts: int
    failures: int
    pending: int
    last_success: datetime | None
    brake: str | None
    told: int = 0
    paused_at: datetime | None = None
    paused_by: str = ""

    @property
    def waiting(self) -> int:
        """How many conflicts and failures wait for a person."""
        return self.conflicts + self.failures_waiting

    @property
    def failures_waiting(self) -> int:
        """How many failures wait for a person, without those that only inform."""
        return self.failures - self.told


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a connection has come. The moments are aware UTC, None where that never happened."""

    known: bool
    """Has it ever run?"""
    backfilled_at: datetime | None
    last_reconcile: datetime | None
    alone: dict[str, int]
    """How many records in its scope have no counterpart, by why."""
    decisions: int
    """How many decisions wait for its next cycle."""


_STATUS = """
SELECT
    (SELECT count(*) FROM link WHERE connection = :name AND state = 'active'),
    (SELECT count(*) FROM conflict WHERE connection = :name AND state = 'open'),
    (SELECT count(*) FROM failure WHERE connection = :name AND state = 'open'),
    (SELECT count(*) FROM journal WHERE connection = :name AND state IN ('planned', 'sent')),
    (SELECT last_success FROM connection_state WHERE name = :name),
    (SELECT name FROM brake WHERE connection = :name AND state = 'set' ORDER BY id LIMIT 1),
    (SELECT count(*) FROM failure WHERE connection = :name AND state = 'open' AND kind = :told),
    (SELECT paused_at FROM connection_state WHERE name = :name),
    (SELECT paused_by FROM connection_state WHERE name = :name)
"""
_STATE = "SELECT backfilled_at, last_reconcile FROM connection_state WHERE name = :name"
_ALONE = "SELECT state, count(*) FROM unlinked WHERE connection = :name AND state <> 'away' GROUP BY state"
_DECISIONS = "SELECT count(*) FROM decision WHERE connection = :name AND done_at IS NULL"


def connection_status(session: "Session", name: str) -> ConnectionStatus:
    """The status of the connection `name`; all zero and None for one the store does not know yet."""
    return status_of(over(session), name)


def status_of(ask: Ask, name: str) -> ConnectionStatus:
    """The same, asked in plain SQL."""
    (row,) = ask(_STATUS, {"name": name, "told": STORED_DIFFERENTLY})
    links, conflicts, failures, pending, last_success, brake, told, paused_at, paused_by = row
    counts = (links, conflicts, failures, pending)
    return ConnectionStatus(name, *counts, moment(last_success), brake, told, moment(paused_at), paused_by or "")


def progress_of(ask: Ask, name: str) -> Progress:
    """How far the connection `name` has come."""
    named: dict[str, Any] = {"name": name}
    state = next(iter(ask(_STATE, named)), None)
    alone = {why: int(count) for why, count in ask(_ALONE, named)}
    backfilled, reconciled = (None, None) if state is None else map(moment, state)
    return Progress(state is not None, backfilled, reconciled, alone, number(ask(_DECISIONS, named)))


def signs_of_life(ask: Ask) -> list[datetime]:
    """When `run`, or each worker, last gave a sign of life; none where none ran, or all ended as they should."""
    beats = ask("SELECT value FROM fact WHERE system = 'the run'", {})
    return sorted(datetime.fromisoformat(value(row[0])["at"]) for row in beats)


def failing(ask: Ask) -> set[str]:
    """The connections whose last cycle failed."""
    return {str(name) for (name,) in ask("SELECT key FROM fact WHERE system = 'failing connections'", {})}


def known_tenants(ask: Ask) -> list[str]:
    """The tenants of a fleet of which the store holds something, in order."""
    names = (str(name) for (name,) in ask("SELECT name FROM connection_state", {}))
    return sorted({name.partition("/")[0] for name in names if "/" in name})


def systems_with(ask: Ask, key: str, *, known: Any) -> list[str]:
    """The systems of which that fact is known."""
    such = {"key": key, "value": codec.dumps(known)}
    return [system for (system,) in ask("SELECT system FROM fact WHERE key = :key AND value = :value", such)]
