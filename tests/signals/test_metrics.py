"""The figures for Prometheus, as its own parser reads them."""

import os
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexudus_sync.config import Settings
from nexudus_sync.errors import StoreError
from nexudus_sync.signals import http
from nexudus_sync.signals.health import machine
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.store import Store, running
from nexudus_sync.store.running import Beat
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Failure
from nexudus_sync.web import app


@pytest.fixture
def metrics(settings: Settings, store: Store, clock: Any) -> Metrics:
    return Metrics(settings, store, clock)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The value of the series with exactly these labels."""
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            if sample.name == f"nexudus_sync_{name}" and sample.labels == labels:
                return sample.value
    return None


def test_cycles_and_writes_are_counted_by_connection(metrics: Metrics) -> None:
    metrics.cycle("london", "done", 2.0, {"crm opportunity.update": 3, "nexudus opportunity.create": 1})
    metrics.cycle("london", "failed", 0.1, {})
    metrics.cycle("london", "done", 4.0, {"crm opportunity.update": 1})
    assert value(metrics, "cycles_total", connection="london", result="done") == 2
    assert value(metrics, "cycles_total", connection="london", result="failed") == 1
    assert value(metrics, "cycles_total", connection="madrid", result="braked") == 0
    assert value(metrics, "cycle_seconds_sum", connection="london", result="done") == 6.0
    assert value(metrics, "cycle_seconds_bucket", connection="london", result="done", le="2.5") == 1
    assert value(metrics, "writes_total", connection="london", side="crm", kind="opportunity.update") == 4
    assert value(metrics, "writes_total", connection="london", side="nexudus", kind="opportunity.create") == 1


def test_calls_are_sorted_by_how_long_they_took(metrics: Metrics) -> None:
    for seconds in (0.04, 0.2, 3.0):
        metrics.call("nexudus", "read", seconds)
    metrics.call("nexudus", "write", 0.2)
    counted = [
        value(metrics, "call_seconds_bucket", system="nexudus", kind="read", le=most)
        for most in ("0.05", "0.25", "5.0")
    ]
    assert counted == [1, 2, 3]
    assert value(metrics, "call_seconds_count", system="nexudus", kind="write") == 1


def test_what_is_left_of_the_budget_is_told_by_limit(metrics: Metrics) -> None:
    metrics.budget("nexudus", {"per_minute": (17, 120)})
    assert value(metrics, "budget_left", system="nexudus", limit="per_minute") == 17
    assert value(metrics, "budget_limit", system="nexudus", limit="per_minute") == 120


def test_how_things_stand_is_read_when_asked(metrics: Metrics, store: Store, clock: Any) -> None:
    now = clock.now()
    pair = {"connection": "london", "nexudus_id": "7", "crm_id": "opp_7"}
    with store.session() as session:
        session.add(ConnectionState(name="london", crm="x", last_success=now))
        session.add(Conflict(**pair, field="title", opened_at=now))
        for kind in ("unmapped", "refused", "stored-differently"):
            session.add(Failure(**pair, kind=kind, reason="r", first_at=now, last_at=now))
        session.add(Brake(connection="madrid", name="mass-delete", evidence="gone", set_at=now))
        running.beat(session, Beat(now, now, os.getpid(), machine()))
    clock.passed = timedelta(seconds=40)
    assert value(metrics, "lag_seconds", connection="london") == 40
    assert value(metrics, "lag_seconds", connection="madrid") is None
    assert value(metrics, "heartbeat_age_seconds") == 40
    assert value(metrics, "waiting", connection="london", item="conflict") == 1
    assert value(metrics, "waiting", connection="london", item="failure") == 2
    assert value(metrics, "waiting", connection="madrid", item="failure") == 0
    assert value(metrics, "waiting_by_kind", connection="london", item="failure", kind="unmapped") == 1
    assert value(metrics, "waiting_by_kind", connection="london", item="conflict", kind="field") == 1
    assert value(metrics, "waiting_by_kind", connection="london", item="failure", kind="stored-differently") is None
    assert value(metrics, "brake_set", connection="madrid", brake="mass-delete") == 1
    assert value(metrics, "problem", connection="madrid", problem="brake") == 1
    assert value(metrics, "problem", connection="london", problem="stale") == 0
    assert value(metrics, "healthy") == 0


def test_two_runs_in_one_process_share_nothing(settings: Settings, store: Store, clock: Any, metrics: Metrics) -> None:
    metrics.call("nexudus", "read", 1.0)
    assert value(Metrics(settings, store, clock), "call_seconds_count", system="nexudus", kind="read") is None


async def test_they_are_served_as_text_and_503_without_a_store(
    settings: Settings, store: Store, clock: Any, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = httpx.ASGITransport(app.build(http.routes(lambda: settings, store, clock, metrics)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        answer = await browser.get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "# HELP nexudus_sync_cycles_total Cycles that ended." in answer.text

        def broken(only: object = None) -> bytes:
            raise StoreError("state.db: disk full")

        monkeypatch.setattr(metrics, "text", broken)
        answer = await browser.get("/metrics")
        assert (answer.status_code, answer.text) == (503, "# state.db: disk full\n")
