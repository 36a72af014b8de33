"""What monitoring is answered over HTTP."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexudus_sync.clock import SystemClock
from nexudus_sync.config import ConnectionSettings, RunSettings, Settings
from nexudus_sync.signals import http
from nexudus_sync.signals.health import machine
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.store import Store, running
from nexudus_sync.store.running import Beat
from nexudus_sync.store.tables import Brake, ConnectionState
from nexudus_sync.web import app

NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open("sqlite:///state.db", base_dir=tmp_path)
    with made.session() as session:
        session.add(ConnectionState(name="london", crm="overplane", last_success=NOW))
        now = datetime.now(UTC)  # not when the tests were collected, which may be minutes ago
        running.beat(session, Beat(now, now, os.getpid(), machine()))
    yield made
    made.close()


async def get(store: Store, path: str) -> httpx.Response:
    nothing: Any = None
    london = ConnectionSettings(name="london", crm="overplane", scope={"business_id": 1})
    settings = Settings(Path("config.toml"), "sqlite://", nothing, {}, (london,), nothing, RunSettings())
    clock = SystemClock()
    transport = httpx.ASGITransport(
        app.build(http.routes(lambda: settings, store, clock, Metrics(settings, store, clock)))
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        return await browser.get(path)


async def test_both_are_200_while_all_is_well(store: Store) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await get(store, path)
        assert (answer.status_code, answer.json()["healthy"]) == (200, True)


async def test_a_brake_is_not_ready_but_alive(store: Store) -> None:
    with store.session() as session:
        session.add(Brake(connection="london", name="empty-side", evidence="it lists nothing", set_at=NOW))
    assert (await get(store, "/healthz")).status_code == 200
    answer = await get(store, "/readyz")
    assert (answer.status_code, answer.json()["problems"][0]["kind"]) == (503, "brake")


async def test_without_a_sign_of_life_it_is_not_alive(store: Store) -> None:
    with store.session() as session:
        running.ended(session)
    assert (await get(store, "/healthz")).status_code == 503


async def test_a_store_that_cannot_be_read_is_neither(store: Store, tmp_path: Path) -> None:
    store.close()
    (tmp_path / "state.db").write_bytes(b"no database at all, but long enough to have a header" * 9)
    answer = await get(store, "/readyz")
    assert (answer.status_code, answer.json()["healthy"], "state.db" in answer.json()["error"]) == (503, False, True)
