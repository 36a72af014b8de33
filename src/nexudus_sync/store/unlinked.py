"""Questions about records without a counterpart."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.parts import in_parts
from nexudus_sync.store.records import family, may_be
from nexudus_sync.store.tables import SET_ASIDE, ConnectionState, Link, Unlinked

_MINE = (
    col(Unlinked.side) == bindparam("side"),
    col(Unlinked.record_id).in_(bindparam("record_ids", expanding=True)),
)
# Made once: building one takes many times as long as running it.
_KNOWN = select(Unlinked.record_id, Unlinked.identity, Unlinked.digest).where(
    col(Unlinked.connection) == bindparam("connection"), *_MINE
)
_SET_ASIDE = select(Unlinked.record_id, Unlinked.identity, Unlinked.reason).where(
    col(Unlinked.connection).in_(select(ConnectionState.name).where(col(ConnectionState.crm) == bindparam("crm"))),
    col(Unlinked.state).in_(SET_ASIDE),
    *_MINE,
)
_DROP = (
    delete(Unlinked)
    .where(col(Unlinked.connection) == bindparam("connection"), *_MINE)
    .execution_options(synchronize_session="fetch")
)


def are_any(session: Session, connection: str) -> bool:
    """Has a connection any record without a counterpart, but for those that a person said to leave alone?"""
    mine = (col(Unlinked.connection) == connection, col(Unlinked.state).not_in(SET_ASIDE))
    return session.exec(select(Unlinked.record_id).where(*mine).limit(1)).first() is not None


def of_customer(session: Session, connection: str, side: Side, email: str) -> list[Unlinked]:
    """The records of a side with this address, except those that a person set aside."""
    mine = (col(Unlinked.connection) == connection, col(Unlinked.side) == side)
    free = (col(Unlinked.email) == email, col(Unlinked.state).not_in(SET_ASIDE))
    return list(session.exec(select(Unlinked).where(*mine, *free)))


def find(session: Session, connections: Collection[str], side: Side, record_id: str) -> Unlinked | None:
    """The record of that id, in the first of these connections that knows it."""
    query = select(Unlinked).where(
        col(Unlinked.connection).in_(connections),
        col(Unlinked.side) == side.value,
        col(Unlinked.record_id) == record_id,
    )
    return session.exec(query).first()


def present(session: Session, connection: str) -> list[tuple[str, str, str]]:
    """Side, id and state of each record in the connection's scope."""
    mine = (col(Unlinked.connection) == connection, col(Unlinked.state) != "away")
    return list(session.exec(select(Unlinked.side, Unlinked.record_id, Unlinked.state).where(*mine)))


def take_up_again(session: Session, connection: str, state: str) -> None:
    """Put the records in this state back to "waiting", so that they are looked at again."""
    left = (col(Unlinked.connection) == connection, col(Unlinked.state) == state)
    session.execute(update(Unlinked).where(*left).values(state="waiting"))


def count_by_side(session: Session, connection: str) -> dict[str, int]:
    """How many records of each side a connection has, by the side's name; a side without any is left out."""
    query = select(Unlinked.side, func.count()).where(col(Unlinked.connection) == connection)
    return {side: number for side, number in session.exec(query.group_by(col(Unlinked.side)))}  # noqa: C416


