"""Failures: what the sync could not carry over, kept with its reason until it succeeds or is dismissed."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_, update
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import object_session
from sqlmodel import Session, col, func, select

from nexudus_sync.errors import storable
from nexudus_sync.store.concerning import failures_about, naming
from nexudus_sync.store.records import relatives
from nexudus_sync.store.tables import Failure, Link

REFUSED = "refused"
"""The kind of a value or record that a system refused. It is not sent again until something changes.

That is the record, the mapping, or the answer to a neighbour that was refused in the same words; or a reconcile comes,
or a person asks for it.
"""
_OPEN = col(Failure.state) == "open"


def open_failure(
    session: Session,
    *,
    connection: str,
    kind: str,
    reason: str,
    now: datetime,
    field: str = "",
    nexudus_id: str = "",
    crm_id: str = "",
    retry_after: timedelta | None = None,
) -> Failure:
    """Note a failure: one row per (connection, kind, field, nexudus_id, crm_id), however often it happens.

    While it is open, `attempts` counts up. A solved one opens again with one attempt, and so does a dismissed one if
    the reason has changed: what a person dismissed stays dismissed. The next attempt is due `retry_after` from `now`;
    None: it is not retried automatically.
    """
    key: dict[str, Any] = {
        "connection": connection,
        "kind": kind,
        "field": field,
        "nexudus_id": nexudus_id,
        "crm_id": crm_id,
    }
    reason = storable(reason)
    failure = session.exec(select(Failure).filter_by(**key)).first()
    if failure is None:
        failure = Failure(**key, reason=reason, attempts=0, first_at=now, last_at=now)
    elif failure.state == "dismissed" and failure.reason == reason:
        failure.attempts, failure.last_at = failure.attempts + 1, now
        return failure
    elif failure.state == "open" and failure.reason != reason:
        _wake_neighbours(session, failure)
    elif failure.state != "open":
        failure.state, failure.attempts, failure.first_at = "open", 0, now
    failure.attempts += 1
    failure.reason, failure.last_at = reason, now
    failure.next_attempt = None if retry_after is None else now + retry_after
    session.add(failure)
    return failure


def unsolved(session: Session, connection: str, nexudus_id: str, crm_id: str) -> list[Failure]:
    """The open and dismissed failures about a pair: those that name no other record."""
    return failures_about(session, connection, [(nexudus_id, crm_id)])[nexudus_id, crm_id]


def solve_failures(
    session: Session,
    connection: str,
    nexudus_id: str,
    crm_id: str,
    *,
    fields: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
) -> int:
    """Solve the open and dismissed failures about a pair, of these fields and kinds (None: all). Returns how many."""
    return solve(unsolved(session, connection, nexudus_id, crm_id), fields=fields, kinds=kinds)


def solve(
    about: Iterable[Failure], *, fields: Collection[str] | None = None, kinds: Collection[str] | None = None
) -> int:
    """Solve the failures of these fields and kinds (None: all). Returns how many."""
    solved = [one for one in about if (fields is None or one.field in fields) and (kinds is None or one.kind in kinds)]
    for failure in solved:
        session = object_session(failure)
        if session is not None:
            _wake_neighbours(session, failure)
        failure.state, failure.next_attempt = "solved", None
    return len(solved)


def _wake_neighbours(session: OrmSession, answered: Failure) -> None:
    """A refused value was sent again and got another answer: those refused in the same words are due as well."""
    if answered.kind != REFUSED or answered.state != "open" or answered.next_attempt is None:
        return
    same = (col(Failure.field) == answered.field, col(Failure.reason) == answered.reason)
    woken = update(Failure).where(*_asleep(answered.connection), *same, col(Failure.id) != answered.id)
    session.execute(woken.values(next_attempt=answered.next_attempt))


def wake(session: Session, connection: str, now: datetime) -> None:
    """Make everything due that a system refused: at a reconcile, and under another mapping."""
    session.execute(update(Failure).where(*_asleep(connection)).values(next_attempt=now))


def _asleep(connection: str) -> tuple[ColumnElement[bool], ...]:
    """The condition for refusals that are not retried automatically."""
    mine = (col(Failure.connection) == connection, col(Failure.kind) == REFUSED)
    return (*mine, col(Failure.state) == "open", col(Failure.next_attempt).is_(None))


def _resting(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The condition for failures that wait for their next attempt; one noted in the future (a wrong clock) is due."""
    return col(Failure.next_attempt) > now, col(Failure.last_at) <= now


def _not_again() -> ColumnElement[bool]:
    """The condition for failures that are not retried automatically: refusals, until something changes."""
    return and_(col(Failure.kind) == REFUSED, col(Failure.next_attempt).is_(None))


def woken(session: Session, connection: str, now: datetime) -> list[Failure]:
    """The refusals that are due."""
    return [one for one in due_failures(session, connection, now) if one.kind == REFUSED]


