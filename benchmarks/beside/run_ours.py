"""This project's runner: `run_ours.py SPEC WHAT`, in this project's own environment.

`backfill` is one cycle as `nexudus-sync backfill` runs it, without its estimate and its tables: both sides are listed
and read, mapped, matched, merged and stored. `idle` is CYCLES cycles over what that linked. `plan` is the command.
"""

import asyncio
import json
import logging
import os
import random
import sys
from pathlib import Path
from typing import Any

CYCLES = 3


async def cycles(folder: Path, number: int) -> dict[str, int]:
    """Run cycles in the folder's store; how many pairs are linked and how many writes were sent."""
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
    written = 0
    for _ in range(number):
        report = await run_cycle(engine.connections[0])
        written += report.written
        assert report.finished, report.brake
    with engine.store.read() as session:
        linked = links.count(session, "london")
    await engine.aclose()
    return {"records": linked, "writes": written}


def main() -> None:
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    folder, what = Path(spec["folder"]), sys.argv[2]
    if what == "plan":
        from nexudus_sync.cli import main as command

        sys.argv = ["nexudus-sync", "--config", str(folder / "config.toml"), "plan", "--json"]
        command()
        return
    outcome = asyncio.run(cycles(folder, CYCLES if what == "idle" else 1))
    (folder / "outcome.json").write_text(json.dumps(outcome))


if __name__ == "__main__":
    main()
