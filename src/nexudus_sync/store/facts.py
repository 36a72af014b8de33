"""Questions about facts: what was learnt about systems."""

from sqlmodel import Session, col, select

from nexudus_sync.store.tables import Fact


def of_key(session: Session, key: str) -> list[Fact]:
    """What is known under a key, of every system."""
    return list(session.exec(select(Fact).where(col(Fact.key) == key)))
