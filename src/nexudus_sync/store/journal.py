"""The journal: intended writes and their outcome. `planned → sent → confirmed`, or else failed or dropped.

The caller commits between the steps: `sent` must be on disk before the call that it announces.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, or_
from sqlmodel import Session, col, func, select

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.records import family, relatives
from nexudus_sync.store.tables import Journal, Link

PENDING = ("planned", "sent")
"""The states of a write whose outcome is not known."""
CREATE = "opportunity.create"
"""The kind of a write that copies a record to the other side."""
_PENDING = (
    select(Journal)
    .where(col(Journal.state).in_(PENDING), col(Journal.connection) == bindparam("connection"))
    .order_by(col(Journal.id))
)


def plan_write(
    session: Session,
    *,
    connection: str,
    side: Side,
    kind: str,
    now: datetime,
    link_id: int | None = None,
    nexudus_id: str = "",
    crm_id: str = "",
    step: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
) -> Journal:
    """Note a write to `side` that is to come. `step` and `fields` are what `codec` can write.

    The row has its id once the transaction is committed (or the session flushed).
    """
    write = Journal(
        connection=connection,
        side=side.value,
        kind=kind,
        link_id=link_id,
        nexudus_id=nexudus_id,
        crm_id=crm_id,
        step=dict(step or {}),
        fields=dict(fields or {}),
        planned_at=now,
    )
    session.add(write)
    return write


def mark_sent(session: Session, journal_id: int, now: datetime) -> Journal:
    """A planned write is about to be sent. Raises ValueError when it is not (any more) planned."""
    write = _step(session, journal_id, "planned")
    write.state, write.sent_at = "sent", now
    return write


def mark_confirmed(session: Session, journal_id: int, now: datetime, outcome: str | None = None) -> Journal:
    """A sent write is known to be done. Raises ValueError when it was not sent, or is settled."""
    return _settle(_step(session, journal_id, "sent"), "confirmed", now, outcome)


def mark_created(session: Session, journal_id: int, now: datetime, made: str, outcome: str) -> Journal:
    """A sent create is known to have made the record `made`: the row names both records of the pair from now on.

    Raises ValueError as `mark_confirmed` does.
    """
    write = mark_confirmed(session, journal_id, now, outcome)
    name_made(write, made)
    return write


def name_made(write: Journal, made: str) -> None:
    """Let a create name the record `made` as its own."""
    if write.side == Side.NEXUDUS.value:
        write.nexudus_id = made
    else:
        write.crm_id = made


def mark_failed(session: Session, journal_id: int, now: datetime, outcome: str | None = None) -> Journal:
    """A write was refused, before it was sent or by the system. Raises ValueError when it is settled."""
    return _settle(_step(session, journal_id, *PENDING), "failed", now, outcome)


def mark_dropped(session: Session, journal_id: int, now: datetime, outcome: str | None = None) -> Journal:
    """A write is known not to have been done; it is planned again if needed. Raises ValueError when it is settled."""
    return _settle(_step(session, journal_id, *PENDING), "dropped", now, outcome)


def pending(session: Session, connection: str) -> list[Journal]:
    """The connection's writes without an outcome, planned and sent, in the order they were planned."""
    return list(session.exec(_PENDING, params={"connection": connection}))


def confirmed_creates(session: Session, connection: str) -> list[tuple[str, str, str]]:
    """Side, Nexudus id and CRM id of each create that is known to be done, of all connections to the same CRM."""
    mine = col(Journal.connection).in_(relatives(connection))
    done = (col(Journal.kind) == CREATE, col(Journal.state) == "confirmed", mine)
    return list(session.exec(select(Journal.side, Journal.nexudus_id, Journal.crm_id).where(*done)))


def former_connections(session: Session, link: Link) -> list[str]:
    """The other connections that wrote to one of a link's records: the link came from there."""
    pair = or_(col(Journal.nexudus_id) == link.nexudus_id, col(Journal.crm_id) == link.crm_id)
    others = (col(Journal.connection) != link.connection, col(Journal.connection).in_(family(link.crm)))
    query = select(Journal.connection).where(pair, *others).distinct()
    return list(session.exec(query))


def last_attempt(session: Session, row: Journal) -> Journal | None:
    """The last write before this one that meant the same, of those that were confirmed or not found."""
    query = select(Journal).where(
        col(Journal.connection) == row.connection,
        col(Journal.side) == row.side,
        col(Journal.kind) == row.kind,
        col(Journal.nexudus_id) == row.nexudus_id,
        col(Journal.crm_id) == row.crm_id,
        col(Journal.id) < row.id,
        or_(col(Journal.state) == "confirmed", col(Journal.not_found)),
    )
    return session.exec(query.order_by(col(Journal.id).desc())).first()


