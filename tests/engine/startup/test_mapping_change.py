"""A field becomes two-way: edits made while it was not are compared, and nothing is invented."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, edited_while_off, play
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.store.tables import Conflict


def direction_widened(world: SimWorld) -> None:
    """While a field only travels from the CRM, Ana edits it in Nexudus; then it travels both ways again."""
    card, _ = born_in_crm(world, utm_source="fair")
    world.rules["utm_source"] = 'sync = "from-crm"'
    world.restart()
    world.nexudus.edit(card, ANA, UtmSource="radio")
    cycle(world)
    cycle(world)
    world.rules.clear()
    world.restart()


def born_under_one_direction(world: SimWorld) -> None:
    """A card is copied while one of its fields only travels from the CRM; then it travels both ways."""
    world.rules["utm_campaign"] = 'sync = "from-crm"'
    world.restart()
    cycle(world)
    born_in_nexudus(world, UtmCampaign="summer")
    world.rules.clear()
    world.restart()


def asked_about_what_was_edited_while_off(world: SimWorld) -> None:
    """Ben edits a field that does not travel, of an opportunity that the sync copied; then it travels again."""
    card, _ = edited_while_off(world)
    cycle(world)
    with world.store.read() as session:
        asked = session.exec(select(Conflict.field).where(Conflict.nexudus_id == str(card), Conflict.state == "open"))
        assert asked.all() == ["utm_medium"]


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (direction_widened, "overplane"),
    (born_under_one_direction, "overplane"),
    (asked_about_what_was_edited_while_off, "overplane"),
]


@pytest.mark.parametrize(("story", "system"), STORIES, ids=[f"{story.__name__}-{system}" for story, system in STORIES])
def test_a_story_that_once_broke_a_promise_keeps_it(
    story: Callable[[SimWorld], None], system: str, tmp_path: Path
) -> None:
    assert play(story, tmp_path, system=system) == []
