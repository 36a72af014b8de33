"""The queue and the tick: each job once, the urgent ones first, and nothing lost with whoever was filling it."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from worker_house import SLOTS, Cycles, House

from nexudus_sync.errors import StoreError
from nexudus_sync.store import cluster
from nexudus_sync.store.tables import ConnectionState
from nexudus_sync.worker import queue_schema
from nexudus_sync.worker.due import Job, Kind
from nexudus_sync.worker.queue import Queue, queue_away

LONDON = [Job("acme/london", "acme/erp", kind) for kind in (Kind.BACKFILL, Kind.CATCH_UP, Kind.RECONCILE, Kind.POLL)]


class Done(list[Job]):
    """The jobs that were done, in their order."""

    async def work(self, job: Job) -> None:
        self.append(job)


@pytest.fixture
def done() -> Done:
    return Done()


async def opened(house: House, done: Done) -> Queue:
    queue_schema.prepare(house.store)
    made = Queue(house.url, done.work)
    await made.open()
    return made


async def test_of_one_crm_the_most_urgent_job_comes_first_and_each_is_there_once(house: House, done: Done) -> None:
    queue = await opened(house, done)
    for _ in range(2):
        with house.store.session() as session:
            queue.put(session, LONDON)
    for job in LONDON:
        await queue.again(job)
    assert len(house.jobs()) == 4
    await queue.run(SLOTS, wait=False)
    while house.jobs():  # a lane that finds another one's job under way has nothing to do
        await queue.run(SLOTS, wait=False)
    await queue.close()
    assert [job.kind for job in done] == [Kind.POLL, Kind.RECONCILE, Kind.CATCH_UP, Kind.BACKFILL]


@pytest.mark.parametrize("said", ["the connection is closed", "server closed the connection\nunexpectedly"])
def test_that_the_queue_is_away_is_told_in_one_line_by_its_cause(said: str) -> None:
    away = ConnectorException()
    away.__cause__ = psycopg.OperationalError(said)
    for error in (away, away.__cause__):
        told = queue_away(error)
        assert told == f"the queue, which is in the store's database, cannot be reached: {' '.join(said.split())}"
    assert queue_away(ConnectorException()).endswith("cannot be reached: Database error.")


async def test_what_is_put_there_is_there_only_if_the_transaction_ends_well(house: House, done: Done) -> None:
    queue = await opened(house, done)

    def breaks_off() -> None:
        with house.store.session() as session:
            queue.put(session, LONDON)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks_off()
    await queue.close()
    assert house.jobs() == []


async def test_a_job_for_later_is_not_taken_before(house: House, done: Done) -> None:
    queue = await opened(house, done)
    await queue.again(LONDON[0], timedelta(hours=1))
    await queue.run(SLOTS, wait=False)
    await queue.close()
    assert (done, len(house.jobs())) == ([], 1)


async def test_a_newer_versions_job_is_done_as_far_as_it_is_known(house: House, done: Done) -> None:
    queue = await opened(house, done)
    await queue.again(LONDON[3])
    house.sql("""UPDATE procrastinate_jobs SET args = args || '{"colour": "blue"}'""")
    await queue.run(SLOTS, wait=False)
    await queue.close()
    assert done == [LONDON[3]]


async def test_a_job_whose_end_was_lost_is_taken_up_again_when_it_was_missed_twice(house: House, done: Done) -> None:
    """As after a cut connection: for the server it is still under way, while its worker lives and knows nothing."""
    queue = await opened(house, done)
    await queue.again(LONDON[3])
    taking = asyncio.ensure_future(queue.run(SLOTS))
    while not done:
        await asyncio.sleep(0.01)
    await queue.again(LONDON[0], timedelta(hours=1))
    (worker,) = queue._workers
    house.sql(f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = {worker}")
    assert await queue.reclaim() == []
    assert await queue.reclaim() == [LONDON[0]]
    taking.cancel()
    await asyncio.wait((taking,))
    await queue.close()


async def test_of_two_ticks_at_once_one_fills_the_queue(house: House, cycles: Cycles) -> None:
    for name in ("acme", "beta"):
        house.add(name)
    workers = [house.worker(), house.worker()]
    for worker in workers:
        await house.ready(worker)
    first, second = (worker.ticker.tick() for worker in workers)
    assert (first, second or 0) == (2, 0)
    assert [job["queueing_lock"] for job in house.jobs()] == ["acme/london backfill", "beta/london backfill"]
    for worker in workers:
        await worker.queue.close()


async def test_a_tick_that_cannot_fill_the_queue_is_made_again(
    house: House, cycles: Cycles, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("acme")
    worker = house.worker()
    await house.ready(worker)

    def full(*_: object) -> None:
        raise StoreError("the server's disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(cluster, "ticked", full)
        with pytest.raises(StoreError):
            worker.ticker.tick()
    assert house.jobs() == []
    assert worker.ticker.tick() == 1
    await worker.queue.close()


async def test_who_is_paused_or_rests_is_left_alone(house: House, cycles: Cycles) -> None:
    for name in ("acme", "beta", "gamma"):
        house.add(name)
    worker = house.worker()
    await house.ready(worker)
    with house.store.session() as session:
        now = cluster.server_time(session)
        session.add(ConnectionState(name="acme/london", crm="acme/overplane", paused_at=now))
        cluster.rest(session, "beta/nexudus", cluster.Rest(3, now + timedelta(minutes=1)))
    assert worker.ticker.tick() == 1
    assert [job["queueing_lock"] for job in house.jobs()] == ["gamma/london backfill"]
    await worker.queue.close()


def test_the_queues_tables_are_made_once_and_kept_up_to_date_in_two_halves(house: House) -> None:
    for _ in range(2):
        queue_schema.prepare(house.store)
    with house.store.read() as session:
        assert cluster.queue_schema(session) == queue_schema.latest()
    older = "03.01.00_01_pre_add_heartbeat"
    beside = [name for name, _ in queue_schema.missing(older, alone=False)]
    alone = [name for name, _ in queue_schema.missing(older, alone=True)]
    assert beside == []  # the second half of that very migration still waits for the older workers to go
    assert alone[0] == "03.01.00_50_post_add_heartbeat"
    assert alone[-1] == queue_schema.latest()
    assert [name for name, _ in queue_schema.missing("03.02.00_50_post_batch_defer_jobs", alone=False)] == [
        "03.03.00_01_pre_priority_lock_fetch_job",
        "03.04.00_01_pre_add_retry_failed_job_procedure",
    ]
