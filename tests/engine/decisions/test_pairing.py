"""`link`, `unlink` and `ignore` hold for the records that a person meant, wherever these go and under any name."""

from pathlib import Path

import pytest
from engine_worlds import (
    ask,
    at_rest,
    called,
    cycle_of,
    cycles,
    link_of_card,
    move_card,
    place_card,
    silent,
    two_connections,
)
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, links, new_card, new_deal, rows
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.errors import Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Decision, Unlinked


def test_a_card_is_not_linked_while_its_create_is_in_doubt(rested: SimWorld) -> None:
    """A person links a card whose copy may be there; the list that would tell cannot be read now."""
    world = rested
    card, other = new_card(world, "anna"), new_deal(world, "zora")
    ask(world, "ignore", side="crm", record_id=other)
    silent(world, "^POST .*/crm/opportunity")
    world.faults[Side.CRM].add("error_500_before", "^GET .*/crm/opportunity$", times=999)
    ask(world, "link", nexudus_id=str(card), crm_id=other)
    with pytest.raises(Unavailable):
        cycle(world)
    world.faults[Side.CRM].clear()
    cycle(world), cycle(world)
    assert rows(world, Conflict) == []
    assert rows(world, Decision, kind="link")[0].outcome.startswith(f"refused: {card} is linked with ")


def test_one_record_of_a_parted_pair_stays_unlinked_when_the_other_is_linked(rested: SimWorld) -> None:
    """A person parts two pairs and links the card of one with the deal of the other."""
    world = rested
    card, deal = born_in_nexudus(world)
    other = new_card(world, "carla")
    for _ in range(2):
        cycle(world)
    for one in links(world):
        if one.nexudus_id in {str(card), str(other)}:
            ask(world, "unlink", link_id=one.id)
    cycle(world)
    before = set(world.crm.records())
    ask(world, "link", nexudus_id=str(other), crm_id=deal)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Moved on")
    for _ in range(2):
        cycle(world)
    assert set(world.crm.records()) == before
    assert [row.state for row in rows(world, Unlinked, record_id=str(card))] == ["ignored"]


@pytest.mark.parametrize("side", list(Side))
def test_what_was_linked_meanwhile_is_not_ignored(rested: SimWorld, side: Side) -> None:
    """While a card is being copied a person says to leave it, or its copy, alone: the answer tells what holds."""
    world = rested
    card, deal = born_in_nexudus(world)
    record = {Side.NEXUDUS: str(card), Side.CRM: deal}[side]
    ask(world, "ignore", side=side.value, record_id=record)
    cycle(world)
    (decision,) = rows(world, Decision)
    assert decision.outcome == f"refused: {card} is linked with {deal}; unlink them first"
    assert rows(world, Unlinked, record_id=record) == []
    world.nexudus.edit(card, ANA, Name="Still synced")
    cycle(world)
    assert world.crm.record(deal)["title"] == "Still synced"


def test_an_ignored_record_is_ignored_wherever_it_moves(tmp_path: Path) -> None:
    world = two_connections(tmp_path)
    card = new_card(world, "anna")
    with world.store.session() as session:
        args = {"side": "nexudus", "record_id": str(card)}
        session.add(Decision(connection="london", kind="ignore", args=args, asked_at=world.clock.now()))
    cycle_of(world, "london")
    for city in ("madrid", "london", "madrid"):
        place_card(world, card, city)
        for _ in range(2):
            cycle_of(world, "london", reconcile=True)
            cycle_of(world, "madrid", reconcile=True)
    assert called(world, "anna") == (1, 0)
    with world.store.read() as session:
        rows = session.exec(select(Unlinked).where(Unlinked.record_id == str(card)))
        assert {(row.connection, row.state) for row in rows} == {("london", "away"), ("madrid", "ignored")}
    world.close()


def test_relinking_one_of_a_parted_pair(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, parted = born_in_crm(world)
    other = new_deal(world, "carla")
    cycle(world), cycle(world)
    for deal in (parted, other):
        ask(world, "unlink", link_id=next(link.id for link in links(world) if link.crm_id == deal))
    cycle(world)
    before = len(world.nexudus.records())
    ask(world, "link", nexudus_id=str(card), crm_id=other)
    for _ in range(3):
        cycle(world)
    assert (
        len(world.nexudus.records()) == before
    )  # one more: a copy of `parted`, which unlink said never is created again


def test_unlink_asked_for_before_a_move(tmp_path: Path) -> None:
    world = at_rest(tmp_path, cities=("london", "madrid"))
    card, deal = born_in_crm(world, title="moving")
    world.nexudus.edit(card, ANA, Status=2)
    world.crm.edit(deal, BEN, status="Lost")
    cycle_of(world, "london")
    assert rows(world, Conflict, state="open")
    ask(world, "unlink", link_id=link_of_card(world, card).id)
    move_card(world, card, "madrid")
    for name in ("madrid", "london", "madrid", "london"):
        cycle_of(world, name)
    assert link_of_card(world, card).state == "closed"
    assert rows(world, Conflict, state="open") == []  # madrid's is open for ever


@pytest.mark.parametrize("kind", ["link", "ignore"])
def test_a_person_may_spell_the_name_of_a_linked_document_in_small_letters(kind: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    _, deal = born_in_crm(world)
    ids = {"nexudus_id": str(new_card(world, "olga")), "crm_id": deal.lower()}
    args = ids if kind == "link" else {"side": "crm", "record_id": deal.lower()}
    with world.store.session() as session:
        session.add(Decision(connection="london", kind=kind, args=args, asked_at=world.clock.now()))
    cycles(world, False)
    assert f"is linked with {deal}" in (rows(world, Decision)[0].outcome or "")
    assert [link.state for link in links(world) if link.crm_id.upper() == deal] == ["active"]
    world.close()


@pytest.mark.parametrize("readable", [True, False])
def test_an_ignored_record_is_ignored_under_another_name(readable: bool, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    deal = new_deal(world, "berta")
    with world.store.session() as session:
        args = {"side": "crm", "record_id": deal}
        session.add(Decision(connection="london", kind="ignore", args=args, asked_at=world.clock.now()))
    cycle(world)
    cards = len(world.nexudus.records())
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Nobody's business")
    if not readable:
        world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=4)
    cycle(world), cycle(world, reconcile=True), cycle(world)
    assert len(world.nexudus.records()) == cards
    assert [(row.record_id, row.state) for row in rows(world, Unlinked)] == [("Renamed", "ignored")]


def test_a_card_is_not_linked_with_a_record_that_reused_the_name_asked_for(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    world.settings["deletes"] = 'ignore"\ncreate_parties = false\nparty = "Lead'
    world.restart()
    card, deal = new_card(world, "anna"), new_deal(world, "zora")
    cycle(world)
    with world.store.session() as session:
        args = {"nexudus_id": str(card), "crm_id": deal}
        session.add(Decision(connection="london", kind="link", args=args, asked_at=world.clock.now()))
    world.crm.delete(deal, BEN)
    assert new_deal(world, "berta") == deal
    cycle(world)
    assert [link for link in links(world) if link.nexudus_id == str(card)] == []
    assert rows(world, Decision)[0].outcome.startswith(f"refused: {deal} is the id of another record now")
