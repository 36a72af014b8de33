"""Answers about another record: they are not believed, and if they last a person is asked."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import answered_by, at_rest, cycles, failures_of, link_of_deal, questions_of, told, whole_list
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, decide, links, new_card, new_deal, rows
from sim_world import SimWorld

from nexudus_sandbox.wire import json_response
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Journal

BOTH = pytest.mark.parametrize("system", ["overplane", "erpnext"])


UPDATE = "^(PATCH|PUT) "


def test_a_card_that_is_answered_with_another_is_left_alone(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    other = new_card(world, "olga", Value=777)
    cycles(world, False)
    world.nexudus.edit(card, ANA, Name="Berta's new desk")
    answered_by(world, Side.NEXUDUS, f"^GET .*/{card}$", world.nexudus.record(other), times=99)
    cycles(world, False, False)
    assert (world.crm.record(deal)["title"], world.crm.record(deal)["opportunity_amount"]) == ("berta", None)
    assert failures_of(world) == [("another-record", str(card), deal)]
    cycles(world, True)
    assert (failures_of(world), questions_of(world)) == ([], [("another record", "kept")])
    cycles(world, True)
    assert questions_of(world) == [("another record", "kept")]
    assert [link_of_deal(world, deal).state, deal in world.crm.records()] == ["active", True]
    world.faults[Side.NEXUDUS].clear()
    cycles(world, True, False)
    assert (world.crm.record(deal)["title"], questions_of(world), failures_of(world)) == ("Berta's new desk", [], [])


@BOTH
def test_an_opportunity_that_is_answered_with_another_is_left_alone(system: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system=system, deletes="propagate")
    card, deal = born_in_crm(world)
    other = new_deal(world, "olga", opportunity_amount=777)
    cycles(world, False)
    old = world.crm.record(deal)
    world.nexudus.edit(card, ANA, Value=50)
    cycles(world, False)
    if system == "overplane":  # whose list carries whole records: it is read by id where the list is behind
        told(world, Side.CRM, "^GET .*/crm/opportunity$", whole_list(world, deal, old), times=99)
    else:
        world.crm.edit(deal, BEN, title="Berta's new desk")
    answered_by(world, Side.CRM, f"^GET .*/{deal}$", world.crm.record(other), times=99)
    cycles(world, False, False, True)
    assert (world.nexudus.record(card)["Value"], world.nexudus.record(card)["Name"]) == (50, "berta")
    assert card in world.nexudus.records()
    assert questions_of(world) == [("kept", "another record")]
    world.close()


def test_child_rows_of_another_opportunity_are_ignored(world: SimWorld) -> None:
    card, deal = born_in_crm(world, status="Lost", sales_stage="Lost")
    other = new_deal(world, "olga", status="Lost", sales_stage="Lost")
    world.crm.add("opportunity-lost-reason-detail", BEN, opportunity_id=other, lost_reason="Competition")
    cycles(world, False, False)
    before = world.nexudus.record(card)["LossReason"]
    (theirs,) = world.crm.objects.children("opportunity-lost-reason-detail", other)
    page = {"data": [theirs], "has_more": False, "total": 1}
    match = lambda request: request.query.get("parent_id") == deal  # noqa: E731
    world.faults[Side.CRM].change(match, lambda _: json_response(200, page), times=99)
    world.crm.edit(deal, BEN, title="New desk")
    cycles(world, False, False)
    assert world.nexudus.record(card)["LossReason"] == before
    assert failures_of(world) == [("another-record", str(card), deal)]


@BOTH
@pytest.mark.parametrize("side", list(Side))
def test_a_reply_about_another_record_is_an_unknown_outcome_and_a_second_one_holds_the_record(
    side: Side, system: str, tmp_path: Path
) -> None:
    world = at_rest(tmp_path, system=system)
    card, deal = born_in_crm(world)
    other = new_card(world, "olga")
    cycles(world, False, False)
    stranger = next(link.crm_id for link in links(world) if link.nexudus_id == str(other))

    def about_another(body: dict[str, Any]) -> None:
        if side is Side.NEXUDUS:
            body["Value"]["Id"] = other
        elif system == "erpnext":
            body["data"] = world.crm.record(stranger)
        else:
            body.update(world.crm.record(stranger))

    told(world, side, UPDATE, about_another, times=99)
    for number in (1, 2):
        if side is Side.NEXUDUS:
            world.crm.edit(deal, BEN, title=f"New {number}")
        else:
            world.nexudus.edit(card, ANA, Name=f"New {number}")
        cycles(world, False, False)
        assert [world.crm.record(deal)["title"], world.nexudus.record(card)["Name"]] == [f"New {number}"] * 2
        assert failures_of(world) == [("another-record", str(card), deal)] * (number - 1)
    world.faults[side].clear()
    writes = len(rows(world, Journal))
    world.crm.edit(deal, BEN, title="New 3") if side is Side.NEXUDUS else world.nexudus.edit(card, ANA, Name="New 3")
    cycles(world, False, True)
    assert {world.crm.record(deal)["title"], world.nexudus.record(card)["Name"]} == {"New 2", "New 3"}
    assert [row.state for row in rows(world, Journal)[writes:] if row.state == "confirmed"] == []
    assert world.nexudus.record(other)["Name"] == world.crm.record(stranger)["title"] == "olga"
    world.close()


@BOTH
def test_a_create_whose_reply_names_a_linked_record_is_looked_for(system: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system=system)
    _, deal = born_in_crm(world)
    card = new_card(world, "olga")
    path = "^POST .*/[Oo]pportunity$"

    def about_another(body: dict[str, Any]) -> None:
        record = world.crm.record(deal)
        body.update({"data": record} if system == "erpnext" else record)

    told(world, Side.CRM, path, about_another, times=1)
    before = len(world.crm.records())
    cycles(world, False, False)
    assert len(world.crm.records()) == before + 1
    (made,) = [link.crm_id for link in links(world) if link.nexudus_id == str(card)]
    assert (made != deal, world.crm.record(made)["title"], failures_of(world)) == (True, "olga", [])
    world.close()


@BOTH
@pytest.mark.parametrize("to", list(Side))
def test_a_create_whose_reply_names_an_unrelated_record_is_looked_for(to: Side, system: str, tmp_path: Path) -> None:
    """A record that no connection knows: another company's, another location's."""
    world = at_rest(tmp_path, system=system)
    deals, cards = set(world.crm.records()), set(world.nexudus.records())
    theirs = min(deals - {link.crm_id for link in links(world)})
    card = min(cards - {int(link.nexudus_id) for link in links(world)})

    def about_another(body: dict[str, Any]) -> None:
        if to is Side.NEXUDUS:
            body["Value"]["Id"] = card
        else:
            body.update({"data": world.crm.record(theirs)} if system == "erpnext" else world.crm.record(theirs))

    new_deal(world, "olga") if to is Side.NEXUDUS else new_card(world, "olga")
    told(world, to, "^POST .*/([Oo]pportunity|crmopportunities)$", about_another, times=1)
    cycles(world, False, False, True)
    (card,), (deal,) = set(world.nexudus.records()) - cards, set(world.crm.records()) - deals
    assert (links(world)[-1].nexudus_id, links(world)[-1].crm_id) == (str(card), deal)
    assert (failures_of(world), questions_of(world)) == ([], [])
    world.close()


@pytest.mark.parametrize("take", list(Side))
def test_a_person_decides_about_a_pair_whose_card_is_another_record(take: Side, world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    mine = world.nexudus.cards.rows[card]["UniqueId"]
    told(world, Side.NEXUDUS, f"^GET .*/{card}$", lambda body: body.update(UniqueId="f" * 8), times=99)
    world.nexudus.edit(card, ANA, Name="Whose?")
    cycles(world, False, True)
    assert questions_of(world) == [("another record", "kept")]
    decide(world, "record", take)
    cycles(world, False, False)
    link = link_of_deal(world, deal)
    assert (link.state, link.nexudus_identity) == (("active", "f" * 8) if take is Side.NEXUDUS else ("closed", mine))
    assert world.crm.record(deal)["title"] == ("Whose?" if take is Side.NEXUDUS else "berta")
    assert (questions_of(world), failures_of(world)) == ([], [])
