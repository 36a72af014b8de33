"""Bring back values that our own writes overwrote unseen, where a person asked for it."""

from collections.abc import Collection

from nexudus_sync.engine.agenda import RestoredValues
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.decisions.undo import moved_on
from nexudus_sync.engine.inbox import of_record
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import AuthenticationFailed, ConnectorError
from nexudus_sync.mapping import Side
from nexudus_sync.opportunity import hear
from nexudus_sync.store import Session, failures
from nexudus_sync.store.conflicts import about_overwritten, ask_again
from nexudus_sync.store.links import mark
from nexudus_sync.store.tables import Conflict, Link


async def prepare(connection: Connection, report: Report, restored: RestoredValues) -> set[int]:
    """Have the settling bring back the lost values that people chose; the other answer changes nothing.

    An answer is for the values shown: where a side says something else by now, the question opens again. Returns the
    ids of the answers to close after the settling; one whose record cannot be read now waits for the next cycle. Raises
    AuthenticationFailed, StoreError.
    """
    with connection.store.read() as session:
        answered = [
            (one, session.get(Link, one.link_id)) for one in about_overwritten(session, connection.name, "resolved")
        ]
    ready = set()
    for conflict, link in answered:
        try:
            if conflict.take != Side.NEXUDUS or link is None or await _wanted(connection, conflict, link, restored):
                ready.add(conflict.id or 0)
        except AuthenticationFailed:
            raise
        except Exception as error:
            report.errors.append(str(error if isinstance(error, ConnectorError) else of_record(error)))
    return ready


async def _wanted(connection: Connection, conflict: Conflict, link: Link, restored: RestoredValues) -> bool:
    """Restore the lost value, or reopen the question where the field was edited since. False when it was reopened."""
    field = connection.mapping.find(conflict.field)
    if field is None or link.id is None:
        return True
    moved = await moved_on(connection, link, field, (conflict.nexudus, conflict.crm))
    with connection.store.session() as session:
        if moved is not None:
            ask_again(conflict)
            conflict.crm = moved
            session.add(conflict)
            return False
        restored.setdefault(link.id, {})[conflict.field] = hear(conflict.field, conflict.nexudus)
        for side in Side:
            mark(session, side, [link.id])
    return True


def conclude(connection: Connection, ready: Collection[int], unsettled: Collection[int]) -> None:
    """Close the answered questions, except for links to settle again; reopen those whose value a side refused."""
    with connection.store.session() as session:
        for conflict in about_overwritten(session, connection.name, "resolved"):
            if conflict.id not in ready or conflict.link_id in unsettled:
                continue
            if _parked(session, conflict):
                ask_again(conflict)
            else:
                conflict.state, conflict.closed_at = "closed", connection.clock.now()
            session.add(conflict)


def _parked(session: Session, conflict: Conflict) -> bool:
    """Is the chosen value held back by a failure?"""
    wanted = conflict.take == Side.NEXUDUS
    return wanted and failures.waits(session, conflict.connection, conflict.nexudus_id, conflict.crm_id, conflict.field)
