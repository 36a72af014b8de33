"""A record that waits for its copy is not forgotten, and not copied twice, wherever it goes."""

from pathlib import Path
from typing import Any

from engine_worlds import called, cycle_of, links_of_card, move_card, place_card, two_connections
from sim_stories import cycle, new_card, new_deal, rows
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.seed.places import WELCOME
from nexudus_sync.store.tables import Failure


def test_a_card_that_waited_here_and_was_linked_there_is_not_copied_when_it_returns(tmp_path: Path) -> None:
    """Without an e-mail address it waits in Madrid; in London it is given one and copied; then it moves back."""
    world = two_connections(tmp_path)
    directory, places = world.nexudus.directory, world.seeded.places
    card = new_card(world, "anna", CoworkerId=directory.add_coworker("", "anna", places.madrid.business_id))
    place_card(world, card, "madrid")
    cycle_of(world, "madrid")
    place_card(world, card, "london", directory.add_coworker("a@example.org", "anna", places.london.business_id))
    cycle_of(world, "london")
    place_card(world, card, "madrid")
    for _ in range(2):
        cycle_of(world, "madrid", reconcile=True)
        cycle_of(world, "london", reconcile=True)
    assert called(world, "anna") == (1, 1)
    assert [(link.connection, link.state) for link in links_of_card(world, card)] == [("madrid", "active")]
    world.close()


def test_a_cards_failure_here_is_solved_when_it_is_linked_there(tmp_path: Path) -> None:
    """Without an e-mail address it waits in London; in Madrid it is given one and copied before London looks again."""
    world = two_connections(tmp_path)
    directory, places = world.nexudus.directory, world.seeded.places
    card = new_card(world, "anna", CoworkerId=directory.add_coworker("", "anna", places.london.business_id))
    cycle_of(world, "london")
    place_card(world, card, "madrid", directory.add_coworker("a@example.org", "anna", places.madrid.business_id))
    for _ in range(2):
        cycle_of(world, "madrid")
        cycle_of(world, "london")
    assert [(link.connection, link.state) for link in links_of_card(world, card)] == [("madrid", "active")]
    with world.store.read() as session:
        assert session.exec(select(Failure).where(Failure.state == "open")).all() == []
    world.close()


def test_a_record_left_by_a_limit_leaves_the_scope_meanwhile(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=30, crm=4, shared=2)
    lone, seen = [new_card(world, f"anna{n}") for n in range(4)], list[int]()

    def watch(request: Any, _: Any) -> None:
        if request.method == "POST" and not seen and "opportunity" in request.path:
            seen.append(1)
            for card in lone[-3:]:
                move_card(world, card, "madrid")
            world.clock.seconds += 61  # a poll is due

    world.crm.watchers.append(watch)
    cycle_of(world, "london", limit=2)  # StaleDataError


def test_what_the_backfill_left_undone_stays_shown_when_the_connection_is_renamed(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    deal = new_deal(world, "berta", sales_stage=WELCOME)
    cycle(world), cycle(world)
    world.places = {"west end": world.places["london"]}
    world.restart()
    cycle(world), cycle(world, reconcile=True)
    (left,) = rows(world, Failure, state="open", crm_id=deal)
    assert (left.connection, left.kind, left.field) == ("west end", "stage-acts", "sales_stage")