def is_perhaps_copied(session: Session, crm: str, nexudus_id: str, crm_id: str) -> bool:
    """May one of these two records have been copied, in any connection to the CRM, with the outcome unknown?"""
    query = select(Journal.id).where(
        col(Journal.state) == "sent",
        col(Journal.kind) == CREATE,
        col(Journal.connection).in_(family(crm)),
        or_(col(Journal.nexudus_id) == nexudus_id, col(Journal.crm_id) == crm_id),
    )
    return session.exec(query).first() is not None


def perhaps_done(session: Session, crm: str) -> list[tuple[str, str]]:
    """Nexudus id and CRM id of each write with an unknown outcome, of any connection to a CRM."""
    query = select(Journal.nexudus_id, Journal.crm_id).where(
        col(Journal.state) == "sent", col(Journal.connection).in_(family(crm))
    )
    return list(session.exec(query))


def lost_creates(session: Session, crm: str) -> Sequence[Journal]:
    """The creates, of any connection to a CRM, that may have made a record unknown to us; oldest first.

    Their outcome is unknown, or recovery gave them up. A create that was dropped without a look was never sent.
    """
    told = and_(col(Journal.nexudus_id) != "", col(Journal.crm_id) != "")
    given_up = and_(col(Journal.state) == "dropped", or_(col(Journal.looks) > 0, told))
    query = select(Journal).where(
        col(Journal.connection).in_(family(crm)),
        col(Journal.kind) == CREATE,
        or_(col(Journal.state) == "sent", given_up),
    )
    return session.exec(query.order_by(col(Journal.id))).all()


def count_created(session: Session, connection: str) -> int:
    """How many records a connection has copied."""
    created = (col(Journal.kind) == CREATE, col(Journal.state) == "confirmed")
    return session.exec(select(func.count()).where(col(Journal.connection) == connection, *created)).one()


def new_parties(session: Session, connection: str, since: datetime) -> list[tuple[str, str]]:
    """The side and e-mail address of each customer that was created since then, oldest first."""
    query = select(Journal).where(
        col(Journal.connection) == connection,
        col(Journal.kind) == "party.create",
        col(Journal.state) == "confirmed",
        col(Journal.planned_at) >= since,
    )
    rows = session.exec(query.order_by(col(Journal.id)))
    return [(row.side, str(row.step.get("email") or "")) for row in rows]


def newest_id(session: Session) -> int:
    """The number of the newest write, 0 where there is none."""
    return session.exec(select(func.max(Journal.id))).one() or 0


def planned_after(session: Session, number: int) -> list[Journal]:
    """The writes that were planned after the one of that number, oldest first."""
    return list(session.exec(select(Journal).where(col(Journal.id) > number).order_by(col(Journal.id))))


def sent_between(session: Session, link: Link, side: Side, first: datetime, last: datetime) -> list[Journal]:
    """The writes to a side of a link that were sent in that time."""
    query = select(Journal).where(
        col(Journal.link_id) == link.id,
        col(Journal.side) == side,
        col(Journal.sent_at) >= first,
        col(Journal.sent_at) <= last,
    )
    return list(session.exec(query))


def refused_writes(session: Session, connection: str, link: Link) -> list[Journal]:
    """The refused writes of a link, the create that came before it included, the newest first."""
    query = select(Journal).where(
        col(Journal.state) == "failed",
        col(Journal.connection) == connection,
        or_(col(Journal.nexudus_id) == link.nexudus_id, col(Journal.crm_id) == link.crm_id),
    )
    return list(session.exec(query.order_by(col(Journal.id).desc())))


def dropped_creates(session: Session, connection: str, source: Side, record_id: str) -> list[Journal]:
    """The given-up attempts to copy a record of the side `source`."""
    mine = col(Journal.nexudus_id if source is Side.NEXUDUS else Journal.crm_id) == record_id
    query = select(Journal).where(
        col(Journal.connection) == connection,
        col(Journal.kind) == CREATE,
        col(Journal.side) == source.other,
        col(Journal.state) == "dropped",
        mine,
    )
    return list(session.exec(query))


def _step(session: Session, journal_id: int, *expected: str) -> Journal:
    write = session.get(Journal, journal_id)
    if write is None or write.state not in expected:
        state = "missing" if write is None else write.state
        raise ValueError(f"journal row {journal_id} is {state}, not {' or '.join(expected)}")
    return write


def _settle(write: Journal, state: str, now: datetime, outcome: str | None) -> Journal:
    write.state, write.done_at, write.outcome = state, now, outcome
    return write
