"""Cycles of this project that measure themselves: `run_cycles.py FOLDER N` prints what each cost, as JSON."""

import asyncio
import json
import logging
import os
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any


async def cycles(folder: Path, number: int) -> dict[str, Any]:
    """Run cycles in the folder's store, as the daemon does."""
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    from nexudus_sync.cli import collector
    from nexudus_sync.clock import SystemClock
    from nexudus_sync.config import load
    from nexudus_sync.engine.cycle import run_cycle
    from nexudus_sync.engine.startup.assemble import assemble
    from nexudus_sync.store import links

    engine = assemble(load(folder / "config.toml", dict(os.environ)), clock=SystemClock(), rng=random.Random(1))
    collector.take_over()  # as every command does
    collector.settle()
    await engine.start()
    costs, written = [], 0
    for _ in range(number):
        began, cpu = time.monotonic(), time.process_time()
        report = await run_cycle(engine.connections[0])
        assert report.finished, report.brake
        written += report.written
        costs.append({"processor": time.process_time() - cpu, "wall": time.monotonic() - began})
    with engine.store.read() as session:
        linked = links.count(session, "london")
    await engine.aclose()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cycles": costs, "written": written, "links": linked, "peak": peak}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(cycles(Path(sys.argv[1]), int(sys.argv[2])))))
