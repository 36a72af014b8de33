"""Days in zones that change or are not known for a while."""

from collections.abc import Callable
from pathlib import Path

import pytest
from engine_worlds import at_rest
from sim_checker import check
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, play
from sim_world import SimWorld

from nexudus_sandbox.wire import json_response
from nexudus_sync.mapping import Side


def test_the_zone_of_a_connection_is_changed(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    born_in_nexudus(world, DueDate="2026-06-12T22:30:00Z")
    world.settings["deletes"] = 'ignore"\ntime_zone = "Europe/Madrid'
    world.restart()
    for number in range(5):
        cycle(world, reconcile=number == 3)
    assert check(world)[0] == []


def days_of_a_zone_that_was_kept_from_us(world: SimWorld) -> None:
    """Ana moves due dates to just before midnight by UTC, the next day in London; the location is refused meanwhile."""
    card, deal = born_in_crm(world)
    for day, status in ((25, 403), (26, 404)):
        world.restart()
        world.faults[Side.NEXUDUS].change(r"^GET .*/businesses/\d+$", lambda _, code=status: json_response(code, {}))
        world.nexudus.edit(card, ANA, DueDate=f"2026-07-{day}T23:30:00Z")
        for _ in range(4):
            cycle(world, after=300.0)
        assert world.crm.record(deal)["expected_closing"] == f"2026-07-{day + 1}"


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (days_of_a_zone_that_was_kept_from_us, "overplane"),
]


@pytest.mark.parametrize(("story", "system"), STORIES, ids=[f"{story.__name__}-{system}" for story, system in STORIES])
def test_a_story_that_once_broke_a_promise_keeps_it(
    story: Callable[[SimWorld], None], system: str, tmp_path: Path
) -> None:
    assert play(story, tmp_path, system=system) == []
