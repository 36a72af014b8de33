"""Whatever systems answer: a cycle ends in one line, writes nothing nobody asked for, and both sides agree after it.

300 cycles here; 5,000 with HYPOTHESIS_PROFILE=long, which `benchmarks/nightly` runs.
"""

import os
from pathlib import Path

import pytest
from hostile_world import play

SYSTEMS = ("overplane", "erpnext")
WORLDS = 6
"""Of each system; each plays its part of the cycles."""
CYCLES = 5000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 300
EACH = CYCLES // WORLDS // len(SYSTEMS)


@pytest.mark.parametrize("seed", range(WORLDS))
@pytest.mark.parametrize("system", SYSTEMS)
def test_nonsense_is_not_believed(system: str, seed: int, tmp_path: Path) -> None:
    assert play(seed, tmp_path, system, EACH) == []
