"""Questions about decisions: what people asked for at the command line, and what came of it."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from nexudus_sync.store.tables import Decision

ASKED_BY = "undo asked by"
"""The system of the facts that say who asked for an undo; the key is the decision's number."""
BROUGHT_BACK = "brought back"
"""The outcome of an undo that was carried out."""


def waiting(session: Session, connection: str) -> list[Decision]:
    """The connection's decisions that no cycle has carried out or refused yet, oldest first."""
    return list(session.exec(select(Decision).where(*_waiting(connection)).order_by(col(Decision.id))))


def count_waiting(session: Session, connection: str) -> int:
    """How many decisions wait for the connection's next cycle."""
    return session.exec(select(func.count()).where(*_waiting(connection))).one()


def carried_out(session: Session, connection: str, since: datetime) -> list[Decision]:
    """The decisions that cycles since that moment have carried out or refused, with their outcome."""
    query = select(Decision).where(col(Decision.connection) == connection, col(Decision.done_at) >= since)
    return list(session.exec(query.order_by(col(Decision.id))))


def of_connections(session: Session, connections: Collection[str]) -> list[Decision]:
    """All decisions of these connections, carried out or not, oldest first."""
    query = select(Decision).where(col(Decision.connection).in_(connections))
    return list(session.exec(query.order_by(col(Decision.id))))


def undos_done(session: Session) -> list[Decision]:
    """The undos that brought a value back."""
    query = select(Decision).where(col(Decision.kind) == "undo", col(Decision.outcome) == BROUGHT_BACK)
    return list(session.exec(query))


def _waiting(connection: str) -> tuple[ColumnElement[bool], ...]:
    return (col(Decision.connection) == connection, col(Decision.done_at).is_(None))
