"""A job: whether there is still a reason for it, how long its cycle goes on, and what becomes of a failure."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from nexudus_sync.config import ConnectionSettings
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import LeaseLost, StoreError, Unavailable
from nexudus_sync.store import Store, cluster
from nexudus_sync.store.tables import Brake, ConnectionState
from nexudus_sync.worker import shift
from nexudus_sync.worker.due import Job, Kind
from nexudus_sync.worker.shift import Shift, Slice

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LONDON = ConnectionSettings.model_validate(
    {"name": "acme/london", "crm": "acme/erp", "reconcile": DAY, "scope": {"business_id": 1}}
)


class StillClock:
    """A clock whose time a test sets."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


class Cycle:
    """Stands for `Turns` and the engines: the cycles that began, each with whether it was a sweep, and how it ends."""

    def __init__(self, store: Store, clock: StillClock) -> None:
        self.began: list[bool] = []
        self.failures: list[str] = []
        self.outcome: Exception | Report = Report("acme/london")
        self.stops: Callable[[], bool] = lambda: False
        self._connection = SimpleNamespace(name="acme/london", crm="acme/erp", store=store, clock=clock)

    @asynccontextmanager
    async def of(self, settings: object) -> AsyncIterator[Any]:
        engine = SimpleNamespace(connection=lambda name: [self._connection])
        yield SimpleNamespace(engine=engine, worked=set())

    async def take(self, connection: Any, options: Any, *, worked_before: bool) -> Report:
        self.began.append(options.reconcile)
        self.stops = options.stopping
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def tell(self, connection: Any, report: Report, *, reconcile: bool, began: datetime) -> None:
        """Nobody listens."""

    def failed(self, name: str, error: Exception, rest: timedelta) -> None:
        self.failures.append(f"{error} ({rest.total_seconds():.0f} s)")


class Desk:
    """A shift with one connection, and what it put back into the queue, with the seconds until then."""

    def __init__(self, store: Store, **state: Any) -> None:
        self.clock, self.store, self.stopping = StillClock(), store, False
        self.cycle: Any = Cycle(store, self.clock)
        self.put_back: list[tuple[Kind, float]] = []
        with store.session() as session:
            session.add(ConnectionState(name="acme/london", crm="acme/erp", **state))
        roster: Any = SimpleNamespace(
            find={"acme/london": LONDON}.get,
            of=lambda name: "acme",
            systems=lambda one: ("acme/nexudus", "acme/erp", "acme/london itself"),
        )
        watch: Any = SimpleNamespace(cycle_began=lambda name: None, cycle_ended=lambda name, goes_on: None)
        self.shift = Shift(
            store,
            self.clock,
            roster,
            self.cycle,
            self.cycle,
            watch,
            holder="worker 1",
            stopping=lambda: self.stopping,
        )
        self.shift.again = self._again

    async def _again(self, job: Job, after: timedelta) -> None:
        self.put_back.append((job.kind, after.total_seconds()))

    async def does(self, kind: Kind, name: str = "acme/london") -> None:
        await self.shift.work(Job(name, "acme/erp", kind))

    def rests(self) -> dict[str, int]:
        """How often each system failed in a row."""
        with self.store.read() as session:
            return {name: rest.times for name, rest in cluster.rests(session).items()}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    @asynccontextmanager
    async def as_it_is(lease: Any, connection: Any) -> AsyncIterator[Any]:
        yield connection
        lease.end(in_flight=False)

    monkeypatch.setattr(shift, "under", as_it_is)
    made = Store.open("sqlite://")
    yield made
    made.close()


def in_step(**more: Any) -> dict[str, Any]:
    return {"backfilled_at": NOW - 9 * DAY, "last_reconcile": NOW - timedelta(hours=1), **more}


def test_a_slice_begins_when_it_is_first_asked_and_ends_once_for_all() -> None:
    clock, stopping = StillClock(), list[bool]()
    ends = Slice(clock, 20.0, lambda: bool(stopping))
    clock.passed = 500.0  # both sides were listed
    assert not ends()
    clock.passed += 19.9
    assert not ends()
    clock.passed += 0.1
    assert ends()
    assert not Slice(clock, 20.0, lambda: False)()
    stopping.append(True)
    assert Slice(clock, 20.0, lambda: bool(stopping))()


async def test_a_sweep_is_not_cut_by_time_but_ends_with_its_worker(store: Store) -> None:
    desk = Desk(store, **in_step(last_reconcile=NOW - 2 * DAY))
    await desk.does(Kind.RECONCILE)
    desk.clock.passed += 3600
    assert (desk.cycle.began, desk.cycle.stops()) == ([True], False)
    desk.stopping = True
    assert desk.cycle.stops()


