"""A fleet of tenants, each with doubles of its own called in process, a store on PostgreSQL, and workers on it."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlmodel import SQLModel, select

from nexudus_sandbox.world import Sandbox
from nexudus_sync.clock import SharedClock, SystemClock
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.report import Report
from nexudus_sync.store import Session, Store, leases, records
from nexudus_sync.store.leases import Lease
from nexudus_sync.worker.due import Kind
from nexudus_sync.worker.queue_schema import prepare
from nexudus_sync.worker.roster import Roster
from nexudus_sync.worker.worker import Pace, Worker

QUICK = Pace(tick=0.02, renew=0.05, reclaim=0.05, beat=5.0, look=5.0, prune=5.0, retry=0.02, slice=20.0)
SLOTS = {Kind.POLL: 4, Kind.RECONCILE: 2, Kind.CATCH_UP: 1, Kind.BACKFILL: 2}


class Tenant:
    """A tenant's doubles, and its files in the fleet's folder."""

    def __init__(self, folder: Path, name: str, **counts: int) -> None:
        self.name, self.folder = name, folder / name
        self.clock = SystemClock()
        self.world = Sandbox(self.clock.now, **{"nexudus": 3, "crm": 3, "shared": 2, "seed": 7, **counts})
        self.world.nexudus_url = f"http://{name}.nexudus.test"
        self.calls = 0
        for double in (self.world.nexudus, self.world.overplane):
            double.watchers.append(self._called)
        self.write(self.world.config_toml().partition("[nexudus]")[2])

    def write(self, text: str) -> None:
        """Write the tenant's files whole, as editors do; what stands before [nexudus] belongs to the fleet."""
        self.folder.mkdir(exist_ok=True)
        lines = (f"{key}='{value}'" for key, value in self.world.environment().items())
        self._put("secrets.env", "\n".join(lines))
        self._put("config.toml", f"[nexudus]{text}" if not text.startswith("[nexudus]") else text)

    def _put(self, name: str, text: str) -> None:
        beside = self.folder / f".{name}.new"
        beside.write_text(text)
        beside.replace(self.folder / name)

    @property
    def text(self) -> str:
        """The tenant's file."""
        return (self.folder / "config.toml").read_text()

    @property
    def london(self) -> str:
        """The qualified name of its connection."""
        return f"{self.name}/london"

    def transports(self) -> dict[str, httpx.AsyncBaseTransport]:
        """What carries requests to its doubles, by qualified name."""
        return {f"{self.name}/{system}": one for system, one in self.world.transports(self.clock).items()}

    def _called(self, *_: object) -> None:
        self.calls += 1


class House:
    """The fleet. Its tenants may come and go while workers run."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        (folder / "tenants").mkdir()
        self.path = folder / "config.toml"
        self.path.write_text(f'[store]\nurl = "{url}"\n[fleet]\nfolder = "tenants"\n')
        self.store = Store.open(url)
        self.stores = [self.store]
        self.tenants: dict[str, Tenant] = {}
        self._transports: dict[str, httpx.AsyncBaseTransport] = {}

    def add(self, name: str, **counts: int) -> Tenant:
        """Add a tenant."""
        tenant = self.tenants[name] = Tenant(self.folder / "tenants", name, **counts)
        self._transports |= tenant.transports()
        return tenant

    def worker(self, pace: Pace = QUICK, slots: Mapping[Kind, int] | None = None, **given: Any) -> Worker:
        """A worker, as a process of its own would have it."""
        fleet, store = Fleet.load(self.path, {}), Store.open(self.url)
        self.stores.append(store)
        clock, slots = SharedClock(SystemClock()), SLOTS if slots is None else slots
        return Worker(Roster(fleet.whole), store, clock, slots, pace=pace, transports=self._transports, **given)

    def remove(self, name: str) -> None:
        """Remove a tenant, as a person deletes its folder."""
        shutil.rmtree(self.tenants.pop(name).folder)

    async def ready(self, worker: Worker) -> None:
        """Make the queue's tables, and connect a worker that is not run."""
        prepare(self.store)
        await worker.queue.open()

    def lease(self, key: str) -> Lease:
        """Take a lease, as another worker would."""
        lease = leases.take(self.store, SharedClock(SystemClock()), key, "another worker")
        assert lease is not None
        return lease

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the database; its rows, if it gives any. It fails rather than wait for a lock for long."""
        url = f"postgresql{self.url[self.url.index('://') :]}"
        with psycopg.connect(url, autocommit=True, options="-c lock_timeout=20s") as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def jobs(self) -> list[dict[str, Any]]:
        """What is in the queue."""
        names = ("queue_name", "status", "queueing_lock")
        found = self.sql("SELECT queue_name, status::text, queueing_lock FROM procrastinate_jobs ORDER BY id")
        return [dict(zip(names, one, strict=True)) for one in found]

    def cut_connections(self) -> None:
        """Cut every connection to the database, as a restart of the server does."""
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )

    def rows(self, table: type[SQLModel]) -> list[Any]:
        """The store's rows."""
        with self.store.read() as session:
            return list(session.exec(select(table)))


Plays = Callable[[Connection, Options], Awaitable[Report | None]]


class Cycles:
    """Stands for `run_cycle`: each connection's cycle is what `plays` says, else one that goes well at once.

    `asked` are the cycles that began, with whether they were sweeps. No two may be at one CRM at the same time.
    """

    def __init__(self) -> None:
        self.plays: dict[str, Plays] = {}
        self.asked: list[tuple[str, bool]] = []
        self._at_work: set[str] = set()

    async def __call__(self, connection: Connection, options: Options) -> Report:
        assert connection.crm not in self._at_work
        self._at_work.add(connection.crm)
        self.asked.append((connection.name, options.reconcile))
        try:
            play = self.plays.get(connection.name)
            report = None if play is None else await play(connection, options)
            report = report or Report(connection.name)
            with connection.store.session() as session:
                self._note(session, connection, options, finished=report.finished)
            return report
        finally:
            self._at_work.discard(connection.crm)

    def _note(self, session: Session, connection: Connection, options: Options, *, finished: bool) -> None:
        state = records.connection_state(session, connection.name, connection.crm)
        state.cycles += 1
        if finished:
            state.last_success = state.backfilled_at = connection.clock.now()
            state.last_reconcile = state.last_success if options.reconcile else state.last_reconcile
        session.add(state)

    def count(self, name: str) -> int:
        """How many cycles of the connection began."""
        return sum(one == name for one, _ in self.asked)


@contextmanager
def running(*workers: Worker) -> Iterator[list[asyncio.Task[None]]]:
    """The workers at work until the block ends."""
    tasks = [asyncio.ensure_future(worker.run()) for worker in workers]
    try:
        yield tasks
    finally:
        for worker in workers:
            worker.stop()


async def until(happens: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until it happens; fails after so many seconds, which no test hangs on."""
    async with asyncio.timeout(seconds):
        while not happens():
            await asyncio.sleep(0.01)
