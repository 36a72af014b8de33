"""A copy of the store in memory, for work that must leave no trace in the store itself."""

from sqlalchemy import insert
from sqlmodel import SQLModel

from nexudus_sync.store.database import Store
from nexudus_sync.store.tenants import owned


def copy_of(store: Store, connection: str) -> Store:
    """Everything the store holds that may concern the connection, in memory: of a fleet, what is its tenant's."""
    tenant, is_tenants, _ = connection.partition("/")
    copy, mine = Store.open("sqlite://"), dict(owned(tenant)) if is_tenants else {}
    with store.read() as source, copy.session() as target:
        for table in SQLModel.metadata.sorted_tables:
            query = table.select().where(mine[table]) if table in mine else table.select()
            rows = [dict(row) for row in source.connection().execute(query).mappings()]
            if rows:
                target.connection().execute(insert(table), rows)
    return copy
