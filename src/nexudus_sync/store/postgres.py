"""What is PostgreSQL's own: how its connections are set up, how writers take turns, and what its errors mean.

Writers take turns as they do in a file. A writing transaction begins by taking an advisory lock, and what follows reads
what is committed by then: so whatever it has read stays true until it ends, without rows being locked one by one or a
transaction having to be repeated. The writers of one scope (a tenant, for example) wait for each other only; one
without a scope waits for all.
"""

import logging
import os
import select
import socket
import zlib
from typing import Any

import psycopg
from psycopg.adapt import Buffer
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumperUnknown, TextLoader
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from nexudus_sync.errors import ConfigError
from nexudus_sync.store.options import READ_ONLY, SCOPE, UPGRADES
from nexudus_sync.store.server_lock import ServerLock
from nexudus_sync.store.versions import BUSY_MS

DRIVER = "postgresql+psycopg"
_STATEMENT_MS, _UPGRADE_MS = 120_000, 600_000
_IDLE_MS, _WRITER_IDLE_MS = 3_600_000, 30_000  # a reader keeps nobody waiting; a person may look through what it tells
_WRITERS = 1853383795  # the first of an advisory lock's two numbers, which makes it ours
_STAND_IN = "\U0010ffff"
"""Stands for a NUL, which no text of PostgreSQL can hold. It is no character and never will be one."""


class _Writes(StrDumperUnknown):
    """Text on its way to the server, which tells its type by where it goes."""

    def dump(self, obj: str) -> Buffer | None:
        """The text, with the stand-in for NUL."""
        return super().dump(obj.replace("\0", _STAND_IN) if "\0" in obj else obj)


class _Reads(TextLoader):
    """Text on its way from the server."""

    def load(self, data: Buffer) -> bytes | str:
        """The text, with NUL where it was."""
        found = super().load(data)
        return found.replace(_STAND_IN, "\0") if isinstance(found, str) and _STAND_IN in found else found


logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of what it also raises


class Server:
    """A database on a server: its engine, and what its errors mean.

    Raises ConfigError for another driver than psycopg.
    """

    def __init__(self, url: URL) -> None:
        if url.drivername not in ("postgresql", DRIVER):
            raise ConfigError("[store] url", f"the driver of {url.drivername} is not supported", f"write {DRIVER}://")
        port = f":{url.port}" if url.port else ""
        self.label = f"postgresql://{url.host or url.query.get('host') or 'localhost'}{port}/{url.database or ''}"
        self.engine = _engine(url)
        self.lock = ServerLock(self.label, self._connect, _is_gone)

    def explain(self, error: BaseException) -> str | None:
        """One line for a person about an error of the driver; None if it tells nothing of the server's state."""
        return explain(error, self.label) if isinstance(error, psycopg.Error) else None

    def _connect(self) -> Any:
        """A connection of its own, which nobody else is given."""
        pooled = self.engine.raw_connection()
        pooled.detach()
        return pooled.dbapi_connection


def _engine(url: URL) -> Engine:
    # Each of these can be said otherwise after the ? of the URL.
    settings = {
        "application_name": f"nexudus-sync process {os.getpid()} on {socket.gethostname()[:30]}",
        "connect_timeout": "10",
        # A connection that was cut without a word is noticed within half a minute.
        "keepalives_idle": "15",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "30000",
    }
    asked = url.set(drivername=DRIVER, query={**settings, **url.query})
    made = create_engine(asked, pool_size=5, max_overflow=15, pool_timeout=30, use_native_hstore=False)
    dialect: Any = made.dialect
    dialect.do_rollback = _roll_back
    event.listen(made, "connect", _on_connect)
    event.listen(made, "checkout", _on_checkout)
    event.listen(made, "begin", _on_begin)
    return made


def _on_connect(connection: Any, _entry: object) -> None:
    # The driver must not begin transactions of its own kind; `_on_begin` does.
    connection.autocommit = True
    connection.adapters.register_dumper(str, _Writes)
    connection.adapters.register_dumper(int, Int8Dumper)
    for kind in ("text", "varchar"):
        connection.adapters.register_loader(kind, _Reads)
    connection.execute(
        f"SET lock_timeout = {BUSY_MS}; SET statement_timeout = {_STATEMENT_MS}; "
        f"SET idle_in_transaction_session_timeout = {_IDLE_MS}; SET timezone = 'UTC'",
        prepare=False,
    )


