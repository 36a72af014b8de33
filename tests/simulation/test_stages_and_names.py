"""What people change beside opportunities: what a stage does, and the ids that records go by."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, links, new_deal, when
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.mapping import Side
from nexudus_sync.sandbox.seed.places import SYNC_USER
from nexudus_sync.store.tables import Decision, Failure


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every world of a test is closed after it."""
    worlds, begin = list[SimWorld](), SimWorld.__init__

    def begun(world: SimWorld, *args: Any, **options: Any) -> None:
        worlds.append(world)
        begin(world, *args, **options)

    monkeypatch.setattr(SimWorld, "__init__", begun)
    yield
    for world in worlds:
        world.close()


def at_rest(folder: Path, **settings: Any) -> SimWorld:
    """A small world that agrees."""
    world = SimWorld(11, folder, **{"nexudus": 4, "crm": 4, "shared": 2, **settings})
    for _ in range(2):
        cycle(world)
    return world


def rows(world: SimWorld, table: Any, **values: Any) -> list[Any]:
    """What the store holds of a table."""
    with world.store.read() as session:
        return list(session.exec(select(table).filter_by(**values)))


# -- what a stage does -------------------------------------------------------------------------------------------------

DELETES = {"DeleteAccount": True}


def set_up(world: SimWorld, stage: str, **changes: Any) -> int:
    """Somebody changes a stage of London's board, a month after the sync was started; gives its id."""
    stage_id = world.nexudus.directory.stage_named(world.seeded.places.london.board_id, stage)
    world.nexudus.directory.stages[stage_id] |= changes
    world.clock.seconds += 30 * 86400
    return stage_id


def refused(world: SimWorld, **values: Any) -> list[str]:
    """The kinds of what waits for a person."""
    return [failure.kind for failure in rows(world, Failure, state="open", **values)]


def test_a_card_is_not_moved_into_a_stage_that_began_to_delete_customers(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    purge = set_up(world, "Negotiation", **DELETES)
    world.crm.move(deal, "Negotiation", BEN)
    world.crm.edit(deal, BEN, title="Berta's")
    cycle(world), cycle(world)
    assert world.nexudus.record(card)["CrmBoardColumnId"] != purge
    assert world.nexudus.record(card)["Name"] == "Berta's"
    assert refused(world, field="sales_stage") == ["stage-deletes-customer"]


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
    assert refused(world) == (["stage-deletes-customer"] if enters else [])
    assert len(world.nexudus.records()) == cards + (not enters)


def test_a_stage_that_was_set_right_is_entered_after_the_next_sweep(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    stage = set_up(world, "Negotiation", **DELETES)
    world.crm.move(deal, "Negotiation", BEN)
    cycle(world)
    set_up(world, "Negotiation", DeleteAccount=False)
    cycle(world, reconcile=True)
    assert world.nexudus.record(card)["CrmBoardColumnId"] == stage
    assert refused(world) == []


def test_a_renamed_stage_is_known_by_its_new_name_after_the_next_sweep(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    stage = set_up(world, "Negotiation", Name="Proposal sent II")
    cycle(world, reconcile=True)
    world.nexudus.edit(card, ANA, CrmBoardColumnId=stage)
    cycle(world)
    assert world.crm.record(deal)["sales_stage"] == "New lead"
    assert refused(world, field="sales_stage") == ["unmapped"]


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


# -- the ids that records go by ----------------------------------------------------------------------------------------


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


def card_of(world: SimWorld, deal: str) -> int:
    """The card that a deal is linked with."""
    (link,) = [link for link in links(world) if link.crm_id == deal]
    return int(link.nexudus_id)


def by_card(world: SimWorld, card: int) -> tuple[str, str]:
    """What a card is linked with, and the state of that."""
    (link,) = [link for link in links(world) if link.nexudus_id == str(card)]
    return link.crm_id, link.state


def test_a_deleted_deal_is_not_followed_to_another_of_the_same_moment(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, twin = twins
    card = card_of(world, deal)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True), cycle(world)
    assert [link for link in links(world) if link.crm_id == twin] == []
    if "System Manager" in world.crm.users[SYNC_USER].roles:
        assert by_card(world, card) == (deal, "closed")
        assert card not in world.nexudus.records()
    else:  # that it was deleted cannot be proven, so a person is told
        assert by_card(world, card) == (deal, "active")
        assert world.nexudus.record(card)["Name"] == "anna"
        assert refused(world) == ["not-found"]


def test_a_renamed_deal_is_followed_though_another_has_its_moment(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, _ = twins
    card = card_of(world, deal)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Anna's")
    cycle(world, reconcile=True), cycle(world)
    assert by_card(world, card) == ("Renamed", "active")
    assert world.nexudus.record(card)["Name"] == "Anna's"


def test_of_two_that_can_be_the_renamed_one_none_is_followed(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, _ = twins
    card, third = card_of(world, deal), new_deal(world, "carla")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[third]["creation"] = deals[deal]["creation"]
    world.crm.rename(deal, "Renamed", BEN)
    cycle(world, reconcile=True), cycle(world)
    assert by_card(world, card) == (deal, "active")
    assert refused(world) == ["not-found"]


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
