"""Questions in plain SQL, for the commands that must answer at once: loading SQLAlchemy takes longer than they do.

A store that is as this version leaves it is read by Python's own driver. Any other one (missing, older, on a server) is
opened as usual, and the same questions are asked through its session.
"""

import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexudus_sync import codec
from nexudus_sync.errors import StoreError
from nexudus_sync.store.versions import BUSY_MS, HEAD

if TYPE_CHECKING:
    from sqlmodel import Session

Ask = Callable[[str, Mapping[str, Any]], Iterator[Any]]
"""Runs one SELECT, in which `:name` stands for a value, and gives its rows as tuples while they are read."""

_FILE = "sqlite:///"
_AT_ONCE = 500
"""Rows that a server's driver fetches at a time."""


@contextmanager
def reading(url: str, base_dir: Path) -> Iterator[Ask]:
    """One reading transaction on the store at `url`: one consistent view that never waits for a writer.

    A relative path starts at `base_dir`. Raises as `Store.open` and `Store.read` do.
    """
    path = _file_of(url, base_dir)
    connection = None if path is None else _opened(path)
    if connection is None:
        with _through_store(url, base_dir) as ask:
            yield ask
        return
    try:
        with closing(connection):
            yield connection.execute
    except sqlite3.Error as error:
        from nexudus_sync.store.sqlite import explain

        raise StoreError(explain(error, str(base_dir / url.removeprefix(_FILE)), path)) from error


def over(session: "Session") -> Ask:
    """The same questions in a session's transaction."""
    on_server = session.connection().dialect.name == "postgresql"

    def ask(sql: str, values: Mapping[str, Any]) -> Iterator[Any]:
        session.flush()
        # Only lists of any length are worth the three requests that it takes to read them in parts.
        options = {"yield_per": _AT_ONCE} if " ORDER BY " in sql and " LIMIT " not in sql else {}
        rows = session.connection().exec_driver_sql(
            _on_server(sql) if on_server else sql, dict(values), execution_options=options
        )
        return iter(rows)

    return ask


_NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_FOLDED = re.compile(r"lower\((%\([a-z_]\w*\)s)\)")


@lru_cache(maxsize=256)
def _on_server(sql: str) -> str:
    """A question as PostgreSQL's driver takes it, with the meaning that it has in SQLite.

    There, LIKE and `lower` make no difference between upper and lower case of ASCII's letters, and of no others. So it
    is in our columns (see `alike`), but not in what is compared with them.
    """
    named = _NAMED.sub(r"%(\1)s", sql.replace("%", "%%")).replace(" LIKE ", " ILIKE ")
    return _FOLDED.sub(r'lower(\1 COLLATE "C")', named)


def one_of(column: str, values: Collection[str]) -> tuple[str, dict[str, str]]:
    """The condition that a column has one of these values, and its parameters."""
    named = {f"{column}_{number}": value for number, value in enumerate(values)}
    # of none: an empty list is no SQL on every database
    return f"{column} IN ({', '.join(f':{name}' for name in named) or 'NULL'})", named


def number(rows: Iterable[Any]) -> int:
    """The one number that a question was about."""
    return next((int(row[0]) for row in rows), 0)


def moment(value: str | datetime | None) -> datetime | None:
    """A moment as a row has it, aware UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return None if found is None else found.replace(tzinfo=UTC)


def stored(at: datetime) -> str:
    """A moment as a column has it, to compare with."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def value(text: str | None) -> Any:
    """A JSON value as a row has it."""
    return None if text is None else codec.loads(text)


def _file_of(url: str, base_dir: Path) -> Path | None:
    """The store's file, if it is one that needs nothing done to it; whatever is odd about it, `Store.open` tells."""
    name = url.removeprefix(_FILE)
    if name == url or name in ("", ":memory:") or "?" in name:
        return None
    try:
        path = (base_dir / name).resolve()
        found = path.stat()
    except (OSError, RuntimeError, ValueError):
        return None
    return path if path.is_file() and found.st_size and not found.st_mode & 0o077 else None


def _opened(path: Path) -> sqlite3.Connection | None:
    """A connection in a reading transaction; None for a file that is not a store as this version leaves it."""
    connection = None
    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_MS / 1000, isolation_level=None, cached_statements=16
        )
        connection.execute("PRAGMA query_only = ON")
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        connection.execute("BEGIN")
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        mode, found = "", []
    if connection is not None and (mode, found) != ("wal", [(HEAD,)]):
        connection.close()
        return None
    return connection


@contextmanager
def _through_store(url: str, base_dir: Path) -> Iterator[Ask]:
    from nexudus_sync.store.database import Store

    store = Store.open(url, base_dir=base_dir)
    try:
        with store.read() as session:
            yield over(session)
    finally:
        store.close()
