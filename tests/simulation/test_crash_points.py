"""Wherever the process ends and whichever call fails, the story comes to the same end.

All pairs of crashes, all faults at all calls, and all of it with ERPNext as well are the long profile:
`python benchmarks/reliability.py`.
"""

import random
from pathlib import Path

import pytest
from sim_forks import Plan, explore, in_turn
from sim_scenario import INSTALLATIONS, Moment, Point, disturbed, whole

pytestmark = pytest.mark.usefixtures("unmeasured")

BATCHES = 4
"""Into how many tests the moments are dealt, so that they can run side by side."""
EVERY = {"overplane": 1, "erpnext": 3}
"""Overplane's story is disturbed at each moment and call, ERPNext's at every third."""
PAIRS = {"overplane": 4, "erpnext": 1}
"""How many pairs of crashes a batch draws from all there are."""
SYSTEMS = tuple(PAIRS)
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


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_crash_at_any_commit_or_write_leads_to_the_same_end(system: str, batch: int, tmp_path: Path) -> None:
    ends = explore(tmp_path, system, Plan(deaths=1, slice_=batch, slices=BATCHES * EVERY[system]))
    assert len(ends) > 100 // BATCHES // EVERY[system]
    assert len({end.met for end in ends}) == len(ends)
    assert [end for end in ends if end.troubles] == []


@pytest.mark.parametrize("installation", FOUND_AGAIN)
def test_a_crash_before_the_answer_to_a_create_leads_to_the_same_end_without_a_key_field(
    installation: str, tmp_path: Path
) -> None:
    creates = whole(installation).creates
    assert len(creates) > 5
    for point in (Point("after", number) for number in creates):
        ending = disturbed(tmp_path, installation, points=(point,))
        assert ending.reached, point
        assert ending.troubles == (), point


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("system", PAIRS)
def test_a_second_crash_while_the_first_is_mended_leads_to_the_same_end(
    system: str, batch: int, tmp_path: Path
) -> None:
    drawn = random.Random(batch)
    commits = points(system, "commit")
    for _ in range(PAIRS[system]):
        pair = (drawn.choice([*commits, *points(system, "after")]), drawn.choice(commits[:40]))
        assert disturbed(tmp_path, system, points=pair).troubles == (), pair


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("system", SYSTEMS)
def test_any_call_that_fails_leads_to_the_same_end(system: str, batch: int, tmp_path: Path) -> None:
    ends = explore(tmp_path, system, Plan(ways=in_turn(system), slice_=batch, slices=BATCHES * EVERY[system]))
    assert len(ends) > sum(whole(system).calls.values()) // BATCHES // EVERY[system]
    assert [end for end in ends if end.troubles] == []
