"""What `plan` says would wait is what waits after the sync that it rehearses."""

from pathlib import Path

import pytest
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_nexudus, new_deal
from sim_world import SimWorld

from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.rehearse.rehearse import rehearse
from nexudus_sync.store.status import connection_status


async def _told(world: SimWorld) -> tuple[int, int]:
    await world.engine.start()
    status = (await rehearse(world.connection, Options())).status
    return status.conflicts, status.failures


async def _left(world: SimWorld) -> tuple[int, int]:
    await world.engine.start()
    await run_cycle(world.connection)
    with world.store.read() as session:
        status = connection_status(session, world.connection.name)
    return status.conflicts, status.failures


def compared(world: SimWorld) -> tuple[tuple[int, int], tuple[int, int]]:
    """Conflicts and failures as the plan told them, and as the sync left them."""
    world.clock.seconds += 60
    told = world.clock.run(_told(world))
    return told, world.clock.run(_left(world))


@pytest.mark.parametrize("system", ["overplane", "erpnext"])
def test_a_first_run_leaves_what_the_plan_said(tmp_path: Path, system: str) -> None:
    world = SimWorld(3, tmp_path, system=system)
    if system == "erpnext":
        world.crm.add("Sales Stage", "Administrator", stage_name="Nobody's stage")
    for deal, _ in zip(sorted(world.crm.records()), range(9), strict=False):
        world.crm.edit(deal, BEN, sales_stage="Nobody's stage")
    told, left = compared(world)
    assert told == left
    assert left[1] > 2


@pytest.mark.parametrize(("stage", "waits"), [("Welcome mail", 1), ("Nobody's stage", 1), ("New lead", 0)])
def test_a_stage_that_a_create_leaves_out_is_foreseen(tmp_path: Path, stage: str, waits: int) -> None:
    world = SimWorld(3, tmp_path, nexudus=0, crm=0, shared=0)
    world.desk.create("berta", sales_stage=stage)
    assert compared(world) == ((0, waits), (0, waits))


def test_a_failure_that_the_sync_will_solve_does_not_wait(tmp_path: Path) -> None:
    world = SimWorld(3, tmp_path, nexudus=0, crm=0, shared=0)
    _, deal = born_in_nexudus(world)
    world.crm.edit(deal, BEN, sales_stage="Nobody's stage")
    assert compared(world) == ((0, 1), (0, 1))
    world.crm.edit(deal, BEN, sales_stage="Negotiation")
    assert compared(world) == ((0, 0), (0, 0))


def test_a_conflict_that_the_sync_will_close_does_not_wait(tmp_path: Path) -> None:
    world = SimWorld(3, tmp_path, nexudus=0, crm=0, shared=0)
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Value=5)
    world.crm.edit(deal, BEN, opportunity_amount=6)
    assert compared(world) == ((1, 0), (1, 0))
    world.nexudus.edit(card, ANA, Value=6, Name="And another name")
    assert compared(world) == ((0, 0), (0, 0))


def test_a_record_that_failed_and_can_be_copied_now_does_not_wait(tmp_path: Path) -> None:
    world = SimWorld(3, tmp_path, nexudus=0, crm=0, shared=0)
    deal = new_deal(world, "berta", currency="USD")
    assert compared(world) == ((0, 1), (0, 1))
    world.crm.edit(deal, BEN, currency="GBP")
    assert compared(world) == ((0, 0), (0, 0))
