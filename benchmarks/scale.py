"""Scale: what does an idle cycle over 5,000 links cost, in processor time, memory and calls?

    python benchmarks/scale.py [--links 5000]

Three processes: the sandbox on loopback, a real backfill, and a fresh one that runs idle cycles and measures itself.
Prints one line of figures per cycle; fails when one takes 2 s of processor time or the process 150 MB.
"""

import argparse
import asyncio
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

CPU_SECONDS, MEGABYTES = 2.0, 150.0


def sandbox(links: int, pipe: Connection) -> None:
    """Keep both doubles running until told to stop; answers "calls" with how many calls each had."""
    from nexudus_sandbox.nexudus import NexudusDouble
    from nexudus_sandbox.world import World

    with World(nexudus=links, crm=links, shared=links) as world:
        assert isinstance(world.nexudus, NexudusDouble)
        world.nexudus.options.opportunity_limit = links * 2
        world.nexudus.options.renumber = False
        pipe.send((world.config_toml(), world.environment()))
        while pipe.recv() == "calls":
            pipe.send((len(world.nexudus.log), len(world.overplane.log)))


def work(folder: str, environment: dict[str, str], cycles: int, pipe: Connection) -> None:
    """Run cycles; sends (listed, written, processor seconds, wall seconds, peak MB) after each."""
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    from nexudus_sync.clock import SystemClock
    from nexudus_sync.config import load
    from nexudus_sync.engine.cycle import run_cycle
    from nexudus_sync.engine.startup.assemble import assemble

    async def run() -> None:
        settings = load(Path(folder) / "config.toml", environment)
        engine = assemble(settings, clock=SystemClock(), rng=random.Random())
        await engine.start()
        for _ in range(cycles):
            began, cpu = time.monotonic(), time.process_time()
            report = await run_cycle(engine.connections[0])
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            pipe.send((dict(report.listed), report.written, time.process_time() - cpu, time.monotonic() - began, peak))
        await engine.aclose()

    asyncio.run(run())
    pipe.send(None)


def phase(
    context: multiprocessing.context.SpawnContext, folder: str, environment: dict[str, str], cycles: int
) -> list[tuple[object, ...]]:
    """Run cycles in a process of their own."""
    here, there = context.Pipe()
    process = context.Process(target=work, args=(folder, environment, cycles, there))
    process.start()
    there.close()
    figures = []
    while (line := here.recv()) is not None:
        figures.append(line)
        print("  listed {} · writes {} · {:.2f} s processor · {:.2f} s · {:.0f} MB".format(*line), flush=True)
    process.join()
    return figures


def main() -> int:
    """Measure; returns 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", type=int, default=5000)
    links = parser.parse_args().links
    context = multiprocessing.get_context("spawn")
    pipe, far = context.Pipe()
    double = context.Process(target=sandbox, args=(links, far), daemon=True)
    double.start()
    config, environment = pipe.recv()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.toml").write_text(config.replace("per_second = 450", "per_second = 5000"))
        print(f"backfill of {links} opportunities that stand on both sides")
        phase(context, folder, environment, 2)
        time.sleep(3)
        print("idle cycles, in a fresh process")
        pipe.send("calls")
        before = pipe.recv()
        figures = phase(context, folder, environment, 4)
        pipe.send("calls")
        after = pipe.recv()
    pipe.send("stop")
    calls = [(b - a) / len(figures) for a, b in zip(before, after, strict=True)]
    print(f"calls a cycle: Nexudus {calls[0]:.1f}, Overplane {calls[1]:.1f}")
    idle = figures[1:]
    cpu, peak = max(float(str(line[2])) for line in idle), max(float(str(line[4])) for line in idle)
    print(f"idle cycle: at most {cpu:.2f} s of processor time, {peak:.0f} MB at the peak")
    return int(cpu >= CPU_SECONDS or peak >= MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
