"""A copy of the store in memory, for work that must leave no trace in the store itself."""

from sqlalchemy import insert
from sqlmodel import SQLModel

from nexudus_sync.store.database import Store


def copy_of(store: Store) -> Store:
    """Everything the store holds, in memory."""
    copy = Store.open("sqlite://")
    with store.read() as source, copy.session() as target:
        for table in SQLModel.metadata.sorted_tables:
            rows = [dict(row) for row in source.connection().execute(table.select()).mappings()]
            if rows:
                target.connection().execute(insert(table), rows)
    return copy
