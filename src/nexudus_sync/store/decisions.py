"""Questions about decisions: what people asked for at the command line, and what came of it."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from nexudus_sync.store.lists import BROUGHT_BACK as BROUGHT_BACK
from nexudus_sync.store.tables import Decision


def waiting(session: Session, connection: str) -> list[Decision]:
    """The connection's decisions that no cycle has carried out or refused yet, oldest first."""
    return list(session.exec(select(Decision).where(*_waiting(connection)).order_by(col(Decision.id))))


def carried_out(session: Session, connection: str, since: datetime) -> list[Decision]:
    """The decisions that cycles since that moment have carried out or refused, with their outcome."""
    query = select(Decision).where(col(Decision.connection) == connection, col(Decision.done_at) >= since)
    return list(session.exec(query.order_by(col(Decision.id))))


def of_connections(session: Session, connections: Collection[str]) -> list[Decision]:
    """All decisions of these connections, carried out or not, oldest first."""
    query = select(Decision).where(col(Decision.connection).in_(connections))
    return list(session.exec(query.order_by(col(Decision.id))))


def _waiting(connection: str) -> tuple[ColumnElement[bool], ...]:
    return (col(Decision.connection) == connection, col(Decision.done_at).is_(None))
