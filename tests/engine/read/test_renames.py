"""Records whose names change: each is recognised, and not confused with the next one of its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_worlds import at_rest, card_of_deal, kinds_of_failures, pair_of_card
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, links, new_card, new_deal, play, rows
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Unlinked

DAYS = 200_000.0
"""So long after its last save a poll lists an opportunity no more."""


def sleep(world: SimWorld, card: int) -> None:
    """Ana moves a card to a location that no connection has."""
    board = world.seeded.places.madrid.board_id
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, "New lead"))
    cycle(world)


def end(world: SimWorld, card: int) -> None:
    """Ana deletes a card, which a sweep finds."""
    world.nexudus.delete(card, ANA)
    cycle(world, reconcile=True)


@pytest.mark.parametrize("idle", [sleep, end])
def test_an_opportunity_is_recognised_although_another_has_its_name(idle: Any, tmp_path: Path) -> None:
    """While its link is not at work it is renamed, another gets its name and is linked, and then it is edited."""
    world = at_rest(tmp_path, system="erpnext")
    card, deal = born_in_crm(world)
    idle(world, card)
    for _ in range(2):
        cycle(world, after=DAYS)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.rename(new_deal(world, "carla"), deal, BEN)
    cycle(world), cycle(world)
    world.crm.edit("Renamed", BEN, title="Edited")
    cycle(world), cycle(world)
    assert [link.nexudus_id for link in links(world) if link.crm_id == "Renamed"] == [str(card)]
    assert [card["Name"] for card in world.nexudus.records().values()].count("Edited") == 0


def test_two_that_swap_their_names_are_recognised(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    card, deal = born_in_crm(world)
    end(world, card)
    other = new_deal(world, "carla")
    for after in (60.0, DAYS, DAYS):
        cycle(world, after=after)
    for old, new in ((deal, "Meanwhile"), (other, deal), ("Meanwhile", other)):
        world.crm.rename(old, new, BEN)
    world.crm.edit(other, BEN, title="Edited")
    cycle(world), cycle(world, reconcile=True)
    assert pair_of_card(world, card) == (other, "closed")
    assert pair_of_card(world, card_of_deal(world, deal)) == (deal, "active")


def test_what_waited_under_the_name_of_a_sleeping_one_is_forgotten_when_it_is_deleted(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    world.settings["deletes"] = 'ignore"\ncreate_parties = false\nparty = "Lead'
    card, deal = born_in_crm(world)
    sleep(world, card)
    world.restart()
    world.crm.delete(deal, BEN)
    assert new_deal(world, "carla") == deal
    cycle(world)
    assert kinds_of_failures(world, crm_id=deal) == ["customer"]
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True)
    assert kinds_of_failures(world) == []


def test_an_answer_about_a_deal_is_not_one_about_the_next_deal_of_its_name(tmp_path: Path) -> None:
    """Two cards could belong to a deal; it is to be copied as a new one, but Ben deletes it and enters another."""
    world = at_rest(tmp_path, system="erpnext")
    customer = world.nexudus.directory.add_coworker("anna@example.org", "anna", world.seeded.places.london.business_id)
    for name in ("first", "second"):
        new_card(world, name, CoworkerId=customer)
    deal = new_deal(world, "anna", title="third")
    cycle(world)
    with world.store.session() as session:
        question = session.exec(select(Conflict).where(Conflict.crm_id == deal)).one()
        question.state, question.take = "resolved", Side.CRM.value
    world.crm.delete(deal, BEN)
    assert new_deal(world, "zora", contact_email="anna@example.org", title="fourth") == deal
    cards = len(world.nexudus.records())
    cycle(world), cycle(world)
    assert len(world.nexudus.records()) == cards
    assert [asked.state for asked in rows(world, Conflict, crm_id=deal)] == ["closed", "open"]


def test_a_question_about_the_next_of_a_name_stays_with_it_when_the_first_is_found_again(tmp_path: Path) -> None:
    """Ben gives an opportunity another name, and a new one its old name, which could belong to two cards."""
    world = at_rest(tmp_path, system="erpnext")
    _, deal = born_in_crm(world)
    place = world.seeded.places.london
    customer = world.nexudus.directory.add_coworker("carla@example.org", "carla", place.business_id)
    for name in ("first", "second"):
        new_card(world, name, CoworkerId=customer)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.rename(new_deal(world, "carla"), deal, BEN)
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=8)
    cycle(world)
    assert rows(world, Conflict, state="open", crm_id=deal) != []
    world.faults[Side.CRM].clear()
    cycle(world), cycle(world)
    assert pair_of_card(world, card_of_deal(world, "Renamed")) == ("Renamed", "active")
    assert len(rows(world, Conflict, state="open", crm_id=deal)) == 1
    assert rows(world, Conflict, state="open", crm_id="Renamed") == []


def renamed_after_its_end(world: SimWorld) -> None:
    """The card is deleted, which ends the link; then the opportunity that stays is given another name, and edited."""
    card, deal = born_in_crm(world)
    world.nexudus.delete(card, ANA)
    cycle(world, reconcile=True)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Somewhere else")


def renamed_while_elsewhere(world: SimWorld) -> None:
    """The card leaves the location for a while; meanwhile the opportunity is given another name, and edited."""
    card, deal = born_in_crm(world)
    madrid, london = (
        world.nexudus.directory.stage_named(place.board_id, "New lead")
        for place in (world.seeded.places.madrid, world.seeded.places.london)
    )
    world.nexudus.edit(card, ANA, CrmBoardColumnId=madrid)
    cycle(world, reconcile=True)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Somewhere else")
    cycle(world)
    world.nexudus.edit(card, ANA, CrmBoardColumnId=london)


def name_given_to_the_next(world: SimWorld) -> None:
    """Ben deletes the newest opportunity, and the next one, which the sync creates, is given its name."""
    _, deal = born_in_nexudus(world)
    world.crm.delete(deal, BEN)
    new_card(world, "carla")
    cycle(world)
    cycle(world, reconcile=True)
    assert deal in world.crm.records()
    assert [link.state for link in links(world) if link.crm_id == deal] == ["closed", "active"]


def renamed_and_replaced(world: SimWorld) -> None:
    """Ben gives an opportunity another name, and a new one its old name."""
    _, deal = born_in_crm(world)
    world.crm.rename(deal, "Renamed", BEN)
    other = world.desk.create("carla")
    world.crm.rename(other, deal, BEN)
    world.crm.edit("Renamed", BEN, title="The first")
    world.crm.edit(deal, BEN, title="The second")
    cycle(world)
    cycle(world, reconcile=True)
    assert all(link.state == "active" for link in links(world))


def name_given_to_the_next_and_changed(world: SimWorld) -> None:
    """The newest opportunity is deleted, the next one, which is given its name, is copied, and then renamed."""
    _, deal = born_in_crm(world)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True)
    assert world.desk.create("carla") == deal
    cycle(world)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="The second")


def name_given_to_the_next_before_it_was_copied(world: SimWorld) -> None:
    """Ben deletes a deal that cannot be copied, and the sync gives its name to the counterpart of Ana's card."""
    world.faults[Side.NEXUDUS].add("error_500_before", "^POST", times=9)
    deal = world.desk.create("berta")
    cycle(world)
    world.crm.delete(deal, BEN)
    new_card(world, "anna")
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=9)
    cycle(world)
    assert world.crm.records()[deal]["title"] == "anna"
    for faults in world.faults.values():
        faults.clear()
    for _ in range(3):
        cycle(world, after=900.0)
    assert [link.state for link in links(world) if link.crm_id == deal] == ["active"]


