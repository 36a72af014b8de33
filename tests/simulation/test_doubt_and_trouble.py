"""Answers in doubt that cannot be looked into either: that is the trouble of one record, and of no other one."""

from pathlib import Path
from typing import Any

import pytest
from sim_people import ANA
from sim_stories import born_in_crm, cycle, new_deal
from sim_world import SimWorld
from test_odd_moments import at_rest
from test_others_answers import answered_by, failures, told

from nexudus_sync.mapping import Side

pytestmark = pytest.mark.usefixtures("closed")


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
    assert failures(world) == [("refused", str(first[0]), first[1])]
    world.faults[Side.CRM].clear()
    cycle(world, reconcile=True, after=3600.0)
    assert (world.crm.record(first[1])["title"], failures(world)) == (f"Travels {first[0]}", [])


def test_a_row_in_doubt_whose_record_makes_no_sense_stops_no_other(tmp_path: Path) -> None:
    world, first, second = two_pairs(tmp_path)
    odd = {**world.crm.record(first[1]), "opportunity_amount": float("nan"), "title": ["no", "text"]}
    answered_by(world, Side.CRM, f"^GET .*/opportunity/{first[1]}$", odd, times=99)
    cycle(world)
    assert world.crm.record(second[1])["title"] == f"Travels {second[0]}"
    assert [ids for _, *ids in failures(world)] == [[str(first[0]), first[1]]]
