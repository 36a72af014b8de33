"""Copies of a store in SQLite: made while others work on it, checked, and put back.

A copy is one file, readable by its owner only, and as confidential as the store.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine

from nexudus_sync.errors import StoreError
from nexudus_sync.store import lock, schema, sqlite

_SIDE_FILES = ("-wal", "-shm", "-journal")


def back_up(store: Path, target: Path) -> None:
    """Copy the store at `store` to the new file `target`, as of one moment, without keeping others from writing.

    Raises StoreError when there is no store, `target` exists or cannot be written, or the copy is damaged.
    """
    if not store.is_file():
        raise StoreError(f"{store} does not exist, so there is nothing to back up")
    if os.path.lexists(target):
        raise StoreError(f"{target} already exists and is left as it is; name a new file")
    _make_beside(target, lambda beside: _copy(store, beside, str(store)))


def restore(source: Path, store: Path, *, aside: Path) -> str | None:
    """Make the store at `store` what the backup `source` holds. Returns the backup's schema.

    What the store held, if there is one, is first copied to the new file `aside`.
    Raises StoreLocked while `run`, `sync` or `backfill` works on the store, StoreError when the backup is damaged, is
    not a store, or belongs to a newer version, before anything is changed.
    """
    found = check(source)
    if not store.parent.is_dir():
        raise StoreError(f"{store}: the folder {store.parent} does not exist; create it or change [store] url")
    with lock.hold(store.with_name(f"{store.name}.lock"), str(store)):
        if store.exists():
            _put_aside(store, aside)
        _make_beside(store, lambda beside: _copy(source, beside, str(source)), replace=True)
    return found


def before_upgrade(store: Path, label: str) -> Path:
    """Copy a store that is about to be upgraded to `<name>.before-<new schema>` beside it, and return where.

    An earlier copy of that name stays, and the new one gets a number.
    """
    target = free(store.with_name(f"{store.name}.before-{schema.HEAD}"))
    try:
        back_up(store, target)
    except StoreError as error:
        raise StoreError(f"{label} cannot be backed up, and is not upgraded without: {error}") from error
    return target


def free(path: Path) -> Path:
    """The path, with a number at its end if something is there already."""
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found


def check(path: Path) -> str | None:
    """The schema of a file that is whole and is a store of this version or an earlier one. Raises StoreError."""
    if not path.is_file():
        raise StoreError(f"{path} does not exist or is not a file; name a backup")
    if path.stat().st_size == 0:
        raise StoreError(f"{path} is empty; name another backup")
    try:
        with closing(_opened(path)) as connection:
            told = [line for (line,) in connection.execute("PRAGMA integrity_check(3)")]
    except sqlite3.Error as error:
        raise StoreError(sqlite.explain(error, str(path), path)) from error
    if told != ["ok"]:
        raise StoreError(f"{path} is damaged ({told[0]}); use another backup")
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    with engine.connect() as asked:
        found = schema.revision(asked, str(path))
    if found is None:
        raise StoreError(f"{path} has no tables, so it is not a backup of a store; name another file")
    return found


def _put_aside(store: Path, aside: Path) -> None:
    """Keep what the store held; one that cannot be read any more is moved as it is."""
    try:
        back_up(store, aside)
    except StoreError:
        store.rename(aside)
        for end in _SIDE_FILES:
            side = store.with_name(store.name + end)
            if side.exists():
                side.rename(aside.with_name(aside.name + end))


def _copy(source: Path, target: Path, label: str) -> None:
    """By SQLite's own backup, in one step: one moment of the source, whoever writes to it meanwhile."""
    try:
        with closing(_opened(source)) as reads, closing(_opened(target)) as writes:
            reads.backup(writes)
            writes.execute("PRAGMA journal_mode = DELETE")  # a copy is one file, whatever the source's mode
    except sqlite3.Error as error:
        raise StoreError(sqlite.explain(error, label, target)) from error


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {sqlite.BUSY_MS}")
    return connection


def _make_beside(target: Path, make: Callable[[Path], None], *, replace: bool = False) -> None:
    """Let `make` write a file beside its place, check it, and give it its name: no half a copy is ever there."""
    if not target.parent.is_dir():
        raise StoreError(f"{target}: the folder {target.parent} does not exist; create it")
    try:
        number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
        beside = Path(name)
        os.close(number)
        try:
            make(beside)
            check(beside)
            _settle(beside)
            if replace:
                for end in _SIDE_FILES:  # of what stood there: SQLite would replay it into the new file
                    target.with_name(target.name + end).unlink(missing_ok=True)
            beside.replace(target)
            _settle(target.parent)
        finally:
            for left in target.parent.glob(f"{beside.name}*"):
                left.unlink()
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}") from error


def _settle(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
