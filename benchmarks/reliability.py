"""Reliability, the long way: what the test suite samples, this runs in full.

    python benchmarks/reliability.py --histories 10000 --steps 500 --faults --pairs --kills 200 --burst 3000

Histories are random mixes of people's work, faults, crashes and cycles, each of one seed. `--faults` makes every call
of a fixed story fail in every way, `--pairs` crashes it at every commit and then again at every commit of what follows,
`--stops` plays it by two workers, one of which is stopped at a moment, `--kills` ends real processes with kill -9,
`--burst` imports very many records within a minute. The story and the import are played with Overplane and with
ERPNext, the faults and stops also with an ERPNext that knows a create again by its name or by its content (`--system
erpnext-own-names`, `--system erpnext-by-content`) and with HubSpot. Prints figures, and for each violation
the command that replays it; exits 1 when there is one.

    python benchmarks/reliability.py --histories 0 --families 80 --steps 500 --record run.jsonl

keeps what each part found in a file, and plays only what the file does not hold yet: a run of many hours can be stopped
at any moment and goes on where it was. The file's figures are told by the commit they were found at.

    python benchmarks/reliability.py --histories 500 --steps 25 --records 4 --store postgresql

plays histories on a PostgreSQL server, which each worker starts for itself.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIMULATION = ROOT / "tests" / "simulation"
SLICES = 24
"""Into how many jobs the story's crashes and failing calls are dealt."""
KILLS = 5
"""Kills an installation."""
SYSTEMS = ("overplane", "erpnext")


@dataclass(slots=True)
class Done:
    """What a job did: figures to be added up, and what it found, with the options that replay it."""

    figures: Counter[str] = field(default_factory=Counter)
    troubles: list[tuple[str, str]] = field(default_factory=list)


FIGURES = {"exempt": "edits in the stated gap"}
"""What a figure is called where its name in the simulator would not do."""

Job = partial[Done]


def name_of(job: Job) -> str:
    """What a job is called in a record."""
    return " ".join([job.func.__name__, *map(str, job.args)])


def prepare(store: str) -> None:
    """In each worker: find the simulator, keep quiet, and let the histories have their stores there."""
    import logging

    import structlog

    sys.path[:0] = [str(SIMULATION), str(SIMULATION.parent)]
    import stores

    stores.choose(store)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a crash may end a task that nobody waits for


def history(seed: int, steps: int, records: int, system: str | None, path: tuple[int, ...], show: bool) -> Done:
    """One history; `show` prints what happened in it."""
    from sim_history import run_history

    replay = _replay(seed, steps, records, system, path)
    with tempfile.TemporaryDirectory() as folder:
        try:
            trace = run_history(seed, Path(folder), steps=steps, records=records, system=system, path=path)
        except Exception as error:
            return Done(Counter(histories=1), [(replay, f"{type(error).__name__}: {error}")])
    if show:
        print(*trace.lines, sep="\n")
    figures = Counter(histories=1, cycles=trace.cycles, edits=trace.edits, crashes=trace.crashes, faults=trace.faults)
    figures[FIGURES["exempt"]] = trace.exempt
    return Done(figures, [(replay, f"{one.invariant}: {one.text}") for one in trace.violations])


def family(seed: int, steps: int, records: int, system: str | None) -> Done:
    """A family of histories."""
    from sim_family import run_family

    done = Done()
    with tempfile.TemporaryDirectory() as folder:
        for member in run_family(seed, Path(folder), steps=steps, records=records, system=system):
            done.figures["histories"] += 1
            done.figures.update({FIGURES.get(name, name): number for name, number in member.figures.items()})
            done.troubles += [(_replay(seed, steps, records, system, member.path), text) for text in member.troubles]
    return done


def _replay(seed: int, steps: int, records: int, system: str | None, path: tuple[int, ...]) -> str:
    """The options that play one history again."""
    told = f"--histories 1 --from {seed} --steps {steps} --records {records}"
    told += f" --system {system}" if system else ""
    return told + (f" --path {' '.join(map(str, path))}" if path else "")


