import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlmodel import SQLModel, select
from structlog.testing import capture_logs

from nexudus_sync import daemon, turns
from nexudus_sync.config.settings import NotifySettings, RunSettings, StoreSettings, WebSettings
from nexudus_sync.daemon import Daemon, Rests
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import AuthenticationFailed, MappingError, StoreError, StoreLocked, Unavailable
from nexudus_sync.signals.systemd import Service
from nexudus_sync.store import Store, retention, running
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Decision, Failure, History, Link
from nexudus_sync.turns import LONGEST_REST
from nexudus_sync.web import app

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Connector:
    """A system that can be started."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def start(self) -> None:
        """Always works."""


class StillClock:
    """A clock whose time a test sets."""

    def __init__(self) -> None:
        self.passed, self.set_by = 0.0, timedelta(0)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed) + self.set_by

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Connection:
    """A connection as the daemon sees it."""

    def __init__(self, name: str, crm: str = "overplane") -> None:
        self.name, self.crm = name, crm

    def connector(self, side: str) -> Connector:
        return Connector("nexudus" if side == "nexudus" else self.crm)


class Cycles:
    """Stands for `run_cycle`: plays what it is told, in turn, and notes what was asked."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes, self.asked = list(outcomes), list[tuple[str, Any]]()
        self.running = 0

    async def __call__(self, connection: Connection, options: Any) -> Report:
        self.asked.append((connection.name, options))
        outcome = self.outcomes.pop(0) if self.outcomes else Report("london")
        self.running += 1
        assert self.running <= 1
        try:
            if callable(outcome):
                outcome = await outcome()
        finally:
            self.running -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Report) else Report("london")


async def no_names(connection: Any) -> None:
    """Stands for `refuse_missing`: the mapping writes no names."""


Make = Callable[..., tuple[Daemon, Cycles]]
OFF = WebSettings(off=True)
NOBODY = NotifySettings()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, clock: StillClock, tmp_path: Path) -> Make:
    def made(
        *outcomes: Any,
        names: tuple[str, ...] = ("london",),
        health: Path | None = None,
        web: WebSettings = OFF,
        notify: NotifySettings = NOBODY,
        **state: Any,
    ) -> Any:
        cycles = Cycles(*outcomes)
        monkeypatch.setattr(turns, "run_cycle", cycles)
        monkeypatch.setattr(turns, "refuse_missing", no_names)
        monkeypatch.setattr(daemon, "application", lambda engine, routes, hands: app.build(tuple(routes)))
        store = Store.open("sqlite:///state.db", base_dir=tmp_path)
        with store.session() as session:
            session.add(ConnectionState(name="london", crm="overplane", **state))
        spans = {"poll": timedelta(minutes=1), "reconcile": timedelta(hours=24)}
        settings = SimpleNamespace(
            in_fleet=False,
            broken={},
            owner=lambda connection: "",
            run=RunSettings(health_file=health),
            connections=[SimpleNamespace(name=name, **spans) for name in names],
            store=StoreSettings(),
            web=web,
            notify=notify,
            secrets=lambda: {"hunter2"},
        )
        settings.of = lambda connection: settings
        connections = [Connection(name) for name in names]
        system = SimpleNamespace(clock_offset=lambda: 0.0)
        engine: Any = SimpleNamespace(
            settings=settings, clock=clock, connections=connections, store=store, connectors={"nexudus": system}
        )
        return Daemon(engine), cycles

    return made


async def one(runner: Daemon, *, reconcile: bool = False, name: str = "london") -> None:
    """What the scheduler does when a job is due."""
    connection: Any = Connection(name)
    await runner._job(connection, reconcile)


async def test_the_first_cycle_runs_at_once_and_the_daemon_ends_when_told(make: Make) -> None:
    runner, cycles = make()
    cycles.outcomes.append(lambda: _stop(runner))
    await asyncio.wait_for(runner.run(), 5)
    (name, options) = cycles.asked[0]
    assert (name, options.one_shot, options.reconcile) == ("london", False, False)
    assert options.stopping()


