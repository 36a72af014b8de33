"""Commands that must answer at once: what do they cost, in processor time and memory, as the store grows?

    python benchmarks/commands.py [--rows 1000 5000 20000 100000] [--runs 5] [--source OTHER/src]

For each number of rows it fills a store with as many links, conflicts, failures, journal rows and history entries, runs
each command in processes of its own and keeps the least processor time (user and system) and the peak memory. Then it
lets the store go of everything that is old, and times each step. Prints a table of how each figure grows; fails when
`--version`, `status` or `conflicts list` takes 0.35 s. `--source` measures another checkout, for comparison.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CPU_SECONDS = 0.35
AT_ONCE = ("--version", "status", "status --json", "conflicts list")
"""The commands that the limit is for."""
COMMANDS = (
    *AT_ONCE,
    "conflicts list --json",
    "failures list",
    "failures list --json",
    "links list",
    "links list --json",
    "history",
    "history --json",
)
CONFIG = """\
[nexudus]
username = "${N}"
password = "${N}"
[crm.overplane]
connector = "overplane"
token = "${N}"
[[connection]]
name = "london"
crm = "overplane"
scope = { business_id = 1001 }
"""
BATCH = 10_000
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def fill(folder: str, rows: int) -> None:
    """Make the store and fill it, a batch of rows at a time."""
    from sqlalchemy import insert

    from nexudus_sync.store import Store
    from nexudus_sync.store.tables import Conflict, ConnectionState, Failure, History, Journal, Link

    store = Store.open("sqlite:///state.db", base_dir=Path(folder))
    with store.session() as session:
        session.add(ConnectionState(name="london", crm="overplane", last_success=NOW, backfilled_at=NOW))
    for first in range(0, rows, BATCH):
        numbers = range(first, min(rows, first + BATCH))
        with store.session() as session:
            for table in (Link, Conflict, Failure, History, Journal):
                session.connection().execute(insert(table), [row(table.__name__, number) for number in numbers])
    store.close()


def row(table: str, number: int) -> dict[str, Any]:
    """A row as a busy office has it: all of the history and the journal is old."""
    ids = {"connection": "london", "nexudus_id": str(87_000_000 + number), "crm_id": f"opportunity_{number:026}"}
    old = NOW - timedelta(days=800) + timedelta(minutes=number)
    title = f"Private office for {number % 40} desks, from March"
    values = {"old": title, "new": f"{title} on", "lost": None}
    more: dict[str, dict[str, Any]] = {
        "Link": {
            "crm": "overplane",
            "created_at": old,
            "nexudus_snapshot": {"Name": title, "Value": number},
            "crm_snapshot": {"title": title, "opportunity_amount": number},
        },
        "Conflict": {"field": "title", "base": title, "nexudus": f"{title} on", "crm": title[8:], "opened_at": old},
        "Failure": {
            "kind": "unmapped",
            "field": "sales_stage",
            "reason": f"'Stage {number}' is not in the mapping; add it to fields.sales_stage.values",
            "first_at": old,
            "last_at": old,
        },
        "History": {"at": old, "field": "notes", "from_side": "crm", **values},
        "Journal": {
            "side": "crm",
            "kind": "opportunity.update",
            "link_id": number + 1,
            "state": "confirmed",
            "fields": {"title": values},
            **dict.fromkeys(("planned_at", "sent_at", "done_at"), old),
        },
    }
    return {**ids, **more[table]}


def prune(folder: str, pipe: Any) -> None:
    """Let the store go of all that is old; sends how many rows went, in how many steps, and the seconds they took."""
    from nexudus_sync.store import Store
    from nexudus_sync.store.retention import Cutoffs
    from nexudus_sync.store.retention import prune as step

    cutoffs = Cutoffs(NOW - timedelta(days=400), NOW - timedelta(days=60))
    store, gone, steps, count = Store.open("sqlite:///state.db", base_dir=Path(folder)), 0, list[float](), 1
    began = time.process_time()
    while count:
        at = time.perf_counter()
        with store.session() as session:
            count = step(session, cutoffs)
        steps.append(time.perf_counter() - at)
        gone += count
    pipe.send((gone, len(steps), max(steps), time.process_time() - began))
    store.close()


def cost(folder: Path, words: list[str], runs: int, source: Path | None) -> tuple[float, float]:
    """The least processor seconds and the peak MB of a command, of so many runs."""
    environment = {**os.environ, "N": "x" * 16} | ({} if source is None else {"PYTHONPATH": str(source)})
    command = [sys.executable, "-c", "from nexudus_sync.cli import main; main()", *words]
    seconds, peak = float("inf"), 0.0
    for _ in range(runs):
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(words)}: {said.decode()}")
        process.returncode = 0
        seconds, peak = min(seconds, used.ru_utime + used.ru_stime), max(peak, used.ru_maxrss / 1024)
    return seconds, peak


def measure(folder: Path, rows: int, runs: int, source: Path | None) -> Iterator[tuple[str, tuple[float, float]]]:
    """Each command's figures with so many rows. The store is filled by a process of its own, so that this one is small.

    A child's peak memory counts what its parent had when it was started.
    """
    (folder / "config.toml").write_text(CONFIG)
    filling = multiprocessing.get_context("spawn").Process(target=fill, args=(str(folder), rows))
    filling.start()
    filling.join()
    for command in COMMANDS:
        yield command, cost(folder, command.split(), runs, source)


def report_prune(folder: Path, rows: int) -> None:
    """Time the steps in which the store lets go of what is old."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=prune, args=(str(folder), there))
    process.start()
    gone, steps, longest, cpu = here.recv()
    process.join()
    print(f"{rows:>9,}  {gone:>9,}  {steps:>6,}  {longest * 1000:>11.0f}  {cpu:>9.2f}", flush=True)


def main() -> int:
    """Measure; returns 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 5_000, 20_000], metavar="N")
    parser.add_argument("--runs", type=int, default=5, help="How often each command is run.")
    parser.add_argument("--source", type=Path, help="The src folder of another checkout to measure.")
    given = parser.parse_args()
    source = None if given.source is None else given.source.resolve()
    figures: dict[str, list[tuple[float, float]]] = {command: [] for command in COMMANDS}
    with tempfile.TemporaryDirectory() as top:
        for rows in given.rows:
            folder = Path(top) / str(rows)
            folder.mkdir()
            for command, found in measure(folder, rows, given.runs, source):
                figures[command].append(found)
        print("processor seconds, peak MB" + "".join(f"{f'{rows:,} rows':>18}" for rows in given.rows))
        for command, each in figures.items():
            print(f"{command:<26}" + "".join(f"{cpu:>10.2f} {peak:>4.0f} MB" for cpu, peak in each), flush=True)
        if source is None:
            print("\n     rows       gone   steps  longest, ms  processor", flush=True)
            for rows in given.rows:
                report_prune(Path(top) / str(rows), rows)
    return int(max(cpu for command in AT_ONCE for cpu, _ in figures[command]) >= CPU_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