def importing(system: str, records: int, seed: int) -> Done:
    """Very many records within a minute."""
    from sim_burst import burst

    with tempfile.TemporaryDirectory() as folder:
        found = burst(Path(folder), records, system=system, seed=seed)
    replay = f"--histories 0 --burst {records} --from {seed}"
    return Done(Counter({"records imported": records}), [(replay, f"{one.invariant}: {one.text}") for one in found])


def failing(system: str, slice_: int, slices: int) -> Done:
    """The story with every call of a slice failing in every way."""
    from sim_forks import Plan, every_way, explore

    with tempfile.TemporaryDirectory() as folder:
        ends = explore(Path(folder), system, Plan(ways=every_way(system), slice_=slice_, slices=slices))
    replays = ((end.met[0].replace(" call", "") if end.met else "", end) for end in ends)
    troubles = [(f"--histories 0 --system {system} --fault {at}", text) for at, end in replays for text in end.troubles]
    return Done(Counter({"failed calls": sum(bool(end.met) for end in ends)}), troubles)


def crashing(system: str, slice_: int, slices: int) -> Done:
    """The story with every crash of a slice of its moments, and after that every other."""
    from sim_forks import Plan, explore

    with tempfile.TemporaryDirectory() as folder:
        ends = explore(Path(folder), system, Plan(deaths=2, slice_=slice_, slices=slices))
    counts = Counter(len(end.met) for end in ends)
    troubles = [(_crashes(system, end.met), text) for end in ends for text in end.troubles]
    return Done(Counter({"crashes": counts[1], "pairs of crashes": counts[2]}), troubles)


def stopping(system: str, slice_: int, slices: int) -> Done:
    """The story by workers under leases, one of which is stopped at each moment of a slice while another takes over."""
    from sim_forks import Plan, explore
    from sim_stops import StoppingWorld

    with tempfile.TemporaryDirectory() as folder:
        ends = explore(Path(folder), system, Plan(deaths=1, slice_=slice_, slices=slices), StoppingWorld)
    troubles = [
        (f"--histories 0 --system {system} --stops", f"{end.met}: {text}") for end in ends for text in end.troubles
    ]
    return Done(Counter({"stops": sum(bool(end.met) for end in ends)}), troubles)


def failing_once(system: str, side: str, number: int, kind: str) -> Done:
    """The story with one call failing, from its start."""
    from sim_scenario import Fault, disturbed

    from nexudus_sync.mapping import Side

    with tempfile.TemporaryDirectory() as folder:
        ending = disturbed(Path(folder), system, fault=Fault(Side(side), kind, number))
    replay = f"--histories 0 --system {system} --fault {side} {number} {kind}"
    return Done(Counter({"failed calls": 1}), [(replay, text) for text in ending.troubles])


def _crashes(system: str, points: tuple[str, ...]) -> str:
    return f"--histories 0 --system {system} --crash {' '.join(points)}"


def replaying(system: str, points: tuple[str, ...]) -> Done:
    """The story with these crashes, from its start."""
    from sim_scenario import Point, disturbed

    moments = zip(points[::2], points[1::2], strict=True)
    with tempfile.TemporaryDirectory() as folder:
        crashes = tuple(Point(at, int(number)) for at, number in moments)  # type: ignore[arg-type]
        ending = disturbed(Path(folder), system, points=crashes)
    return Done(Counter(crashes=len(crashes)), [(_crashes(system, points), text) for text in ending.troubles])


