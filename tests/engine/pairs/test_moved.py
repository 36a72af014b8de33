"""A card moves between the scopes of two connections, or out of both: its pair goes along, and nothing is lost."""

from pathlib import Path

import pytest
from engine_worlds import CITIES, at_rest, cycle_of, cycles_in_turn, link_of_card, move_card
from sim_desks import BEN
from sim_stories import born_in_nexudus, links, new_card, rows
from sim_world import SimWorld

from nexudus_sync.store.tables import Brake, Conflict


def test_a_card_that_moves_away_and_back(tmp_path: Path) -> None:
    world = at_rest(tmp_path, cities=("london", "madrid"))
    card = new_card(world, "anna", DueDate="2026-06-12T22:30:00Z")
    cycle_of(world, "london"), cycle_of(world, "london")
    deal = link_of_card(world, card).crm_id
    for city, day in (("madrid", "2026-06-13"), ("london", "2026-06-12")):
        move_card(world, card, city)
        for name in ("london", "madrid") * 3:
            cycle_of(world, name)
        assert link_of_card(world, card).connection == city
        assert world.crm.record(deal)["expected_closing"] == day  # London: 2026-06-13, and no conflict or failure


def test_a_reconcile_of_the_connection_that_cards_moved_to(tmp_path: Path) -> None:
    cities = ("london", "madrid")
    world = at_rest(tmp_path, nexudus=20, crm=20, shared=18, system="erpnext", cities=cities)
    for number, link in enumerate([link for link in links(world) if link.connection == "london"][:14]):
        move_card(world, int(link.nexudus_id), "madrid")
        if number % 5 == 4:
            cycle_of(world, "madrid"), cycle_of(world, "london")
    for name in cities * 3:
        cycle_of(world, name)
    report = cycle_of(world, "madrid", reconcile=True)
    assert report.brake is None, [b.evidence for b in rows(world, Brake)]  # 14 of 18 links are missing


def test_a_move_to_a_connection_with_other_rules(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2, cities=("london", "madrid"))
    shipped = world.bridge_of("madrid").mapping
    world.rules["utm_source"] = 'sync = "from-crm"'
    world.restart()
    world.bridge_of("madrid").mapping = shipped  # as with a mapping file of its own: two-way
    for name in ("london", "madrid") * 2:
        cycle_of(world, name)
    card = new_card(world, "anna", UtmSource="radio")
    cycle_of(world, "london"), cycle_of(world, "london")
    move_card(world, card, "madrid")
    for name in ("madrid", "london") * 3:
        cycle_of(world, name)
    cycle_of(world, "madrid", reconcile=True), cycle_of(world, "madrid")
    assert link_of_card(world, card).connection == "madrid"
    assert world.crm.record(link_of_card(world, card).crm_id)["utm_source"] == "radio" or rows(
        world, Conflict, field="utm_source"
    )


@pytest.mark.parametrize("claimed", [False, True])
def test_an_edit_of_the_counterpart_of_a_card_that_was_elsewhere_arrives(claimed: bool, tmp_path: Path) -> None:
    """Nobody polled for the pair meanwhile: the card lay in no connection's scope, or its connection rested."""
    world = at_rest(tmp_path, system="erpnext", cities=CITIES if claimed else ("london",))
    card, deal = born_in_nexudus(world)
    cities = CITIES if claimed else ("london",)
    if not claimed:
        move_card(world, card, "madrid")
        cycle_of(world, "london", after=900)
    world.crm.edit(deal, BEN, title="Meanwhile")
    other = next(link for link in links(world) if link.connection == cities[-1] and link.crm_id != deal)
    for _ in range(3):
        cycle_of(world, cities[-1], after=900)
    world.crm.edit(other.crm_id, BEN, title="Moves the cursor")
    for _ in range(2):
        cycle_of(world, cities[-1], after=900)
    move_card(world, card, cities[-1])
    for _ in range(3):
        cycle_of(world, cities[-1])
    assert world.nexudus.record(card)["Name"] == "Meanwhile"


def test_a_field_that_is_newly_synced_is_compared_although_its_card_moved_before(tmp_path: Path) -> None:
    """In Madrid a source only travels from the CRM; it travels both ways when the card comes to London."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2, cities=CITIES)
    world.rules["utm_source"] = 'sync = "from-crm"'
    world.restart()
    cycles_in_turn(world, 2)
    card = new_card(world, "anna", UtmSource="radio")
    move_card(world, card, "madrid")
    cycles_in_turn(world, 2)
    deal = link_of_card(world, card).crm_id
    assert not world.crm.record(deal).get("utm_source")
    world.rules.clear()
    world.restart()
    move_card(world, card, "london")
    cycles_in_turn(world, 2)
    assert link_of_card(world, card).connection == "london"
    assert world.crm.record(deal)["utm_source"] == "radio"
