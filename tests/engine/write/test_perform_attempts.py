"""Attempts that fail or linger: edits made meanwhile are kept, and a waiting write is shown until it is done."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from engine_worlds import at_rest, cycle_of, link_of_card
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, new_card, play, rows, when
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure, History


def test_a_write_that_is_never_done_is_shown_as_a_failure_until_it_is(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Name="Sent in vain")
    world.faults[Side.CRM].add("error_500_before", f"^PATCH .*/{deal}$", times=99)
    cycle(world)
    assert [(one.kind, one.crm_id) for one in rows(world, Failure, state="open")] == [("unavailable", deal)]
    world.faults[Side.CRM].clear()
    cycle(world)
    assert rows(world, Failure, state="open") == []
    assert world.crm.record(deal)["title"] == "Sent in vain"


def test_a_refused_record_is_tried_again_when_somebody_corrects_it(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("error_500_before", "^POST .*/crm/opportunity$", times=9999)
    for _ in range(40):
        cycle_of(world, "london", after=600, one_shot=False)
    world.faults[Side.CRM].clear()
    (failure,) = rows(world, Failure, state="open", nexudus_id=str(card))
    assert failure.next_attempt > world.clock.now() + timedelta(hours=1)
    world.nexudus.edit(card, ANA, Name="Mended")
    cycle_of(world, "london", one_shot=False)
    assert link_of_card(world, card).state == "active"


def test_an_edit_found_by_a_failed_attempt_travels_although_the_attempt_is_not_repeated(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    cycle(world)
    world.crm.edit(deal, BEN, title="Ben's")
    when(world, Side.CRM, "GET", "/crm/opportunity", lambda: world.nexudus.edit(card, ANA, Value=777))
    world.faults[Side.NEXUDUS].add("connect", "^PUT .*/crmopportunities$", times=99)
    cycle_of(world, "london", one_shot=False)
    world.faults[Side.NEXUDUS].clear()
    world.clock.seconds += 20
    world.crm.edit(deal, BEN, title="berta")  # so that nothing is to be written to the card any more
    for after in (20, 60, 60):
        cycle_of(world, "london", after=after, one_shot=False)
    assert world.crm.record(deal)["opportunity_amount"] == 777


WAITS = [("connect", 3, 0.0), ("throttle_429", 1, 5.0), ("locked_423", 1, 5.0)]
"""What holds up a write that has not been done: how, how often, and for how many seconds."""


@pytest.mark.parametrize("wait", WAITS, ids=[kind for kind, *_ in WAITS])
def test_an_edit_made_while_a_write_to_the_card_waits_to_be_sent_again_stays(
    wait: tuple[str, int, float], tmp_path: Path
) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    cycle(world)
    world.crm.edit(deal, BEN, title="Ben's")
    kind, times, seconds = wait
    world.faults[Side.NEXUDUS].add(kind, "^PUT .*/crmopportunities$", times=times, seconds=seconds)
    noted = lambda: world.nexudus.edit(card, ANA, Notes="Call on Monday")  # noqa: E731
    when(world, Side.NEXUDUS, "GET", f"/crmopportunities/{card}", noted, later=0.2)
    cycle(world)
    assert (world.nexudus.record(card)["Name"], world.nexudus.record(card)["Notes"]) == ("Ben's", "Call on Monday")


@pytest.mark.parametrize("wait", WAITS, ids=[kind for kind, *_ in WAITS])
def test_a_newer_value_typed_while_a_write_to_the_crm_waits_to_be_sent_again_wins(
    wait: tuple[str, int, float], tmp_path: Path
) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    kind, times, seconds = wait
    world.faults[Side.CRM].add(kind, f"^PATCH .*/{deal}$", times=times, seconds=seconds)
    named = lambda: world.crm.edit(deal, BEN, title="Ben's")  # noqa: E731
    when(world, Side.NEXUDUS, "GET", f"/crmopportunities/{card}", named, later=0.2)
    cycle(world)
    cycle(world)
    assert (world.crm.record(deal)["title"], world.nexudus.record(card)["Name"]) == ("Ben's", "Ben's")
    assert "Ana's" in [one.lost for one in rows(world, History, field="title")]


@pytest.mark.parametrize("kind", ["connect", "throttle_429", "locked_423"])
def test_a_write_that_is_held_up_again_and_again_fails_with_the_reason(kind: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    cycle(world)
    world.crm.edit(deal, BEN, title="Ben's")
    world.faults[Side.NEXUDUS].add(kind, "^PUT .*/crmopportunities$", times=99)
    cycle(world)
    (failure,) = rows(world, Failure, state="open", nexudus_id=str(card))
    assert "keeps changing" not in failure.reason
    world.faults[Side.NEXUDUS].clear()
    cycle_of(world, "london", after=3600, reconcile=True)
    assert world.nexudus.record(card)["Name"] == "Ben's"


def edited_while_our_write_lingers(world: SimWorld) -> None:
    """The sync's PUT is on the way for a minute; Ana writes a note meanwhile, which the PUT has as it was before.

    That is the stated gap, however long it lasts.
    """
    card, deal = born_in_crm(world)
    world.crm.edit(deal, BEN, title="Ben's")
    world.faults[Side.NEXUDUS].add("late_commit", "^PUT .*/crmopportunities$", seconds=60.0)
    noted = lambda: world.nexudus.edit(card, ANA, Notes="Call on Monday")  # noqa: E731
    when(world, Side.NEXUDUS, "GET", f"/crmopportunities/{card}", noted, later=5.0)
    cycle(world)
    assert (world.nexudus.record(card)["Name"], world.nexudus.record(card)["Notes"]) == ("Ben's", None)


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (edited_while_our_write_lingers, "overplane"),
]


@pytest.mark.parametrize(("story", "system"), STORIES, ids=[f"{story.__name__}-{system}" for story, system in STORIES])
def test_a_story_that_once_broke_a_promise_keeps_it(
    story: Callable[[SimWorld], None], system: str, tmp_path: Path
) -> None:
    assert play(story, tmp_path, system=system) == []
