"""Wherever the process ends and whichever call fails, the story comes to the same end.

All pairs of crashes and all faults at all calls are the long profile: `python benchmarks/reliability.py`.
"""

import random
from pathlib import Path

import pytest
from sim_scenario import MOMENTS, Fault, Moment, Point, disturbed, whole

from nexudus_sync.mapping import Side
from nexudus_sync.sandbox.faults import KINDS

BATCHES = 8
"""Into how many tests the points are dealt, so that they can run side by side."""
PAIRS = 4
"""How many pairs of crashes a batch draws from all there are."""


def points(at: Moment) -> list[Point]:
    return [Point(at, number + 1) for number in range(whole().moments[at])]


def calls() -> list[tuple[Side, int]]:
    return [(side, number + 1) for side in Side for number in range(whole().calls[side])]


def test_the_undisturbed_story_has_all_that_can_go_wrong_in_it(tmp_path: Path) -> None:
    ending = disturbed(tmp_path)
    assert ending.troubles == ()
    assert whole().moments["before"] == whole().moments["after"] > 20
    assert whole().moments["commit"] > 100
    states = [state for _, _, state in whole().end["links"]]
    assert states.count("closed") == 1
    assert states.count("active") == 7


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("at", MOMENTS)
def test_a_crash_at_any_commit_or_write_leads_to_the_same_end(at: Moment, batch: int, tmp_path: Path) -> None:
    for point in points(at)[batch::BATCHES]:
        ending = disturbed(tmp_path, points=(point,))
        assert ending.reached, point
        assert ending.troubles == (), point


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_second_crash_while_the_first_is_mended_leads_to_the_same_end(batch: int, tmp_path: Path) -> None:
    drawn = random.Random(batch)
    commits = points("commit")
    for _ in range(PAIRS):
        pair = (drawn.choice([*commits, *points("after")]), drawn.choice(commits[:40]))
        assert disturbed(tmp_path, points=pair).troubles == (), pair


@pytest.mark.parametrize("batch", range(BATCHES))
def test_any_call_that_fails_leads_to_the_same_end(batch: int, tmp_path: Path) -> None:
    kinds = sorted(KINDS)
    for number, (side, call) in list(enumerate(calls()))[batch::BATCHES]:
        fault = Fault(side, kinds[number % len(kinds)], call)
        ending = disturbed(tmp_path, fault=fault)
        assert ending.reached, fault
        assert ending.troubles == (), fault
