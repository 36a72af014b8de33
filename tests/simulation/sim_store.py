"""Stores that are used again: what SQLAlchemy has compiled for one serves the next world too.

They are in memory, or on a server where that was chosen (`stores`).
"""

import sqlite3
from contextlib import closing

from nexudus_sync.store import Store
from stores import emptied, new_url, on_server

_EMPTY = sqlite3.connect(":memory:", check_same_thread=False)
_free: list[Store] = []


def borrowed() -> Store:
    """An empty store."""
    if on_server():
        return _borrowed_on_server()
    if _free:
        store = _free.pop()
        _copy(_EMPTY, store, back=False)
        return store
    store = Store.open("sqlite://")
    _copy(_EMPTY, store, back=True)
    return store


def _borrowed_on_server() -> Store:
    if not _free:
        return Store.open(new_url())
    store = _free.pop()
    emptied(store)
    return store


def given_back(store: Store) -> None:
    """Its world has come to its end."""
    store.after_commit = None
    _free.append(store)


def _copy(empty: sqlite3.Connection, store: Store, *, back: bool) -> None:
    with closing(store._engine.raw_connection()) as pooled:
        connection = pooled.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        connection.execute("PRAGMA query_only = OFF")
        if back:
            connection.backup(empty)
        else:
            empty.backup(connection)
