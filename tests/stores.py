"""Which kind of store the simulated worlds and the offices have: a file or memory, or a database on a real server.

`pytest --store postgresql` and `benchmarks/reliability.py --store postgresql` choose the latter for a whole run.
"""

import atexit
from pathlib import Path

from sqlmodel import SQLModel

from nexudus_sync.store import Store
from postgres_server import PostgresServer

KINDS = ("sqlite", "postgresql")
_kind = "sqlite"
_running: list[tuple[PostgresServer, str]] = []


def choose(kind: str) -> None:
    """From now on, new stores are of this kind."""
    global _kind
    assert kind in KINDS
    _kind = kind


def on_server() -> bool:
    """Are new stores on a server?"""
    return _kind == "postgresql"


def open_in(folder: Path) -> Store:
    """A new store for what lives in a folder."""
    return Store.open(new_url()) if on_server() else Store.open("sqlite:///state.db", base_dir=folder)


def server() -> PostgresServer:
    """The server of this process, which ends with it."""
    return _started()[0]


def template() -> str:
    """The name of its database at this version's schema, to be copied."""
    return _started()[1]


def new_url() -> str:
    """The URL of a new database at this version's schema, on a server that ends with the process."""
    return server().url(server().create(template()))


def server_seconds() -> float:
    """The processor time that the server has used so far."""
    return server().seconds()


def emptied(store: Store) -> None:
    """Empty a store on a server, so that its numbers begin with 1 again."""
    tables = ", ".join(f'"{name}"' for name in SQLModel.metadata.tables)
    with store.session() as session:
        session.connection().exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY")


def _started() -> tuple[PostgresServer, str]:
    if not _running:
        started = PostgresServer()
        atexit.register(started.close)
        started.start()
        name = started.create()
        Store.open(started.url(name)).close()
        _running.append((started, name))
    return _running[0]
