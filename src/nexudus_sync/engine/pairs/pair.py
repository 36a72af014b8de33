"""What is known of one link while it is being settled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from nexudus_sync.connectors.base import Priority, Step
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import record_outcomes
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.write.refused import RefusedValue
from nexudus_sync.mapping import Side
from nexudus_sync.merge import Outcome, Policy, View
from nexudus_sync.plan import FieldPlan, Presence
from nexudus_sync.store import open_items
from nexudus_sync.store.tables import Link

Share = tuple[Outcome, ...]
"""The part of a merge that one step carries."""


@dataclass(slots=True)
class Pair:
    """One link being settled, with both its records. `priority` is the priority of its calls."""

    link: Link
    sights: dict[Side, Sight]
    priority: Priority = Priority.LIVE
    unread: Side | None = None
    """The one side that was not read when the pair was looked at."""
    policy: Policy = field(default_factory=Policy)
    refused: list[RefusedValue] = field(default_factory=list)
    """Values known to be refused: their fields wait."""
    views: dict[Side, View] = field(default_factory=dict)
    """Both sides as the merge saw them."""
    plan: FieldPlan = field(default_factory=lambda: FieldPlan((), {}))
    rows: dict[Side, int] = field(default_factory=dict)
    reread: set[Side] = field(default_factory=set)
    """Sides that did not end up as sent: the next cycle reads them again."""
    dated: dict[str, datetime] = field(default_factory=dict)
    """When keys of the CRM's record were last set, by our clock, as far as the CRM was asked."""
    settled: bool = False
    planned: bool = False
    """Was it found to need a write?"""
    id: int = field(init=False)
    ids: dict[Side, str] = field(init=False)
    """The ids of the link and its records at the start: after a store error the link itself cannot be read."""

    def __post_init__(self) -> None:
        self.id = self.link.id or 0
        self.ids = {side: self.link.half(side).id for side in Side}

    @property
    def both_read(self) -> bool:
        """Were both records seen in this cycle?"""
        return all(sight.real for sight in self.sights.values())

    @property
    def complete(self) -> bool:
        """Are both records still in place?"""
        return all(sight.presence is Presence.HERE for sight in self.sights.values())

    @property
    def lacks_a_record(self) -> bool:
        """Is one of the two records gone?"""
        return any(sight.presence is Presence.GONE for sight in self.sights.values())


def foresee(connection: Connection, pairs: Iterable[Pair]) -> None:
    """In a rehearsal: show what would wait for people if each of the writes had succeeded."""
    with connection.store.session() as session:
        items = open_items.about(session, connection.name, (pair.link.pair for pair in pairs))
        for pair in pairs:
            if pair.plan.after:
                link, found, both = pair.link, pair.plan.outcomes, pair.both_read
                about = items[link.pair]
                record_outcomes(session, connection, link, found, about, both_read=both, written=True, settled=True)


def shared_out(steps: list[Step], outcomes: Share, side: Side) -> Iterator[tuple[Step, Share, Share]]:
    """Each step with the outcomes that it only begins (a later step completes them) and those that it delivers."""
    for number, step in enumerate(steps, 1):
        to_come = frozenset[str]().union(*(one.keys for one in steps[number:]))
        carried = [(o, o.field.lens(side).path.root) for o in outcomes if o.field.lens(side).path.root in step.keys]
        begun = tuple(o for o, root in carried if root in to_come)
        yield step, begun, tuple(o for o, root in carried if root not in to_come)
