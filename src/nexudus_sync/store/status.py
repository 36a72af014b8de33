"""What `status` tells of a connection, counted."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from nexudus_sync.merge import STORED_DIFFERENTLY
from nexudus_sync.store.journal import PENDING
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Failure, Journal, Link


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """The counts of one connection.

    `links` are the active ones; `conflicts` those that wait for a person; `failures` the open ones; `pending` the
    journal rows whose outcome is not known; `last_success` is aware UTC, None before the first; `brake` is the name
    of the brake that is set. `told` are failures that only inform (renderings of a text): nothing waits for them.
    """

    name: str
    links: int
    conflicts: int
    failures: int
    pending: int
    last_success: datetime | None
    brake: str | None
    told: int = 0

    @property
    def waiting(self) -> int:
        """How many conflicts and failures wait for a person."""
        return self.conflicts + self.failures_waiting

    @property
    def failures_waiting(self) -> int:
        """How many failures wait for a person, without those that only inform."""
        return self.failures - self.told


def connection_status(session: Session, name: str) -> ConnectionStatus:
    """The status of the connection `name`; all zero and None for one the store does not know yet."""
    state = session.get(ConnectionState, name)
    brakes = select(Brake.name).where(col(Brake.connection) == name, col(Brake.state) == "set")
    failing = (col(Failure.connection) == name, col(Failure.state) == "open")
    return ConnectionStatus(
        name=name,
        links=_count(session, col(Link.connection) == name, col(Link.state) == "active"),
        conflicts=_count(session, col(Conflict.connection) == name, col(Conflict.state) == "open"),
        failures=_count(session, *failing),
        pending=_count(session, col(Journal.connection) == name, col(Journal.state).in_(PENDING)),
        last_success=state.last_success if state else None,
        brake=session.exec(brakes.order_by(col(Brake.id))).first(),
        told=_count(session, *failing, col(Failure.kind) == STORED_DIFFERENTLY),
    )


def _count(session: Session, *where: ColumnElement[bool]) -> int:
    return session.exec(select(func.count()).where(*where)).one()
