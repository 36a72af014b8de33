"""An import: very many records on each side within one minute, while the sync reads page after page of them."""

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from sim_checker import Violation, check
from sim_desks import BEN, STAGES
from sim_people import ANA
from sim_stories import cycle, new_card
from sim_time import Deadlock
from sim_world import Crash, SimWorld
from sqlmodel import col, func, select

from nexudus_sync.connectors.nexudus import listing
from nexudus_sync.engine.cycle import run_cycle
from nexudus_sync.store.tables import Link

MINUTE = 60.0
CRASHES = 3
PAGE = 50
"""Rows a page has on both sides, so that an import spans many of them."""
CREATIONS = 100_000
"""Customers a day: what Nexudus grants would make the import last for months."""


def burst(folder: Path, records: int, *, system: str, seed: int = 1) -> list[Violation]:
    """Half of the records come from each side, in one minute, and are edited once more in the next.

    The sync reads and writes meanwhile, its process dies a few times, and at the end every record has one counterpart.
    """
    rng, limits = random.Random(seed), f"[nexudus.limits]\ncustomer_creations_per_day = {CREATIONS}"
    world = SimWorld(
        seed, folder, nexudus=0, crm=0, shared=0, system=system, crm_settings=f"page_size = {PAGE}\n{limits}"
    )
    world.nexudus.options.customer_creations_per_day = CREATIONS
    world.nexudus.options.opportunity_limit = max(5000, 2 * records)
    pages = pytest.MonkeyPatch()
    pages.setattr(listing, "LARGEST_PAGE", PAGE)
    try:
        cycle(world)
        _at_work(world, _import(world, records, rng))
        for _ in range(CRASHES):
            world.crash_at = world.commits + rng.randint(1, 3 * records)
            _at_work(world, _edit(world, records // 10, rng))
        world.crash_at = None
        for number in range(6):
            cycle(world, reconcile=number == 2, after=2 * MINUTE)
        found = check(world)[0]
        linked = _linked(world)
        return found if linked == records else [*found, Violation("accounting", f"{linked} of {records} are linked")]
    finally:
        pages.undo()
        world.close()


def _at_work(world: SimWorld, people: Coroutine[Any, Any, None]) -> None:
    """A cycle while people are at work; a crash ends the process, not the people."""

    async def work() -> None:
        job = asyncio.ensure_future(people)
        await asyncio.sleep(1)
        await world.engine.start()
        try:
            await run_cycle(world.connection)
        finally:
            await job

    try:
        world.clock.run(work())
    except (Crash, Deadlock):
        if not world.crashed:
            raise
        world.restart()


async def _import(world: SimWorld, records: int, rng: random.Random) -> None:
    for number in range(records):
        if number % 2:
            new_card(world, f"card{number}", Value=number)
        else:
            world.desk.create(f"deal{number}", opportunity_amount=number, sales_stage=rng.choice(STAGES[:4]))
        await asyncio.sleep(MINUTE / records)


async def _edit(world: SimWorld, edits: int, rng: random.Random) -> None:
    for number in range(edits):
        world.nexudus.edit(rng.choice(list(world.nexudus.cards.rows)), ANA, Name=f"Card again {number}")
        world.crm.edit(rng.choice(list(world.crm.records())), BEN, title=f"Deal again {number}")
        await asyncio.sleep(MINUTE / edits)


def _linked(world: SimWorld) -> int:
    with world.store.read() as session:
        return session.exec(select(func.count()).where(col(Link.state) == "active")).one()
