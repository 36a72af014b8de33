"""Several workers give signs of life on one store: together they are what `run` is alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from nexudus_sync.config.settings import NotifySettings
from nexudus_sync.signals.systemd import Service
from nexudus_sync.signals.watch import CUT_LASTS, Watch
from nexudus_sync.store import Store, running
from nexudus_sync.store.running import Beat

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class StillClock:
    passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


class Seen:
    """A connector that can be watched."""

    def __init__(self) -> None:
        self.watchers: list[Any] = []

    def watch(self, watcher: Any) -> None:
        self.watchers.append(watcher)

    def budget_left(self) -> dict[str, tuple[int, int]]:
        return {"per_minute": (50, 60)}


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store.open("sqlite://")
    yield made
    made.close()


def settings(*names: str) -> Any:
    return SimpleNamespace(
        connections=[SimpleNamespace(name=f"{name}/london") for name in names],
        crms={f"{name}/erp": None for name in names},
        notify=NotifySettings(),
        secrets=lambda: {"hunter2"},
        of=lambda connection: SimpleNamespace(hub=connection.replace("london", "nexudus")),
    )


def beat(store: Store, at: datetime, worker: str, **more: Any) -> None:
    with store.session() as session:
        running.beat(session, Beat(at, more.pop("started", NOW), 1, "elsewhere", **more), worker)


def last(store: Store) -> Beat | None:
    with store.read() as session:
        return running.last_beat(session)


def test_workers_that_are_at_work_together_are_one_sign_of_life(store: Store) -> None:
    beat(store, NOW, "one", working={"acme/london": NOW}, started=NOW - MINUTE, last_call=NOW)
    beat(store, NOW + MINUTE / 2, "two", working={"beta/london": NOW}, started=NOW)
    found = last(store)
    assert found is not None
    assert (found.at, found.started) == (NOW + MINUTE / 2, NOW - MINUTE)
    assert found.working == {"acme/london": NOW, "beta/london": NOW}
    assert found.last_call == NOW


def test_what_a_lost_worker_was_at_counts_no_longer_and_is_forgotten(store: Store) -> None:
    beat(store, NOW, "lost", working={"acme/london": NOW})
    beat(store, NOW + 2 * MINUTE, "two")
    found = last(store)
    assert found is not None
    assert found.working == {}
    beat(store, NOW + 11 * MINUTE, "two")
    with store.session() as session:
        running.ended(session, "two")
    assert last(store) is None


def test_a_worker_that_ends_leaves_the_others_signs(store: Store) -> None:
    beat(store, NOW, "one")
    beat(store, NOW, "two")
    with store.session() as session:
        running.ended(session, "two")
    assert last(store) == Beat(NOW, NOW, 1, "elsewhere")


async def test_a_cycle_that_was_cut_counts_as_under_way_until_it_goes_on_or_is_forgotten(store: Store) -> None:
    clock = StillClock()
    watch = Watch(settings("acme"), store, clock, {}, Service({}), "one")
    watch.cycle_began("acme/london")
    watch.cycle_ended("acme/london", goes_on=True)
    await watch.beat()
    found = last(store)
    assert found is not None
    assert found.working == {"acme/london": NOW}
    clock.passed += CUT_LASTS
    await watch.beat()
    assert _working(store) == {}
    watch.cycle_ended("acme/london", goes_on=True)
    watch.cycle_began("acme/london")
    watch.cycle_ended("acme/london")
    await watch.beat()
    assert _working(store) == {}


def _working(store: Store) -> Any:
    found = last(store)
    assert found is not None
    return found.working


async def test_connectors_that_come_are_watched_and_those_of_removed_tenants_shown_no_longer(store: Store) -> None:
    watch, acme, beta = Watch(settings("acme"), store, StillClock(), {}, Service({}), "one"), Seen(), Seen()
    watch.observe({"acme/erp": acme})
    watch.renew(settings("acme", "beta"))
    watch.observe({"beta/nexudus": beta, "beta/erp": object()})
    await watch.beat()
    found = last(store)
    assert found is not None
    assert found.budget.keys() == {"acme/erp", "beta/nexudus"}
    assert (len(acme.watchers), len(beta.watchers)) == (1, 1)
    watch.renew(settings("beta"))
    await watch.beat()
    found = last(store)
    assert found is not None
    assert found.budget.keys() == {"beta/nexudus"}
