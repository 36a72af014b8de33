"""Copies a state into another kind of database, and proves that what arrived is the same.

What stands in the columns is copied as it stands: nothing is decoded and written down again. Both sides are compared by
the number of rows of each table and a fingerprint of their content that does not depend on their order.
"""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlmodel import SQLModel

from nexudus_sync.errors import StoreError
from nexudus_sync.store.database import Store
from nexudus_sync.store.tables import Json, UtcDateTime

_AT_ONCE = 500
"""Rows that are held in memory at a time."""
_MODULUS = 2**256


class Content(NamedTuple):
    """What a table holds: how many rows, and their fingerprint."""

    rows: int
    fingerprint: str


def copy(source: str, target: str, *, base_dir: Path) -> dict[str, Content]:
    """Copy the state at the URL `source` into the one at `target`, which has to be empty. What it holds, by table.

    A relative path starts at `base_dir`. All is copied as of one moment and in one transaction. Raises ConfigError for
    an invalid URL; StoreLocked while either is in use; StoreError when the source does not exist or is not of this
    version, when the target holds something, or when what arrived is not what was sent: then it is left as it was.
    """
    if not Store.exists(source, base_dir=base_dir):
        raise StoreError(f"{_told(source)} does not exist, so there is nothing to copy")
    with ExitStack() as stack:
        giver = stack.enter_context(closing(Store.open(source, base_dir=base_dir, upgrade=False)))
        stack.enter_context(giver.lock())
        taker = stack.enter_context(closing(Store.open(target, base_dir=base_dir)))
        stack.enter_context(taker.lock())
        reads, writes = stack.enter_context(giver.read()), stack.enter_context(taker.session())
        return _copied(reads.connection(), writes.connection(), taker.label)


def contents(store: Store) -> dict[str, Content]:
    """What a store holds, by table."""
    with store.read() as session:
        return {table.name: _summed(_rows(session.connection(), table)) for table in _tables()}


def _copied(reads: Connection, writes: Connection, label: str) -> dict[str, Content]:
    tables = _tables()
    for table in tables:
        if writes.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
            raise StoreError(f"{label} already holds something and is left as it is; name an empty one")
    sent = {table.name: _summed(_passed_on(reads, writes, table)) for table in tables}
    for table in tables:
        if _summed(_rows(writes, table)) != sent[table.name]:
            raise StoreError(f"{label}: what arrived in the table {table.name} is not what was sent; nothing was kept")
        if writes.dialect.name == "postgresql" and "id" in table.c:
            _count_on(writes, table)
    return sent


def _passed_on(reads: Connection, writes: Connection, table: sa.TableClause) -> Iterator[Any]:
    """The rows of a table, each once it is written to the other side."""
    names = [column.name for column in table.c]
    for part in _parts(reads, table):
        writes.execute(sa.insert(table), [dict(zip(names, row, strict=True)) for row in part])
        yield from part


def _rows(connection: Connection, table: sa.TableClause) -> Iterator[Any]:
    for part in _parts(connection, table):
        yield from part


def _parts(connection: Connection, table: sa.TableClause) -> Iterator[Any]:
    found = connection.execute(sa.select(*table.c), execution_options={"yield_per": _AT_ONCE})
    return iter(found.partitions())


def _summed(rows: Iterator[Any]) -> Content:
    count, total = 0, 0
    for row in rows:
        count += 1
        total += int.from_bytes(hashlib.sha256(repr(tuple(row)).encode()).digest())
    return Content(count, f"{total % _MODULUS:064x}")


def _count_on(connection: Connection, table: sa.TableClause) -> None:
    """Let the numbers of new rows go on after the highest there is."""
    highest = connection.execute(sa.select(sa.func.max(table.c.id))).scalar_one()
    if highest is not None:
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        connection.execute(sa.select(sa.func.setval(sequence, highest)))


def _tables() -> list[sa.TableClause]:
    """Our tables, with the columns as they stand in the database."""
    found = []
    for table in SQLModel.metadata.sorted_tables:
        columns: list[sa.ColumnClause[Any]] = [sa.column(one.name, _plain(one.type)) for one in table.columns]
        found.append(sa.table(table.name, *columns))
    return found


def _plain(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    if isinstance(kind, UtcDateTime):
        return sa.DateTime()
    return sa.Text() if isinstance(kind, Json) else kind


def _told(url: str) -> str:
    """The URL without a password."""
    return sa.make_url(url).render_as_string(hide_password=True)
