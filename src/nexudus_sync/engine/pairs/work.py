"""What is known of one link while it is being settled."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nexudus_sync.connectors.base import Step
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import record_outcomes
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.write.refused import Held
from nexudus_sync.mapping import Side
from nexudus_sync.merge import Outcome, Policy
from nexudus_sync.opportunity import Value
from nexudus_sync.plan import FieldPlan, Presence, Standing
from nexudus_sync.store.tables import Link

Share = tuple[Outcome, ...]
"""What of a merge one step carries."""


@dataclass(slots=True)
class Work:
    """One link being settled."""

    link: Link
    sights: dict[Side, Sight]
    policy: Policy
    standing: Mapping[str, Standing] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    """Values known to be refused: their fields wait."""
    forced: Mapping[str, Value] = field(default_factory=dict)
    plan: FieldPlan = field(default_factory=lambda: FieldPlan((), {}))
    rows: dict[Side, int] = field(default_factory=dict)
    again: set[Side] = field(default_factory=set)
    """Sides on which something else than what was sent showed up: they are read once more in the next cycle."""
    settled: bool = False

    @property
    def lacks_a_record(self) -> bool:
        """Is one of the two records gone?"""
        return any(sight.presence is Presence.GONE for sight in self.sights.values())


def foresee(connection: Connection, works: Iterable[Work]) -> None:
    """In a rehearsal: what would wait for people after the writes, as if each of them had arrived."""
    with connection.store.session() as session:
        for work in works:
            if work.plan.after:
                both = all(sight.real for sight in work.sights.values())
                found = work.plan.outcomes
                record_outcomes(session, connection, work.link, found, both_read=both, written=True, settled=True)


def shared_out(steps: list[Step], outcomes: Share, side: Side) -> Iterator[tuple[Step, Share, Share]]:
    """Each step with the outcomes that it carries and later ones complete, and those that it delivers."""
    for number, step in enumerate(steps, 1):
        to_come = frozenset[str]().union(*(one.keys for one in steps[number:]))
        carried = [(o, o.field.lens(side).path.root) for o in outcomes if o.field.lens(side).path.root in step.keys]
        begun = tuple(o for o, root in carried if root in to_come)
        yield step, begun, tuple(o for o, root in carried if root not in to_come)