def failing_links(
    session: Session, connection: str, now: datetime, *, one_shot: bool
) -> dict[int | None, tuple[datetime, bool]]:
    """Links that failed as a whole: when they last failed, and whether they wait for their next attempt.

    A command (`one_shot`) does not wait for it, but refusals are not retried automatically.
    """
    same = (col(Failure.nexudus_id) == col(Link.nexudus_id)) & (col(Failure.crm_id) == col(Link.crm_id))
    rest = _not_again() if one_shot else or_(and_(*_resting(now)), _not_again())
    query = select(Link.id, Failure.last_at, rest).join(Failure, same)
    about = query.where(
        col(Failure.connection) == connection,
        col(Link.connection).in_(relatives(connection)),
        col(Failure.field) == "",
        col(Failure.state).in_(("open", "dismissed")),
    )
    # of several failures of a link, one that waits comes last and so is the one that counts
    found = session.exec(about.order_by(rest, col(Failure.last_at)))
    return {link_id: (at, bool(rests)) for link_id, at, rests in found}


def due_failures(session: Session, connection: str, now: datetime) -> list[Failure]:
    """The connection's open failures whose next attempt is due, the longest overdue first."""
    due = and_(col(Failure.next_attempt).is_not(None), not_(and_(*_resting(now))))
    query = select(Failure).where(col(Failure.state) == "open", col(Failure.connection) == connection, due)
    return list(session.exec(query.order_by(col(Failure.next_attempt), col(Failure.id))))


def open_failures(session: Session, connections: Collection[str]) -> list[Failure]:
    """The open failures of these connections, oldest first."""
    query = select(Failure).where(_OPEN, col(Failure.connection).in_(connections))
    return list(session.exec(query.order_by(col(Failure.id))))


def about_records(session: Session, connections: Collection[str], record_ids: Collection[str]) -> list[Failure]:
    """The failures of these connections that name one of these records, solved ones too, oldest first."""
    return list(session.exec(naming(Failure, connections, record_ids)))


def kinds_by_pair(session: Session, connection: str) -> list[tuple[str, str, str]]:
    """Nexudus id, CRM id and kind of each failure of a record as a whole that is not solved."""
    query = select(Failure.nexudus_id, Failure.crm_id, Failure.kind).where(
        col(Failure.connection) == connection, col(Failure.field) == "", col(Failure.state) != "solved"
    )
    return list(session.exec(query))


def kinds(session: Session, connection: str) -> dict[str, int]:
    """How many open failures there are of each kind."""
    query = select(Failure.kind, func.count()).where(
        col(Failure.connection) == connection, col(Failure.state) == "open"
    )
    return dict(session.exec(query.group_by(col(Failure.kind))).all())


def waits(session: Session, connection: str, nexudus_id: str, crm_id: str, field: str) -> bool:
    """Is a failure of this field of a pair open, in any connection to the same CRM?"""
    query = select(Failure.id).where(*_of_pair(connection, nexudus_id, crm_id), col(Failure.field) == field, _OPEN)
    return session.exec(query).first() is not None


def what_stops(
    session: Session, connection: str, nexudus_id: str, crm_id: str, field: str, *, passing: Collection[str]
) -> str | None:
    """The reason why a pair's field, or the pair as a whole, cannot be synced; `passing` kinds do not count."""
    query = select(Failure.reason).where(
        _OPEN,
        col(Failure.kind).not_in(passing),
        *_of_pair(connection, nexudus_id, crm_id),
        col(Failure.field).in_((field, "")),
    )
    return session.exec(query).first()


def open_ids(session: Session, connection: str) -> set[int | None]:
    """The ids of the failures that are open."""
    return set(session.exec(select(Failure.id).where(col(Failure.connection) == connection, _OPEN)))


def resting_pairs(session: Session, connection: str, now: datetime) -> list[tuple[str, str]]:
    """Nexudus id and CRM id of the failures that wait for their next attempt."""
    return list(session.exec(_failed_pairs(connection, *_resting(now))))


def sleeping_pairs(session: Session, connection: str) -> list[tuple[str, str]]:
    """Nexudus id and CRM id of the refusals that are not retried automatically."""
    return list(session.exec(_failed_pairs(connection, _not_again())))


def unsolved_of_kind(session: Session, connection: str, kind: str) -> list[Failure]:
    """The open and dismissed failures of one kind in a connection."""
    mine = (col(Failure.connection) == connection, col(Failure.kind) == kind)
    return list(session.exec(select(Failure).where(*mine, col(Failure.state) != "solved")))


def solve_unmapped(session: Session, connection: str, fields: Collection[str]) -> None:
    """Solve the failures of all fields but these: nothing about them waits any more."""
    about = (col(Failure.connection) == connection, col(Failure.state) != "solved")
    stale = update(Failure).where(*about, col(Failure.field).not_in(fields))
    session.execute(stale.values(state="solved", next_attempt=None))


def _failed_pairs(connection: str, *when: ColumnElement[bool]) -> Any:
    mine = (col(Failure.connection) == connection, col(Failure.state).in_(("open", "dismissed")))
    return select(Failure.nexudus_id, Failure.crm_id).where(*mine, *when)


def _of_pair(connection: str, nexudus_id: str, crm_id: str) -> tuple[ColumnElement[bool], ...]:
    here = col(Failure.connection).in_(relatives(connection))
    return (here, col(Failure.nexudus_id) == nexudus_id, col(Failure.crm_id) == crm_id)


def of_numbers(session: Session, numbers: Collection[int]) -> list[Failure]:
    """The failures of these numbers that there are, oldest first."""
    return list(session.exec(select(Failure).where(col(Failure.id).in_(numbers)).order_by(col(Failure.id))))
