"""The store as the rest of the program sees it: opened once, then short transactions and one lock."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from sqlalchemy import URL, Engine, StaticPool, create_engine, exc, make_url
from sqlmodel import Session

from nexudus_sync.errors import ConfigError, StoreError
from nexudus_sync.store import backup, lock, schema, sqlite
from nexudus_sync.store.leases import Lease
from nexudus_sync.store.options import READ_ONLY, SCOPE

URL_KEY = "[store] url"
"""Where the configuration says which database it is."""
_EXAMPLE = 'write for example "sqlite:///state.db"'


class Database(Protocol):
    """What a kind of database knows of itself."""

    def explain(self, error: BaseException) -> str | None:
        """One line for a person about the driver's error; None for one that is not about the database's state."""

    @property
    def lock(self) -> "StoreLock":
        """What keeps two runs off the store."""


class StoreLock(Protocol):
    """What keeps two runs off one store."""

    def hold(self, *, shared: bool) -> AbstractContextManager[None]:
        """Hold it against other runs, or beside others that share it. Raises StoreLocked."""

    def check(self) -> None:
        """Ask whether it is still held, if it was taken. Raises LockLost."""

    def regain(self) -> None:
        """Take it again if it was lost. Raises StoreLocked."""


@dataclass(slots=True)
class _Seam:
    """What a store and its views share."""

    after_commit: Callable[[], None] | None = None


class Store:
    """An open store, made by `Store.open`.

    A view of it made by `fenced` writes only while its lease is in force. `after_commit`, when set, is called after
    every commit of `session()`: the seam at which the crash tests end a process.
    """

    def __init__(self, engine: Engine, label: str, database: Database) -> None:
        self._engine = engine
        self._reader = engine.execution_options(**{READ_ONLY: True})
        self._label = label
        self._database = database
        self._seam = _Seam()
        self._lease: Lease | None = None

    @classmethod
    def open(cls, url: str, *, base_dir: Path | None = None, upgrade: bool = True) -> Self:
        """Open the database at `url`, create its tables if they are missing, and bring it to this version's schema.

        `url` is SQLAlchemy's; a relative SQLite path counts from `base_dir` (the current folder when None), and a
        missing file is created. "sqlite://" is a store in memory. `upgrade` False: only if it is at this version's
        schema. Raises ConfigError for a URL that is invalid or lacks its driver, StoreError when the database cannot be
        opened, is not a store, or belongs to another version.
        """
        parsed, folder = _parse(url), base_dir or Path()
        if parsed.get_backend_name() != "sqlite":
            return cls._open_server(parsed, upgrade)
        if parsed.database in (None, "", ":memory:"):
            memory = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
            label = "the store in memory"
            return cls(_sqlite_engine(parsed, **memory), label, _File(label))._prepared()
        label = str(folder / str(parsed.database))
        path = _resolved(label)

        def make(beside: Path) -> None:
            cls(_sqlite_engine(parsed.set(database=str(beside))), label, _File(label))._prepared().close()

        sqlite.create_file(path, label, make)
        engine = _sqlite_engine(parsed.set(database=str(path)))
        return cls(engine, label, _File(label, path.with_name(f"{path.name}.lock")))._prepared(path, upgrade=upgrade)

    @staticmethod
    def exists(url: str, *, base_dir: Path | None = None) -> bool:
        """Is there a database at `url` already? True for one on a server. Raises ConfigError for an invalid URL."""
        parsed = _parse(url)
        if parsed.get_backend_name() != "sqlite":
            return True
        return parsed.database not in (None, "", ":memory:") and ((base_dir or Path()) / str(parsed.database)).exists()

    @staticmethod
    def file(url: str, *, base_dir: Path | None = None) -> Path:
        """The file of the database at `url`. Raises ConfigError for one that has none, or an invalid URL."""
        parsed = _parse(url)
        if parsed.get_backend_name() != "sqlite":
            raise ConfigError(URL_KEY, "is not a file", "use pg_dump and pg_restore, as docs/postgresql.md shows")
        if parsed.database in (None, "", ":memory:"):
            raise ConfigError(URL_KEY, "is not a file", "there is nothing to copy")
        return _resolved(str((base_dir or Path()) / str(parsed.database)))

    @classmethod
    def _open_server(cls, url: URL, upgrade: bool) -> Self:
        try:
            from nexudus_sync.store import postgres
        except ModuleNotFoundError as error:
            remedy = "install nexudus-sync[cluster]"
            raise ConfigError(URL_KEY, "the driver of PostgreSQL is not installed", remedy) from error
        server = postgres.Server(url)
        return cls(server.engine, server.label, server)._prepared(upgrade=upgrade)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One short writing transaction: committed at the end, rolled back on any error.

        Nobody else writes meanwhile, so that what was read in it stays true. Objects stay readable afterwards. Raises
        StoreError when the disk is full, the database is locked by another process for long, cannot be reached or
        cannot be written, and LeaseLost when the store is fenced and its lease was lost.
        """
        with self._explained(), self._begun() as session:
            if self._lease is not None:
                self._lease.enter(session)
            yield session
            session.commit()
        if self._lease is not None:
            self._lease.kept()
        if self._seam.after_commit:
            self._seam.after_commit()

    def _begun(self) -> Session:
        self._database.lock.check()
        return Session(self._engine, expire_on_commit=False)

    @property
    def after_commit(self) -> Callable[[], None] | None:
        """What is called after every commit, those of the store's views included."""
        return self._seam.after_commit

    @after_commit.setter
    def after_commit(self, call: Callable[[], None] | None) -> None:
        self._seam.after_commit = call

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One reading transaction: one consistent view that never waits for a writer.

        Raises StoreError as `session` does, and for a write in it.
        """
        with self._explained(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    def scoped(self, scope: str) -> Self:
        """A view of this store whose writing transactions are about `scope` alone: on a server, others of another
        scope write meanwhile. `close` closes both.
        """
        view = copy(self)
        view._engine = self._engine.execution_options(**{SCOPE: scope})
        return view

    def fenced(self, lease: Lease) -> Self:
        """A view of this store for what is done under the lease: each of its writing transactions checks it first.

        They are about what this store's are about, and where that is everything, about what the lease is about. `close`
        closes both.
        """
        view = self.scoped(self._engine.get_execution_options().get(SCOPE) or lease.key)
        view._lease = lease
        return view

    def lock(self, *, shared: bool = False) -> AbstractContextManager[None]:
        """Hold the store against other runs of `run`, `sync` and `backfill`, until left or the process ends.

        `shared`: only against those that do not share it, which has a meaning on a server alone. Raises StoreLocked,
        naming the holder's process, when another run holds it. A store in memory needs no lock. On a server the lock
        can be lost: nothing can be written then (LockLost) before `regain`.
        """
        return self._explained_lock(shared)

    def regain(self) -> None:
        """Take a lost lock again, once all that was done under it has ended. Raises StoreLocked, StoreError."""
        with self._explained():
            self._database.lock.regain()

    @contextmanager
    def _explained_lock(self, shared: bool) -> Iterator[None]:
        with ExitStack() as stack:
            with self._explained():
                stack.enter_context(self._database.lock.hold(shared=shared))
            yield

    def close(self) -> None:
        """Close every connection; a store in memory is gone then."""
        self._engine.dispose()

    @property
    def label(self) -> str:
        """What people know it by: a path, or an address without user and password."""
        return self._label

    def _prepared(self, path: Path | None = None, *, upgrade: bool = True) -> Self:
        """Itself, at this version's schema; a database that is not a store is left as it was found."""
        try:
            with self._explained():
                found = self._revision()
                if path is not None and found is None and (found := self._revision()) is None:
                    raise StoreError(f"{self._label} is empty, so what it held is lost; {schema.START_AGAIN}")
                if path is not None:
                    sqlite.take_over(self._engine, path, self._label)
                if found != schema.HEAD and not upgrade:
                    raise StoreError(schema.other_version(found, self._label))
                if found != schema.HEAD:
                    if path is not None and found is not None:
                        backup.before_upgrade(path, self._label)
                    schema.migrate(self._engine, self._label)
        except BaseException:
            self.close()
            raise
        return self

    def _revision(self) -> str | None:
        with self._reader.connect() as connection:
            return schema.revision(connection, self._label)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors about the state of the database into StoreError; a broken constraint is not one of them."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            # SQLAlchemy's, about one of the driver's; or of a statement that goes to the driver directly
            cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
            told = self._database.explain(cause)
            if told is None and isinstance(error, exc.OperationalError | exc.TimeoutError):
                told = f"{self._label}: {' '.join(str(cause).split())}"
            if told is None:
                raise
            raise StoreError(told) from error


