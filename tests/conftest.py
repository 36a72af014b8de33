"""Which tests are quick, how long the property tests look, and what is made once for all tests: a store's schema.

HYPOTHESIS_PROFILE=quick (if left out), long or mutation (see docs/mutation.md).
"""

import gc
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from coverage import Coverage
from hypothesis import Phase, settings
from sqlalchemy import Engine, StaticPool, create_engine, event

import stores
from nexudus_sync.connectors import registry
from nexudus_sync.store import schema, sqlite
from postgres_server import programs

pytest_plugins = ["postgres_fixtures"]

# Without deadlines: how fast a machine is, is nothing a test may hang on.
settings.register_profile("quick", max_examples=300, derandomize=True, deadline=None)
settings.register_profile("long", max_examples=5000, deadline=None)
# A mutant is caught by the first failure: no time goes into shrinking it.
settings.register_profile("mutation", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


TESTS = Path(__file__).parent
QUICK = (
    *("cli", "connectors", "contract", "mapping", "plan", "sandbox", "signals", "store", "web", "worker"),
    *("engine/test_agenda_asks_afresh.py", "engine/test_audit.py", "engine/test_audit_of_unheard_values.py"),
    *("engine/test_cycle_with_erpnext.py", "engine/decisions/test_carry_out.py", "engine/match/test_no_pairs.py"),
    *("engine/match/test_match_by_address.py", "engine/read/test_renderings.py", "engine/rehearse/test_costs.py"),
    *("engine/rehearse/test_rehearse_foresees.py", "engine/write/test_refused_by_hand.py"),
    *("engine/write/test_refused_missing_reason.py", "engine/write/test_refused_waits.py"),
)
"""Folders and files whose tests are quick, beside all that stand directly in tests: what one runs while editing."""
LONG = ("cli/test_cli_runs.py",)
"""Files in these folders that are not."""
UNMEASURED = ("simulation", "hostile")
"""Folders whose tests run through much by chance."""
WORLDS = ("sim_", "engine_worlds")
"""Modules of simulated worlds, in which a story runs through much besides what it shows."""
LONG_STORIES = (
    *("test_e2e_calls.py", "test_e2e_crashes.py", "test_e2e_economy.py", "test_e2e_gone.py", "test_e2e_story.py"),
)
"""Tests of the whole installation that run through what the others run through, only longer."""
ON_SERVERS = ("e2e", "simulation/test_histories.py")
"""With `--store postgresql`, these are of the tier with a server too."""
LONGEST = ("e2e/test_e2e_story.py", "e2e/test_e2e_hubspot.py")
"""But not these, which are played there at night."""
APART = ("processes", "sockets", "postgres")
"""Markers of tests that are never quick: they start processes, or have systems or a database behind real sockets."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--store postgresql`: the simulated worlds and the offices have their stores on a server."""
    parser.addoption("--store", choices=stores.KINDS, default="sqlite", help="where simulated worlds have their stores")


def pytest_configure(config: pytest.Config) -> None:
    """Let the worlds know."""
    stores.choose(config.getoption("--store"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is quick, and what coverage is not measured in."""
    quick, long = ([TESTS / place for place in places] for places in (QUICK, LONG))
    for item in items:
        chance = any(item.path.is_relative_to(TESTS / place) for place in UNMEASURED) or _is_simulated(item)
        if chance or _is_told_twice(item):
            item.add_marker("unmeasured")
        if "postgres_server" in getattr(item, "fixturenames", ()) or (stores.on_server() and _is_played_there(item)):
            item.add_marker("postgres")
            if stores.on_server() and programs() is None:
                item.add_marker(pytest.mark.skip("the programs of a PostgreSQL server are not installed"))
        is_near = item.path.parent == TESTS or any(item.path.is_relative_to(place) for place in quick)
        if is_near and item.path not in long and not any(item.get_closest_marker(name) for name in APART):
            item.add_marker("quick")


def _is_played_there(item: pytest.Item) -> bool:
    place = item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else ""
    return place.startswith(ON_SERVERS) and place not in LONGEST


def _is_simulated(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and _uses_worlds(item.module)


@cache
def _uses_worlds(module: ModuleType) -> bool:
    return any(str(getattr(one, "__module__", "")).startswith(WORLDS) for one in vars(module).values())


def _is_told_twice(item: pytest.Item) -> bool:
    """Is it the other CRM's turn in a test of the whole installation? What is ERPNext's own is tested beside it."""
    if item.path.name in LONG_STORIES:
        return True
    return (
        isinstance(item, pytest.Function)
        and getattr(item, "callspec", None) is not None
        and (item.callspec.params.get("crm_name") == "erpnext")
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Coverage is of what the other tests reach: what chance and long stories run through is not tested by that.

    It also costs half again the time, and the processes that crash tests fork would count for nobody. Where the test
    that came past a line is asked for, all are measured.
    """
    if not item.get_closest_marker("unmeasured") or item.config.getoption("cov_context", None):
        return (yield)  # type: ignore[return-value]
    measured = _stopped()
    try:
        return (yield)  # type: ignore[return-value]
    finally:
        for one in reversed(measured):
            one.start()


def _stopped() -> list[Coverage]:
    """Whatever measures is stopped, the latest first."""
    stopped = []
    while (measured := Coverage.current()) is not None:
        measured.stop()
        stopped.append(measured)
    return stopped


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """In a worker of pytest-xdist, pytest-cov leaves a first measurement running beside the one that it reports."""
    if hasattr(session.config, "workerinput"):
        for measured in _stopped()[:1]:
            measured.start()


_quick: list[str] = []
"""The quick test that is under way, if one is."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Know which quick test is under way."""
    if item.get_closest_marker("quick"):
        _quick.append(item.name)
    try:
        return (yield)  # type: ignore[return-value]
    finally:
        _quick.clear()


def _watch(event: str, _: tuple[object, ...]) -> None:
    if _quick and event in {"subprocess.Popen", "os.fork", "os.posix_spawn", "socket.bind"}:
        raise AssertionError(f"{_quick[0]} is a quick test and does {event}; mark it with one of {APART}")


sys.addaudithook(_watch)


def pytest_collection_finish() -> None:
    """What has been imported by now stays: collecting garbage need not go through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True, scope="module")
def quick_stores() -> Iterator[None]:
    """A new store is a copy of one that was migrated, and waits for no disk. Not so in tests/store, which tests it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "migrate", _copied_or_migrated)
        patch.setattr(sqlite, "set_up", _set_up_without_waiting)
        yield


@pytest.fixture(autouse=True, scope="module")
def connectors_looked_up_once() -> Iterator[None]:
    """What is installed is the same as long as the path is; each process that a test assembles asks for it."""
    asked, known = registry.entry_points, cache(lambda _path, **wanted: asked(**wanted))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "entry_points", lambda **wanted: known(tuple(sys.path), **wanted))
        yield


_set_up, _migrate = sqlite.set_up, schema.migrate


@cache
def _schema() -> sqlite3.Connection:
    """A store in memory that was migrated."""
    made = sqlite3.connect(":memory:", check_same_thread=False)
    engine = create_engine("sqlite://", poolclass=StaticPool)
    _set_up(engine)
    _migrate(engine, "the tests' schema")
    with closing(engine.raw_connection()) as pooled:
        pooled.driver_connection.backup(made)
    engine.dispose()
    return made


def _copied_or_migrated(engine: Engine, label: str) -> None:
    if engine.dialect.name != "sqlite":
        _migrate(engine, label)
        return
    with closing(engine.raw_connection()) as pooled:
        connection = pooled.driver_connection
        if not connection.execute("SELECT name FROM sqlite_master").fetchall():
            connection.execute("PRAGMA query_only = OFF")
            _schema().backup(connection)
            return
    _migrate(engine, label)


def _set_up_without_waiting(engine: Engine) -> None:
    _set_up(engine)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
