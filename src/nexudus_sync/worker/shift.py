"""What a worker does with a job: a cycle of one connection under the lease of its CRM, if it is still wanted."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from nexudus_sync.clock import Clock
from nexudus_sync.config import ConnectionSettings
from nexudus_sync.engine import brakes
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.leased import under
from nexudus_sync.errors import ConnectorError, LeaseLost, StoreError
from nexudus_sync.store import Store, cluster, leases
from nexudus_sync.store.tables import ConnectionState
from nexudus_sync.turns import Turns, rest_after, wait_asked_by
from nexudus_sync.worker.due import Job, Kind, resting, sweep_is_due
from nexudus_sync.worker.engines import Engines, Held
from nexudus_sync.worker.roster import Roster

SLICE = 20.0
"""Seconds for which a cycle goes on after it has listed both sides, so that others of its kind have a turn as well."""
SOON = timedelta(seconds=1)
"""When a cycle goes on that was cut short."""


Again = Callable[[Job, timedelta], Awaitable[None]]
"""Puts a job into the queue, to be done that much later."""


class Slice:
    """Whether a cycle is to end. Its time begins when it is first asked, so that each slice gets something done.

    A sweep has no end by time (`seconds` None): it would begin again with everything.
    """

    def __init__(self, clock: Clock, seconds: float | None, stopping: Callable[[], bool]) -> None:
        self._clock, self._seconds, self._stopping = clock, seconds, stopping
        self._until: float | None = None

    def __call__(self) -> bool:
        """Is it to end now?"""
        if self._stopping() or self._seconds is None:
            return self._stopping()
        now = self._clock.monotonic()
        if self._until is None:
            self._until = now + self._seconds
        return now >= self._until


class Watching(Protocol):
    """Who is told which cycles are under way: `signals.Watch`."""

    def cycle_began(self, connection: str) -> None:
        """A cycle of the connection is under way."""

    def cycle_ended(self, connection: str, *, goes_on: bool = False) -> None:
        """It is not any more; `goes_on`: it was cut short, and another job goes on with it."""


class Shift:
    """Does the jobs of one worker. `holder` names it to people; set `again` to what puts a job into the queue."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        roster: Roster,
        engines: Engines,
        turns: Turns,
        watch: Watching,
        *,
        holder: str,
        stopping: Callable[[], bool],
        slice_seconds: float = SLICE,
    ) -> None:
        self._store, self._clock, self._roster, self._engines = store, clock, roster, engines
        self._turns, self._watch, self._holder, self._stopping = turns, watch, holder, stopping
        self._rests = store.scoped("rests")
        self._slice = slice_seconds
        self._log = structlog.get_logger("nexudus_sync.worker")
        self.again: Again = _nowhere

    async def work(self, job: Job) -> None:
        """Do a job. Whatever goes wrong is told; nothing is raised but that the worker ends (CancelledError)."""
        with structlog.contextvars.bound_contextvars(**_about(job.connection)):
            try:
                if self._stopping():
                    await self._put_back(job)
                else:
                    await self._work(job)
            except asyncio.CancelledError:
                await self._put_back(job)
                raise
            except StoreError as error:  # nothing can be looked up or noted; the next tick says what is due
                self._log.warning("job.dropped", connection=job.connection, error=str(error))
            except Exception as error:
                self._failed(job.connection, error)

    async def _work(self, job: Job) -> None:
        one = self._roster.find(job.connection)
        if one is None:
            return  # was removed, or its tenant's configuration is broken, which is told elsewhere
        failing = await self._wanted(job, one)
        if failing is None:
            return
        async with self._engines.of(self._roster.of(one.name)) as held:
            (connection,) = held.engine.connection(one.name)
            # taken at the last moment: it is not renewed before the cycle begins
            lease = leases.take(self._store, self._clock, connection.crm, self._holder)
            if lease is None:
                await self._put_back(job, self._time_left(connection.crm))
                return
            async with under(lease, connection) as leased:
                await self._cycle(job, held, leased, failing)

    async def _wanted(self, job: Job, one: ConnectionSettings) -> set[str] | None:
        """Which of its systems have failed lately; None for a job that there is no reason for any more."""
        with self._store.read() as session:
            now, state = self._clock.now(), session.get(ConnectionState, one.name)
            rests, systems = cluster.rests(session), self._roster.systems(one)
            last = None if state is None else state.last_reconcile
            released = bool(brakes.released_since(session, one.name, last))
        if (state is not None and state.paused_at is not None) or resting(rests, systems, now):
            return None
        if released and job.kind in (Kind.POLL, Kind.CATCH_UP):
            # what a person let go on is for a sweep, and a sweep is not cut into slices
            await self._put_back(Job(job.connection, job.crm, Kind.RECONCILE))
            return None
        return rests.keys() & set(systems) if _has_reason(job.kind, one, state, now, released=released) else None

    async def _cycle(self, job: Job, held: Held, connection: Connection, failing: set[str]) -> None:
        sweep, began, goes_on = job.kind is Kind.RECONCILE, self._clock.now(), False
        ends = Slice(self._clock, None if sweep else self._slice, self._stopping)
        self._watch.cycle_began(connection.name)
        try:
            options = Options(reconcile=sweep, one_shot=False, stopping=ends)
            report = await self._turns.take(connection, options, worked_before=connection.name in held.worked)
            held.worked.add(connection.name)
            if failing:
                with self._rests.session() as session:
                    cluster.woke(session, failing)
            goes_on = _goes_on(report)
            self._turns.tell(connection, report, reconcile=sweep, began=began)
        except LeaseLost as error:
            self._log.warning("lease.lost", connection=connection.name, error=str(error))
            goes_on = True
        except Exception as error:
            self._failed(connection.name, error)
        finally:
            self._watch.cycle_ended(connection.name, goes_on=goes_on)
        if goes_on:
            await self._put_back(self._rest_of(job), SOON)

    def _rest_of(self, job: Job) -> Job:
        """The job that goes on with what this one began."""
        if job.kind is Kind.POLL and not self._stopping():
            return Job(job.connection, job.crm, Kind.CATCH_UP)
        return job

    def _failed(self, name: str, error: Exception) -> None:
        """Tell of a failure, and leave the system alone for a while; where none is to blame, the connection."""
        system = error.system if isinstance(error, ConnectorError) else cluster.itself(name)
        wait = wait_asked_by(error)
        rest = rest_after(1, wait)
        with suppress(StoreError), self._rests.session() as session:
            before = cluster.rests(session).get(system)
            times = 1 if before is None else before.times + 1
            rest = rest_after(times, wait)
            cluster.rest(session, system, cluster.Rest(times, self._clock.now() + rest))
        self._turns.failed(name, error, rest)

    async def _put_back(self, job: Job, after: timedelta = timedelta(0)) -> None:
        await self.again(job, after)

    def _time_left(self, key: str) -> timedelta:
        """How long until the lease can be taken; a second more, for it is asked once again."""
        with self._store.read() as session:
            return timedelta(seconds=leases.seconds_left(session, self._clock, key)) + SOON


async def _nowhere(job: Job, after: timedelta) -> None:
    del job, after


def _has_reason(
    kind: Kind, one: ConnectionSettings, state: ConnectionState | None, now: datetime, *, released: bool
) -> bool:
    """Is there still something for a job of that kind to do? Another worker may have done it meanwhile."""
    if state is None or state.backfilled_at is None:
        return kind is Kind.BACKFILL
    if kind is Kind.RECONCILE:
        return released or sweep_is_due(one, state, now)
    return kind is not Kind.BACKFILL


def _goes_on(report: Report) -> bool:
    """Was the cycle cut short? One that a brake or a person stopped was not."""
    return not report.finished and report.brake is None and not report.paused


def _about(name: str) -> dict[str, str]:
    """What each line of the log says while a job is done, those of the connectors included."""
    tenant = name.rpartition("/")[0]
    return {"connection": name, **({"tenant": tenant} if tenant else {})}
