"""Records that are answered for by others: nothing of the answer is believed, and it is no proof of a deletion.

It is a failure first; when it lasts to the next reconcile, a person is asked. Two replies in a row to writes that name
other records hold the record that was written.
"""

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import ANOTHER, RECORD, close_link, note_failure
from nexudus_sync.errors import AnotherRecord, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, conflicts, failures, journal, records
from nexudus_sync.store.renames import rename
from nexudus_sync.store.tables import Conflict, ConflictKind, Journal, Link

OTHER_RECORD, KEPT = "another record", "kept"
"""What a question about another record shows for the side that shows it, and for the other."""
COUNTED = "$"
"""How the keys of `Link.bounces` begin under which the replies about others are counted, by side."""
ABOUT_ANOTHER = "another"
"""Where the step of a create tells that its reply was about another record."""
ENOUGH = 2
"""So many replies in a row about others hold a record."""


def note_link_error(session: Session, connection: Connection, link: Link, error: SyncError) -> None:
    """Keep what went wrong with a link: a failure, or what is done about another record."""
    if isinstance(error, AnotherRecord):
        _note_another(session, connection, link, error)
    else:
        note_failure(session, connection, error, nexudus_id=link.nexudus_id, crm_id=link.crm_id)


def _note_another(session: Session, connection: Connection, link: Link, error: AnotherRecord) -> None:
    """Show that a link's record is answered for by another one, or do what a person said about that."""
    asked = _question(session, link)
    if asked is not None and asked.state == "resolved":
        _answer(session, connection, link, error, asked)
    elif asked is not None:
        _stop_looking(session, link)
    elif _was_known_before(session, connection, link) and not error.held:
        _ask(session, connection, link, error)
    else:
        failure = note_failure(session, connection, error, nexudus_id=link.nexudus_id, crm_id=link.crm_id)
        failure.next_attempt = None if error.held else failure.next_attempt


def _question(session: Session, link: Link) -> Conflict | None:
    about = conflicts.about_link(session, link)
    return next((one for one in about if one.kind == ConflictKind.ANOTHER), None)


def _was_known_before(session: Session, connection: Connection, link: Link) -> bool:
    """Is this a reconcile, and was it known before it began?"""
    since = connection.sweeping_since
    known = failures.unsolved(session, connection.name, link.nexudus_id, link.crm_id)
    return since is not None and any(one.kind == ANOTHER and not one.field and one.first_at < since for one in known)


def _ask(session: Session, connection: Connection, link: Link, error: AnotherRecord) -> None:
    doubtful = _side(connection, error)
    shown = {side: OTHER_RECORD if side is doubtful else KEPT for side in Side}
    conflicts.open_conflict(
        session,
        connection=connection.name,
        nexudus_id=link.nexudus_id,
        crm_id=link.crm_id,
        field=RECORD,
        base=None,
        nexudus=shown[Side.NEXUDUS],
        crm=shown[Side.CRM],
        now=connection.clock.now(),
        link_id=link.id,
        kind=ConflictKind.ANOTHER,
        side=doubtful,
        reason=f"{error}; take {doubtful.value} to go on with that one, {doubtful.other.value} to part the pair",
    )
    failures.solve_failures(session, connection.name, link.nexudus_id, link.crm_id, fields={""})
    _stop_looking(session, link)


def _stop_looking(session: Session, link: Link) -> None:
    """A person is asked: the next reconcile looks again."""
    kept = session.get_one(Link, link.id)
    kept.mark_both(False)


def _answer(session: Session, connection: Connection, link: Link, error: AnotherRecord, asked: Conflict) -> None:
    """The pair goes on with the other record, unless that has a pair of its own; or it ends."""
    doubtful, kept, now = _side(connection, error), session.get_one(Link, link.id), connection.clock.now()
    if asked.take != doubtful.value:
        close_link(session, kept, f"{error}; parted by hand", now)
    elif _has_a_pair(session, connection, kept, doubtful, error):
        asked.state, asked.take = "open", None
        _stop_looking(session, link)
    else:
        asked.state, asked.closed_at = "closed", now
        _adopt(session, kept, doubtful, error)


def _has_a_pair(session: Session, connection: Connection, link: Link, side: Side, error: AnotherRecord) -> bool:
    known = records.links_of(session, connection.crm, side, error.told, error.identity)
    return not error.told or any(one.id != link.id for one in known)


def _adopt(session: Session, link: Link, side: Side, error: AnotherRecord) -> None:
    if side is Side.CRM and error.told != link.crm_id:
        rename(session, link, error.told)
    elif side is Side.NEXUDUS:
        link.nexudus_id = error.told
    link.half(side).identity = error.identity
    link.mark_both(True)
    session.add(link)


def _side(connection: Connection, error: AnotherRecord) -> Side:
    return next(side for side in Side if connection.connector(side).name == error.system)


def note_reply(session: Session, connection: Connection, row: Journal) -> None:
    """The reply to a write was about another record: the second in a row holds the record that was written."""
    link = None if row.link_id is None else session.get(Link, row.link_id)
    if link is None:
        row.step = {**row.step, ABOUT_ANOTHER: True}
        return
    key = f"{COUNTED}{row.side}"
    link.bounces = {**link.bounces, key: int(link.bounces.get(key, 0)) + 1}
    if link.bounces[key] >= ENOUGH:
        failure = note_failure(
            session, connection, _held(connection, link, Side(row.side)), nexudus_id=link.nexudus_id, crm_id=link.crm_id
        )
        failure.next_attempt = None


def forget_others(link: Link, side: Side) -> None:
    """A reply about the record itself came: the count begins anew."""
    link.bounces = {key: count for key, count in link.bounces.items() if key != f"{COUNTED}{side.value}"}


def refuse_held(connection: Connection, link: Link, side: Side) -> None:
    """Raises AnotherRecord where the last replies to writes of this side were about other records."""
    if int(link.bounces.get(f"{COUNTED}{side.value}", 0)) >= ENOUGH:
        raise _held(connection, link, side)


def _held(connection: Connection, link: Link, side: Side) -> AnotherRecord:
    """Why such a record is not written."""
    record_id = link.half(side).id
    problem = "two replies in a row to its writes were about other records; it is not written until this is retried"
    return AnotherRecord(connection.connector(side).name, problem, record_id, held=True)


def is_create_held(session: Session, connection: Connection, source: Side, record_id: str) -> bool:
    """Were two attempts to copy this record answered with others?"""
    return len(_answered_for(session, connection.name, source, record_id)) >= ENOUGH


def let_create(session: Session, connection: str, source: Side, record_id: str) -> None:
    """A person wants it to be copied all the same."""
    for attempt in _answered_for(session, connection, source, record_id):
        attempt.step = {key: value for key, value in attempt.step.items() if key != ABOUT_ANOTHER}
        session.add(attempt)


def _answered_for(session: Session, connection: str, source: Side, record_id: str) -> list[Journal]:
    attempts = journal.dropped_creates(session, connection, source, record_id)
    return [one for one in attempts if one.step.get(ABOUT_ANOTHER)]
