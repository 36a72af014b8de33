"""Writes in doubt that cannot be looked into now: only their own record waits."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_worlds import answered_by, at_rest, called, cycle_of, failures_of, told
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, new_card, new_deal, play, when
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Journal


def two_pairs(tmp_path: Path) -> tuple[SimWorld, tuple[int, str], tuple[int, str]]:
    """The first pair's deal is listed twice by each page."""
    world = at_rest(tmp_path)
    first, second = born_in_crm(world), born_in_crm(world)
    stranger = world.crm.record(new_deal(world, "olga", utm_source="hers"))
    cycle(world)

    def twice(body: dict[str, Any]) -> None:
        body["data"] += [{**stranger, "id": row["id"]} for row in body["data"] if row["id"] == first[1]]

    told(world, Side.CRM, "^GET .*/crm/opportunity$", twice, times=99)
    for card, _ in (first, second):
        world.nexudus.edit(card, ANA, Name=f"Travels {card}")
    return world, first, second


def test_a_row_in_doubt_whose_record_is_denied_stops_no_other(tmp_path: Path) -> None:
    world, first, second = two_pairs(tmp_path)
    world.faults[Side.CRM].add("record_403", f"^GET .*/opportunity/{first[1]}$", times=99)
    cycle(world)
    assert world.crm.record(second[1])["title"] == f"Travels {second[0]}"
    assert failures_of(world) == [("refused", str(first[0]), first[1])]
    world.faults[Side.CRM].clear()
    cycle(world, reconcile=True, after=3600.0)
    assert (world.crm.record(first[1])["title"], failures_of(world)) == (f"Travels {first[0]}", [])


def test_a_row_in_doubt_whose_record_makes_no_sense_stops_no_other(tmp_path: Path) -> None:
    world, first, second = two_pairs(tmp_path)
    odd = {**world.crm.record(first[1]), "opportunity_amount": float("nan"), "title": ["no", "text"]}
    answered_by(world, Side.CRM, f"^GET .*/opportunity/{first[1]}$", odd, times=99)
    cycle(world)
    assert world.crm.record(second[1])["title"] == f"Travels {second[0]}"
    assert [ids for _, *ids in failures_of(world)] == [[str(first[0]), first[1]]]


def unreadable_after_a_lost_answer(world: SimWorld) -> None:
    """The answer to a write is lost, and the record cannot be read for long: the others go on."""
    card, deal = born_in_nexudus(world)
    other, berta = born_in_crm(world)
    world.faults[Side.CRM].add("drop_after", f"^PATCH .*/{deal}$", times=1)
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=999)
    world.nexudus.edit(card, ANA, Name="Anna's")
    for name in ("One", "Two"):
        world.nexudus.edit(other, ANA, Name=name)
        assert cycle_of(world, one_shot=False).errors
        assert world.crm.record(berta)["title"] == name


def clock_set_back(world: SimWorld) -> None:
    """The machine's clock was a day ahead when a create was sent whose answer was lost; then it was set right."""
    new_card(world, "anna")
    world.faults[Side.CRM].add("drop_after", "^POST .*/crm/opportunity$", times=1)
    silent = lambda: world.faults[Side.CRM].add("connect", "", times=999)  # noqa: E731
    when(world, Side.CRM, "POST", "/crm/opportunity", silent)
    cycle_of(world)
    world.faults[Side.CRM].clear()
    with world.store.session() as session:
        (row,) = session.exec(select(Journal).where(Journal.state == "sent"))
        assert row.sent_at is not None
        row.sent_at += timedelta(days=1)
    before = world.clock.seconds
    cycle_of(world)
    assert world.clock.seconds - before < 120
    assert called(world, "anna") == (1, 1)


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (unreadable_after_a_lost_answer, "ignore"),
    (clock_set_back, "ignore"),
]


@pytest.mark.parametrize(("story", "deletes"), STORIES, ids=[story.__name__ for story, _ in STORIES])
def test_nothing_is_lost_or_doubled(story: Callable[[SimWorld], None], deletes: str, tmp_path: Path) -> None:
    assert play(story, tmp_path, deletes=deletes) == []