async def _stop(runner: Daemon) -> None:
    runner.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_after_the_step_in_flight(make: Make, number: signal.Signals) -> None:
    ended = []

    async def step() -> None:
        signal.raise_signal(number)
        await asyncio.sleep(0.01)
        ended.append(True)

    runner, _ = make(step)
    await asyncio.wait_for(runner.run(), 5)
    assert ended == [True]


async def test_a_cycle_that_does_not_end_is_cut_off(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "GRACE", 0.01)
    cut = []

    async def endless() -> None:
        runner.stop()
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(True)

    runner, _ = make(endless)
    await asyncio.wait_for(runner.run(), 5)
    assert cut == [True]


async def test_a_login_that_never_worked_ends_it(make: Make) -> None:
    runner, _ = make(AuthenticationFailed("nexudus", "wrong password"))
    with pytest.raises(AuthenticationFailed, match="wrong password"):
        await asyncio.wait_for(runner.run(), 5)


async def test_a_login_that_stops_working_later_does_not_end_it(make: Make) -> None:
    runner, cycles = make(Report("london"), AuthenticationFailed("nexudus", "wrong password"))
    with capture_logs() as logs:
        await one(runner)
        await one(runner)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["cycle.failed"]
    assert not runner._stop.is_set()
    assert len(cycles.asked) == 2


WRONG = MappingError("nexudus.toml: fields.sales_stage.values", "Nexudus has no 'Tour bookd'")


async def test_a_name_that_a_system_does_not_have_ends_it_before_the_first_cycle(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, cycles = make()

    async def refuse(connection: Any) -> None:
        raise WRONG

    monkeypatch.setattr(turns, "refuse_missing", refuse)
    with pytest.raises(MappingError, match="has no 'Tour bookd'"):
        await asyncio.wait_for(runner.run(), 5)
    assert cycles.asked == []


async def test_names_are_looked_for_until_a_first_cycle_went_well_and_not_later(
    make: Make, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, cycles = make(Unavailable("nexudus", "down"))
    looked = []

    async def look(connection: Any) -> None:
        looked.append(connection.name)

    monkeypatch.setattr(turns, "refuse_missing", look)
    for _ in range(3):
        await one(runner)
        clock.passed += 10
    assert len(cycles.asked) == 3
    assert looked == ["london", "london"]


async def test_a_name_that_goes_missing_later_does_not_end_it(make: Make) -> None:
    runner, _ = make(Report("london"), WRONG)
    with capture_logs() as logs:
        await one(runner)
        await one(runner)
    assert [line["error"] for line in logs if line["log_level"] == "error"] == [str(WRONG)]
    assert not runner._stop.is_set()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable("nexudus", "GET /x was answered 503"), "nexudus: GET /x was answered 503"),
        (StoreError("state.db: disk full; free some space"), "state.db: disk full; free some space"),
        (ZeroDivisionError("oh"), "ZeroDivisionError: oh"),
    ],
)
async def test_every_error_is_one_line_and_the_next_cycle_comes(
    make: Make, clock: StillClock, error: Exception, told: str
) -> None:
    runner, cycles = make(error)
    with capture_logs() as logs:
        await one(runner)
        await one(runner)
        assert len(cycles.asked) == 1
        clock.passed += 5
        await one(runner)
    assert len(cycles.asked) == 2
    (failed,) = [line for line in logs if line["event"] == "cycle.failed"]
    assert (failed["error"], failed["next_try"]) == (told, "5 s")


