"""A record that has become a counterpart is matched before anything is copied."""

from pathlib import Path

import pytest
from engine_worlds import called, link_of_deal, slow_poll
from sim_desks import BEN
from sim_stories import cycle, new_card, new_deal, rows
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import ConnectionState, Failure, Unlinked


def since(world: SimWorld, day: str) -> None:
    """What was created before that day is not copied."""
    with world.store.session() as session:
        session.exec(select(ConnectionState)).one().create_since = day


def test_a_record_that_changed_is_matched_again_before_it_is_copied(rested: SimWorld) -> None:
    """A card is refused for want of an e-mail address; its customer is given one, which does not show in the card.

    Ben has an older deal of that customer, which `--since` left alone. A person has the failure tried again.
    """
    world = rested
    card = new_card(world, "anna")
    customer = world.nexudus.cards.rows[card]["CoworkerId"]
    world.nexudus.directory.coworkers[customer]["Email"] = ""
    cycle(world)
    assert [row.state for row in rows(world, Unlinked, record_id=str(card))] == ["refused"]
    cycle(world, after=3600.0)
    deal = new_deal(world, "anna")
    since(world, "2030-01-01")
    cycle(world)
    since(world, "2026-01-01")
    world.nexudus.directory.coworkers[customer]["Email"] = "anna@example.org"
    for table in (world.nexudus.cards.rows, world.nexudus.cards.listed):
        table[card] = {**table[card], "CoworkerEmail": "anna@example.org"}
    with world.store.session() as session:
        session.get_one(Unlinked, ("london", "nexudus", str(card))).state = "waiting"
    for _ in range(2):
        cycle(world, after=900.0)
    assert [found for found, row in world.crm.records().items() if row.get("title") == "anna"] == [deal]
    assert link_of_deal(world, deal).nexudus_id == str(card)
    assert rows(world, Failure, state="open") == []


def six_cards(world: SimWorld) -> None:
    """Ana's new cards, anna0 to anna5, which are copied one after the other."""
    for number in range(6):
        new_card(world, f"anna{number}")
        world.clock.seconds += 2


def test_a_record_entered_during_long_work_is_matched_before_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one card after the other is copied, Ben enters the counterpart of the last himself."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    for _ in range(2):
        cycle(world)
    six_cards(world)
    slow_poll(world, 3, lambda: new_deal(world, "anna5"), monkeypatch)
    for _ in range(3):
        cycle(world)
    assert called(world, "anna5") == (1, 1)
    world.close()


def test_a_counterpart_entered_during_long_work_is_matched_before_the_record_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one card after the other is copied, Ben corrects an opportunity that nothing could be matched with."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    for _ in range(2):
        cycle(world)
    world.faults[Side.NEXUDUS].add("error_500_before", "^POST .*/crmopportunities$", times=99)
    deal = new_deal(world, "wrong")
    cycle(world)
    six_cards(world)
    right = {"title": "anna5", "contact_email": "anna5@example.org"}
    slow_poll(world, 5, lambda: world.crm.edit(deal, BEN, **right), monkeypatch)
    for _ in range(3):
        cycle(world)
    assert called(world, "anna5") == (1, 1)
    world.close()
