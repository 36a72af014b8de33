"""`health`: one verdict, one line a problem, and exit code 1."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from cli_house import CONFIG, SECOND, House, conflict

from nexudus_sync.signals.health import machine
from nexudus_sync.store import Store, running
from nexudus_sync.store.running import Beat
from nexudus_sync.store.tables import Brake, ConnectionState

NOW = datetime.now(UTC)


@pytest.fixture
def at_work(house: House) -> House:
    """Two connections that `run` keeps in step; this process stands for it."""
    house.write(CONFIG + SECOND)
    house.keep(*(ConnectionState(name=name, crm="overplane", last_success=NOW) for name in ("london", "madrid")))
    beat(house, os.getpid())
    return house


def beat(house: House, pid: int, up: timedelta = timedelta(hours=3)) -> None:
    store = Store.open("sqlite:///state.db", base_dir=house.folder)
    with store.session() as session:
        now = datetime.now(UTC)  # not when the tests were collected, which may be minutes ago
        running.beat(session, Beat(now, now - up, pid, machine()))
    store.close()


def test_all_is_well_in_one_line(at_work: House) -> None:
    ended = at_work.run("health")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "All is well: 2 connections in step.\n"


def test_what_waits_for_a_person_is_told_and_is_no_problem(at_work: House) -> None:
    at_work.keep(conflict())
    ended = at_work.run("health", "london")
    assert ended.code == 0
    assert ended.out == "All is well: 1 connection in step; 1 conflict or failure waits for a person.\n"


def test_a_brake_is_a_line_with_what_releases_it_and_exit_code_1(at_work: House) -> None:
    at_work.keep(
        Brake(connection="madrid", name="mass-delete", evidence="the records of 9 links are missing", set_at=NOW)
    )
    ended = at_work.run("health")
    assert ended.code == 1
    (line,) = ended.out.splitlines()
    assert line.startswith("madrid: the brake mass-delete is set, so nothing is written: the records of 9 links")
    assert "`nexudus-sync brake release mass-delete --connection madrid`" in line
    assert at_work.run("health", "london").code == 0


def test_a_run_that_is_not_there_is_told_with_what_starts_it(house: House) -> None:
    ended = house.run("health")
    assert (ended.code, ended.out.splitlines()) == (
        1,
        ["`nexudus-sync run` is not running; start it again (`nexudus-sync run`, or its service)"],
    )


def test_the_json_has_its_shape(at_work: House) -> None:
    at_work.keep(Brake(connection="london", name="empty-side", evidence="it lists nothing", set_at=NOW))
    ended = at_work.run("health", "london", "--json")
    at = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ended.code == 1
    assert ended.json["run"]["process"] == os.getpid()
    assert (ended.json["healthy"], ended.json["run"]["alive"]) == (False, True)
    assert ended.json["connections"] == [
        {
            "name": "london",
            "state": "brake",
            "last_success": at,
            "conflicts": 0,
            "failures": 0,
            "brake": "empty-side",
        }
    ]
    (problem,) = ended.json["problems"]
    assert (problem["kind"], problem["connection"], problem["since"]) == ("brake", "london", at)


def test_a_connection_that_is_not_configured_is_wrong_usage(at_work: House) -> None:
    ended = at_work.run("health", "paris")
    assert (ended.code, "configured connections: london, madrid" in ended.err) == (2, True)


def test_a_first_run_is_under_way_and_not_in_step(house: House) -> None:
    house.keep(ConnectionState(name="london", crm="overplane"))
    beat(house, os.getpid(), up=timedelta(minutes=3))
    assert house.run("health").out == "All is well: the first run of london is under way.\n"
