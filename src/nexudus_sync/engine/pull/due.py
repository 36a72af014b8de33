"""What is due although no listing shows it: retries, people's answers, and full reads in rotation."""

from math import ceil

from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, failures, links, unlinked
from nexudus_sync.store.conflicts import links_asked_about


def mark_due(cycle: Cycle) -> None:
    """Mark what no listing shows: resolved conflicts, due retries, child rows and full reads in rotation.

    This comes before the listing, which then keeps their rows.
    """
    connection, reconcile = cycle.connection, cycle.options.reconcile
    with connection.store.session() as session:
        if reconcile:
            failures.wake(session, connection.name, connection.clock.now())
        both = links.with_resolved_conflicts(session, connection.name) | cycle.note_due(session)
        children = _children(session, connection, every=reconcile)
        if reconcile:
            both |= _next_in_rotation(session, connection.name, connection.rules.reconcile_days)
            both |= links.parked(session, connection.name)
            both |= links_asked_about(session, connection.name)  # a record that was gone may be back, stamp unchanged
            unlinked.take_up_again(session, connection.name, "refused")
        links.mark(session, Side.NEXUDUS, both)
        links.mark(session, Side.CRM, both | children)


def count_due(cycle: Cycle) -> None:
    """Count what was listed and how many links have to be read, for the estimate of costs."""
    with cycle.connection.store.read() as session:
        marked = links.count_marked(session, cycle.connection.name)
    for side, seen in cycle.seen.items():
        cycle.report.listed[side.value], cycle.report.marked[side.value] = seen.listed, marked[side]


def _children(session: Session, connection: Connection, *, every: bool) -> set[int]:
    """The lost opportunities whose child rows were read longest ago, or `every` link: rows change without a trace."""
    if not connection.connector(Side.CRM).traits.child_keys:
        return set()
    if every:
        return links.active(session, connection.name)
    return links.lost_longest_unread(session, connection.name, connection.rules.children_per_cycle)


def _next_in_rotation(session: Session, connection: str, days: int) -> set[int]:
    """The links to read in full today, the longest unread first, so that each comes up once in N days.

    Links that failed as a whole or are asked about may never be read in full: they come on top and delay no other.
    """
    known = links.oldest_read(session, connection)
    stuck = links.stuck(session, connection)
    free = [one for one in known if one not in stuck]
    return stuck.intersection(known) | set(free[: ceil(len(known) / days)])
