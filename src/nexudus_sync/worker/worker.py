"""One worker: takes jobs from the queue until it is told to stop, whatever goes wrong."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from nexudus_sync.clock import SharedClock
from nexudus_sync.config import Settings
from nexudus_sync.engine.startup.assemble import Engine, Transports
from nexudus_sync.errors import ConfigError, LockLost, StoreError, SyncError
from nexudus_sync.signals.health import BEAT_EVERY, machine
from nexudus_sync.signals.herald import LOOK_EVERY
from nexudus_sync.signals.systemd import Service
from nexudus_sync.signals.watch import Watch
from nexudus_sync.store import Store, cluster
from nexudus_sync.turns import PRUNE_REST, Turns, prune_step
from nexudus_sync.worker import queue
from nexudus_sync.worker.due import Kind
from nexudus_sync.worker.engines import Engines
from nexudus_sync.worker.queue import Queue
from nexudus_sync.worker.queue_schema import prepare
from nexudus_sync.worker.roster import Roster
from nexudus_sync.worker.shift import SLICE, Shift
from nexudus_sync.worker.tick import Ticker

PRUNE_EVERY = timedelta(days=1)
"""How often old rows of the store are deleted, by one of the workers."""
AWAY = (StoreError, *queue.AWAY)
"""What is raised when the database is away."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two of what a worker does again and again, `slice` of a cycle that is cut short included."""

    tick: float = 1.0
    renew: float = 10.0
    reclaim: float = 5.0
    beat: float = BEAT_EVERY.total_seconds()
    look: float = LOOK_EVERY.total_seconds()
    prune: float = 300.0
    retry: float = 1.0
    slice: float = SLICE


