"""Questions about brakes: which are set or released, and what links they are about."""

from collections.abc import Collection

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from nexudus_sync.store.tables import Brake


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


def _named(connection: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return (col(Brake.connection) == connection, col(Brake.name) == name)