def name_given_to_the_next_and_still_waiting(world: SimWorld) -> None:
    """An opportunity that was deleted still waits for its copy under a name that a linked one has by now."""
    _, deal = born_in_nexudus(world)
    with world.store.session() as session:
        earlier = {"identity": "2026-01-02 03:04:05.000006", "email": "zora@example.org", "title": "zora"}
        session.add(Unlinked(connection="london", side="crm", record_id=deal, **earlier))
    cards = len(world.nexudus.records())
    for _ in range(3):
        cycle(world)
    assert len(world.nexudus.records()) == cards
    assert rows(world, Unlinked, record_id=deal) == []


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (renamed_after_its_end, "erpnext"),
    (renamed_while_elsewhere, "erpnext"),
    (name_given_to_the_next, "erpnext"),
    (renamed_and_replaced, "erpnext"),
    (name_given_to_the_next_and_changed, "erpnext"),
    (name_given_to_the_next_before_it_was_copied, "erpnext"),
    (name_given_to_the_next_and_still_waiting, "erpnext"),
]


@pytest.mark.parametrize(("story", "system"), STORIES, ids=[f"{story.__name__}-{system}" for story, system in STORIES])
def test_a_story_that_once_broke_a_promise_keeps_it(
    story: Callable[[SimWorld], None], system: str, tmp_path: Path
) -> None:
    assert play(story, tmp_path, system=system) == []
