"""The operator's page beside a running engine: what it shows, who may decide there, and what it can ask the run for."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSet
from dataclasses import replace
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from nexudus_sync.clock import Clock
from nexudus_sync.config import Settings
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.config.settings import SEPARATOR
from nexudus_sync.config.whole import Whole
from nexudus_sync.connectors import registry
from nexudus_sync.connectors.nexudus import NexudusConnector
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.read.zones import as_read
from nexudus_sync.engine.rehearse.rehearse import Rehearsal, rehearse
from nexudus_sync.engine.startup.assemble import Engine, load_mapping, plain_contexts
from nexudus_sync.engine.startup.missing_names import refuse_missing
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Context, Side
from nexudus_sync.mapping import Mapping as FieldMapping
from nexudus_sync.store import Store
from nexudus_sync.web import app
from nexudus_sync.web.desk import Desk, Foreseen, Hands, Step
from nexudus_sync.web.sessions import User

LOOKED_FOR = 3.0
"""Seconds for which the page goes by what it saw of a fleet's files."""
_POLL = "poll "
"""How the number of a connection's poll among the scheduler's jobs begins."""


def poll_id(connection: str) -> str:
    """The id of a connection's poll among the scheduler's jobs."""
    return _POLL + connection


def application(engine: Engine, routes: Iterable[BaseRoute] = (), hands: Hands | None = None) -> ASGIApp:
    """The page about an engine, and `routes` beside it. Without `hands`, nothing is asked to run."""
    return served(engine.settings, desk_of(engine, hands), routes)


def served(settings: Settings, desk: Desk | Callable[[], Desk] | None, routes: Iterable[BaseRoute] = ()) -> ASGIApp:
    """The page about a desk, for those whom the settings let in, and `routes` beside it; without a desk these alone."""
    web = settings.web
    users = [User(one.name, one.password.get_secret_value(), _set(one.tenants)) for one in web.users]
    return app.build(tuple(routes), desk, users, hosts=[web.address, *web.hosts])


def _set(tenants: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if tenants is None else frozenset(tenants)


def desk_of(engine: Engine, hands: Hands | None = None) -> Desk:
    """What the pages are made from."""
    made = desk_beside(engine.settings, engine.store, engine.clock, hands)
    return replace(made, mappings={one.name: one.mapping for one in engine.connections})


def desk_beside(settings: Settings, store: Store, clock: Clock, hands: Hands | None = None) -> Desk:
    """The same without an engine: each mapping is read when it is first asked for."""
    known = {one.name: one for one in settings.connections}

    @cache
    def plain(connection: str) -> dict[Side, Context]:
        return plain_contexts(settings, known[connection])

    def context(connection: str, side: Side, snapshot: dict[str, Any]) -> Context:
        return as_read(plain(connection)[side], snapshot)

    return Desk(settings, store, clock, _Mappings(settings), context, hands, _titles(settings))


class _Mappings(Mapping[str, FieldMapping]):
    """The mappings by connection, each read when it is first asked for, which raises MappingError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connections = {one.name: one for one in settings.connections}
        self._read: dict[str, FieldMapping] = {}

    def __getitem__(self, name: str) -> FieldMapping:
        if name not in self._read:
            self._read[name] = load_mapping(self._settings, self._connections[name])
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._connections

    def __iter__(self) -> Iterator[str]:
        return iter(self._connections)

    def __len__(self) -> int:
        return len(self._connections)


class FleetDesk:
    """Makes the desk of a fleet, as its files are. Used by several threads."""

    def __init__(self, fleet: Fleet, store: Store, clock: Clock) -> None:
        self._fleet, self._store, self._clock = fleet, store, clock
        self._kept: tuple[float, Whole, Desk] | None = None
        self._lock = Lock()
        self.hands: Hands | None = None

    def settings(self) -> Whole:
        """The settings of all tenants."""
        self()
        assert self._kept is not None
        return self._kept[1]

    def __call__(self) -> Desk:
        """The desk. The files are looked at again after a few seconds, so that a page costs no thousand looks."""
        with self._lock:
            now, kept = self._clock.monotonic(), self._kept
            if kept is not None and now - kept[0] < LOOKED_FOR:
                return kept[2]
            try:
                whole = self._fleet.whole()
            except ConfigError:
                if kept is None:
                    raise
                whole = kept[1]  # the folder is away for a moment; what is known goes on
            if kept is None or whole != kept[1]:
                kept = (now, whole, desk_beside(whole, self._store, self._clock, self.hands))
            self._kept = (now, kept[1], kept[2])
            return kept[2]


def _titles(settings: Settings) -> dict[str, str]:
    """How the systems call themselves; one that the configuration gives another name goes by that."""
    titles = {}
    for one in settings.connections:
        own = settings.of(one.name)
        titles[own.hub] = NexudusConnector.title
        name, connector = one.crm.rpartition(SEPARATOR)[2], settings.crms[one.crm].connector
        titles[one.crm] = (getattr(registry.find(connector), "title", "") or name) if name == connector else name
    return titles


class RunHands:
    """What a run does for its page. The page lives in threads of its own; all of this goes to the run's event loop."""

    def __init__(
        self,
        engine: Engine,
        scheduler: Any,
        locks: Mapping[str, asyncio.Lock],
        running: MutableSet[asyncio.Task[None]],
    ) -> None:
        self._engine, self._scheduler, self._locks, self._running = engine, scheduler, locks, running
        self._loop = asyncio.get_running_loop()

    def soon(self, connection: str) -> bool:
        """Run the connection's next cycle at once, or as soon as the one under way has ended."""
        job = self._scheduler.get_job(poll_id(connection))
        if job is None:
            return False

        def ask() -> None:  # beside the poll: the scheduler would drop a second run of it while the first is under way
            self._scheduler.add_job(
                job.func, args=job.args, id=f"{connection} soon", replace_existing=True, misfire_grace_time=None
            )

        self._loop.call_soon_threadsafe(ask)
        return True

    def next_cycle(self, connection: str) -> datetime | None:
        """When its next poll is due."""
        job = self._scheduler.get_job(poll_id(connection))
        return None if job is None else job.next_run_time

    def plan(self, connection: str) -> Foreseen:
        """What its next cycle would do. Waits for the cycle under way; the ones that come meanwhile wait for it."""
        (found,) = self._engine.connection(connection)
        return asyncio.run_coroutine_threadsafe(self._plan(found), self._loop).result()

    async def _plan(self, connection: Connection) -> Foreseen:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)  # so that it is ended when the run ends
        try:
            async with self._locks[connection.crm]:
                for side in Side:
                    await connection.connector(side).start()
                await refuse_missing(connection)
                return _foreseen(await rehearse(connection, Options()))
        finally:
            self._running.discard(task)


def _foreseen(seen: Rehearsal) -> Foreseen:
    steps = tuple(Step(one.action, one.system, one.nexudus_id, one.crm_id, one.fields) for one in seen.actions)
    return Foreseen(steps, seen.status.conflicts, seen.status.failures_waiting, seen.report.brake)