class Worker:
    """Runs the connections of a roster beside other workers until `stop` is called or a signal comes.

    `slots`: how many cycles of each kind it runs at a time. `renewed` is told of changed settings; `transports` replace
    the network, by system.
    """

    def __init__(
        self,
        roster: Roster,
        store: Store,
        clock: SharedClock,
        slots: Mapping[Kind, int],
        *,
        pace: Pace | None = None,
        renewed: Callable[[Settings], None] = lambda settings: None,
        transports: Transports | None = None,
    ) -> None:
        self._roster, self._store, self._clock, self._slots = roster, store, clock, slots
        self._pace, self._renewed = pace or Pace(), renewed
        self._log = structlog.get_logger("nexudus_sync.worker")
        self._stop = asyncio.Event()
        self._away = self._idle = False
        self._lock_lost = asyncio.Event()
        self._told: dict[str, str] = {}
        self.name = f"{socket.gethostname()} {os.getpid()}"
        settings, service = roster.settings, Service(os.environ)
        self.watch = Watch(
            settings, store.scoped("signals"), clock, {}, service, worker=f"{machine()} {os.getpid()} {id(self):x}"
        )
        self._engines = Engines(store, clock, self._opened, transports)
        self.shift = Shift(
            store,
            clock,
            roster,
            self._engines,
            Turns(store, clock, self.watch, settings.run.health_file),
            self.watch,
            holder=self.name,
            stopping=self._stop.is_set,
            slice_seconds=self._pace.slice,
        )
        self.queue = Queue(settings.store_url, self.shift.work)
        self.shift.again = self.queue.again
        self.ticker = Ticker(store, roster, self.queue, clock)

    def stop(self) -> None:
        """End as soon as the steps in flight have ended."""
        self._stop.set()

    async def run(self) -> None:
        """Run until stopped. Raises StoreError when at the start the database cannot be used, or `run` has it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.set_exception_handler(self._unexpected)
        with self._store.lock(shared=True):
            prepare(self._store)
        try:
            await self.queue.open()
        except queue.AWAY as error:
            raise StoreError(queue.queue_away(error)) from error
        self._log.info("worker.started", worker=self.name, connections=len(self._roster.settings.connections))
        self._tell_broken()
        await self.watch.beat()
        chores = [asyncio.ensure_future(one) for one in self._chores()]
        lanes = asyncio.ensure_future(self._lanes())
        self.watch.service.ready()
        try:
            await self._stop.wait()
        finally:
            self.watch.service.stopping()
            for one in chores:
                one.cancel()
            lanes.cancel()
            await asyncio.gather(*chores, lanes, return_exceptions=True)
            await self._engines.close()
            await self.queue.close()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            self.watch.ended()
        self._log.info("worker.stopped", worker=self.name)

    def _chores(self) -> list[Awaitable[None]]:
        pace, service = self._pace, self.watch.service
        chores = [
            self._every(pace.tick, self._tick),
            self._every(pace.renew, self._renew),
            self._every(pace.reclaim, self._reclaim),
            self._every(pace.beat, self.watch.beat),
            self._every(pace.prune, self._prune),
            self._every(pace.look, self._look),
        ]
        if service.watchdog is not None:
            chores.append(self._every(service.watchdog, self.watch.alive))
        return list(chores)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again, a little irregularly, so that workers that started together do not stay together."""
        while True:
            try:
                await work()
            except AWAY as error:
                self._is_away(error)
            except Exception as error:  # a chore that ended would be missed by nobody until it is too late
                self._log.error("worker.failed", error=f"{type(error).__name__}: {error}", exc_info=error)
            await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret

    async def _lanes(self) -> None:
        """Take jobs; begin again when the database was away, which also ends the lock against `run` and the like."""
        while True:
            try:
                with self._store.lock(shared=True):
                    self._lock_lost.clear()
                    self._idle = False
                    await self._taking()
            except AWAY as error:
                self._idle = True  # whatever the tick can do meanwhile
                self._is_away(error)
            except Exception as error:
                self._log.error("worker.failed", error=f"{type(error).__name__}: {error}", exc_info=error)
            await asyncio.sleep(self._pace.retry)

    async def _taking(self) -> None:
        """Take jobs until the lock is lost: what is under way then ends, since another run may have the store."""
        taking = asyncio.ensure_future(self.queue.run(self._slots))
        lost = asyncio.ensure_future(self._lock_lost.wait())
        try:
            await asyncio.wait((taking, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            if not taking.done():
                taking.cancel()
            await asyncio.wait((taking,))
        if not taking.cancelled():
            taking.result()

    # -- the chores ---------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        self.ticker.tick()
        if self._away and not self._idle:
            self._away = False
            self._log.info("store.back")

    async def _renew(self) -> None:
        """Take up what has changed in the configuration. One that cannot be read leaves things as they were."""
        before = self._roster.settings
        try:
            settings = await asyncio.to_thread(self._roster.renew)
        except ConfigError as error:
            self._tell("", str(error))
            return
        self._tell("", "")
        if settings != before:
            self._roster.take(settings)
            self.watch.renew(settings)
            self._renewed(settings)
            await self._engines.keep({settings.of(one.name).tenant for one in settings.connections})
            self._log.info("worker.renewed", connections=len(settings.connections))
        self._tell_broken()

    def _tell_broken(self) -> None:
        broken = {tenant: str(error) for tenant, error in self._roster.settings.broken.items()}
        for tenant in [one for one in self._told if one and one not in broken]:
            self._tell(tenant, "")
        for tenant, error in broken.items():
            self._tell(tenant, error)

    def _tell(self, tenant: str, error: str) -> None:
        """Log once what is wrong with a tenant's configuration, or with the fleet's own, and when it is mended."""
        if self._told.get(tenant, "") == error:
            return
        self._told[tenant] = error
        about = {"tenant": tenant} if tenant else {}
        if error:
            self._log.error("configuration.broken", **about, error=error)
        else:
            self._log.info("configuration.mended", **about)

    async def _reclaim(self) -> None:
        for job in await self.queue.reclaim():
            self._log.warning("job.taken_up_again", connection=job.connection, kind=job.kind.value)

    async def _look(self) -> None:
        await self.watch.herald.look()

    async def _prune(self) -> None:
        """Once a day, delete what the store need not keep any longer, a small step at a time."""
        keep, gone, now = self._roster.settings.store, 0, self._clock.now()
        store = self._store.scoped("pruning")
        with store.session() as session:
            last = cluster.last_pruned(session)
            if last is not None and now - last < PRUNE_EVERY:
                return
            cluster.pruned(session, now)
        if last is None:
            return  # a new store has nothing to delete, and a clock that is wrong is noticed by tomorrow
        days = {"keep_history": keep.keep_history, "keep_journal": keep.keep_journal}
        while (step := prune_step(store, now, **days)) > 0:
            gone += step
            await self._clock.sleep(PRUNE_REST)
        if gone:
            self._log.info("store.pruned", rows=gone)

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def _is_away(self, error: BaseException) -> None:
        """Log once that the database is away, until it is back."""
        if not self._away and not self._stop.is_set():
            text = str(error) if isinstance(error, SyncError) else queue.queue_away(error)
            self._log.error("store.away", error=text)
        self._away = True
        if isinstance(error, LockLost):
            self._lock_lost.set()

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A job whose end could not be stored is taken up again; anything else is told as always."""
        if not isinstance(context.get("exception"), AWAY):
            loop.default_exception_handler(context)

    def _opened(self, engine: Engine) -> None:
        self.watch.observe(engine.connectors)
