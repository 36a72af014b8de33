"""Store what a listing showed, in one transaction with its cursor."""

from collections.abc import Iterable

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Row
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import UNEXPECTED, drop_unlinked_record, note_failure
from nexudus_sync.engine.read.changes import as_unlinked
from nexudus_sync.engine.read.sight import Listing
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, failures, records
from nexudus_sync.store.links import mark, note_digest
from nexudus_sync.store.tables import SET_ASIDE, ConnectionState, Unlinked

_IDS = ("nexudus_id", "crm_id")


def remember(connection: Connection, seen: Listing, state: ConnectionState, session: Session) -> None:
    """Keep what a listing showed.

    Marks on the links that moved, the unlinked records, and the cursor, in one transaction.
    """
    mark(session, seen.side, seen.moved | seen.absent)
    for link_id, digest in seen.learnt.items():
        note_digest(session, seen.side, link_id, digest)
    if seen.fresh:
        solve_odd(session, connection, seen.side, seen.fresh)
    for row in seen.fresh.values():
        take_up(session, connection, seen.side, row)
    for record_id, problem in seen.odd.items():
        note_failure(session, connection, problem, **dict(zip(_IDS, records.alone(seen.side, record_id), strict=True)))
    for record_id in seen.gone_unlinked:
        lost = session.get(Unlinked, (connection.name, seen.side.value, record_id))
        if lost is not None and lost.state in SET_ASIDE:
            lost.state = "away"  # was set aside by a person, which stands wherever it goes
        elif lost is not None:
            session.delete(lost)
            drop_unlinked_record(session, connection, seen.side, record_id)
    if seen.cursor is not None:
        if seen.side is Side.NEXUDUS:
            state.nexudus_cursor = seen.cursor
        else:
            state.crm_cursor = seen.cursor
        session.add(state)


def take_up(session: Session, connection: Connection, side: Side, row: Row) -> None:
    """Remember an unlinked record as it is now, and forget what is known of another record that had its id."""
    before = session.get(Unlinked, (connection.name, side.value, row.id))
    if before is not None and not same_identity(before.identity, connection.facts(side, row.record).identity):
        drop_unlinked_record(session, connection, side, row.id)
        session.delete(before)
        session.flush()
        before = None
    after = as_unlinked(connection, side, row)
    ignored = records.set_aside(session, connection.crm, side, row.id, after.identity)
    if ignored is not None:
        after.state, after.reason = "ignored", ignored.reason
    if before is not None and before.digest != after.digest:
        _try_again(session, connection, side, row.id)
    session.merge(after)


def _try_again(session: Session, connection: Connection, side: Side, record_id: str) -> None:
    """Retry the failures of an unlinked record at once: somebody has changed it."""
    for failure in failures.unsolved(session, connection.name, *records.alone(side, record_id)):
        if failure.state == "open":
            failure.next_attempt = connection.clock.now()


def solve_odd(session: Session, connection: Connection, side: Side, record_ids: Iterable[str]) -> None:
    """Solve the failures of rows that made no sense and do so now."""
    ids = {records.alone(side, record_id) for record_id in record_ids}
    odd = failures.unsolved_of_kind(session, connection.name, UNEXPECTED)
    failures.solve(one for one in odd if (one.nexudus_id, one.crm_id) in ids)
