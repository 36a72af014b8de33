"""Scale: what does an idle cycle cost over N links, in processor time, memory and calls, and how does that grow?

    python benchmarks/scale.py [--links 1000 5000 20000 100000] [--latency 0 100] [--cycles 3] [--json]

For each N both systems have N opportunities that say the same. A process of its own links them (a first run); a second,
fresh one runs idle cycles and measures each: processor time, wall time, and the peak of its memory. Nothing differs,
so nothing is written. "grows as" compares a line with the one above it: with N^1.0, twice the links take twice as long.

`--store postgresql` keeps the links on a PostgreSQL server, which is started for it.

The server is that of `peers.py`, out of the way in a process of its own; `--latency` holds its answers to idle cycles
back by some milliseconds: a poll has to fit its minute, and of 100,000 links it lists a thousand pages. Processor time
and memory are those of the first latency. Fails when one of `LIMITS` or the minute is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

import stores  # noqa: E402
from beside.figures import markdown  # noqa: E402
from beside.server import Server  # noqa: E402

LIMITS = {5_000: (0.2, 150.0), 100_000: (4.0, 150.0)}
"""Seconds of processor time and megabytes at the peak that an idle cycle over so many links may take."""
FILE = "sqlite:///state.db"
"""What a sandbox's configuration calls its store."""
SECONDS_OF_A_POLL = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What cycles cost over `links` links: the first run as a whole, an idle cycle at the median.

    `wall` has a figure for each latency.
    """

    links: int
    linking: float
    processor: float
    wall: tuple[float, ...]
    peak: float
    calls: tuple[float, float]

    @property
    def missed(self) -> bool:
        """Does it miss a limit?"""
        most, size = LIMITS.get(self.links, (float("inf"), float("inf")))
        return self.processor > most or self.peak > size or max(self.wall) > SECONDS_OF_A_POLL


def measured(what: str, folder: Path, environment: dict[str, str], cycles: int) -> dict[str, Any]:
    """Run cycles in a process of their own; what it measured of itself."""
    command = (sys.executable, str(HERE / "beside" / "run_cycles.py"), str(folder), str(cycles))
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{what} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def figures(server: Server, links: int, given: argparse.Namespace, scratch: Path) -> Figures:
    """Link N pairs, then measure idle cycles over them."""
    counts = {"nexudus": links, "crm": links, "shared": links}
    world = server.ask("open", str(links), "overplane", counts, False)
    folder = scratch / str(links)
    folder.mkdir()
    store = stores.new_url() if stores.on_server() else FILE
    (folder / "config.toml").write_text(world["config"].replace(FILE, store))
    first = measured("the first run", folder, world["environment"], 1)
    measured("a cycle after it", folder, world["environment"], 1)  # reads what was new a moment ago
    found, calls = [], [0.0, 0.0]
    for latency in given.latency:
        server.ask("calls", str(links), latency / 1000)
        found.append(measured("an idle cycle", folder, world["environment"], given.cycles))
        calls = [sum(each.values()) / given.cycles for each in server.ask("calls", str(links), 0.0)]
        if found[-1]["links"] != links or found[-1]["written"]:
            sys.exit(f"{found[-1]['links']} of {links} pairs are linked, {found[-1]['written']} writes were sent")
    processor, wall = _median(found[0], "processor"), tuple(_median(one, "wall") for one in found)
    return Figures(links, first["cycles"][0]["processor"], processor, wall, found[0]["peak"], (calls[0], calls[1]))


def _median(found: dict[str, Any], what: str) -> float:
    """Of the cycles but the first one: what a process learns once is not the price of a cycle."""
    return median(each[what] for each in found["cycles"][1:] or found["cycles"])


def growth(before: float, now: float, times: float) -> str:
    """By which power of N it grew."""
    return f"N^{log(now / before) / log(times):.2f}" if before > 0 and now > 0 and times != 1 else ""


def table(lines: list[Figures], latencies: list[int]) -> str:
    """The figures as one table."""
    walls = [f"s of wall at {latency} ms" for latency in latencies]
    head = ("links", "idle cycle, s of processor", "µs a link", "grows as", *walls, "peak MB", "grows as")
    rows = [(*head, "calls, Nexudus + CRM", "first run, s of processor")]
    for number, one in enumerate(lines):
        last = lines[number - 1] if number else one
        times = one.links / last.links
        rows.append(
            (
                f"{one.links:,}",
                f"{one.processor:.2f}",
                f"{one.processor / one.links * 1e6:.0f}",
                growth(last.processor, one.processor, times),
                *(f"{wall:.2f}" for wall in one.wall),
                f"{one.peak:.0f}",
                growth(last.peak, one.peak, times),
                f"{one.calls[0]:.1f} + {one.calls[1]:.1f}",
                f"{one.linking:.1f}",
            )
        )
    return markdown(rows)


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", type=int, nargs="+", default=[1_000, 5_000, 20_000, 100_000], metavar="N")
    parser.add_argument("--latency", type=int, nargs="+", default=[0, 100], metavar="MS", help="of answers, when idle")
    parser.add_argument("--cycles", type=int, default=3, metavar="N", help="idle cycles")
    parser.add_argument("--store", choices=stores.KINDS, default="sqlite")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Measure and print; returns 1 when a limit is missed."""
    given = options()
    stores.choose(given.store)
    lines = list[Figures]()
    with tempfile.TemporaryDirectory() as scratch, Server() as server:
        for links in given.links:
            lines.append(figures(server, links, given, Path(scratch)))
            print(f"{links:,} links: {lines[-1].processor:.2f} s", file=sys.stderr, flush=True)
    print(json.dumps([asdict(one) for one in lines]) if given.json else table(lines, given.latency))
    return int(any(one.missed for one in lines))


if __name__ == "__main__":
    sys.exit(main())