def known(session: Session, connection: str, side: Side, record_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Identity and digest of those of these records that the connection knows as unlinked, by their id."""
    found = dict[str, tuple[str, str]]()
    for some in in_parts(record_ids):
        named = {"record_ids": some, "connection": connection, "side": side.value}
        found |= {one: (identity, digest) for one, identity, digest in session.execute(_KNOWN, named)}
    return found


def set_aside(
    session: Session, crm: str, side: Side, record_ids: Collection[str]
) -> dict[str, list[tuple[str, str | None]]]:
    """Identity and reason by which any connection to this CRM ignores these records, by their id.

    Of several records that bore the id in turn, each has an entry.
    """
    found = dict[str, list[tuple[str, str | None]]]()
    for some in in_parts(record_ids):
        named = {"record_ids": some, "crm": crm, "side": side.value}
        for record_id, identity, reason in session.execute(_SET_ASIDE, named):
            found.setdefault(record_id, []).append((identity, reason))
    return found


def keep(session: Session, rows: Sequence[Mapping[str, Any]], known: Collection[str]) -> None:
    """Store these rows, each with all of its columns; `known` are the ids of those that the store has already."""
    new = [row for row in rows if row["record_id"] not in known]
    changed = [row for row in rows if row["record_id"] in known]
    if new:
        session.execute(insert(Unlinked), new)
    if changed:
        session.execute(update(Unlinked), changed)


def drop(session: Session, connection: str, side: Side, record_ids: Collection[str]) -> None:
    """Delete the rows of records that are no longer without a counterpart."""
    for some in in_parts(record_ids):
        session.execute(_DROP, {"record_ids": some, "connection": connection, "side": side.value})


def staying_alone(session: Session, connection: str) -> list[tuple[str, str | None]]:
    """State and reason of each record in the connection's scope that no cycle will copy as things stand."""
    query = select(Unlinked.state, Unlinked.reason).where(
        col(Unlinked.connection) == connection, col(Unlinked.state).not_in(("waiting", "limit", "away"))
    )
    return list(session.exec(query))


def addresses(session: Session, connection: str, side: Side) -> set[str | None]:
    """The e-mail addresses of a side's records, None among them where one has none."""
    query = select(Unlinked.email).where(col(Unlinked.connection) == connection, col(Unlinked.side) == side.value)
    return set(session.exec(query))


def taking_part(session: Session, connection: str) -> list[Unlinked]:
    """All records of a connection except those that a person set aside."""
    mine = (col(Unlinked.connection) == connection, col(Unlinked.state).not_in(SET_ASIDE))
    return list(session.exec(select(Unlinked).where(*mine)))


def with_address(session: Session, connection: str, side: Side) -> list[Unlinked]:
    """The records of a side that take part and have an e-mail address, valid or not."""
    mine = (col(Unlinked.connection) == connection, col(Unlinked.side) == side.value)
    said = (col(Unlinked.state).not_in(SET_ASIDE), col(Unlinked.email).is_not(None))
    return list(session.exec(select(Unlinked).where(*mine, *said)))


def linked_elsewhere(session: Session, connection: str, crm: str, side: Side) -> list[Unlinked]:
    """The records of a side that take part although a connection to the CRM may have linked them."""
    here = (
        col(Unlinked.connection) == connection,
        col(Unlinked.state).not_in(SET_ASIDE),
        col(Link.crm) == crm,
    )
    record_id = col(Link.nexudus_id) if side is Side.NEXUDUS else col(Link.crm_id)
    same = and_(record_id == col(Unlinked.record_id), may_be(side, col(Unlinked.identity)))
    return list(session.exec(select(Unlinked).join(Link, same).where(*here, col(Unlinked.side) == side)))


def perhaps_renamed(session: Session, connection: str, crm: str) -> set[tuple[Side, str]]:
    """The records with the identity of a link whose CRM record has to be read: they may be that one, renamed."""
    query = (
        select(Unlinked.side, Unlinked.record_id)
        .join(Link, (col(Link.crm_identity) == col(Unlinked.identity)) & (col(Link.crm) == crm))
        .where(col(Unlinked.connection) == connection, col(Unlinked.identity) != "", col(Link.crm_recheck))
    )
    return {(Side(side), record_id) for side, record_id in session.exec(query)}


def looking_like(
    session: Session, crm: str, side: Side, *, title: str, email: str | None, keys: Collection[str]
) -> Sequence[Unlinked]:
    """The records of a side, in any connection to the CRM, with this title, address or one of these external keys.

    An `email` of None means the records without one.
    """
    like = (col(Unlinked.title) == title, col(Unlinked.email) == email, col(Unlinked.external_key).in_(keys))
    return _in_family(session, crm, side, *like)


def called(session: Session, crm: str, side: Side, record_id: str, identity: str | None) -> Sequence[Unlinked]:
    """The records of a side, in any connection to the CRM, with this id or this identity (None: unknown)."""
    return _in_family(session, crm, side, col(Unlinked.record_id) == record_id, col(Unlinked.identity) == identity)


def renamed_since_set_aside(session: Session, connection: str, crm: str) -> list[tuple[Unlinked, Unlinked]]:
    """The CRM's records that a person set aside, each with a waiting record of the same identity and another id."""
    new = aliased(Unlinked)
    renamed = (
        col(new.connection) == connection,
        col(new.side) == Side.CRM.value,
        col(new.state) == "waiting",
        col(new.identity) == col(Unlinked.identity),
        col(new.record_id) != col(Unlinked.record_id),
    )
    aside = (
        col(Unlinked.connection).in_(family(crm)),
        col(Unlinked.side) == Side.CRM.value,
        col(Unlinked.state).in_(SET_ASIDE),
        col(Unlinked.identity) != "",
    )
    return list(session.exec(select(Unlinked, new).where(*aside, *renamed)))


def _in_family(session: Session, crm: str, side: Side, *near: ColumnElement[bool]) -> Sequence[Unlinked]:
    mine = (col(Unlinked.connection).in_(family(crm)), col(Unlinked.side) == side)
    return session.exec(select(Unlinked).where(*mine, or_(*near))).all()
