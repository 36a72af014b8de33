"""Health, figures and messages of a fleet: all tenants together, and each for itself."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from fleet_house import House
from nexudus_sync.config import NotifySettings
from nexudus_sync.config.whole import Whole
from nexudus_sync.signals.health import in_short, judge
from nexudus_sync.signals.herald import Herald
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.signals.senders import Sent
from nexudus_sync.store import Store, running
from nexudus_sync.store.running import Beat
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState

ALL, ACME = "json://everybody", "json://acme"


@pytest.fixture
def whole(tmp_path: Path) -> Whole:
    """Three tenants, of which one is broken, and one tells people of its own."""
    house = House(tmp_path)
    house.tenant("acme")
    house.tenant("beta")
    house.tenant("gone", "[nexudus]\n")
    found = house.load().whole()
    own = replace(found.parts["acme"], notify=NotifySettings(urls=(SecretStr(ACME),)))
    notify = NotifySettings(urls=(SecretStr(ALL),))
    return replace(found, notify=notify, parts={**found.parts, "acme": own})


def at_work(store: Store, now: datetime) -> None:
    with store.session() as session:
        running.beat(session, Beat(now, now, 1, "elsewhere"), "worker 1")
        for name in ("acme", "beta"):
            state = ConnectionState(name=f"{name}/london", crm=f"{name}/acme", last_success=now, backfilled_at=now)
            session.merge(state)


def brake(store: Store, connection: str, now: datetime) -> None:
    with store.session() as session:
        session.add(Brake(connection=connection, name="mass-delete", evidence="9 are missing", set_at=now))


def question(store: Store, connection: str, now: datetime) -> None:
    with store.session() as session:
        session.add(Conflict(connection=connection, field="title", nexudus_id="1", crm_id="2", opened_at=now))


def test_the_verdict_is_about_all_tenants_and_names_the_broken_one(whole: Whole, store: Store, clock: Any) -> None:
    at_work(store, clock.now())
    brake(store, "beta/london", clock.now())
    with store.read() as session:
        verdict = judge(session, whole, clock.now())
    assert [(one.name, one.tenant, one.state) for one in verdict.connections] == [
        ("acme/london", "acme", "ok"),
        ("beta/london", "beta", "brake"),
    ]
    config, stopped = verdict.problems
    assert (config.kind, config.tenant, config.connection) == ("config", "gone", None)
    assert config.line.startswith("gone: does not run: ")
    assert "gone/config.toml: crm: is missing; add it; the others run" in config.line
    assert (stopped.tenant, stopped.title) == ("beta", "a brake stopped beta/london")
    told = verdict.as_json()
    assert [one["tenant"] for one in told["connections"]] == ["acme", "beta"]
    assert [one["tenant"] for one in told["problems"]] == ["gone", "beta"]
    own = verdict.only("acme")
    assert (own.healthy, [one.name for one in own.connections]) == (True, ["acme/london"])
    assert in_short(own) == "All is well: 1 connection in step."


def test_without_a_worker_each_tenant_has_that_problem(whole: Whole, store: Store, clock: Any) -> None:
    with store.read() as session:
        verdict = judge(session, whole, clock.now())
    assert verdict.only("beta").problems[0].line == (
        "`nexudus-sync worker` is not running; start it again (`nexudus-sync worker`, or its service)"
    )


def test_each_tenants_own_limit_says_when_it_is_stale(whole: Whole, store: Store, clock: Any) -> None:
    own = whole.parts["beta"]
    patient = replace(own, run=own.run.model_copy(update={"stale_after": timedelta(days=1)}))
    patient_whole = replace(whole, parts={**whole.parts, "beta": patient})
    at_work(store, clock.now() - timedelta(hours=1))
    with store.session() as session:
        then = clock.now() - timedelta(hours=1)
        running.beat(session, Beat(clock.now(), then, 1, "elsewhere"), "worker 1")
    with store.read() as session:
        states = {one.name: one.state for one in judge(session, patient_whole, clock.now()).connections}
    assert states == {"acme/london": "stale", "beta/london": "ok"}


class People:
    """Stands for Apprise."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str]] = []

    def __call__(self, urls: Sequence[str], title: str, body: str) -> list[Sent]:
        self.got.append((urls[0], title, body))
        return [Sent("json", True)]