@pytest.mark.parametrize(
    ("kind", "state", "began"),
    [
        (Kind.POLL, in_step(), [False]),
        (Kind.CATCH_UP, in_step(), [False]),
        (Kind.RECONCILE, in_step(), []),
        (Kind.BACKFILL, in_step(), []),
        (Kind.BACKFILL, {}, [False]),
        (Kind.POLL, {}, []),
        (Kind.RECONCILE, {}, []),
        (Kind.POLL, in_step(paused_at=NOW), []),
        (Kind.BACKFILL, {"paused_at": NOW}, []),
    ],
)
async def test_a_job_is_done_only_if_there_is_still_a_reason(
    store: Store, kind: Kind, state: dict[str, Any], began: list[bool]
) -> None:
    """What another worker did meanwhile, or a person, is not done again."""
    desk = Desk(store, **state)
    await desk.does(kind)
    assert desk.cycle.began == began
    assert desk.put_back == []


async def test_a_connection_that_was_removed_is_no_job_any_more(store: Store) -> None:
    desk = Desk(store, **in_step())
    await desk.does(Kind.POLL, "beta/london")
    assert (desk.cycle.began, desk.put_back) == ([], [])


@pytest.mark.parametrize("kind", [Kind.POLL, Kind.CATCH_UP])
async def test_what_a_person_let_go_on_is_done_by_a_sweep(store: Store, kind: Kind) -> None:
    desk = Desk(store, **in_step())
    with store.session() as session:
        released = {"state": "released", "set_at": NOW - DAY, "released_at": NOW}
        session.add(Brake(connection="acme/london", name="mass-delete", evidence="60 are gone", **released))
    await desk.does(kind)
    assert (desk.cycle.began, desk.put_back) == ([], [(Kind.RECONCILE, 0.0)])
    await desk.does(Kind.RECONCILE)
    assert desk.cycle.began == [True]


@pytest.mark.parametrize(
    ("kind", "state", "goes_on"),
    [
        (Kind.POLL, in_step(), Kind.CATCH_UP),
        (Kind.CATCH_UP, in_step(), Kind.CATCH_UP),
        (Kind.BACKFILL, {}, Kind.BACKFILL),
        (Kind.RECONCILE, in_step(last_reconcile=NOW - 2 * DAY), Kind.RECONCILE),
    ],
)
async def test_a_cycle_that_was_cut_goes_on_behind_others(
    store: Store, kind: Kind, state: dict[str, Any], goes_on: Kind
) -> None:
    desk = Desk(store, **state)
    desk.cycle.outcome = Report("acme/london", finished=False)
    await desk.does(kind)
    assert desk.put_back == [(goes_on, 1.0)]


@pytest.mark.parametrize("ended", [{"brake": "mass-delete"}, {"paused": True}])
async def test_a_cycle_that_a_brake_or_a_person_stopped_does_not_go_on(store: Store, ended: dict[str, Any]) -> None:
    desk = Desk(store, **in_step())
    desk.cycle.outcome = Report("acme/london", finished=False, **ended)
    await desk.does(Kind.POLL)
    assert desk.put_back == []


async def test_failures_in_a_row_rest_longer_until_one_cycle_goes_well(store: Store) -> None:
    desk = Desk(store, **in_step())
    desk.cycle.outcome = Unavailable("acme/erp", "down")
    await desk.does(Kind.POLL)
    await desk.does(Kind.POLL)  # it rests
    desk.clock.passed += 5
    await desk.does(Kind.POLL)
    assert desk.cycle.failures == ["acme/erp: down (5 s)", "acme/erp: down (10 s)"]
    assert desk.rests() == {"acme/erp": 2}
    desk.clock.passed += 10
    desk.cycle.outcome = Report("acme/london")
    await desk.does(Kind.POLL)
    assert desk.rests() == {}


async def test_a_fault_of_the_program_lets_that_connection_rest_and_no_system(store: Store) -> None:
    desk = Desk(store, **in_step())
    desk.cycle.outcome = ZeroDivisionError("oh")
    await desk.does(Kind.POLL)
    assert desk.rests() == {"acme/london itself": 1}


async def test_a_lost_lease_is_no_failure(store: Store) -> None:
    desk = Desk(store, **in_step())
    desk.cycle.outcome = LeaseLost("the lease of acme/erp has ended")
    with capture_logs() as logs:
        await desk.does(Kind.POLL)
    assert [line["event"] for line in logs] == ["lease.lost"]
    assert (desk.rests(), desk.cycle.failures, desk.put_back) == ({}, [], [(Kind.CATCH_UP, 1.0)])


async def test_without_a_store_a_job_is_dropped_with_a_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(store, **in_step())

    def away(session: object) -> None:
        raise StoreError("the server is shutting down")

    monkeypatch.setattr(cluster, "rests", away)
    with capture_logs() as logs:
        await desk.does(Kind.POLL)
    assert [(line["event"], line["error"]) for line in logs] == [("job.dropped", "the server is shutting down")]
    assert desk.cycle.began == []


async def test_a_worker_that_ends_gives_back_what_it_was_just_given(store: Store) -> None:
    desk = Desk(store, **in_step())
    desk.stopping = True
    await desk.does(Kind.POLL)
    assert (desk.cycle.began, desk.put_back) == ([], [(Kind.POLL, 0.0)])
