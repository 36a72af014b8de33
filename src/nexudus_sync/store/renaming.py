"""Give a connection another name, with all that is kept under it."""

from sqlmodel import Session, SQLModel, select, update

from nexudus_sync.store.first_run import KEPT_AS
from nexudus_sync.store.tables import ConnectionState, Fact, Link

_BY_CONNECTION = (KEPT_AS, "mapping laws", "failing connections", "resumed connections")
"""The systems of the facts whose key is a connection's name."""
_VERDICT = "no-pairs: "
"""How the key of a fact begins that ends with a connection's name."""


def names(session: Session) -> set[str]:
    """The names of all connections that the store holds something of."""
    found = set(session.exec(select(ConnectionState.name)))
    return found | set(session.exec(select(Link.connection).distinct()))


def rename(session: Session, old: str, new: str) -> int:
    """Put all that is kept under `old` under `new`. Returns how many rows that were; nothing may be under `new` yet."""
    count = 0
    for table in SQLModel.metadata.sorted_tables:
        name = "name" if table.name == ConnectionState.__tablename__ else "connection"
        if name in table.c and table.name != Fact.__tablename__:
            statement = update(table).where(table.c[name] == old).values({name: new})
            count += session.connection().execute(statement).rowcount
    for fact in session.exec(select(Fact)).all():
        key = _renamed(fact, old, new)
        if key is not None:
            session.add(Fact(system=fact.system, key=key, value=_told(fact.value, old, new)))
            session.delete(fact)
            count += 1
    session.flush()
    return count


def _renamed(fact: Fact, old: str, new: str) -> str | None:
    if fact.system in _BY_CONNECTION and fact.key == old:
        return new
    return f"{_VERDICT}{new}" if fact.key == f"{_VERDICT}{old}" else None


def _told(value: object, old: str, new: str) -> object:
    """The fact's value; a report says the connection's name itself."""
    return {**value, "connection": new} if isinstance(value, dict) and value.get("connection") == old else value