async def wait(heralds: Sequence[Herald], store: Store, clock: Any, minutes: int) -> None:
    for _ in range(2 * minutes):
        with store.session() as session:
            running.beat(session, Beat(clock.now(), clock.now(), 1, "elsewhere"), "worker 1")
        for herald in heralds:
            await herald.look()
        await clock.sleep(30)


async def test_a_tenants_people_are_told_of_it_and_the_fleets_of_all(whole: Whole, store: Store, clock: Any) -> None:
    people = People()
    at_work(store, clock.now())
    brake(store, "acme/london", clock.now())
    brake(store, "beta/london", clock.now())
    question(store, "acme/london", clock.now())
    question(store, "beta/london", clock.now())
    await wait([Herald(whole, store, clock, people)], store, clock, 15)
    of_acme = [(title, body) for url, title, body in people.got if url == ACME]
    of_all = [(title, body) for url, title, body in people.got if url == ALL]
    assert [title for title, _ in of_acme] == [
        "nexudus-sync (acme): a brake stopped acme/london; 1 conflict waits for you"
    ]
    assert "beta" not in of_acme[0][1]
    assert "`nexudus-sync conflicts list --tenant acme`" in of_acme[0][1]
    assert [title for title, _ in of_all] == ["nexudus-sync: 3 problems; 2 conflicts wait for you"]
    lines = [line.partition(": ")[0] for line in of_all[0][1].splitlines()]
    assert lines == [
        *("acme:", "- acme/london", "beta:", "- beta/london", "gone:", "- gone"),
        "New since the last message:",
        *("acme:", "- acme/london", "beta:", "- beta/london"),
        "To see them",
    ]


async def test_of_several_workers_one_tells(whole: Whole, store: Store, clock: Any) -> None:
    first, second = People(), People()
    heralds = [Herald(whole, store, clock, people, f"worker {n}") for n, people in enumerate((first, second))]
    at_work(store, clock.now())
    brake(store, "acme/london", clock.now())
    await wait(heralds, store, clock, 5)
    assert (len(first.got), second.got) == (2, [])
    brake(store, "beta/london", clock.now())
    await wait(heralds[1:], store, clock, 5)  # the first one is gone
    assert [url for url, _, _ in second.got] == [ALL]


def test_every_figure_of_a_fleet_says_whose_it_is(whole: Whole, store: Store, clock: Any) -> None:
    at_work(store, clock.now())
    question(store, "beta/london", clock.now())
    metrics = Metrics(whole, store, clock)
    metrics.cycle("acme/london", "done", 1.0, {"crm update": 2})
    metrics.call("beta/acme", "read", 0.1)
    metrics.budget("acme/nexudus", {"per_hour": (5, 10)})
    text = metrics.text().decode()
    for line in (
        'nexudus_sync_cycles_total{connection="acme/london",result="done",tenant="acme"} 1.0',
        'nexudus_sync_writes_total{connection="acme/london",kind="update",side="crm",tenant="acme"} 2.0',
        'nexudus_sync_call_seconds_count{kind="read",system="beta/acme",tenant="beta"} 1.0',
        'nexudus_sync_budget_left{limit="per_hour",system="acme/nexudus",tenant="acme"} 5.0',
        'nexudus_sync_waiting{connection="beta/london",item="conflict",tenant="beta"} 1.0',
        'nexudus_sync_tenant_broken{tenant="gone"} 1.0',
    ):
        assert line in text
    own = metrics.text({"beta"}).decode()
    assert 'tenant="beta"' in own
    assert "acme/" not in own
    assert "gone" not in own
    assert "process_" not in own


def test_outside_a_fleet_no_figure_has_a_tenant(settings: Any, store: Store, clock: Any) -> None:
    assert "tenant" not in Metrics(settings, store, clock).text().decode()


def test_a_connection_of_a_file_that_names_more_is_judged_alone(whole: Whole, store: Store, clock: Any) -> None:
    with store.read() as session:
        verdict = judge(session, whole, clock.now(), names=["beta/london"])
    assert [one.name for one in verdict.connections] == ["beta/london"]
    assert [one.kind for one in verdict.problems] == ["run"]
