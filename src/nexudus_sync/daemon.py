"""The daemon: polls and reconciles every connection on time, whatever goes wrong, until it is told to stop."""

import asyncio
import logging
import os
import signal
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from nexudus_sync.config import ConnectionSettings
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.startup.assemble import Engine
from nexudus_sync.errors import AuthenticationFailed, ConfigError, ConnectorError, StoreError, StoreLocked, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.page import RunHands, application, poll_id
from nexudus_sync.signals.health import BEAT_EVERY
from nexudus_sync.signals.herald import LOOK_EVERY
from nexudus_sync.signals.systemd import Service
from nexudus_sync.signals.watch import Watch
from nexudus_sync.store.tables import ConnectionState
from nexudus_sync.turns import PRUNE_REST, Turns, prune_step, reconcile_due, rest_after
from nexudus_sync.web import serve

GRACE = 5.0
"""Seconds for a cycle to end its step when told to stop; then it is cancelled, and recovery resolves the rest."""
CLOCK_LOOK, CLOCK_STEP = 30.0, 60.0
"""Seconds between comparisons of the wall clock with the monotonic clock, and seconds they may drift apart."""
PRUNE_AFTER, PRUNE_EVERY = timedelta(minutes=5), timedelta(days=1)
"""How long after the start, and how often, old rows of the store are deleted."""

_OTHER = "this machine"
"""Stands for the system when an error does not come from one (the store, the program itself)."""


