"""What is due although no listing shows it: retries, answers of people, and full reads in rotation."""

from math import ceil

from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, failures, links, unlinked
from nexudus_sync.store.conflicts import links_asked_about


def mark_due(cycle: Cycle) -> None:
    """Mark what no listing shows: resolved conflicts, due attempts, child rows and whole reads in rotation.

    Before the listing, so that it keeps their rows.
    """
    connection, reconcile = cycle.connection, cycle.options.reconcile
    with connection.store.session() as session:
        if reconcile:
            failures.wake(session, connection.name, connection.clock.now())
        both = links.with_resolved_conflicts(session, connection.name) | cycle.note_due(session)
        children = _children(session, connection, every=reconcile)
        if reconcile:
            both |= _turn(session, connection.name, connection.rules.reconcile_days)
            both |= links.parked(session, connection.name)
            both |= links_asked_about(session, connection.name)  # what was gone may be back, under the stamp it had
            unlinked.take_up_again(session, connection.name, "refused")
        links.mark(session, Side.NEXUDUS, both)
        links.mark(session, Side.CRM, both | children)


def count_due(cycle: Cycle) -> None:
    """How much was listed, and how many links have to be read, for the estimates of what that costs."""
    with cycle.connection.store.read() as session:
        for side, seen in cycle.seen.items():
            cycle.report.listed[side.value] = seen.listed
            cycle.report.marked[side.value] = links.count_marked(session, cycle.connection.name, side)


def _children(session: Session, connection: Connection, *, every: bool) -> set[int]:
    """Lost opportunities whose child rows were not read for longest, or `every` one: they change without a trace."""
    if not connection.connector(Side.CRM).traits.child_keys:
        return set()
    if every:
        return links.active(session, connection.name)
    return links.lost_longest_unread(session, connection.name, connection.rules.children_per_cycle)


def _turn(session: Session, connection: str, days: int) -> set[int]:
    """The links whose turn it is, the longest unread first, so that each comes once in so many days.

    What failed as a whole or is asked about may never be read whole: such links are taken besides, and keep no other
    waiting.
    """
    known = links.oldest_read(session, connection)
    stuck = links.stuck(session, connection)
    free = [one for one in known if one not in stuck]
    return stuck.intersection(known) | set(free[: ceil(len(known) / days)])
