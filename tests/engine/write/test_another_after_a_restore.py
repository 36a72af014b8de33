"""After a restore, systems reuse ids: the new record is not the lost one."""

import sqlite3
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from engine_worlds import ask, at_rest, cycle_of_record
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, links, new_card, new_deal, rows
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Failure, Unlinked


def backup(world: SimWorld, hours: int = 5) -> Callable[[], None]:
    """Nexudus's cards as they are now; calling it some hours later restores them."""
    cards = world.nexudus.cards
    kept = deepcopy((cards.rows, cards.listed, cards._slots, cards.next_id))

    def restore() -> None:
        world.clock.seconds += hours * 3600
        cards.rows, cards.listed, cards._slots, cards.next_id = deepcopy(kept)

    return restore


def store_backup(world: SimWorld) -> Callable[[], None]:
    """The store as it is now; calling it restores it, as a new process finds it."""
    connection: Any = world.store._engine.raw_connection().driver_connection
    kept = sqlite3.connect(":memory:")
    connection.backup(kept)

    def restore() -> None:
        kept.backup(connection)
        world.restart()

    return restore


def called(world: SimWorld) -> tuple[list[str], list[str]]:
    """The names of the two newest cards, and of the two newest opportunities."""
    cards = [world.nexudus.record(card)["Name"] for card in sorted(world.nexudus.records())]
    deals = [deal["title"] for deal in world.crm.records().values()]
    return cards[-2:], deals[-2:]


def asked_about(world: SimWorld, deal: str) -> tuple[object, object]:
    """What is shown in the one question about a lost card's counterpart."""
    (asked,) = rows(world, Conflict, state="open", field="record", crm_id=deal)
    return asked.nexudus, asked.crm


@pytest.mark.parametrize("read_alone", [False, True])
def test_a_new_card_with_the_id_of_a_lost_one_is_another_record(read_alone: bool, world: SimWorld) -> None:
    """Otherwise Zoe's offer would be overwritten with Berta's, and never be copied."""
    restore = backup(world)
    card, deal = born_in_crm(world)
    restore()
    assert new_card(world, "zoe", Value=999) == card
    world.crm.edit(deal, BEN, utm_source="fair")
    if read_alone:
        assert cycle_of_record(world, Side.CRM, deal).errors == [
            f"nexudus {card}: its id belongs to another record now; nothing was copied from that one"
        ]
    for reconcile in (False, False, True, False):
        cycle(world, reconcile=reconcile)
    assert called(world)[1] == ["berta", "zoe"]
    lost, new = links(world)[-2:]
    assert [(link.nexudus_id, link.crm_id == deal) for link in (lost, new)] == [(str(card), True), (str(card), False)]
    assert asked_about(world, deal) == ("another record", "kept")
    assert world.crm.record(deal)["utm_source"] == "fair"
    world.nexudus.edit(card, ANA, Name="Zoe's")
    cycle(world)
    assert called(world)[1] == ["berta", "Zoe's"]


@pytest.mark.parametrize("lost", [False, True])
def test_a_card_that_the_sync_creates_may_be_given_the_id_of_a_lost_one(lost: bool, world: SimWorld) -> None:
    """Otherwise the cycle would end with a store error, and the next one would create the card again."""
    restore = backup(world)
    card, deal = born_in_crm(world)
    restore()
    other = new_deal(world, "zoe")
    if lost:
        world.faults[Side.NEXUDUS].add("drop_after", "^POST .*/crmopportunities$", times=1)
    before = len(world.nexudus.records())
    for reconcile in (False, False, True, False):
        cycle(world, reconcile=reconcile)
    assert len(world.nexudus.records()) == before + 1
    assert called(world)[1] == ["berta", "zoe"]
    active = [(link.nexudus_id, link.crm_id) for link in links(world) if link.state == "active"]
    assert (str(card), other) in active
    assert asked_about(world, deal) == ("another record", "kept")


def test_a_new_card_with_the_id_of_an_ignored_one_is_not_ignored(world: SimWorld) -> None:
    restore = backup(world)
    card = new_card(world, "berta")
    cycle(world, after=0.0)
    ask(world, "unlink", link_id=links(world)[-1].id)
    lone = new_card(world, "carla")
    ask(world, "ignore", side="nexudus", record_id=str(lone))
    for _ in range(2):
        cycle(world)
    assert [row.state for row in rows(world, Unlinked, record_id=str(lone))] == ["ignored"]
    restore()
    assert [new_card(world, name) for name in ("zoe", "yves")] == [card, lone]
    for _ in range(2):
        cycle(world)
    assert sorted(called(world)[1]) == ["yves", "zoe"]


@pytest.mark.parametrize(("hours", "kind"), [(5, "refused"), (1, "taken")])
def test_the_external_key_of_a_lost_card_does_not_name_the_new_card_with_its_id(
    hours: int, kind: str, tmp_path: Path
) -> None:
    """Nexudus and the store are restored: anna's deal is copied again, and zoe's card is not taken for what it was."""
    world = at_rest(tmp_path, system="erpnext")
    restores = backup(world, hours), store_backup(world)
    card, deal = born_in_nexudus(world)
    for restore in restores:
        restore()
    assert new_card(world, "zoe", UtmContent="Zoe's") == card
    for reconcile in (False, False, True):
        cycle(world, reconcile=reconcile)
    assert world.crm.record(deal)["utm_content"] is None
    partner = next(link.nexudus_id for link in links(world) if link.crm_id == deal)
    assert (partner != str(card), world.nexudus.record(int(partner))["Name"]) == (True, "anna")
    (failure,) = rows(world, Failure, state="open")
    assert (failure.nexudus_id, failure.kind) == (str(card), kind)
    world.crm.edit(deal, BEN, custom_nexudus_id=None)
    cycle(world, reconcile=True)
    assert called(world)[1] == ["anna", "zoe"]
    assert rows(world, Failure, state="open") == []
    world.close()
