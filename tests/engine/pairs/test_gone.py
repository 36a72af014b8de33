"""A record is gone, and people edit its counterpart before anybody knows."""

from collections.abc import Callable
from pathlib import Path

import pytest
from engine_worlds import at_rest, cycle_of, link_of_card, move_card
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, decide, new_card, play, rows, when
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict


def edited_before_the_delete(world: SimWorld) -> None:
    """Ana deletes a card; Ben edits its counterpart after it was listed, and before it would be deleted as well."""
    card, deal = born_in_crm(world)
    world.nexudus.delete(card, ANA)
    world.faults[Side.NEXUDUS].add("slow", f"^GET .*/{card}$", seconds=8.0)
    rename = lambda: world.crm.edit(deal, BEN, title="Ben's")  # noqa: E731
    when(world, Side.CRM, "GET", "/crm/opportunity", rename, later=4.0)
    cycle(world, reconcile=True)
    assert world.crm.record(deal)["title"] == "Ben's"


def edited_after_the_answer(world: SimWorld) -> None:
    """A person says that an edited deal may be deleted, but Ben goes on with it: he is asked about again."""
    card, deal = born_in_crm(world)
    world.nexudus.delete(card, ANA)
    world.crm.edit(deal, BEN, title="Ben's")
    cycle(world, reconcile=True)
    decide(world, "record", Side.NEXUDUS)
    world.crm.edit(deal, BEN, opportunity_amount=4711)
    cycle(world)
    assert deal in world.crm.records()
    decide(world, "record", Side.NEXUDUS)
    cycle(world)
    assert deal not in world.crm.records()


def test_an_edit_that_never_arrived_and_a_deletion(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    board = world.seeded.places.london.board_id
    for name in ("Only here", "Only here too"):
        world.nexudus.directory.add_stage(board, name)
    card = new_card(world, "anna")
    move_card(world, card, "london", "Only here")
    cycle(world), cycle(world)
    deal = link_of_card(world, card).crm_id
    move_card(world, card, "london", "Only here too")  # or "Won": the same
    world.crm.delete(deal, BEN)
    cycle(world), cycle(world, reconcile=True)
    assert card in world.nexudus.records()  # deleted; no question was asked, nothing is in the history


def test_a_restored_record_is_no_longer_asked_about(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    card, deal = world.seeded.pairs[0]
    kept = world.nexudus.cards.rows[card]
    world.nexudus.delete(card, ANA)
    world.crm.edit(deal, BEN, title="Edited meanwhile")
    cycle_of(world, "london", reconcile=True)
    assert [one.field for one in rows(world, Conflict, state="open", crm_id=deal)] == ["record"]
    world.nexudus.cards.rows[card] = world.nexudus.cards.listed[card] = kept  # as a backup has it, its stamp included
    cycle_of(world, "london", reconcile=True)
    assert rows(world, Conflict, state="open", crm_id=deal) == []
    assert world.nexudus.record(card)["Name"] == "Edited meanwhile"


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (edited_before_the_delete, "propagate"),
    (edited_after_the_answer, "propagate"),
]


@pytest.mark.parametrize(("story", "deletes"), STORIES, ids=[story.__name__ for story, _ in STORIES])
def test_nothing_is_lost_or_doubled(story: Callable[[SimWorld], None], deletes: str, tmp_path: Path) -> None:
    assert play(story, tmp_path, deletes=deletes) == []
