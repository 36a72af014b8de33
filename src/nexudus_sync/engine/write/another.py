"""Answers about another record than the one asked for: they are not believed, and they do not prove a deletion.

Such an answer is a failure first; if it lasts until the next reconcile, a person is asked. A record whose last two
writes were answered with other records is held: it is not written again.
"""

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import ANOTHER, RECORD, ask, close_link, note_failure
from nexudus_sync.errors import AnotherRecord, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, conflicts, failures, journal, records
from nexudus_sync.store.renames import rename
from nexudus_sync.store.tables import Conflict, ConflictKind, Journal, Link

OTHER_RECORD, KEPT = "another record", "kept"
"""What a question about another record shows: for the side that answers with it, and for the other side."""
COUNTED = "$"
"""The first character of the keys in `Link.bounces` that count, by side, the replies about other records."""
ABOUT_ANOTHER = "another"
"""The key in a create's journal step that says that its reply was about another record."""
ENOUGH = 2
"""This many replies in a row about other records hold a record."""


def note_link_error(session: Session, connection: Connection, link: Link, error: SyncError) -> None:
    """Keep an error of a link as a failure, or deal with an answer about another record."""
    if isinstance(error, AnotherRecord):
        _note_another(session, connection, link, error)
    else:
        note_failure(session, connection, error, nexudus_id=link.nexudus_id, crm_id=link.crm_id)


def _note_another(session: Session, connection: Connection, link: Link, error: AnotherRecord) -> None:
    """Show that a system answers with another record, or carry out what a person said about that."""
    asked = _question(session, link)
    if asked is not None and asked.state == "resolved":  # was answered by a person
        _answer(session, connection, link, error, asked)
    elif asked is not None:  # was asked about, and nobody has answered
        _stop_looking(session, link)
    elif _was_known_before(session, connection, link) and not error.held:
        _ask(session, connection, link, error)
    else:
        # It may pass by itself, unless the record is held.
        failure = note_failure(session, connection, error, nexudus_id=link.nexudus_id, crm_id=link.crm_id)
        failure.next_attempt = None if error.held else failure.next_attempt


def _question(session: Session, link: Link) -> Conflict | None:
    about = conflicts.about_link(session, link)
    return next((one for one in about if one.kind == ConflictKind.ANOTHER), None)


def _was_known_before(session: Session, connection: Connection, link: Link) -> bool:
    """Is this a reconcile, and was the failure known before it began?"""
    since = connection.sweeping_since
    known = failures.unsolved(session, connection.name, link.nexudus_id, link.crm_id)
    return since is not None and any(one.kind == ANOTHER and not one.field and one.first_at < since for one in known)


def _ask(session: Session, connection: Connection, link: Link, error: AnotherRecord) -> None:
    doubtful = _side(connection, error)
    shown = {side: OTHER_RECORD if side is doubtful else KEPT for side in Side}
    reason = _reason(session, connection, link, error)
    ask(session, connection, link, RECORD, shown, kind=ConflictKind.ANOTHER, side=doubtful, reason=reason)
    failures.solve_failures(session, connection.name, link.nexudus_id, link.crm_id, fields={""})
    _stop_looking(session, link)


def _stop_looking(session: Session, link: Link) -> None:
    """Take the marks away: a person is asked, and the next reconcile looks again."""
    kept = session.get_one(Link, link.id)
    kept.mark_both(False)


def _answer(session: Session, connection: Connection, link: Link, error: AnotherRecord, asked: Conflict) -> None:
    """Carry out a person's answer: adopt the other record, unless it has a pair of its own, or part the pair."""
    doubtful, kept, now = _side(connection, error), session.get_one(Link, link.id), connection.clock.now()
    if asked.take != doubtful.value:
        close_link(session, kept, f"{error}; parted by hand", now)
    elif not error.told or _pair_of(session, connection, kept, error) is not None:
        conflicts.ask_again(asked)
        asked.reason = _reason(session, connection, link, error)
        _stop_looking(session, link)
    else:
        asked.state, asked.closed_at = "closed", now
        _adopt(session, kept, doubtful, error)


def _reason(session: Session, connection: Connection, link: Link, error: AnotherRecord) -> str:
    """Why a person is asked, and what each answer does; to go on with a record that has a pair is no answer."""
    doubtful = _side(connection, error)
    part, paired = f"{doubtful.other.value} to part the pair", _pair_of(session, connection, link, error)
    if paired is None:
        return f"{error}; take {doubtful.value} to go on with that one, {part}"
    holder, own = paired.half(doubtful.other).id, link.half(doubtful.other).id
    by_hand = f"if {own} should have it, `unlink {holder}` and `link` the two"
    return f"{error}, which {holder} is paired with; take {part}; {by_hand}"


def _pair_of(session: Session, connection: Connection, link: Link, error: AnotherRecord) -> Link | None:
    """Another link of the record in the answer."""
    side = _side(connection, error)
    known = records.links_of(session, connection.crm, side, error.told, error.identity) if error.told else []
    return next((one for one in known if one.id != link.id), None)


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
    """Count a reply about another record: the second in a row holds the record that was written."""
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
    """A reply was about the record itself: the count starts again."""
    link.bounces = {key: count for key, count in link.bounces.items() if key != f"{COUNTED}{side.value}"}


def refuse_held(connection: Connection, link: Link, side: Side) -> None:
    """Raises AnotherRecord if the last replies to writes on this side were about other records."""
    if int(link.bounces.get(f"{COUNTED}{side.value}", 0)) >= ENOUGH:
        raise _held(connection, link, side)


def _held(connection: Connection, link: Link, side: Side) -> AnotherRecord:
    """The error that says why a held record is not written."""
    record_id = link.half(side).id
    problem = "its last two writes were answered with other records; retry this failure to write it again"
    return AnotherRecord(connection.connector(side).name, problem, record_id, held=True)


def is_create_held(session: Session, connection: Connection, source: Side, record_id: str) -> bool:
    """Were two attempts to copy this record answered with other records?"""
    return len(_answered_for(session, connection.name, source, record_id)) >= ENOUGH


def let_create(session: Session, connection: str, source: Side, record_id: str) -> None:
    """Allow the record to be copied again, as a person asked."""
    for attempt in _answered_for(session, connection, source, record_id):
        attempt.step = {key: value for key, value in attempt.step.items() if key != ABOUT_ANOTHER}
        session.add(attempt)


def _answered_for(session: Session, connection: str, source: Side, record_id: str) -> list[Journal]:
    attempts = journal.dropped_creates(session, connection, source, record_id)
    return [one for one in attempts if one.step.get(ABOUT_ANOTHER)]
