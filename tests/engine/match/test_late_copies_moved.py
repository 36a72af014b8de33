"""A late copy that moves to another location is not copied there."""

from pathlib import Path

import pytest
from engine_worlds import called, cycle_of, links_of_card, place_card, two_connections
from sim_checker import check
from sim_people import ANA
from sim_stories import links, new_deal, rows
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict


def late_copy(world: SimWorld) -> int:
    """A card that London created, gave up, and created once more, before the first one landed after all."""
    deal = new_deal(world, "ben", opportunity_amount=5)
    world.faults[Side.NEXUDUS].add("late_commit", "^POST .*/crmopportunities$", seconds=300.0)
    for _ in range(3):
        cycle_of(world, "london")
    world.clock.seconds += 300
    cycle_of(world, "london")
    (linked,) = [link for link in links(world) if link.crm_id == deal]
    cards = {str(card) for card, row in world.nexudus.records().items() if row["Name"] == "ben"}
    (copy,) = map(int, cards - {linked.nexudus_id})
    return copy


def test_a_late_copy_that_moves_to_another_location_is_not_copied_there(tmp_path: Path) -> None:
    world = two_connections(tmp_path)
    world.nexudus.options.keeps_system_id = False
    copy = late_copy(world)
    place_card(world, copy, "madrid")
    for _ in range(2):
        cycle_of(world, "madrid")
        cycle_of(world, "london")
    assert called(world, "ben") == (2, 1)
    assert links_of_card(world, copy) == []
    world.close()


@pytest.mark.parametrize("keeps_key", [True, False])
def test_a_late_copy_is_asked_about_as_long_as_it_lies_where_something_is_kept_in_step(
    tmp_path: Path, keeps_key: bool
) -> None:
    """Ana moves it to a location that no connection covers, and brings it back later, under another name."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    world.nexudus.options.keeps_system_id = keeps_key
    cycle_of(world)
    copy = late_copy(world)
    asked = lambda: [row.nexudus_id for row in rows(world, Conflict, field="record", state="open")]  # noqa: E731
    assert asked() == [str(copy)]
    place_card(world, copy, "madrid")
    for _ in range(2):
        cycle_of(world, reconcile=True)
    assert asked() == []
    assert check(world)[0] == []
    world.nexudus.edit(copy, ANA, Name="Ana's")
    place_card(world, copy, "london")
    for _ in range(2):
        cycle_of(world, reconcile=True)
    assert asked() == [str(copy)]
    assert called(world, "Ana's") == (1, 0)
    assert check(world)[0] == []
    world.close()
