"""Questions about records without a counterpart."""

from sqlmodel import Session, col, select

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.tables import SET_ASIDE, Unlinked


def of_customer(session: Session, connection: str, side: Side, email: str) -> list[Unlinked]:
    """Those of a side with this address, without what a person said to leave alone."""
    mine = (col(Unlinked.connection) == connection, col(Unlinked.side) == side)
    free = (col(Unlinked.email) == email, col(Unlinked.state).not_in(SET_ASIDE))
    return list(session.exec(select(Unlinked).where(*mine, *free)))
