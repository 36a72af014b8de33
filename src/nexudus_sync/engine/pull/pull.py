"""List both sides, let the brakes judge what was seen, and remember it."""

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine import brakes
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.pull import judge
from nexudus_sync.engine.pull.listing import list_side
from nexudus_sync.engine.pull.remember import remember
from nexudus_sync.engine.read.sight import Listing
from nexudus_sync.mapping import Side
from nexudus_sync.store import links, records
from nexudus_sync.store.conflicts import links_asked_about


async def pull(cycle: Cycle, *, full: bool = False) -> str | None:
    """List both sides; one transaction remembers what they show. Returns the brake that stops the cycle, if one does.

    `full`: everything there is, not only what moved since the cursors.
    """
    connection = cycle.connection
    priority = Priority.RECONCILE if full else cycle.priority
    nexudus = await list_side(connection, Side.NEXUDUS, full=full, priority=priority)
    keep = _wanted(cycle, nexudus)
    crm = await list_side(connection, Side.CRM, full=full, keep=keep, priority=priority)
    for seen in (nexudus, crm):
        cycle.take_listing(seen)
    brake = await _judged(cycle)
    if brake is None:
        with connection.store.session() as session:
            state = records.connection_state(session, connection.name, connection.crm)
            for seen in cycle.seen.values():
                remember(connection, seen, state, session)
    cycle.polled_at = connection.clock.monotonic()
    return brake


def _wanted(cycle: Cycle, nexudus: Listing) -> set[str]:
    """The counterparts of cards that moved, and those of marked links: their rows save a read each."""
    with cycle.connection.store.read() as session:
        return links.counterparts(session, cycle.connection.name, nexudus.moved)


async def _judged(cycle: Cycle) -> str | None:
    """The brake that the listings call for.

    If very many records moved, a sample tells whether they changed; the daemon reads it in slices, a command at once.
    """
    connection, options = cycle.connection, cycle.options
    names = {side: connection.connector(side).name for side in Side}
    with connection.store.session() as session:
        total = links.count_active(session, connection.name)
        evidence = judge.evidence_of(total, cycle.seen, names, links_asked_about(session, connection.name))
        brake = brakes.pull_brake(session, connection, evidence, total) if evidence else None
    return brake or await judge.judge(
        connection, cycle.report, cycle.seen, total, whole=options.one_shot, stopping=options.stopping
    )
