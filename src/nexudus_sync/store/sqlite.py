"""What is SQLite's own: how its file is born, how its connections are set up, and what its errors mean to a person."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from nexudus_sync.errors import StoreError
from nexudus_sync.store.options import READ_ONLY
from nexudus_sync.store.schema import START_AGAIN
from nexudus_sync.store.versions import BUSY_MS as BUSY_MS

_FULL_BELOW = 1_000_000  # bytes


def create_file(path: Path, label: str, make: Callable[[Path], None]) -> None:
    """Create the file, readable by its owner only, unless there is one.

    It is made beside its place and moved there whole, so an empty file is never ours. SQLite gives its side files
    (-wal, -shm) the mode of the database file. Raises StoreError when the folder is missing, the file cannot be made,
    or is not a file.
    """
    if not path.parent.is_dir():
        raise StoreError(f"{label}: the folder {path.parent} does not exist; create it or change [store] url")
    try:
        # before the question whether the file is there: another process may make it, and these, at any moment
        orphan = _left_behind(path)
        if path.exists():
            _refuse_none(path, label)
            return
        if orphan:
            raise StoreError(
                f"{label} is gone, and {orphan} of it was left behind; restore both from a backup, or delete {orphan} "
                "too to start again (everything is then matched again)"
            )
        file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
        os.close(file)
        beside = Path(name)
        try:
            make(beside)
            _put_into_place(beside, path)
        finally:
            for left in path.parent.glob(f"{beside.name}*"):
                left.unlink()
    except OSError as error:
        raise StoreError(f"{label} cannot be created: {error.strerror}") from error


def _left_behind(path: Path) -> str:
    """The side file of a store that is gone: SQLite would replay its content into the next store of that name."""
    beside = (path.with_name(f"{path.name}{end}") for end in ("-wal", "-journal"))
    return next((one.name for one in beside if one.exists()), "")


def _refuse_none(path: Path, label: str) -> None:
    if not path.is_file():
        raise StoreError(f"{label} is not a file; change [store] url")
    if path.stat().st_size == 0:
        raise StoreError(f"{label} is empty, so what it held is lost; {START_AGAIN}")


def _put_into_place(beside: Path, path: Path) -> None:
    """Give the file its name, unless another process was faster: its file stays."""
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        beside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def take_over(engine: Engine, path: Path, label: str) -> None:
    """Restrict a file that is known to be a store to its owner, and let readers work beside a writer (WAL)."""
    # By name and never through a descriptor: closing one would drop the locks SQLite holds on the file in this process.
    if path.stat().st_mode & 0o077:
        try:
            path.chmod(0o600)
        except OSError as error:
            raise StoreError(f"{label} is open to other users and cannot be restricted: {error.strerror}") from error
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        for pragma in ("query_only = OFF", "journal_mode = WAL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def set_up(engine: Engine) -> None:
    """Make every connection durable, and every transaction that may write take the write lock at once.

    A transaction that began as a reader and then writes could fail at once instead of waiting for its turn.
    """
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)


def _on_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions of its own kind; `_on_begin` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (f"busy_timeout = {BUSY_MS}", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    reads = bool(connection.get_execution_options().get(READ_ONLY))
    # Of the driver itself: these two begin every one of very many short transactions, and have nothing to compile.
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA query_only = {int(reads)}")
    cursor.execute("BEGIN" if reads else "BEGIN IMMEDIATE")
    cursor.close()


def explain(error: sqlite3.Error, label: str, beside: Path | None) -> str:
    """One line for a person about an error of the database `label`; `beside` is a path on its disk, None in memory."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    known = {
        sqlite3.SQLITE_FULL: "disk full; free some space, nothing of this step was kept",
        sqlite3.SQLITE_BUSY: f"locked by another process for over {BUSY_MS // 1000} s; try again when it is done",
        sqlite3.SQLITE_READONLY: "read-only: the file or its folder may not be written, or the transaction only reads",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the rights of the file and its folder",
        sqlite3.SQLITE_NOTADB: "is not an SQLite database; change [store] url",
        sqlite3.SQLITE_IOERR: f"{error}; check the disk, and its quota and file-size limits for this user",
        sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup",
    }
    # A full disk shows as a plain input/output error where SQLite maps a file into memory.
    if code == sqlite3.SQLITE_IOERR and beside and shutil.disk_usage(beside.parent).free < _FULL_BELOW:
        code = sqlite3.SQLITE_FULL
    return f"{label}: {known.get(code) or str(error)}"