class Rests:
    """The systems that failed recently and are left alone for a while. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = defaultdict(int)
        self._until: dict[str, float] = {}

    def failed(self, system: str, now: float) -> timedelta:
        """Record a failure; returns how long the system rests."""
        self._failures[system] += 1
        rest = rest_after(self._failures[system])
        self._until[system] = now + rest.total_seconds()
        return rest

    def worked(self, systems: Iterable[str]) -> None:
        """Record that these systems answered."""
        for system in systems:
            self._failures.pop(system, None)
            self._until.pop(system, None)

    def resting(self, systems: Iterable[str], now: float) -> bool:
        """Is any of them still to be left alone?"""
        return any(now < self._until.get(system, now) for system in systems)


class Daemon:
    """Runs an engine's connections until `stop` is called or a signal comes."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._clock = engine, engine.clock
        self._log = structlog.get_logger("nexudus_sync.daemon")
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rests = Rests()
        service = Service(os.environ)
        self._signals = Watch(engine.settings, engine.store, engine.clock, engine.connectors, service)
        self._turns = Turns(engine.store, engine.clock, self._signals, engine.settings.run.health_file)
        self._stop = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._under_way = 0
        """Cycles that have begun and not ended."""
        self._worked: set[str] = set()
        self._owed: set[str] = set()
        """Connections whose sweep was due and has not been made: the next poll is one, not only tomorrow's."""
        self._fatal: SyncError | None = None

    def stop(self) -> None:
        """End as soon as the steps in flight have ended."""
        self._stop.set()

    async def run(self) -> None:
        """Run until stopped. Raises AuthenticationFailed and ConfigError of a connection that never worked."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        scheduler, own_words = self._schedule(), logging.getLogger("apscheduler")
        level = own_words.level
        # a poll that takes longer than its interval is not news, and `_job` reports what a job raises
        own_words.setLevel(logging.CRITICAL + 1)
        scheduler.start()
        self._log.info("daemon.started", connections=[connection.name for connection in self._engine.connections])
        watch = asyncio.ensure_future(self._watch_clock(scheduler))
        await self._signals.beat()
        hands = RunHands(self._engine, scheduler, self._locks, self._running)
        page = serve.start(self._engine.settings.web, lambda: application(self._engine, self._signals.routes(), hands))
        self._signals.herald.page = "" if page is None else page.address
        self._signals.service.ready()
        try:
            await self._stop.wait()
        finally:
            self._signals.service.stopping()
            watch.cancel()
            scheduler.remove_all_jobs()
            await self._finish()
            scheduler.shutdown(wait=False)
            if page is not None:
                page.stop()
            own_words.setLevel(level)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        self._signals.ended()
        if self._fatal is not None:
            raise self._fatal
        self._log.info("daemon.stopped")

    async def _watch_clock(self, scheduler: AsyncIOScheduler) -> None:
        """Shift the jobs when the wall clock is set: they are due by it, and a clock set back would stop them all."""
        ahead = self._ahead()
        while True:
            await asyncio.sleep(CLOCK_LOOK)
            step = self._ahead() - ahead
            if abs(step) > CLOCK_STEP:
                self._log.warning("clock.set", seconds=round(step))
                for job in scheduler.get_jobs():
                    job.modify(next_run_time=job.next_run_time + timedelta(seconds=step))
            ahead += step

    def _ahead(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    async def _finish(self) -> None:
        """Let running cycles end; cancel those that take too long."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _schedule(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"max_instances": 1, "coalesce": True})
        jitter = max(1, round(self._engine.settings.run.jitter.total_seconds()))
        settings = {connection.name: connection for connection in self._engine.settings.connections}
        for each in self._engine.connections:
            one = settings[each.name]
            poll = IntervalTrigger(seconds=_seconds(one.poll), jitter=min(jitter, _seconds(one.poll)))
            sweep = IntervalTrigger(seconds=_seconds(one.reconcile), jitter=jitter)
            now, late = self._clock.now(), None
            here = {"id": poll_id(each.name), "next_run_time": now, "misfire_grace_time": late}
            scheduler.add_job(self._job, poll, (each, False), **here)
            due = self._reconcile_due(one, now)
            scheduler.add_job(self._job, sweep, (each, True), next_run_time=due, misfire_grace_time=late)
        # by the scheduler, not beside it: a scheduler that hangs must be missed
        beat = IntervalTrigger(seconds=_seconds(BEAT_EVERY))
        scheduler.add_job(self._signals.beat, beat, misfire_grace_time=None)
        if (wanted := self._signals.service.watchdog) is not None:
            scheduler.add_job(self._signals.alive, IntervalTrigger(seconds=wanted), misfire_grace_time=None)
        if self._signals.herald.wanted:
            looks = IntervalTrigger(seconds=_seconds(LOOK_EVERY))
            scheduler.add_job(self._signals.herald.look, looks, misfire_grace_time=None)
        first = self._clock.now() + PRUNE_AFTER
        every = IntervalTrigger(seconds=_seconds(PRUNE_EVERY), jitter=jitter)
        scheduler.add_job(self._prune, every, next_run_time=first, misfire_grace_time=None)
        return scheduler

    async def _prune(self) -> None:
        """Delete what the store need not keep any longer, a small step at a time."""
        keep, now, gone = self._engine.settings.store, self._sure_time(), 0
        if now is None:
            return
        days = {"keep_history": keep.keep_history, "keep_journal": keep.keep_journal}
        try:
            while not self._stop.is_set():
                step = prune_step(self._engine.store, now, **days)
                if step == 0:
                    break
                gone += step
                await self._clock.sleep(PRUNE_REST)
        except StoreError as error:  # tomorrow again: nothing waits for it
            self._log.warning("store.not_pruned", error=str(error))
        if gone:
            self._log.info("store.pruned", rows=gone)

    def _sure_time(self) -> datetime | None:
        """The earliest of the times that this machine and the systems say; None before any system said one.

        By a clock that is years ahead, everything would be old, and what is deleted is gone.
        """
        offsets = [one.clock_offset() for one in self._engine.connectors.values()]
        known = [offset for offset in offsets if offset is not None]
        return self._clock.now() + timedelta(seconds=min([0.0, *known])) if known else None

    def _reconcile_due(self, connection: ConnectionSettings, now: datetime) -> datetime:
        with self._engine.store.read() as session:
            state = session.get(ConnectionState, connection.name)
        return reconcile_due(state, connection.reconcile, now)

    async def _job(self, connection: Connection, reconcile: bool) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            with suppress(asyncio.CancelledError):  # cancelled by `_finish`
                async with self._locks[connection.crm]:
                    await self._cycle(connection, reconcile=reconcile)
        except Exception as error:  # the scheduler would report it in its own words
            self._failed(connection, error)
        finally:
            self._running.discard(task)

    async def _cycle(self, connection: Connection, *, reconcile: bool) -> None:
        """Run one cycle. Only a wrong login or mapping of a connection that never worked ends the daemon."""
        systems = (*(connection.connector(side).name for side in Side), _OTHER)
        if reconcile:
            self._owed.add(connection.name)
        reconcile = connection.name in self._owed
        if self._stop.is_set() or self._rests.resting(systems, self._clock.monotonic()):
            return
        options = Options(reconcile=reconcile, one_shot=False, stopping=self._stop.is_set)
        self._signals.cycle_began(connection.name)
        began = self._clock.now()
        self._under_way += 1
        try:
            self._regain()
            report = await self._turns.take(connection, options, worked_before=connection.name in self._worked)
        except (AuthenticationFailed, ConfigError, StoreLocked) as error:
            self._end_or_go_on(connection, error)
        except Exception as error:
            self._failed(connection, error)
        else:
            self._rests.worked(systems)
            self._worked.add(connection.name)
            self._owed -= {connection.name} if report.finished else set()
            self._turns.tell(connection, report, reconcile=reconcile, began=began)
        finally:
            self._under_way -= 1
            self._signals.cycle_ended(connection.name)

    def _end_or_go_on(self, connection: Connection, error: SyncError) -> None:
        """End the daemon if another run has the store now, or with what would never have worked."""
        if isinstance(error, StoreLocked) or connection.name not in self._worked:
            self._fatal = error
            self.stop()
        else:
            self._failed(connection, error)

    def _regain(self) -> None:
        """Take the store's lock again if it was lost, but not before every cycle has ended that began under it."""
        if self._under_way == 1:
            self._engine.store.regain()

    def _failed(self, connection: Connection, error: Exception) -> None:
        system = error.system if isinstance(error, ConnectorError) else _OTHER
        self._turns.failed(connection.name, error, self._rests.failed(system, self._clock.monotonic()))


def _seconds(span: timedelta) -> int:
    return max(1, round(span.total_seconds()))
