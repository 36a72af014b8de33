"""Questions about brakes: which are set or released, and what links they are about."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import Session, col, select

from nexudus_sync.store.tables import Brake

STANDING = ("set", "released", "passed")
"""The states of a brake that covers its links: no other brake is set for them."""
_IN_STATE = (
    select(Brake)
    .where(col(Brake.connection) == bindparam("connection"), col(Brake.state) == bindparam("state"))
    .order_by(col(Brake.id))
)


def of_connections(session: Session, connections: Collection[str], states: Collection[str]) -> list[Brake]:
    """The brakes of these connections in one of these states, oldest first."""
    query = select(Brake).where(col(Brake.connection).in_(connections), col(Brake.state).in_(states))
    return list(session.exec(query.order_by(col(Brake.id))))


def of_name(session: Session, connection: str, name: str, state: str) -> list[Brake]:
    """A connection's brakes of one name in that state."""
    return list(session.exec(select(Brake).where(*_named(connection, name), col(Brake.state) == state)))


def was_answered(session: Session, connection: str, name: str) -> bool:
    """Has a person ever released a connection's brake of that name?"""
    query = select(Brake.id).where(*_named(connection, name), col(Brake.state).in_(("released", "gone")))
    return session.exec(query).first() is not None


def in_state(session: Session, connection: str, state: str = "set") -> list[Brake]:
    """A connection's brakes in that state, oldest first."""
    return list(session.exec(_IN_STATE, params={"connection": connection, "state": state}))


def links_spoken_for(session: Session, connection: str, names: Collection[str]) -> set[int]:
    """The links that a connection's brakes of these names cover; a release lasts until they are settled or back."""
    query = select(Brake.links).where(
        col(Brake.connection) == connection, col(Brake.name).in_(names), col(Brake.state).in_(STANDING)
    )
    return {link_id for links in session.exec(query) for link_id in links}


def _named(connection: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return (col(Brake.connection) == connection, col(Brake.name) == name)
