"""Wherever the process ends and whichever call fails, the story comes to the same end.

One moment and one call of each kind stand for all (`sim_kinds`). Every moment, all pairs of crashes and all faults at
all calls are the long profile: `python benchmarks/reliability.py --histories 0 --faults --pairs`.
"""

import os
import random
from pathlib import Path

import pytest
from sim_forks import Plan, explore
from sim_kinds import calls, failing, moments, one_call_of_each_kind, one_of_each_kind
from sim_scenario import INSTALLATIONS, Moment, Point, disturbed, whole

from nexudus_sandbox.faults import KINDS
from nexudus_sync.mapping import Side

BATCHES = 2
"""Into how many tests the moments are dealt, so that they can run side by side."""
SYSTEMS = ("overplane", "erpnext", "hubspot")
IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
EXPLORED = SYSTEMS if IS_LONG else SYSTEMS[:2]
"""Where every moment and every call is tried; HubSpot's turn takes a minute, so it is the nightly run's."""
PAIRS = 4
"""How many pairs of crashes are drawn from all there are."""
FOUND_AGAIN = ("erpnext-own-names", "erpnext-by-content")
"""How a create is known again on an ERPNext without a field for the key."""


def points(installation: str, at: Moment) -> list[Point]:
    return [Point(at, number + 1) for number in range(whole(installation).moments[at])]


@pytest.mark.parametrize("installation", INSTALLATIONS)
def test_the_undisturbed_story_has_all_that_can_go_wrong_in_it(installation: str, tmp_path: Path) -> None:
    ending, story = disturbed(tmp_path, installation), whole(installation)
    assert ending.troubles == ()
    assert story.moments["before"] == story.moments["after"] > 20
    assert story.moments["commit"] > 100
    states = [state for _, _, state in story.end["links"]]
    assert states.count("closed") == 1
    assert states.count("active") == 7


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_chosen_moments_have_every_change_of_the_journal_and_of_each_table(system: str) -> None:
    noted, chosen = dict(moments(system)), one_of_each_kind(system)
    there = {one for point, what in noted.items() for one in what if point.at != "before"}
    assert {one for point in chosen for one in noted[point]} == there
    journal = {f"{side} opportunity.{kind}" for side in Side for kind in ("create", "update")}
    assert {f"{one} {state}" for one in journal for state in ("sent", "confirmed")} <= there
    assert len(chosen) > 25


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_chosen_calls_have_every_kind_of_call_and_every_way_it_can_fail(system: str) -> None:
    chosen = {(side, calls(system)[side][number - 1], way) for (side, number), way in failing(system).items()}
    assert {(side, call) for side, call, _ in chosen} == {(side, one) for side in Side for one in calls(system)[side]}
    for is_read in (True, False):
        assert {way for _, call, way in chosen if call.startswith("GET ") is is_read} == KINDS


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("system", EXPLORED)
def test_a_crash_at_a_moment_of_any_kind_leads_to_the_same_end(system: str, batch: int, tmp_path: Path) -> None:
    chosen = one_of_each_kind(system)
    ends = explore(tmp_path, system, Plan(deaths=1, at=chosen, slice_=batch, slices=BATCHES))
    assert len(ends) >= len(chosen) // BATCHES
    assert len({end.met for end in ends}) == len(ends)
    assert [end for end in ends if end.troubles] == []


@pytest.mark.parametrize("installation", FOUND_AGAIN)
def test_a_crash_before_the_answer_to_a_create_leads_to_the_same_end_without_a_key_field(
    installation: str, tmp_path: Path
) -> None:
    creates = {point for point in one_of_each_kind(installation) if point.at == "after"}
    creates &= {Point("after", number) for number in whole(installation).creates}
    assert len(creates) == 4  # a customer and an opportunity on each side
    ends = explore(tmp_path, installation, Plan(deaths=1, at=frozenset(creates)))
    assert {end.met for end in ends} == {(), *((str(point),) for point in creates)}
    assert [end for end in ends if end.troubles] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_second_crash_while_the_first_is_mended_leads_to_the_same_end(system: str, tmp_path: Path) -> None:
    drawn = random.Random(1)
    commits = points(system, "commit")
    for _ in range(PAIRS):
        pair = (drawn.choice([*commits, *points(system, "after")]), drawn.choice(commits[:40]))
        assert disturbed(tmp_path, system, points=pair).troubles == (), pair


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("system", EXPLORED)
def test_a_call_of_any_kind_that_fails_leads_to_the_same_end(system: str, batch: int, tmp_path: Path) -> None:
    ways = one_call_of_each_kind(system)
    ends = explore(tmp_path, system, Plan(ways=ways, slice_=batch, slices=BATCHES))
    assert len(ends) >= len(failing(system)) // BATCHES - 5
    assert [end for end in ends if end.troubles] == []
