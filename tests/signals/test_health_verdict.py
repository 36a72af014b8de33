"""The verdict: what counts as a problem, and from when on."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nexudus_sync.config import ConnectionSettings, RunSettings, Settings
from nexudus_sync.deciding.connections import pause, resume
from nexudus_sync.signals.health import Verdict, in_short, judge, machine, runs
from nexudus_sync.store import Store, running
from nexudus_sync.store.running import Beat
from nexudus_sync.store.tables import Brake, ConnectionState

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PID = 4711
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store.open("sqlite://")
    yield made
    made.close()


def settings(**run: Any) -> Settings:
    london = ConnectionSettings(name="london", crm="overplane", scope={"business_id": 1})
    nothing: Any = None
    return Settings(Path("config.toml"), "sqlite://", nothing, {}, (london,), nothing, RunSettings(**run))


def set_up(
    store: Store, *, beat: Beat | None, success: datetime | None = NOW, failing: timedelta | None = None
) -> None:
    with store.session() as session:
        session.add(ConnectionState(name="london", crm="overplane", last_success=success))
        if beat is not None:
            running.beat(session, beat)
        if failing is not None:
            running.failed(session, "london", "overplane: cannot be reached", NOW - failing)
            running.failed(session, "london", "overplane: is down", NOW)


def sign(age: timedelta = timedelta(0), up: timedelta = 5 * HOUR, where: str | None = None, **more: Any) -> Beat:
    return Beat(NOW - age, NOW - up, PID, machine() if where is None else where, **more)


def verdict(store: Store, *, alive: bool = True, **run: Any) -> Verdict:
    with store.read() as session:
        return judge(session, settings(**run), NOW, exists=lambda pid: alive)


def kinds(found: Verdict) -> list[str]:
    return [one.kind for one in found.problems]


def test_a_recent_sign_of_life_and_a_recent_success_are_health(store: Store) -> None:
    set_up(store, beat=sign(MINUTE), success=NOW - 15 * MINUTE)
    found = verdict(store)
    assert (found.healthy, found.alive, found.connections[0].state) == (True, True, "ok")


def test_a_process_that_is_gone_is_noticed_at_once(store: Store) -> None:
    set_up(store, beat=sign())
    found = verdict(store, alive=False)
    assert (kinds(found), found.alive, found.connections[0].state) == (["run"], False, "unknown")
    assert "ended unexpectedly (process 4711" in found.problems[0].what


def test_a_process_that_hangs_is_noticed_by_its_silence(store: Store) -> None:
    set_up(store, beat=sign(2 * MINUTE))
    (problem,) = verdict(store).problems
    assert problem.what == "`nexudus-sync run` hangs: process 4711 has given no sign of life for 2 minutes"


def test_a_process_elsewhere_is_judged_by_its_signs_alone(store: Store) -> None:
    set_up(store, beat=sign(MINUTE, where="another"))
    assert verdict(store, alive=False).healthy
    with store.session() as session:
        running.beat(session, sign(HOUR, where="another"))
    assert "process 4711 on another has given no sign of life" in verdict(store).problems[0].what


def test_of_several_workers_one_that_is_gone_is_not_missed_while_another_is_there(store: Store) -> None:
    set_up(store, beat=None)
    with store.session() as session:
        running.beat(session, replace(sign(MINUTE / 2), pid=1, working={}), "there")
        running.beat(session, replace(sign(), working={"london": NOW - HOUR}), "killed")
        found = judge(session, settings(), NOW, exists=lambda pid: pid == 1)
    assert found.beat is not None
    assert (found.healthy, found.alive, found.beat.pid, found.beat.working) == (True, True, 1, {})


def test_a_run_that_ended_as_it_should_does_not_run(store: Store) -> None:
    set_up(store, beat=sign())
    with store.session() as session:
        running.ended(session)
    assert verdict(store).problems[0].what == "`nexudus-sync run` is not running"


def test_without_a_run_what_follows_from_that_is_not_told_too(store: Store) -> None:
    set_up(store, beat=None, success=NOW - 5 * HOUR, failing=HOUR)
    assert kinds(verdict(store)) == ["run"]


def test_a_connection_that_somebody_paused_is_no_problem_however_long_it_rests(store: Store) -> None:
    set_up(store, beat=sign(), success=NOW - 9 * HOUR, failing=8 * HOUR)
    with store.session() as session:
        pause(session, settings(), "london", by="sofia", now=NOW - 4 * HOUR)
    found = verdict(store)
    assert (kinds(found), found.connections[0].state) == ([], "paused")
    assert in_short(found) == "All is well: london is paused."
    with store.session() as session:
        resume(session, settings(), "london", now=NOW)
    assert (kinds(verdict(store)), verdict(store).connections[0].state) == ([], "ok")


def test_a_brake_is_told_whatever_else_is_wrong(store: Store) -> None:
    set_up(store, beat=None, success=NOW - 5 * HOUR)
    with store.session() as session:
        session.add(Brake(connection="london", name="empty-side", evidence="it lists nothing", set_at=NOW))
    found = verdict(store)
    assert (kinds(found), found.connections[0].state) == (["run", "brake"], "brake")


def test_a_connection_fails_when_it_has_failed_for_five_minutes(store: Store) -> None:
    set_up(store, beat=sign(), failing=4 * MINUTE)
    assert verdict(store).healthy
    with store.session() as session:
        running.worked(session, "london")
        running.failed(session, "london", "overplane: cannot be reached", NOW - 6 * MINUTE)
        running.failed(session, "london", "overplane: is down", NOW)
    (problem,) = verdict(store).problems
    assert problem.line == (
        "london: has been failing for 6 minutes: overplane: is down; `nexudus-sync check` tells more"
    )


@pytest.mark.parametrize(("age", "stale"), [(15 * MINUTE, False), (16 * MINUTE, True)])
def test_a_connection_is_stale_after_its_polls_and_fifteen_minutes(store: Store, age: timedelta, stale: bool) -> None:
    set_up(store, beat=sign(), success=NOW - age)
    assert kinds(verdict(store)) == ["stale"] * stale


def test_the_configuration_may_say_when_it_is_stale(store: Store) -> None:
    set_up(store, beat=sign(), success=NOW - 16 * MINUTE)
    assert verdict(store, stale_after="20m").healthy
    assert kinds(verdict(store, stale_after="10m")) == ["stale"]


def test_after_a_start_a_connection_gets_time_for_its_first_cycle(store: Store) -> None:
    set_up(store, beat=sign(up=10 * MINUTE), success=NOW - 48 * HOUR)
    assert verdict(store).healthy


def test_a_long_cycle_is_not_stale_while_the_systems_answer(store: Store) -> None:
    since = NOW - 3 * HOUR
    set_up(store, beat=sign(working={"london": since}, last_call=NOW - MINUTE), success=None)
    assert verdict(store).healthy
    with store.session() as session:
        running.beat(session, sign(working={"london": since}, last_call=NOW - 20 * MINUTE))
    (problem,) = verdict(store).problems
    assert problem.what == "no cycle has finished for 20 minutes (the last success: never yet)"


def test_this_process_runs_and_one_that_ended_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    assert runs(os.getpid())
    monkeypatch.setattr(os, "kill", _gone)
    assert not runs(PID)
    monkeypatch.setattr(os, "kill", _another_users)
    assert runs(PID)


def _gone(pid: int, number: int) -> None:
    raise ProcessLookupError


def _another_users(pid: int, number: int) -> None:
    raise PermissionError
