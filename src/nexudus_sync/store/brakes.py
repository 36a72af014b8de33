"""Questions about brakes: which are set or released, and what links they are about."""

from collections.abc import Collection

from sqlmodel import Session, col, select

from nexudus_sync.store.tables import Brake


def of_connections(session: Session, connections: Collection[str], states: Collection[str]) -> list[Brake]:
    """The brakes of these connections in one of these states, oldest first."""
    query = select(Brake).where(col(Brake.connection).in_(connections), col(Brake.state).in_(states))
    return list(session.exec(query.order_by(col(Brake.id))))