def _roll_back(connection: Any) -> None:
    """End a transaction. The driver's own way also throws away what is prepared; only an error is a reason for that."""
    if connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
        connection.execute("ROLLBACK", prepare=False)
    else:
        connection.rollback()


def _on_checkout(connection: Any, _entry: object, _proxy: object) -> None:
    """Never hand out a connection that the server has closed: it then has something to say, its goodbye or an end.

    This costs no request. One that broke a moment ago, or was cut without a word, fails at its first statement.
    """
    if _is_gone(connection):
        raise InvalidatePoolError


def _is_gone(connection: Any) -> bool:
    """Was an idle connection lost, or does the server have something to say that nobody asked for?"""
    if connection.closed:
        return True
    file = connection.pgconn.socket
    if not hasattr(select, "poll"):  # pragma: no cover
        return bool(select.select([file], [], [], 0)[0])
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))


def _on_begin(connection: Connection) -> None:
    # Of the driver itself, and in one request: these begin every one of very many short transactions.
    driver: Any = connection.connection.driver_connection
    driver.execute(_beginning(connection.get_execution_options()), prepare=False)


def _beginning(options: Any) -> str:
    if options.get(READ_ONLY):
        return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    everything, scope = f"{_WRITERS}, 0", options.get(SCOPE, "")
    begin = f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = {_WRITER_IDLE_MS}; "
    if scope:
        return (
            f"{begin}SELECT pg_advisory_xact_lock_shared({everything}); "
            f"SELECT pg_advisory_xact_lock({_WRITERS}, {_number(scope)})"
        )
    waits = f"SET LOCAL lock_timeout = {_UPGRADE_MS}; SET LOCAL statement_timeout = 0; "
    return f"{begin}{waits if options.get(UPGRADES) else ''}SELECT pg_advisory_xact_lock({everything})"


def _number(scope: str) -> int:
    """A number from 1 on for a scope; two that have the same wait for each other, which does no harm."""
    return zlib.crc32(scope.encode(errors="replace")) % 0x7FFFFFFF + 1


_SAID = {
    "28P01": "the password is wrong or missing; give the right one in [store] url",
    "28000": "the server does not let this user in; check its pg_hba.conf and [store] url",
    "3D000": "there is no such database; create it or change [store] url",
    "42501": "this user lacks a right; make it the owner of the database",
    "53100": "the server's disk is full; free some space there, nothing of this step was kept",
    "53200": "the server is out of memory; nothing of this step was kept",
    "53300": "the server has too many connections; raise its max_connections or run fewer processes",
    "55P03": f"locked by another process for over {BUSY_MS // 1000} s; try again when it is done",
    "57P01": "the server is shutting down; try again when it is back",
    "57P02": "the server crashed and is restarting; try again when it is back",
    "57P03": "the server is starting up or shutting down; try again when it is ready",
    "57014": f"a statement took over {_STATEMENT_MS // 1000} s and was cancelled; look at the server's load",
    "25P03": "a transaction stood still for long and was ended by the server",
    "25006": "read-only: the server is a standby, or the transaction only reads",
    "40001": "two transactions got into each other's way; the next cycle tries again",
    "40P01": "two transactions waited for each other; the next cycle tries again",
    "58030": "the server cannot read or write its disk; look at its log",
    "XX001": "is damaged; restore it from a backup",
    "XX002": "has a damaged index; reindex it or restore it from a backup",
}
"""What a state of PostgreSQL means to a person."""
_TOLD = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    'database "': "3D000",
    "permission denied for database": "42501",
    "too many clients": "53300",
    "remaining connection slots": "53300",
    "too many connections": "53300",
    "is starting up": "57P03",
    "is shutting down": "57P03",
    "terminating connection due to administrator command": "57P01",
}
"""By what a failed attempt to connect is known: the driver has only the server's sentence for it."""


def explain(error: psycopg.Error, label: str) -> str | None:
    """One line for a person about an error of the database `label`; None if it tells nothing of the server's state."""
    told = " ".join(str(error).split())
    state = error.sqlstate or next((state for said, state in _TOLD.items() if said in told), None)
    if state in _SAID:
        return f"{label}: {_SAID[state]}"
    if told.startswith("invalid connection option"):
        return f"{label}: {told}; correct what is behind the ? of [store] url"
    if state is None or state.startswith("08") or not isinstance(error, psycopg.ProgrammingError | psycopg.DataError):
        if isinstance(error, psycopg.OperationalError):
            return f"{label}: cannot be reached, or the connection was lost: {told}"
        if isinstance(error, psycopg.InternalError):
            return f"{label}: {told}"
    return None
