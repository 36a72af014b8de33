"""Questions about records without a counterpart."""

from collections import Counter
from collections.abc import Collection

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.tables import SET_ASIDE, Unlinked


def of_customer(session: Session, connection: str, side: Side, email: str) -> list[Unlinked]:
    """Those of a side with this address, without what a person said to leave alone."""
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


def count_by_state(session: Session, connection: str) -> Counter[str]:
    """How many records in the connection's scope are in each state."""
    mine = (col(Unlinked.connection) == connection, col(Unlinked.state) != "away")
    return Counter(session.exec(select(Unlinked.state).where(*mine)))


def count_in(session: Session, connection: str, state: str) -> int:
    """How many of the connection's records are in that state."""
    mine = (col(Unlinked.connection) == connection, col(Unlinked.state) == state)
    return session.exec(select(func.count()).where(*mine)).one()


def take_up_again(session: Session, connection: str, state: str) -> None:
    """Those that were left in this state are looked at again."""
    left = (col(Unlinked.connection) == connection, col(Unlinked.state) == state)
    session.execute(update(Unlinked).where(*left).values(state="waiting"))
