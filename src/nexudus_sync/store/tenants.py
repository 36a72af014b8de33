"""The tenants of a fleet, by the names under which the store keeps what is theirs."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Table, delete, func, or_, select
from sqlmodel import Session, SQLModel

from nexudus_sync.store.tables import ConnectionState, Fact, LeaseRow


def count(session: Session, tenant: str) -> dict[str, int]:
    """How many rows of each table are the tenant's; tables without any are left out."""
    found = {
        table.name: session.connection().execute(select(func.count()).select_from(table).where(mine)).scalar_one()
        for table, mine in owned(tenant)
    }
    return {name: number for name, number in found.items() if number}


def erase(session: Session, tenant: str) -> int:
    """Delete all that is the tenant's; returns how many rows that were. The counts of its logins' calls stay."""
    return sum(session.connection().execute(delete(table).where(mine)).rowcount for table, mine in owned(tenant))


def owned(tenant: str) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Each table, and which of its rows are the tenant's."""
    columns = {Fact.__tablename__: ("system", "key"), LeaseRow.__tablename__: ("key",)}
    columns[ConnectionState.__tablename__] = ("name",)
    for table in reversed(SQLModel.metadata.sorted_tables):
        named = [table.c[name] for name in columns.get(table.name, ("connection",)) if name in table.c]
        if named:
            # not LIKE, for which Acme and acme are one on some databases
            yield table, or_(*(func.substr(column, 1, len(tenant) + 1) == f"{tenant}/" for column in named))
