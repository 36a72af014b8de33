"""A worker that is stopped anywhere, followed by another, and wakes up: the story comes to the same end.

Every moment is tried by `python benchmarks/reliability.py --histories 0 --stops`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sim_forks import Ended, Plan, explore
from sim_kinds import moments, one_of_each_kind
from sim_scenario import Point, whole
from sim_stops import LOST_IN_THE_WINDOW, NotingLeases, PausingWorld, StoppingWorld

from nexudus_sync.store.leases import Lease

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SYSTEMS = ("overplane", "erpnext", "hubspot") if IS_LONG else ("overplane",)


def sample(system: str, every: int) -> frozenset[Point]:
    """Of one moment of each kind, every so many; a moment after a write is one before its answer is read."""
    return frozenset(sorted(one_of_each_kind(system, NotingLeases), key=str)[:: 1 if IS_LONG else every])


def stopped(folder: Path, plan: Plan, kind: type[StoppingWorld], system: str) -> list[Ended]:
    ends = explore(folder, system, plan, kind)
    assert len({end.met for end in ends}) == len(ends)
    return ends


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_worker_stopped_at_a_moment_of_any_kind_does_no_harm_when_it_wakes_up(system: str, tmp_path: Path) -> None:
    chosen = sample(system, 3)
    ends = stopped(tmp_path, Plan(deaths=1, at=chosen), StoppingWorld, system)
    assert len(ends) > len(chosen) * 0.9  # at some, the store is as it was at the moment before
    assert [end for end in ends if end.troubles] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_worker_that_nobody_followed_does_no_harm_either(system: str, tmp_path: Path) -> None:
    ends = stopped(tmp_path, Plan(deaths=1, at=sample(system, 6)), PausingWorld, system)
    assert [end for end in ends if end.troubles] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_stop_at_the_socket_itself_is_the_window_that_remains(system: str, tmp_path: Path) -> None:
    creates = whole(system).creates
    writes = range(1, whole(system).moments["before"] + 1) if IS_LONG else (1, 2, 5, 6, 12, 15, 27)
    plan = Plan(deaths=1, forks_at=("before",), at=frozenset(Point("before", number) for number in writes))
    ends = {end.met: end.troubles for end in stopped(tmp_path, plan, StoppingWorld, system)}
    assert len(ends) == len(writes) + 1
    late = {met: told for met, told in ends.items() if told}
    assert late.keys() <= {(str(Point("before", number)),) for number in creates}
    assert [one for told in late.values() for one in told if not one.startswith(LOST_IN_THE_WINDOW)] == []


# -- the checker sees: bugs planted on purpose

Patch = pytest.MonkeyPatch


def no_fencing(patch: Patch) -> None:
    """Whoever had the lease once may go on."""
    patch.setattr(Lease, "enter", lambda *_: None)
    patch.setattr(Lease, "may_send", lambda _: True)


def not_asked_before_the_send(patch: Patch) -> None:
    """What was noted as sent is sent, however long ago that was."""
    patch.setattr(Lease, "may_send", lambda _: True)


@pytest.mark.parametrize("plant", [no_fencing, not_asked_before_the_send])
def test_a_planted_bug_is_seen_where_a_worker_is_stopped(
    plant: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    sent = {point for point, what in moments("overplane", NotingLeases) if "nexudus opportunity.create sent" in what}
    plant(monkeypatch)
    ends = explore(tmp_path, "overplane", Plan(deaths=1, at=frozenset(sent)), StoppingWorld)
    assert any("3 duplicate" in trouble for end in ends for trouble in end.troubles)
