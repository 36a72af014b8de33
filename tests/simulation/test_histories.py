"""Random histories: whatever people, faults and crashes do to it, the installation comes to rest with nothing broken.

More and longer ones are the long profile: `python benchmarks/reliability.py`.
"""

import os
from pathlib import Path

import pytest
from sim_history import run_history

BATCHES, HISTORIES = 10, 4
"""So many tests, that can run side by side, of so many histories each."""
STEPS, RECORDS = 25, 4
IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_history_of_edits_faults_and_crashes_breaks_a_promise(batch: int, tmp_path: Path) -> None:
    for seed in range(batch * HISTORIES, (batch + 1) * HISTORIES):
        replay = f"python benchmarks/reliability.py --histories 1 --from {seed} --steps {STEPS} --records {RECORDS}"
        try:
            trace = run_history(seed, tmp_path, steps=STEPS, records=RECORDS)
        except BaseException as error:
            error.add_note(f"replay: {replay}")
            raise
        assert trace.violations == [], f"replay: {replay}"


@pytest.mark.parametrize("batch", range(12 if IS_LONG else 1))
def test_no_history_with_a_search_that_lags_breaks_a_promise(batch: int, tmp_path: Path) -> None:
    for seed in range(batch * HISTORIES, (batch + 1) * HISTORIES):
        trace = run_history(seed, tmp_path, steps=STEPS, records=RECORDS, system="hubspot")
        assert trace.violations == [], seed


def test_the_same_seed_plays_the_same_history(tmp_path: Path) -> None:
    first, again = (run_history(7, tmp_path, steps=STEPS, records=RECORDS).lines for _ in range(2))
    assert first == again
    assert any("CRASH" in line or "fault" in line for line in first)
