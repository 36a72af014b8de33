"""Telling people: what was told is kept, and what goes wrong is a warning."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from nexudus_sync.config import NotifySettings, Settings
from nexudus_sync.errors import StoreError
from nexudus_sync.signals.herald import Herald
from nexudus_sync.signals.senders import Sent
from nexudus_sync.store import Store, running
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Failure

URL = "slack://TokenA/TokenB/TokenC"


class People:
    """Stands for Apprise."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], str, str]] = []
        self.reached = [True]
        self.threads = set[threading.Thread]()

    def __call__(self, urls: Sequence[str], title: str, body: str) -> list[Sent]:
        self.got.append((list(urls), title, body))
        self.threads.add(threading.current_thread())
        return [Sent("slack", went, "" if went else "it cannot be reached") for went in self.reached]


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def herald(settings: Settings, store: Store, clock: Any, people: People) -> Herald:
    return made(settings, store, clock, people)


def made(settings: Settings, store: Store, clock: Any, people: People) -> Herald:
    return Herald(replace(settings, notify=NotifySettings(urls=(URL,))), store, clock, people)


def brake(store: Store, clock: Any) -> None:
    with store.session() as session:
        session.merge(ConnectionState(name="london", crm="x", last_success=clock.now()))
        session.add(Brake(connection="london", name="mass-delete", evidence="9 are missing", set_at=clock.now()))


async def wait(herald: Herald, clock: Any, minutes: int) -> None:
    for _ in range(2 * minutes):
        await herald.look()
        await clock.sleep(30)


async def test_a_brake_reaches_people_beside_the_loop_and_only_once_also_after_a_restart(
    herald: Herald, settings: Settings, store: Store, clock: Any, people: People
) -> None:
    brake(store, clock)
    herald.page = "http://127.0.0.1:8780/"
    with capture_logs() as logs:
        await wait(herald, clock, 5)
        await wait(made(settings, store, clock, people), clock, 60)
    ((urls, title, body),) = people.got
    assert (urls, title) == ([URL], "nexudus-sync: a brake stopped london")
    assert "9 are missing" in body
    assert "Its page: http://127.0.0.1:8780/ (on " in body
    assert threading.current_thread() not in people.threads
    assert [(line["event"], line["to"]) for line in logs] == [("notice.sent", ["slack"])]
    assert "Token" not in str(logs)


async def test_what_waits_is_counted_from_the_store(herald: Herald, store: Store, clock: Any, people: People) -> None:
    pair = {"connection": "london", "nexudus_id": "7", "crm_id": "opp_7"}
    at = clock.now()
    with store.session() as session:
        session.add(Conflict(**pair, field="title", opened_at=at))
        session.add(Conflict(**pair, field="amount", opened_at=at, state="closed"))
        for kind in ("unmapped", "stored-differently"):
            session.add(Failure(**pair, kind=kind, reason="r", first_at=at, last_at=at))
    await wait(herald, clock, 30)
    assert [title for _, title, _ in people.got] == ["nexudus-sync: 1 conflict and 1 failure wait for you"]
    with store.session() as session:
        session.add(Conflict(**pair, field="status", opened_at=clock.now()))
    await wait(herald, clock, 60)
    assert [title for _, title, _ in people.got[1:]] == ["nexudus-sync: 1 conflict waits for you"]
    assert "- london: 1 conflict waits (3 in all)" in people.got[1][2]


async def test_a_message_that_reaches_nobody_is_a_warning_and_is_sent_again_later(
    herald: Herald, store: Store, clock: Any, people: People
) -> None:
    brake(store, clock)
    people.reached = [False, False]
    with capture_logs() as logs:
        await wait(herald, clock, 4)
    assert len(people.got) == 1
    assert [(line["log_level"], line["to"], line["error"]) for line in logs] == [
        ("warning", "slack", "it cannot be reached")
    ] * 2
    people.reached = [False, True]
    await wait(herald, clock, 60)
    assert len(people.got) == 2


async def test_a_sender_that_breaks_is_no_trouble_of_the_next_look(
    herald: Herald, store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreError("state.db: disk full; free some space")

    brake(store, clock)
    monkeypatch.setattr(running, "keep_told", full)
    with capture_logs() as logs:
        await herald.look()
    assert [(line["event"], line["error"]) for line in logs] == [
        ("notice.failed", "state.db: disk full; free some space")
    ]


async def test_an_end_while_a_message_is_on_its_way_waits_for_nobody(
    settings: Settings, store: Store, clock: Any
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(urls: Sequence[str], title: str, body: str) -> list[Sent]:
        entered.set()
        leave.wait(10)
        return [Sent("slack", True)]

    brake(store, clock)
    herald = Herald(replace(settings, notify=NotifySettings(urls=(URL,))), store, clock, slow)
    await herald.look()
    clock.passed += timedelta(minutes=2)
    looking = asyncio.ensure_future(herald.look())
    await asyncio.to_thread(entered.wait, 10)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    leave.set()
