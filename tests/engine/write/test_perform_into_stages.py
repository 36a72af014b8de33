"""A stage is checked right before a write: one that now deletes customers is not entered."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import at_rest, kinds_of_failures
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, new_deal, when
from sim_world import SimWorld

from nexudus_sync.mapping import Side

DELETES = {"DeleteAccount": True}


def set_up(world: SimWorld, stage: str, **changes: Any) -> int:
    """Somebody changes a stage of London's board, a month after the sync was started; gives its id."""
    stage_id = world.nexudus.directory.stage_named(world.seeded.places.london.board_id, stage)
    world.nexudus.directory.stages[stage_id] |= changes
    world.clock.seconds += 30 * 86400
    return stage_id


def test_a_card_is_not_moved_into_a_stage_that_began_to_delete_customers(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    purge = set_up(world, "Negotiation", **DELETES)
    world.crm.move(deal, "Negotiation", BEN)
    world.crm.edit(deal, BEN, title="Berta's")
    cycle(world), cycle(world)
    assert world.nexudus.record(card)["CrmBoardColumnId"] != purge
    assert world.nexudus.record(card)["Name"] == "Berta's"
    assert kinds_of_failures(world, field="sales_stage") == ["stage-deletes-customer"]


def test_a_card_that_is_written_at_once_is_not_moved_there_either(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    purge = set_up(world, "Negotiation", **DELETES)
    world.nexudus.edit(card, ANA, Name="Berta's")  # so it was read a moment before it is written
    world.crm.move(deal, "Negotiation", BEN)
    cycle(world), cycle(world)
    assert world.nexudus.record(card)["CrmBoardColumnId"] != purge
    assert world.crm.record(deal)["title"] == "Berta's"


@pytest.mark.parametrize("meant_for", ["New lead", "Negotiation"])
@pytest.mark.parametrize("deleting", ["New lead", "Negotiation"])
def test_no_card_is_created_for_a_stage_that_began_to_delete_customers(
    deleting: str, meant_for: str, tmp_path: Path
) -> None:
    world = at_rest(tmp_path)
    set_up(world, deleting, **DELETES)
    cards = len(world.nexudus.records())
    new_deal(world, "berta", sales_stage=meant_for)
    cycle(world), cycle(world)
    enters = deleting in ("New lead", meant_for)
    assert kinds_of_failures(world) == (["stage-deletes-customer"] if enters else [])
    assert len(world.nexudus.records()) == cards + (not enters)


def test_a_corrected_stage_is_entered_after_the_next_sweep(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    stage = set_up(world, "Negotiation", **DELETES)
    world.crm.move(deal, "Negotiation", BEN)
    cycle(world)
    set_up(world, "Negotiation", DeleteAccount=False)
    cycle(world, reconcile=True)
    assert world.nexudus.record(card)["CrmBoardColumnId"] == stage
    assert kinds_of_failures(world) == []


def test_a_renamed_stage_is_known_by_its_new_name_after_the_next_sweep(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    stage = set_up(world, "Negotiation", Name="Proposal sent II")
    cycle(world, reconcile=True)
    world.nexudus.edit(card, ANA, CrmBoardColumnId=stage)
    cycle(world)
    assert world.crm.record(deal)["sales_stage"] == "New lead"
    assert kinds_of_failures(world, field="sales_stage") == ["unmapped"]


def test_no_edit_is_lost_while_a_stage_is_looked_at(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    stage = set_up(world, "Negotiation")
    world.faults[Side.NEXUDUS].add("slow", f"^GET .*/crmboardcolumns/{stage}$", seconds=8.0)
    during = lambda: world.nexudus.edit(card, ANA, Name="Ana's")  # noqa: E731
    when(world, Side.NEXUDUS, "GET", f"/crmboardcolumns/{stage}", during)
    world.crm.move(deal, "Negotiation", BEN)
    cycle(world), cycle(world)
    assert world.nexudus.record(card)["CrmBoardColumnId"] == stage
    assert world.nexudus.record(card)["Name"] == world.crm.record(deal)["title"] == "Ana's"
