"""An update whose answer was lost: the part that arrived is not sent again, and not taken for somebody's edit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_worlds import ask, link_of_deal, silent
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, new_deal, play, rows, when
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure, Journal


def test_a_value_that_takes_several_writes_is_delivered_by_the_last_of_them(rested: SimWorld) -> None:
    """Ana clears the reason why a deal was lost; the process ends when one of the CRM's two rows is deleted."""
    world, armed = rested, [True]
    card, deal = born_in_crm(world, status="Lost")
    world.crm.set_lost_reasons(deal, ["Price", "Timing"], BEN)
    world.crm.edit(deal, BEN, phone="+44 20 1")
    cycle(world)
    assert world.nexudus.record(card)["LossReason"] == 4

    def end(request: Any, _: Any) -> None:
        if armed and request.method == "DELETE":
            armed.clear()
            world.crash_at = world.commits + 1

    world.crm.watchers.append(end)
    world.nexudus.edit(card, ANA, LossReason=None)
    cycle(world)
    assert world.restarts == 1
    cycle(world)
    assert (world.nexudus.record(card)["LossReason"], world.crm.lost_reasons(deal)) == (None, [])


def test_a_value_that_takes_several_writes_is_to_be_delivered_while_one_is_in_doubt(rested: SimWorld) -> None:
    """The answer to the first deletion is lost, and it moved the opportunity's stamp."""
    world = rested
    world.crm.options.children_move_parent = True
    card, deal = born_in_crm(world, status="Lost")
    world.crm.set_lost_reasons(deal, ["Price", "Timing"], BEN)
    world.crm.edit(deal, BEN, phone="+44 20 1")
    cycle(world)
    world.nexudus.edit(card, ANA, LossReason=None)
    world.clock.seconds += 20
    world.faults[Side.CRM].add("drop_after", "^DELETE")
    for _ in range(2):
        cycle(world)
    assert (world.nexudus.record(card)["LossReason"], world.crm.lost_reasons(deal)) == (None, [])


def test_a_lost_update_of_a_parted_pair_is_over(rested: SimWorld) -> None:
    """It cannot be looked for at first; meanwhile the pair is parted, and the card linked with another deal."""
    world = rested
    card, deal = born_in_crm(world)
    other = new_deal(world, "zora")
    ask(world, "ignore", side="crm", record_id=other)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Renamed")
    silent(world, f"^PATCH .*/{deal}")
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=999)
    ask(world, "unlink", link_id=link_of_deal(world, deal).id)
    cycle(world)
    ask(world, "link", nexudus_id=str(card), crm_id=other)
    cycle(world)
    assert link_of_deal(world, other).state == "active"
    world.faults[Side.CRM].clear()
    cycle(world), cycle(world)
    assert rows(world, Failure, state="open") == []
    assert rows(world, Journal, state="sent") == []


def lost_answer_of_what_the_server_turned(world: SimWorld) -> None:
    """Ana won a card, Ben moves the deal to Lost and keeps its status; the answer to the sync's write is lost.

    Nexudus takes the stage and sets the status by it, so that the card does not say all that was sent.
    """
    card, deal = born_in_crm(world)
    world.nexudus.edit(
        card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(world.seeded.places.london.board_id, "Won")
    )
    cycle(world)
    world.crm.edit(deal, BEN, status="Quotation")
    world.crm.move(deal, "Lost", BEN)
    world.faults[Side.NEXUDUS].add("drop_after", "^PUT .*/crmopportunities$")
    cycle(world)
    assert world.nexudus.record(card)["Status"] == 3


def ended_when_the_server_had_moved_more(world: SimWorld) -> None:
    """Ben moves two old deals into stages that win and lose cards by themselves; the process ends at that write."""
    for times, ((_, deal), stage) in enumerate(zip(world.seeded.equal, ("Won", "Lost"), strict=True), 1):
        world.crm.move(deal, stage, BEN)

        def ends() -> None:
            world.crash_at = world.commits + 1

        when(world, Side.NEXUDUS, "PUT", "/crmopportunities", ends)
        cycle(world)
        assert world.restarts == times


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (lost_answer_of_what_the_server_turned, "erpnext"),
    (ended_when_the_server_had_moved_more, "overplane"),
    (ended_when_the_server_had_moved_more, "erpnext"),
]


@pytest.mark.parametrize(("story", "system"), STORIES, ids=[f"{story.__name__}-{system}" for story, system in STORIES])
def test_a_story_that_once_broke_a_promise_keeps_it(
    story: Callable[[SimWorld], None], system: str, tmp_path: Path
) -> None:
    assert play(story, tmp_path, system=system) == []
