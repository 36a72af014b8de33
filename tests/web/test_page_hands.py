"""What a run does for its page: it comes from another thread, and goes to the run's own loop."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]

from nexudus_sandbox.world import Sandbox
from nexudus_sync import config
from nexudus_sync.clock import SystemClock
from nexudus_sync.engine.startup.assemble import Engine, assemble
from nexudus_sync.errors import ConfigError
from nexudus_sync.page import RunHands, desk_of, poll_id

DUE = datetime.fromisoformat("2026-03-02T08:00:00+00:00")


class Scheduler:
    """Stands for the run's scheduler: a poll for each connection, and what it was told to run at once."""

    def __init__(self, *names: str) -> None:
        self.asked: list[str] = []
        self._jobs = {poll_id(name): SimpleNamespace(next_run_time=DUE, func=print, args=(name,)) for name in names}

    def add_job(self, func: Any, args: tuple[str], **options: Any) -> None:
        self.asked += args

    def get_job(self, number: str) -> Any:
        return self._jobs.get(number)


async def assembled(folder: Path, crm: str = "overplane", **changes: str) -> Engine:
    sandbox, clock = Sandbox(crm_name=crm, nexudus=6, crm=4, shared=2, seed=3), SystemClock()
    text = sandbox.config_toml()
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / "config.toml").write_text(text, encoding="utf-8")
    settings = config.load(folder / "config.toml", sandbox.environment())
    return assemble(settings, clock=clock, rng=random.Random(1), transports=sandbox.transports(clock))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made = await assembled(tmp_path)
    yield made
    await made.aclose()


async def test_a_cycle_is_asked_for_from_another_thread(engine: Engine) -> None:
    scheduler = Scheduler("london")
    hands = RunHands(engine, scheduler, defaultdict(asyncio.Lock), set())
    assert await asyncio.to_thread(hands.soon, "london")
    await asyncio.sleep(0)
    assert scheduler.asked == ["london"]
    assert hands.next_cycle("london") == DUE
    assert not hands.soon("nowhere")
    assert hands.next_cycle("nowhere") is None


async def test_a_cycle_asked_for_during_another_one_follows_it(engine: Engine) -> None:
    lock, began, goes_on = asyncio.Lock(), asyncio.Queue[str](), asyncio.Event()

    async def poll(connection: str) -> None:
        async with lock:
            began.put_nowait(connection)
            await goes_on.wait()

    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.add_job(poll, "interval", ("london",), id=poll_id("london"), hours=1, next_run_time=engine.clock.now())
    scheduler.start()
    hands = RunHands(engine, scheduler, defaultdict(asyncio.Lock), set())
    assert await began.get() == "london"
    assert await asyncio.to_thread(hands.soon, "london")
    goes_on.set()
    assert await asyncio.wait_for(began.get(), 5) == "london"
    scheduler.shutdown()


async def test_a_plan_waits_for_the_cycle_under_way_and_is_ended_with_the_run(engine: Engine) -> None:
    locks, running = defaultdict[str, asyncio.Lock](asyncio.Lock), set[asyncio.Task[None]]()
    hands = RunHands(engine, Scheduler("london"), locks, running)
    await locks["overplane"].acquire()
    made = asyncio.ensure_future(asyncio.to_thread(hands.plan, "london"))
    while not running:
        await asyncio.sleep(0)
    assert not made.done()
    locks["overplane"].release()
    found = await made
    assert {step.action for step in found.steps} >= {"link", "create"}
    assert found.brake is None
    assert running == set()


async def test_a_plan_of_a_connection_that_is_not_configured_is_refused(engine: Engine) -> None:
    hands = RunHands(engine, Scheduler(), defaultdict(asyncio.Lock), set())
    with pytest.raises(ConfigError):
        await asyncio.to_thread(hands.plan, "nowhere")


async def test_systems_are_called_as_they_call_themselves_or_as_the_configuration_does(tmp_path: Path) -> None:
    engine = await assembled(tmp_path, "erpnext")
    desk = desk_of(engine)
    assert [desk.system("london", side) for side in ("nexudus", "crm")] == ["Nexudus", "ERPNext"]
    assert desk.system("nowhere", "crm") == "the CRM"
    await engine.aclose()
    (tmp_path / "other").mkdir()
    engine = await assembled(
        tmp_path / "other", "erpnext", **{"[crm.erpnext": "[crm.berlin", 'crm = "erpnext"': 'crm = "berlin"'}
    )
    assert desk_of(engine).system("london", "crm") == "berlin"
    await engine.aclose()
