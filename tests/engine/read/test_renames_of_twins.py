"""Opportunities created at the same moment are not taken for each other."""

from pathlib import Path

import pytest
from engine_worlds import at_rest, card_of_deal, kinds_of_failures, pair_of_card
from sim_desks import BEN
from sim_stories import cycle, links, new_deal, when
from sim_world import SimWorld

from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Decision


@pytest.fixture(params=[True, False], ids=["System Manager", "Sales User"])
def twins(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[SimWorld, str, str]:
    """An import gave the deals of two customers one moment of creation. The sync is to leave the second alone."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2, system="erpnext", deletes="propagate")
    for _ in range(2):
        cycle(world)
    if request.param:
        world.crm.users[SYNC_USER].roles |= {"System Manager"}
    deal, twin = new_deal(world, "anna"), new_deal(world, "zora")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[twin]["creation"] = deals[deal]["creation"]
    with world.store.session() as session:
        args = {"side": "crm", "record_id": twin}
        session.add(Decision(connection="london", kind="ignore", args=args, asked_at=world.clock.now()))
    cycle(world), cycle(world)
    return world, deal, twin


def test_a_deleted_deal_is_not_followed_to_another_of_the_same_moment(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, twin = twins
    card = card_of_deal(world, deal)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True), cycle(world)
    assert [link for link in links(world) if link.crm_id == twin] == []
    if "System Manager" in world.crm.users[SYNC_USER].roles:
        assert pair_of_card(world, card) == (deal, "closed")
        assert card not in world.nexudus.records()
    else:  # that it was deleted cannot be proven, so a person is told
        assert pair_of_card(world, card) == (deal, "active")
        assert world.nexudus.record(card)["Name"] == "anna"
        assert kinds_of_failures(world) == ["not-found"]


def test_a_renamed_deal_is_followed_though_another_has_its_moment(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, _ = twins
    card = card_of_deal(world, deal)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Anna's")
    cycle(world, reconcile=True), cycle(world)
    assert pair_of_card(world, card) == ("Renamed", "active")
    assert world.nexudus.record(card)["Name"] == "Anna's"


def test_a_deleted_deal_is_not_followed_to_one_that_could_not_be_copied_yet(tmp_path: Path) -> None:
    """An import gave two deals one moment of creation; the second is refused by Nexudus again and again."""
    world = at_rest(tmp_path, system="erpnext")
    deal, twin = new_deal(world, "anna"), new_deal(world, "zora")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[twin]["creation"] = deals[deal]["creation"]
    of_zora = lambda request: request.method == "POST" and b"zora" in (request.body or b"")  # noqa: E731
    world.faults[Side.NEXUDUS].add("error_500_before", of_zora, times=99)
    cycle(world), cycle(world)
    card = card_of_deal(world, deal)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True), cycle(world)
    assert world.nexudus.record(card)["Name"] == "anna"
    assert [link for link in links(world) if link.crm_id == twin] == []


def test_if_two_can_be_the_renamed_deal_neither_is_followed(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, _ = twins
    card, third = card_of_deal(world, deal), new_deal(world, "carla")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[third]["creation"] = deals[deal]["creation"]
    world.crm.rename(deal, "Renamed", BEN)
    cycle(world, reconcile=True), cycle(world)
    assert pair_of_card(world, card) == (deal, "active")
    assert kinds_of_failures(world) == ["not-found"]


def test_a_copy_whose_answer_was_lost_is_not_linked_with_another_deal_of_the_same_moment(
    twins: tuple[SimWorld, str, str],
) -> None:
    world, _, twin = twins
    made = new_deal(world, "berta")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[made]["creation"] = deals[twin]["creation"]
    world.faults[Side.NEXUDUS].add("drop_after", "^POST .*/crmopportunities$")
    when(world, Side.NEXUDUS, "POST", "/crmopportunities", lambda: world.crm.delete(made, BEN))
    cycle(world), cycle(world)
    assert [link for link in links(world) if link.crm_id == twin] == []
    assert [link.state for link in links(world) if link.crm_id == made] == ["closed"]
