"""The oracle: what undisturbed histories ask of both systems, and how they end, beside what is on record.

    python benchmarks/oracle.py            compare with benchmarks/oracle.json; exits 1 where anything differs
    python benchmarks/oracle.py --write    put today's on record, and say which seeds changed

A commit that only moves code leaves the record as it is. One that changes what is done says which seeds changed, and
why.
"""

import argparse
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "benchmarks" / "oracle.json"
SYSTEMS = ("overplane", "erpnext")
SEEDS = 100


def prepare() -> None:
    """In each worker: find the simulator and keep quiet."""
    import logging

    import structlog

    sys.path[:0] = [str(ROOT / "tests" / "simulation"), str(ROOT / "tests")]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def play(system: str, seed: int) -> dict[str, Any]:
    """One history."""
    from sim_oracle import undisturbed

    with tempfile.TemporaryDirectory() as folder:
        return asdict(undisturbed(seed, Path(folder), system))


def compare(before: dict[str, Any], now: dict[str, Any], system: str) -> tuple[list[str], list[str]]:
    """The seeds whose calls differ, and those whose end does."""
    old, new = before.get(system, {}), now[system]
    differ = {what: [s for s in new if old.get(s, {}).get(what) != new[s][what]] for what in ("calls", "states")}
    return differ["calls"], differ["states"]


def total(histories: dict[str, Any]) -> dict[str, int]:
    """How many calls all histories made, by side and method."""
    counts: dict[str, int] = {}
    for one in histories.values():
        for kind, number in one["counts"].items():
            counts[kind] = counts.get(kind, 0) + number
    return dict(sorted(counts.items()))


def main() -> int:
    """Play, compare, tell. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put today's on record")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="only the first so many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    before = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    tasks = [(system, seed) for system in SYSTEMS for seed in range(options.seeds)]
    now: dict[str, Any] = {system: {} for system in SYSTEMS}
    with ProcessPoolExecutor(options.jobs, initializer=prepare) as pool:
        for (system, seed), ended in zip(tasks, pool.map(play, *zip(*tasks, strict=True)), strict=True):
            now[system][str(seed)] = ended
    changed = False
    for system in SYSTEMS:
        calls, states = compare(before, now, system)
        changed = changed or bool(calls or states)
        print(f"{system}: {options.seeds} histories, {total(now[system])}")
        print(f"  calls differ: {' '.join(calls) or 'none'}\n  ends differ: {' '.join(states) or 'none'}")
    if options.write:
        lines = [
            f'  "{s}": {{\n' + ",\n".join(f'    "{k}": {json.dumps(v)}' for k, v in now[s].items()) + "\n  }"
            for s in SYSTEMS
        ]
        RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return 0
    return int(changed)


if __name__ == "__main__":
    sys.exit(main())