async def test_a_lost_lock_is_taken_again_once_no_cycle_is_under_way(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, cycles = make(names=("london", "paris"))
    asked: list[int] = []
    monkeypatch.setattr(runner._engine.store, "regain", lambda: asked.append(len(cycles.asked)))
    cycles.running = -1  # the other connection's cycle runs within the first one
    other: Any = Connection("paris", "erpnext")
    cycles.outcomes.append(lambda: runner._job(other, False))
    await one(runner)
    assert [name for name, _ in cycles.asked] == ["london", "paris"]
    assert asked == [0], "not by the second, which began while the first was under way"
    await one(runner)
    assert asked == [0, 2]


async def test_a_lock_that_another_run_has_taken_ends_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, cycles = make()

    def taken() -> None:
        raise StoreLocked("another nexudus-sync is working on it")

    monkeypatch.setattr(runner._engine.store, "regain", taken)
    with pytest.raises(StoreLocked, match="another nexudus-sync"):
        await asyncio.wait_for(runner.run(), 5)
    assert cycles.asked == []


async def test_a_system_that_rests_rests_for_every_connection_that_uses_it(make: Make) -> None:
    runner, cycles = make(Unavailable("nexudus", "down"), names=("london", "madrid"))
    await one(runner)
    await one(runner, name="madrid")
    assert [name for name, _ in cycles.asked] == ["london"]


async def test_a_system_is_left_alone_for_as_long_as_it_asks(make: Make, clock: Any) -> None:
    runner, cycles = make(Unavailable("nexudus", "moves; until 10:00 UTC", wait=7200.0))
    await one(runner)
    clock.passed += 7199
    await one(runner)
    assert len(cycles.asked) == 1
    clock.passed += 1
    await one(runner)
    assert len(cycles.asked) == 2


def test_rests_double_up_to_a_quarter_of_an_hour_and_end_with_a_success() -> None:
    rests = Rests()
    spans = [rests.failed("nexudus", 0.0).total_seconds() for _ in range(10)]
    assert spans == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert rests.resting(("nexudus", "overplane"), LONGEST_REST.total_seconds() - 1)
    assert not rests.resting(("overplane",), 1.0)
    rests.worked(("nexudus",))
    assert not rests.resting(("nexudus",), 1.0)
    assert rests.failed("nexudus", 0.0).total_seconds() == 5


async def test_a_sweep_that_could_not_be_made_is_made_by_the_next_poll(make: Make, clock: StillClock) -> None:
    runner, cycles = make(Unavailable("nexudus", "down"), Report("london", finished=False))
    await one(runner)
    await one(runner, reconcile=True)  # while the system rests
    for _ in range(3):
        clock.passed += 60
        await one(runner)
    assert [options.reconcile for _, options in cycles.asked] == [False, True, True, False]


async def test_connections_to_one_crm_take_turns(make: Make) -> None:
    runner, cycles = make(lambda: asyncio.sleep(0.01), lambda: asyncio.sleep(0), names=("london", "madrid"))
    await asyncio.gather(one(runner), one(runner, name="madrid"))
    assert [name for name, _ in cycles.asked] == ["london", "madrid"]


async def test_the_health_file_is_touched_after_a_good_cycle_only(
    make: Make, tmp_path: Path, clock: StillClock
) -> None:
    health = tmp_path / "health"
    runner, _ = make(Unavailable("nexudus", "down"), Report("london", brake="mass-delete"), health=health)
    await one(runner)
    clock.passed += 10
    await one(runner)
    assert not health.exists()
    await one(runner)
    assert health.exists()


async def test_a_health_file_that_cannot_be_touched_is_a_warning(make: Make, tmp_path: Path) -> None:
    runner, _ = make(health=tmp_path / "none" / "health")
    with capture_logs() as logs:
        await one(runner)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["health_file.failed"]


async def test_a_brake_is_told_once_with_what_releases_it(make: Make) -> None:
    braked = Report("london", brake="mass-delete")
    runner, _ = make(braked, braked, Report("london"), braked)
    with capture_logs() as logs:
        for _ in range(4):
            await one(runner)
    told = [line for line in logs if line["event"] == "cycle.braked"]
    assert len(told) == 2
    assert "brake release mass-delete" in told[0]["remedy"]


async def test_a_cycle_that_wrote_is_told_and_a_quiet_one_only_at_debug(make: Make) -> None:
    wrote = Report("london")
    wrote.writes["crm opportunity.update"] = 2
    runner, _ = make(wrote, Report("london"))
    with capture_logs() as logs:
        await one(runner)
        await one(runner)
        await one(runner, reconcile=True)
    assert [(line["log_level"], line["written"]) for line in logs] == [("info", 2), ("debug", 0), ("info", 0)]


async def test_what_became_of_a_decision_is_told(make: Make) -> None:
    runner, _ = make()
    decided = Decision(connection="london", kind="undo", args={"history_id": 3}, asked_at=NOW)
    decided.done_at, decided.outcome = NOW, "refused: it moved on"
    with runner._engine.store.session() as session:
        session.add(decided)
    with capture_logs() as logs:
        await one(runner)
    assert [(line["history_id"], line["outcome"]) for line in logs if line["event"] == "decision"] == [
        (3, "refused: it moved on")
    ]


PAIR = {"connection": "london", "nexudus_id": "7", "crm_id": "opp_7"}


def keep(runner: Daemon, *rows: SQLModel) -> Callable[[], Awaitable[None]]:
    """A cycle that leaves these rows in the store."""

    async def work() -> None:
        with runner._engine.store.session() as session:
            for row in rows:
                session.merge(row)

    return work


def failure(**values: Any) -> Failure:
    given = {"id": 8, "kind": "unmapped", "field": "sales_stage", "reason": "no such stage"}
    return Failure(**(PAIR | given | {"first_at": NOW, "last_at": NOW} | values))


def linked(**values: Any) -> Link:
    return Link(**(PAIR | {"id": 3, "crm": "overplane", "created_at": NOW} | values))


def news(logs: list[Any]) -> list[tuple[str, str]]:
    return [(line["event"], line["reason"]) for line in logs if line["event"].endswith((".new", ".closed"))]


async def test_what_is_new_is_told_once_with_ids_and_reason(make: Make) -> None:
    runner, cycles = make()
    conflict = Conflict(**PAIR, id=5, field="title", opened_at=NOW)
    cycles.outcomes += [keep(runner, failure(), conflict, linked()), Report("london")]
    cycles.outcomes += [keep(runner, linked(state="closed", closed_reason="the card was deleted"))]
    with capture_logs() as logs:
        for _ in range(3):
            await one(runner)
    told = {line.pop("event"): line for line in logs if line["event"] != "cycle.done"}
    assert told == {
        "failure.new": PAIR
        | {"id": 8, "kind": "unmapped", "field": "sales_stage", "reason": "no such stage", "log_level": "info"},
        "conflict.new": PAIR | {"id": 5, "field": "title", "reason": "the two sides differ", "log_level": "info"},
        "pair.new": PAIR | {"id": 3, "log_level": "info"},
        "pair.closed": PAIR | {"id": 3, "reason": "the card was deleted", "log_level": "info"},
    }
    assert len(logs) == 4 + 3


async def test_a_failure_that_was_solved_is_news_when_it_comes_again(make: Make) -> None:
    runner, cycles = make()
    cycles.outcomes += [keep(runner, failure(state=state)) for state in ("open", "open", "solved", "open")]
    with capture_logs() as logs:
        for _ in range(4):
            await one(runner)
    assert news(logs) == [("failure.new", "no such stage")] * 2


async def test_what_another_connection_has_is_not_this_ones_news(make: Make) -> None:
    runner, cycles = make()
    cycles.outcomes.append(keep(runner, failure(connection="madrid"), linked(connection="madrid")))
    with capture_logs() as logs:
        await one(runner)
    assert news(logs) == []


async def test_a_cycle_that_fails_has_told_its_news_all_the_same(make: Make) -> None:
    runner, cycles = make()

    async def fails() -> None:
        await keep(runner, failure())()
        raise Unavailable("nexudus", "down")

    cycles.outcomes.append(fails)
    with capture_logs() as logs:
        await one(runner)
    assert [line["event"] for line in logs] == ["failure.new", "cycle.failed"]


async def test_a_cycle_counts_what_is_waiting(make: Make) -> None:
    runner, cycles = make()
    told = failure(id=10, kind="stored-differently", field="notes")  # for which nobody has to do anything
    cycles.outcomes.append(
        keep(runner, failure(), failure(id=9, field="title"), told, Conflict(**PAIR, field="t", opened_at=NOW))
    )
    with capture_logs() as logs:
        await one(runner)
    (done,) = [line for line in logs if line["event"] == "cycle.done"]
    assert (done["failures_waiting"], done["conflicts_waiting"]) == (2, 1)


async def test_a_brake_is_told_with_what_it_saw(make: Make) -> None:
    runner, _ = make(Report("london", brake="mass-delete"))
    brake = Brake(connection="london", name="mass-delete", evidence="the records of 40 of 100 links", set_at=NOW)
    await keep(runner, brake)()
    with capture_logs() as logs:
        await one(runner)
    (told,) = [line for line in logs if line["event"] == "cycle.braked"]
    assert told["evidence"] == "the records of 40 of 100 links"


async def test_the_scheduler_has_no_line_of_its_own(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    runner, cycles = make()

    async def late() -> None:
        for word in ("apscheduler.scheduler", "apscheduler.executors.default"):
            logging.getLogger(word).warning("Run time of job was missed by 0:00:09")
        runner.stop()

    cycles.outcomes.append(late)
    await asyncio.wait_for(runner.run(), 5)
    assert [record for record in caplog.records if record.name.startswith("apscheduler")] == []
    logging.getLogger("apscheduler").warning("heard again")
    assert "heard again" in caplog.text


async def test_an_error_in_the_telling_is_told_and_not_left_to_the_scheduler(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, _ = make(Report("london"))

    def breaks(*_: object, **__: object) -> None:
        raise StoreError("state.db: disk full; free some space")

    monkeypatch.setattr(runner._turns, "_tell", breaks)
    with capture_logs() as logs:
        await one(runner)
    assert [(line["event"], line["error"]) for line in logs] == [
        ("cycle.failed", "state.db: disk full; free some space")
    ]


async def test_nothing_starts_any_more_once_it_is_told_to_stop(make: Make) -> None:
    runner, cycles = make()
    runner.stop()
    await one(runner)
    assert cycles.asked == []


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({}, timedelta(hours=24)),
        ({"backfilled_at": NOW - timedelta(hours=4)}, timedelta(hours=20)),
        ({"last_reconcile": NOW - timedelta(hours=30)}, timedelta(0)),
        ({"last_reconcile": NOW + timedelta(days=400)}, timedelta(hours=24)),
    ],
)
def test_the_full_sweep_is_due_by_the_last_one_whatever_restarts(make: Make, state: Any, due: timedelta) -> None:
    runner, _ = make(**state)
    (connection,) = runner._engine.settings.connections
    assert runner._reconcile_due(connection, NOW) == NOW + due


def test_a_connection_the_store_does_not_know_yet_is_swept_a_day_later(make: Make) -> None:
    runner, _ = make(names=("madrid",))
    (connection,) = runner._engine.settings.connections
    assert runner._reconcile_due(connection, NOW) == NOW + timedelta(hours=24)


async def test_a_clock_that_is_set_back_does_not_stop_the_polls(
    make: Make, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, _ = make()
    monkeypatch.setattr(daemon, "CLOCK_LOOK", 0.0)
    scheduler = runner._schedule()
    scheduler.start(paused=True)
    before = {job.id: job.next_run_time for job in scheduler.get_jobs()}
    with capture_logs() as logs:
        watch = asyncio.ensure_future(runner._watch_clock(scheduler))
        await asyncio.sleep(0)
        for step in (timedelta(days=-1), timedelta(seconds=30)):
            clock.set_by += step
            for _ in range(3):
                await asyncio.sleep(0)
        watch.cancel()
    assert {job.id: job.next_run_time for job in scheduler.get_jobs()} == {
        name: due - timedelta(days=1) for name, due in before.items()
    }
    assert [(line["event"], line["seconds"]) for line in logs] == [("clock.set", -86400)]
    scheduler.shutdown(wait=False)


async def test_old_rows_of_the_store_are_deleted_in_steps(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    runner, _ = make()
    old, entry = NOW - timedelta(days=401), {"connection": "london", "field": "title", "from_side": "crm"}
    with runner._engine.store.session() as session:
        session.add_all([*(History(at=old, **entry) for _ in range(5)), History(at=NOW, **entry)])
    with capture_logs() as events:
        await runner._prune()
    assert [(one["event"], one["rows"]) for one in events] == [("store.pruned", 5)]
    with runner._engine.store.read() as session:
        assert [one.at for one in session.exec(select(History))] == [NOW]
    with capture_logs() as events:
        await runner._prune()
    assert events == []


async def test_a_store_that_cannot_be_pruned_is_a_warning(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, _ = make()

    def full(*_: object) -> int:
        raise StoreError("state.db: disk full")

    monkeypatch.setattr(turns, "prune", full)
    with capture_logs() as events:
        await runner._prune()
    assert [(one["event"], one["log_level"]) for one in events] == [("store.not_pruned", "warning")]


async def test_pruning_stops_when_the_daemon_is_told_to(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, _ = make()
    steps = list[int]()

    def step(*_: object) -> int:
        steps.append(1)
        runner.stop()
        return 1

    monkeypatch.setattr(turns, "prune", step)
    await runner._prune()
    assert steps == [1]


@pytest.mark.parametrize(("offset", "left"), [(0.0, 1), (-400 * 86400.0, 2), (400 * 86400.0, 1), (None, 2)])
async def test_a_clock_that_is_ahead_deletes_nothing_that_is_not_old(
    make: Make, offset: float | None, left: int
) -> None:
    """The server says what time it is. One that is ahead itself makes nothing older; before any answer nothing goes."""
    runner, _ = make()
    runner._engine.connectors["nexudus"].clock_offset = lambda: offset  # type: ignore[method-assign]
    entry = {"connection": "london", "field": "title", "from_side": "crm"}
    with runner._engine.store.session() as session:
        session.add_all(
            [History(at=NOW - timedelta(days=401), **entry), History(at=NOW - timedelta(days=399), **entry)]
        )
    await runner._prune()
    with runner._engine.store.read() as session:
        assert len(session.exec(select(History)).all()) == left


@pytest.mark.sockets
async def test_it_serves_while_it_runs_and_no_longer(make: Make) -> None:
    runner, cycles = make(web=WebSettings(port=0))
    answers = []

    async def look() -> None:
        (told,) = [line for line in logs if line["event"] == "page.started"]
        async with httpx.AsyncClient(base_url=told["address"]) as browser:
            answers.append((await browser.get("/healthz")).status_code)
        runner.stop()

    cycles.outcomes.append(look)
    with capture_logs() as logs:
        await asyncio.wait_for(runner.run(), 10)
        assert answers == [200]
        async with httpx.AsyncClient() as browser:
            with pytest.raises(httpx.ConnectError):
                await browser.get(next(line["address"] for line in logs if line["event"] == "page.started"))


def beat(runner: Daemon) -> Any:
    with runner._engine.store.read() as session:
        return running.last_beat(session)


def failing(runner: Daemon) -> dict[str, running.Failing]:
    with runner._engine.store.read() as session:
        return running.failing(session)


async def test_while_it_runs_there_is_a_sign_of_life_with_what_is_under_way_and_none_afterwards(make: Make) -> None:
    runner, cycles = make()
    seen = []

    async def look() -> None:
        await runner._signals.beat()
        seen.append(beat(runner))
        runner.stop()

    cycles.outcomes.append(look)
    await asyncio.wait_for(runner.run(), 10)
    assert [(one.pid, list(one.working)) for one in seen] == [(os.getpid(), ["london"])]
    assert beat(runner) is None


async def test_a_scheduled_job_gives_the_sign_of_life(make: Make) -> None:
    runner, _ = make()
    jobs = runner._schedule().get_jobs()
    assert [job.trigger.interval.total_seconds() for job in jobs if job.func == runner._signals.beat] == [20]


async def test_a_connection_that_fails_is_kept_without_secrets_until_a_cycle_goes_well(
    make: Make, clock: StillClock
) -> None:
    runner, _ = make(Unavailable("nexudus", "said hunter2"), Unavailable("nexudus", "down"))
    await one(runner)
    assert failing(runner)["london"] == running.Failing(NOW, 1, "nexudus: said ***")
    clock.passed += 60
    await one(runner)
    assert failing(runner)["london"] == running.Failing(NOW, 2, "nexudus: down")
    clock.passed += 60
    await one(runner)
    assert failing(runner) == {}
    assert runner._signals._working == {}


async def test_a_store_that_takes_no_sign_of_life_is_a_warning(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, _ = make()

    def full(*_: Any) -> None:
        raise StoreError("state.db: disk full; free some space")

    for name in ("beat", "ended", "worked"):
        monkeypatch.setattr(running, name, full)
    with capture_logs() as logs:
        await runner._signals.beat()
        runner._signals.ended()
        await one(runner)
    assert [line["error"] for line in logs if line["event"] == "heartbeat.failed"] == [
        "state.db: disk full; free some space"
    ] * 3
    assert [line["event"] for line in logs][-1] == "cycle.done"


async def test_cycles_calls_and_the_budget_become_figures(make: Make, clock: StillClock) -> None:
    wrote = Report("london")
    wrote.writes["crm opportunity.update"] = 2
    runner, _ = make(wrote, Report("london", brake="mass-delete"), Unavailable("nexudus", "down"))
    runner._signals._watcher("nexudus")("read", 0.2)
    for _ in range(3):
        await one(runner)
        clock.passed += 60
    text = runner._signals._metrics.text().decode()
    for result in ("done", "braked", "failed"):
        assert f'nexudus_sync_cycles_total{{connection="london",result="{result}"}} 1.0' in text
    assert 'nexudus_sync_writes_total{connection="london",kind="opportunity.update",side="crm"} 2.0' in text
    assert 'nexudus_sync_call_seconds_count{kind="read",system="nexudus"} 1.0' in text


class Systemd(Service):
    """A service of which the test hears what is told."""

    def __init__(self, **environ: str) -> None:
        super().__init__({"NOTIFY_SOCKET": "/run/systemd/notify", **environ})
        self.told: list[str] = []

    def _tell(self, message: str) -> None:
        self.told.append(message)


async def test_systemd_is_told_when_it_is_ready_how_it_is_and_when_it_ends(make: Make) -> None:
    runner, cycles = make()
    systemd = runner._signals.service = Systemd()
    cycles.outcomes.append(lambda: _stop(runner))
    await asyncio.wait_for(runner.run(), 10)
    assert systemd.told == ["STATUS=All is well: the first run of london is under way.", "READY=1", "STOPPING=1"]


async def test_the_scheduler_itself_feeds_the_watchdog(make: Make) -> None:
    runner, _ = make()
    systemd = runner._signals.service = Systemd(WATCHDOG_USEC="120000000")
    (job,) = [one for one in runner._schedule().get_jobs() if one.func == runner._signals.alive]
    assert job.trigger.interval.total_seconds() == 60
    await job.func()
    assert systemd.told == ["WATCHDOG=1"]


async def test_the_line_of_a_cycle_says_how_long_it_took(make: Make, clock: StillClock) -> None:
    async def takes_a_while() -> None:
        clock.passed += 12.34

    async def fails_late() -> None:
        clock.passed += 3
        raise Unavailable("nexudus", "down")

    runner, _ = make(takes_a_while, fails_late)
    with capture_logs() as logs:
        await one(runner, reconcile=True)
        await one(runner)
    assert [(line["event"], line["seconds"]) for line in logs] == [("cycle.done", 12.3), ("cycle.failed", 3.0)]


@pytest.mark.parametrize("urls", [(), ("json://127.0.0.1",)])
async def test_it_looks_for_what_to_tell_people_if_there_is_anybody_to_tell(make: Make, urls: tuple[str, ...]) -> None:
    runner, _ = make(notify=NotifySettings(urls=urls))
    jobs = [job for job in runner._schedule().get_jobs() if job.func == runner._signals.herald.look]
    assert len(jobs) == len(urls)