class _File:
    """A database in a file, or in memory where it has no lock."""

    def __init__(self, label: str, lock_path: Path | None = None) -> None:
        self._label, self._lock_path = label, lock_path

    def explain(self, error: BaseException) -> str | None:
        if not isinstance(error, sqlite3.OperationalError) and type(error) is not sqlite3.DatabaseError:
            return None
        return sqlite.explain(error, self._label, self._lock_path)

    @property
    def lock(self) -> "_File":
        return self

    def hold(self, *, shared: bool) -> AbstractContextManager[None]:
        return nullcontext() if self._lock_path is None else lock.hold(self._lock_path, self._label)

    def check(self) -> None:
        """The operating system's lock is not lost as long as the process lives."""

    def regain(self) -> None:
        """It is not lost."""


def _parse(url: str) -> URL:
    try:
        found = make_url(url)
        kind = found.get_backend_name()
    except exc.ArgumentError as error:
        raise ConfigError(URL_KEY, "is not a database URL", _EXAMPLE) from error
    if kind not in ("sqlite", "postgresql"):
        raise ConfigError(URL_KEY, f"{kind} is neither SQLite nor PostgreSQL", _EXAMPLE)
    if kind == "sqlite" and (found.host or found.query):
        problem = "names a host" if found.host else "has a part after ?"
        raise ConfigError(URL_KEY, f"{problem}, which a file does not have", _EXAMPLE + ", with three slashes")
    return found


def _resolved(label: str) -> Path:
    try:
        return Path(label).resolve()
    except (RuntimeError, OSError) as error:  # which of the two depends on Python's version
        raise StoreError(f"{label} is a symbolic link that points back to itself; remove it") from error


def _sqlite_engine(url: URL, **options: Any) -> Engine:
    engine = create_engine(url, **options)
    sqlite.set_up(engine)
    return engine
