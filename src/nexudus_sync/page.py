"""The operator's page beside a running engine: what it shows, who may decide there, and what it can ask the run for."""

import asyncio
from collections.abc import Iterable, Mapping, MutableSet
from datetime import datetime
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.read.zones import as_read
from nexudus_sync.engine.rehearse.rehearse import Rehearsal, rehearse
from nexudus_sync.engine.startup.assemble import HUB, Engine, plain_contexts
from nexudus_sync.engine.startup.missing_names import refuse_missing
from nexudus_sync.mapping import Context, Side
from nexudus_sync.web import app
from nexudus_sync.web.desk import Desk, Foreseen, Hands, Step
from nexudus_sync.web.sessions import User

_POLL = "poll "
"""How the number of a connection's poll among the scheduler's jobs begins."""


def poll_id(connection: str) -> str:
    """The id of a connection's poll among the scheduler's jobs."""
    return _POLL + connection


def application(engine: Engine, routes: Iterable[BaseRoute] = (), hands: Hands | None = None) -> ASGIApp:
    """The page about an engine, and `routes` beside it. Without `hands`, nothing is asked to run."""
    web = engine.settings.web
    users = [User(one.name, one.password.get_secret_value()) for one in web.users]
    return app.build(tuple(routes), desk_of(engine, hands), users, hosts=[web.address, *web.hosts])


def desk_of(engine: Engine, hands: Hands | None = None) -> Desk:
    """What the pages are made from."""
    plain = {one.name: plain_contexts(engine.settings, one) for one in engine.settings.connections}

    def context(connection: str, side: Side, snapshot: dict[str, Any]) -> Context:
        return as_read(plain[connection][side], snapshot)

    return Desk(
        settings=engine.settings,
        store=engine.store,
        clock=engine.clock,
        mappings={one.name: one.mapping for one in engine.connections},
        context=context,
        hands=hands,
        titles=_titles(engine),
    )


def _titles(engine: Engine) -> dict[str, str]:
    """How the systems call themselves; one that the configuration gives another name goes by that."""
    kinds = {HUB: HUB, **{one.name: one.connector for one in engine.settings.crms.values()}}
    titles = {name: getattr(one, "title", "") for name, one in engine.connectors.items()}
    return {name: titles[name] or name if kinds.get(name) == name else name for name in titles}


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
