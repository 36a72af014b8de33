"""The queue of jobs, which is Procrastinate's: tables in the store's own database.

Nothing but what is due is in it. A job that ends is deleted, and so is one whose worker was lost: what is left to do
is due again, and the next tick says so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import procrastinate
import psycopg
from procrastinate import exceptions, jobs
from procrastinate.manager import JobManager

from nexudus_sync.store import Session, cluster
from nexudus_sync.worker.due import PRIORITY, Job, Kind

GRACE = 5.0
"""Seconds for a cycle to end its step when told to stop; then it is cancelled, and recovery resolves the rest."""
HEARTBEAT, STALLED = 5.0, 45.0
"""Seconds between a worker's signs of life, and seconds without one after which its jobs are taken from it.

The matching of a very large first run leaves no time for one. What a lost worker took waits for its lease anyway.
"""
LOOK = 1.0
"""Seconds between two looks into the queue, beside being told of new jobs."""

_TASK = "nexudus_sync.cycle"
AWAY = (exceptions.ProcrastinateException, psycopg.Error, OSError)
"""What is raised when the database is away: by Procrastinate, or by the driver where that lets it through."""

Work = Callable[[Job], Awaitable[None]]


class _Manager(JobManager):
    """Procrastinate's own, for jobs of different priority under one lock."""

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        """A job for the worker; None where another one just took a job of the same lock, which is no mistake."""
        try:
            return await super().fetch_job(queues, worker_id)
        except exceptions.UniqueViolation:
            return None


class Queue:
    """The queue in the database at `url`, SQLAlchemy's. Each job is passed to `work`, which never raises."""

    def __init__(self, url: str, work: Work) -> None:
        self._work = work
        self._connector = procrastinate.PsycopgConnector(
            conninfo=f"postgresql{url[url.index('://') :]}", min_size=1, max_size=6, timeout=5.0
        )
        self._app = procrastinate.App(connector=self._connector)
        self._app.job_manager = _Manager(self._connector)
        task: Any = self._take  # its type says nothing of further arguments
        self._app.task(name=_TASK, pass_context=True)(task)
        # a connection of the store's is given to it each time, so it never opens one
        self._beside = JobManager(procrastinate.SyncPsycopgConnector())
        self._running: set[int] = set()
        self._workers: set[int] = set()
        """The numbers under which Procrastinate knows the lanes of this process."""
        self._orphans: set[int] = set()
        # what they say is said here in other words, or is nobody's business
        for name in ("procrastinate", "psycopg"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    async def open(self) -> None:
        """Connect. Raises what the driver raises."""
        await self._app.open_async()

    async def close(self) -> None:
        """End every connection."""
        with suppress(*AWAY):
            await self._app.close_async()

    # -- what is put into it ------------------------------------------------------------------------------------------

    def put(self, session: Session, wanted: Iterable[Job]) -> int:
        """Put these jobs into the queue when the transaction commits; those that wait there stay as they are."""
        new = {job.queueing_lock: job for job in wanted}
        for known in cluster.queued(session, new):
            del new[known]
        if new:
            self._beside.batch_defer_jobs([_row(job) for job in new.values()], cluster.driver(session))
        return len(new)

    async def again(self, job: Job, after: timedelta = timedelta(0)) -> None:
        """Put a job into the queue, to be done that much later, unless it waits there. A lost server is no error."""
        seconds = {"milliseconds": round(after.total_seconds() * 1000)}
        later: dict[str, Any] = {"schedule_in": seconds} if after else {}
        made = self._app.configure_task(
            _TASK,
            lock=job.crm,
            queueing_lock=job.queueing_lock,
            queue=job.kind.value,
            priority=PRIORITY[job.kind],
            task_kwargs=_arguments(job),
            **later,
        )
        with suppress(*AWAY):  # the next tick puts it there
            await made.defer_async()

    # -- what is taken from it ----------------------------------------------------------------------------------------

    async def run(self, slots: Mapping[Kind, int], *, wait: bool = True) -> None:
        """Take jobs, at most so many of each kind at a time, until cancelled; then what is under way is ended.

        `wait` False: until there is nothing to do. Raises what the driver raises when the server is lost.
        """
        self._workers.clear()
        lanes = [
            asyncio.ensure_future(self._lane(kind, count, wait=wait)) for kind, count in slots.items() if count > 0
        ]
        try:
            await asyncio.gather(*lanes)
        except asyncio.CancelledError:  # has been passed on to the lanes, which let what is under way end
            await asyncio.wait(lanes)
            raise
        except Exception:
            for lane in lanes:
                lane.cancel()
            await asyncio.wait(lanes)
            raise

    async def _lane(self, kind: Kind, count: int, *, wait: bool) -> None:
        await self._app.run_worker_async(
            queues=[kind.value],
            name=kind.value,
            concurrency=count,
            wait=wait,
            fetch_job_polling_interval=LOOK,
            abort_job_polling_interval=3600.0,
            shutdown_graceful_timeout=GRACE,
            listen_notify=wait,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=HEARTBEAT,
            stalled_worker_timeout=STALLED,
        )

    async def _take(self, context: procrastinate.JobContext, connection: str, crm: str, kind: str, **_: object) -> None:
        """A job from the queue. A newer version's may say more than this one knows."""
        number = context.job.id
        assert number is not None
        self._running.add(number)
        if context.job.worker_id is not None:
            self._workers.add(context.job.worker_id)
        try:
            await self._work(Job(connection, crm, Kind(kind)))
        finally:
            self._running.discard(number)

    async def reclaim(self) -> list[Job]:
        """Put into the queue again what a lost worker took, or what this one cannot have ended; returns those jobs."""
        manager, found = self._app.job_manager, list[jobs.Job]()
        found += await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED)
        found += await self._left_behind()
        again = []
        for one in found:
            assert one.id is not None
            with suppress(exceptions.ProcrastinateException):  # another worker was faster
                await manager.finish_job_by_id_async(one.id, jobs.Status.FAILED, delete_job=True)
                with suppress(KeyError, ValueError):  # of a newer version: its own tick says it again
                    again.append(Job(one.task_kwargs["connection"], one.task_kwargs["crm"], Kind(one.queue)))  # type: ignore[arg-type]
        for job in again:
            await self.again(job)
        return again

    async def _left_behind(self) -> list[jobs.Job]:
        """Jobs that are still this worker's, but not under way: their end was lost on the way to the server."""
        found = [
            one
            for worker in tuple(self._workers)
            for one in await self._app.job_manager.list_jobs_async(status="doing", worker_id=worker)
            if one.id not in self._running
        ]
        before, self._orphans = self._orphans, {one.id for one in found if one.id is not None}
        return [one for one in found if one.id in before]


def queue_away(error: BaseException) -> str:
    """One line for a person about one of `AWAY`. Procrastinate's own errors leave it to their cause to say what is."""
    cause = error.__cause__ or error
    return f"the queue, which is in the store's database, cannot be reached: {' '.join(str(cause).split())}"


def _arguments(job: Job) -> dict[str, Any]:
    return {"connection": job.connection, "crm": job.crm, "kind": job.kind.value}


def _row(job: Job) -> jobs.Job:
    return jobs.Job(
        queue=job.kind.value,
        priority=PRIORITY[job.kind],
        lock=job.crm,
        queueing_lock=job.queueing_lock,
        task_name=_TASK,
        task_kwargs=_arguments(job),
    )
