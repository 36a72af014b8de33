"""Questions about facts: what was learnt about systems."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, delete, select

from nexudus_sync.store.tables import Fact


def values(session: Session, system: str) -> dict[str, Any]:
    """What is known of a system, by key."""
    return {fact.key: fact.value for fact in session.exec(select(Fact).where(col(Fact.system) == system))}


def keep(session: Session, system: str, values: Mapping[str, Any]) -> None:
    """Keep these values of a system, by key, in place of what was known under these keys."""
    for key, value in values.items():
        session.merge(Fact(system=system, key=key, value=value))


def forget(session: Session, system: str, key: str) -> None:
    """Forget the value under a key of a system, if there is one."""
    session.execute(delete(Fact).where(col(Fact.system) == system, col(Fact.key) == key))
