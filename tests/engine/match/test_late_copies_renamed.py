"""A late copy or its source is renamed: it is still recognised, and a record that reuses its name is another."""

from collections.abc import Callable
from pathlib import Path

import pytest
from engine_worlds import CITIES, at_rest, card_of_deal, to_madrid
from sim_checker import check
from sim_desks import BEN
from sim_people import ANA
from sim_stories import cycle, links, new_card, new_deal, play, rows
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict


def late_copy(folder: Path) -> tuple[SimWorld, str]:
    """On a site without the external key's field an opportunity was created twice; the second is asked about."""
    world = at_rest(folder, system="erpnext", crm_settings='external_key_field = "custom_other"')
    new_card(world, "anna")
    world.faults[Side.CRM].add("late_commit", "^POST .*/Opportunity$", seconds=75.0)
    for _ in range(4):
        cycle(world)
    (asked,) = rows(world, Conflict, state="open")
    return world, asked.crm_id


def test_a_record_that_reuses_the_name_of_a_late_copy_is_not_one(tmp_path: Path) -> None:
    world, copy = late_copy(tmp_path)
    world.crm.delete(copy, BEN)
    assert new_deal(world, "berta") == copy
    cycle(world), cycle(world)
    assert world.nexudus.record(card_of_deal(world, copy))["Name"] == "berta"
    assert rows(world, Conflict, state="open") == []


def test_a_late_copy_is_recognised_under_another_name_and_title(tmp_path: Path) -> None:
    world, copy = late_copy(tmp_path)
    world.crm.rename(copy, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Anna the second")
    cycle(world), cycle(world, reconcile=True)
    assert [link for link in links(world) if link.crm_id == "Renamed"] == []
    assert [asked.crm_id for asked in rows(world, Conflict, state="open")] == ["Renamed"]


def test_a_late_copy_is_recognised_although_its_source_moved_and_was_renamed(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext", cities=CITIES)
    world.nexudus.options.keeps_system_id = False
    world.faults[Side.NEXUDUS].add("late_commit", "^POST .*/crmopportunities$", seconds=400.0)
    deal = new_deal(world, "berta")
    for _ in range(3):
        cycle(world)
    to_madrid(world, card_of_deal(world, deal))
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Berta's")
    for _ in range(3):
        cycle(world, after=200.0)
    assert [card["Name"] for card in world.nexudus.records().values()].count("berta") == 1  # it landed
    assert check(world)[0] == []


def renamed_beside_a_late_copy(world: SimWorld) -> None:
    """A create lands after it was given up; then what it is a copy of is given another name, twice, and edited."""
    world.nexudus.options.keeps_system_id = False
    world.faults[Side.NEXUDUS].add("late_commit", "^POST .*/crmopportunities$", seconds=100.0)
    deal = world.desk.create("berta")
    for _ in range(3):
        cycle(world)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Somewhere else")
    copies = [int(i) for i, card in world.nexudus.records().items() if card["Name"] == "berta"]
    for copy in copies:
        world.nexudus.edit(copy, ANA, Notes="Who entered this?")
    cycle(world)
    world.crm.rename("Renamed", "Renamed again", BEN)
    world.crm.edit("Renamed again", BEN, title="And elsewhere again")
    for copy in copies:
        world.nexudus.edit(copy, ANA, Name=f"Which? {copy}")


def late_copy_edited(world: SimWorld) -> None:
    """A create lands after it was given up; Ana gives the copy another name before anybody answers what it is."""
    world.nexudus.options.keeps_system_id = False
    world.faults[Side.NEXUDUS].add("late_commit", "^POST .*/crmopportunities$", seconds=100.0)
    world.desk.create("berta")
    for _ in range(4):
        cycle(world)
    newest = max(world.nexudus.records())
    other = max(set(world.nexudus.records()) - {newest})
    for card in (newest, other):
        world.nexudus.edit(card, ANA, Name=f"Which is it? {card}")
        cycle(world)


def late_copy_renamed_unseen(world: SimWorld) -> None:
    """Two creates in a row are done, their answers are lost, and the first one's card shows late.

    So the first card is linked; Ana gives the second another name before the sync ever saw it.
    """
    world.nexudus.options.keeps_system_id = False
    world.nexudus.options.late_visible = 20.0
    world.faults[Side.NEXUDUS].add("drop_after", "^POST .*/crmopportunities$", times=2)
    world.desk.create("berta")
    for _ in range(2):
        cycle(world, after=1.0)
    copies = [int(i) for i, card in world.nexudus.records().items() if card["Name"] == "berta"]
    assert len(copies) == 2
    world.nexudus.edit(max(copies), ANA, Name="Ana's")


def late_copy_matched(world: SimWorld) -> None:
    """A create is done and its answer lost; Nexudus shows the card after it was given up, but before it is repeated.

    So the two are matched, and asked about: the create left the stage to a write of its own, which never came.
    """
    world.nexudus.options.late_visible = 20.0
    faults = world.faults[Side.NEXUDUS]
    faults.add("drop_after", "^POST .*/coworkers$")  # so that the other one is created first
    faults.add("drop_after", "^POST .*/crmopportunities$")
    faults.add("timeout_before", "^POST .*/crmopportunities$")
    deal = new_deal(world, "anna", sales_stage="Tour booked")
    new_deal(world, "berta", sales_stage="Tour booked")
    cycle(world)
    (link,) = [link for link in links(world) if link.crm_id == deal]
    shown = [(one.nexudus_id, one.field) for one in rows(world, Conflict, state="open")]
    assert shown == [(link.nexudus_id, "sales_stage")]
    assert [card["Name"] for card in world.nexudus.records().values()].count("anna") == 1


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (renamed_beside_a_late_copy, "erpnext"),
    (late_copy_edited, "overplane"),
    (late_copy_renamed_unseen, "overplane"),
    (late_copy_edited, "erpnext"),
    (late_copy_matched, "overplane"),
]


@pytest.mark.parametrize(("story", "system"), STORIES, ids=[f"{story.__name__}-{system}" for story, system in STORIES])
def test_a_story_that_once_broke_a_promise_keeps_it(
    story: Callable[[SimWorld], None], system: str, tmp_path: Path
) -> None:
    assert play(story, tmp_path, system=system) == []
