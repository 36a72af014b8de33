"""`kill -9` of real processes. Two hundred of them are the long profile: `python benchmarks/reliability.py`."""

import os
from pathlib import Path

import pytest
from sim_kill import kill_and_check

KILLS = 2
IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"

pytestmark = [pytest.mark.processes, pytest.mark.sockets]


@pytest.mark.parametrize("seed", [1, 2])
def test_processes_killed_anywhere_leave_nothing_that_the_next_one_cannot_finish(seed: int, tmp_path: Path) -> None:
    outcome = kill_and_check(seed, tmp_path, kills=KILLS)
    assert outcome.troubles == []
    assert outcome.kills == KILLS


def test_processes_killed_while_a_search_lags_leave_nothing_either(tmp_path: Path) -> None:
    outcome = kill_and_check(1, tmp_path, kills=20 if IS_LONG else 1, chosen="hubspot")
    assert outcome.troubles == []
    assert outcome.kills == (20 if IS_LONG else 1)
