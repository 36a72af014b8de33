"""Store what a listing showed, in one transaction with its cursor."""

from collections.abc import Iterable, Mapping

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import UNEXPECTED, drop_unlinked_record, note_failure
from nexudus_sync.engine.read.sight import Fresh, Listing
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, failures, records, unlinked
from nexudus_sync.store.concerning import failures_about
from nexudus_sync.store.links import mark, note_digests
from nexudus_sync.store.tables import SET_ASIDE, ConnectionState, Unlinked

_IDS = ("nexudus_id", "crm_id")


def remember(connection: Connection, seen: Listing, state: ConnectionState, session: Session) -> None:
    """Keep what a listing showed.

    Marks on the links that moved, the unlinked records, and the cursor, in one transaction.
    """
    mark(session, seen.side, seen.moved | seen.absent)
    note_digests(session, seen.side, seen.learnt)
    if seen.fresh:
        solve_odd(session, connection, seen.side, seen.fresh)
        take_up(session, connection, seen.side, seen.fresh)
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


def take_up(session: Session, connection: Connection, side: Side, fresh: Mapping[str, Fresh]) -> None:
    """Remember unlinked records as they are now, and forget what is known of other records that had their ids."""
    known = unlinked.known(session, connection.name, side, fresh)
    ignored, changed = unlinked.set_aside(session, connection.crm, side, fresh), list[str]()
    for record_id, row in fresh.items():
        identity, digest = known.get(record_id, ("", row.kept["digest"]))
        if not same_identity(identity, row.kept["identity"]):
            drop_unlinked_record(session, connection, side, record_id)
        elif digest != row.kept["digest"]:
            changed.append(record_id)
        reasons = [why for which, why in ignored.get(record_id, ()) if same_identity(which, row.kept["identity"])]
        if reasons:
            row.kept.update(state="ignored", reason=reasons[0])
    _try_again(session, connection, side, changed)
    unlinked.keep(session, [row.kept for row in fresh.values()], known)


def _try_again(session: Session, connection: Connection, side: Side, record_ids: Iterable[str]) -> None:
    """Retry the failures of unlinked records at once: somebody has changed these records."""
    pairs = [records.alone(side, record_id) for record_id in record_ids]
    for about in failures_about(session, connection.name, pairs).values():
        for failure in (one for one in about if one.state == "open"):
            failure.next_attempt = connection.clock.now()


def solve_odd(session: Session, connection: Connection, side: Side, record_ids: Iterable[str]) -> None:
    """Solve the failures of rows that made no sense and do so now."""
    ids = {records.alone(side, record_id) for record_id in record_ids}
    odd = failures.unsolved_of_kind(session, connection.name, UNEXPECTED)
    failures.solve(one for one in odd if (one.nexudus_id, one.crm_id) in ids)