def killing(seed: int) -> Done:
    """One installation whose processes are killed."""
    from sim_kill import kill_and_check

    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_and_check(seed, Path(folder), KILLS)
    replay = f"--histories 0 --kills {KILLS} --from {seed}"
    return Done(Counter({"kill -9": outcome.kills}), [(replay, text) for text in outcome.troubles])


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """All that was asked for."""
    seeds = range(options.first, options.first + options.histories)
    show = options.histories == 1
    shape, path = (options.steps, options.records, options.system), tuple(options.path)
    yield from (partial(history, seed, *shape, path, show) for seed in seeds)
    families = range(options.first, options.first + options.families)
    yield from (partial(family, seed, *shape) for seed in families)
    yield from (partial(killing, options.first + number) for number in range(-(-options.kills // KILLS)))
    if options.burst:
        yield from (partial(importing, system, options.burst, options.first) for system in SYSTEMS)
    if options.fault:
        side, number, kind = options.fault
        yield partial(failing_once, options.system or "overplane", side, int(number), kind)
    if options.crash:
        yield partial(replaying, options.system or "overplane", tuple(options.crash))
    if options.faults or options.pairs or options.stops:
        yield from _story(options)


def _story(options: argparse.Namespace) -> Iterator[Job]:
    from sim_scenario import INSTALLATIONS

    if options.faults:
        for system in [options.system] if options.system else INSTALLATIONS:
            yield from (partial(failing, system, number, SLICES) for number in range(SLICES))
    if options.pairs:
        for system in [options.system] if options.system else SYSTEMS:
            yield from (partial(crashing, system, number, SLICES) for number in range(SLICES))
    if options.stops:
        for system in [options.system] if options.system else INSTALLATIONS:
            yield from (partial(stopping, system, number, SLICES) for number in range(SLICES))


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=1000, metavar="N")
    parser.add_argument("--families", type=int, default=0, metavar="N", help="of 125 histories that share beginnings")
    parser.add_argument("--path", type=int, nargs="*", default=[], metavar="WAY", help="replay one of a family")
    parser.add_argument("--steps", type=int, default=60, metavar="N", help="of a history")
    parser.add_argument("--records", type=int, default=14, metavar="N", help="in Nexudus, of a history")
    parser.add_argument("--system", metavar="NAME", help="overplane or erpnext; left out: both, or each seed's own")
    parser.add_argument(
        "--store", choices=("sqlite", "postgresql"), default="sqlite", help="where histories have theirs"
    )
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="SEED")
    parser.add_argument("--faults", action="store_true", help="every call fails in every way")
    parser.add_argument("--pairs", action="store_true", help="all pairs of crashes")
    parser.add_argument("--stops", action="store_true", help="a worker is stopped at every moment of the story")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="real processes to kill")
    parser.add_argument("--burst", type=int, default=0, metavar="N", help="records imported within a minute")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep what was found; play only what is not there")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count(), metavar="N")
    parser.add_argument("--fault", nargs=3, metavar=("SIDE", "CALL", "KIND"), help="replay one failing call")
    parser.add_argument("--crash", nargs="*", metavar="AT N", help="replay crashes, such as: commit 12 after 3")
    return parser.parse_args()


def run(job: Job) -> Done:
    """In a worker."""
    return job()


class Record:
    """What jobs found, a line of JSON each, in a file or (None) only for now."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        if path is not None and path.exists():
            self.lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self.names = {line["job"] for line in self.lines}
        self.commit = commit()

    def add(self, job: Job, done: Done) -> None:
        """Keep what a job found."""
        line = {"job": name_of(job), "commit": self.commit, "figures": dict(done.figures), "troubles": done.troubles}
        self.lines.append(line)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def tell(self) -> int:
        """Print the figures; returns how many violations there were."""
        bad = 0
        for at in dict.fromkeys(line["commit"] for line in self.lines):
            lines = [line for line in self.lines if line["commit"] == at]
            figures, found = Counter[str](), sum(len(line["troubles"]) for line in lines)
            for line in lines:
                figures.update(line["figures"])
            told = " · ".join(f"{number:,} {what}" for what, number in figures.items())
            print(f"{at}: {told}: {found} violations")
            bad += found
        return bad


def commit() -> str:
    """Which state of the code this is, as git names it; a + says that files were changed since."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "this code"


def main() -> int:
    """Run everything that is not recorded yet; returns 1 when anything was violated, then or now."""
    options, began = parse(), time.monotonic()
    prepare(options.store)
    record = Record(options.record)
    todo = [job for job in jobs(options) if name_of(job) not in record.names]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, context, prepare, (options.store,)) as pool:
        under_way = {pool.submit(run, job): job for job in todo}
        for ended in as_completed(under_way):
            done = ended.result()
            record.add(under_way[ended], done)
            for replay, text in done.troubles:
                print(f"VIOLATION {text[:2000]}\n  replay: python benchmarks/reliability.py {replay}", flush=True)
    bad = record.tell()
    print(f"{bad} violations, {len(todo)} jobs in {time.monotonic() - began:,.0f} s")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
