"""Beside its peers: what does a record cost here, and what in dlt, in airbyte-cdk and with bare httpx?

    python benchmarks/peers.py [--records 1000 5000] [--rounds 5] [--latency 0 20] [--only dlt httpx] [--json]
    python benchmarks/peers.py --requests [--crm erpnext]

The peers do the pulling half of the job: the list of Nexudus opportunities, whose rows are partial, then one GET for
each full record. dlt loads them into JSON lines, airbyte-cdk writes its messages; bare httpx, the floor, keeps none.
This project does the whole job for a *pair*: the same records stand on both sides, it reads both, maps, matches and
merges them and stores the links; nothing differs, so nothing is written. `plan` rehearses creating every record in an
empty CRM, `idle` is a cycle over linked pairs in which nothing has changed.

Each run is a process of its own; processor time (user and system) and peak memory are what the kernel says of it when
it ends. A record costs the difference between the two numbers of records, so start-up cancels out. Rounds are
interleaved, each figure is the median. Peers and floor have virtual environments of their own in `.peers/`, made at the
first run from the pins in `peers.txt`: what they depend on must not come into ours, nor ours change the floor.

The server (`beside/server.py`) is out of the way: the doubles' answers, kept, in a process of its own. `--latency`
holds each back by some milliseconds. All of them have `--connections` at once, this project as its `readers`. No limit
is the brake: those of the configuration are lifted, and a poll comes once an hour.

`--store postgresql` gives this project a PostgreSQL server, which is started for it (`--only backfill idle`). What the
server itself uses is told beside.

`--requests` counts what this project asks of each system for a matched pair and for a record that it creates.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

import stores  # noqa: E402
from beside.figures import Run, markdown, row, table  # noqa: E402
from beside.run_ours import CYCLES  # noqa: E402
from beside.server import Server  # noqa: E402

PINS = HERE / "peers.txt"
FLOOR = "bare httpx"
FILE = "sqlite:///state.db"
"""What a sandbox's configuration calls its store."""
FOREIGN = {"httpx": FLOOR, "dlt": "dlt", "airbyte": "airbyte-cdk"}
OURS = {
    "backfill": "nexudus-sync, a matched pair",
    "plan": "nexudus-sync, plan of a create",
    "idle": "nexudus-sync, idle",
}
INSTALLED = {"httpx": ("httpx",), "dlt": ("dlt", "airbyte-cdk"), "airbyte": ("dlt", "airbyte-cdk")}
FEW, MANY = 100, 300
"""Records of the counted runs: what a call costs does not matter there."""


def python(folder: Path, packages: Sequence[str]) -> Path:
    """The interpreter of a virtual environment with these packages, made if the pins have changed since."""
    home = folder / "-".join(packages)
    made, mark = home / "made", hashlib.sha256(PINS.read_bytes()).hexdigest()
    program = home / "bin" / "python"
    if not made.exists() or made.read_text() != mark:
        print(f"making {home} …", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        install = (
            str(program),
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-c",
            str(PINS),
            *packages,
        )
        subprocess.run(install, check=True)
        made.write_text(mark)
    return program


def measured(arguments: Sequence[str], folder: Path, environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command in a folder: processor seconds, wall seconds, peak MB. Ends this program when it fails."""
    began = time.monotonic()
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(arguments, cwd=folder, env={**os.environ, **environment}, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{(folder / 'said').read_text(errors='replace')[-4000:]}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


class Bench:
    """The worlds and environments of one invocation."""

    def __init__(self, server: Server, given: argparse.Namespace, scratch: Path) -> None:
        self._server, self._given, self._scratch = server, given, scratch
        self._worlds: dict[str, dict[str, Any]] = {}
        self._linked: dict[int, Path] = {}

    def world(self, nexudus: int, crm: int, *, live: bool = False) -> tuple[str, dict[str, Any]]:
        """A world with so many records on each side, as many as possible of them shared; its name and addresses."""
        name = f"{nexudus}-{crm}-{live}"
        if name not in self._worlds:
            counts = {"nexudus": nexudus, "crm": crm, "shared": min(nexudus, crm)}
            self._worlds[name] = self._server.ask("open", name, self._given.crm, counts, live)
        return name, self._worlds[name]

    def run(self, what: str, records: int, latency: float) -> Run:
        """One measured run. Ends this program when it did not read what is there, or wrote something."""
        name, world = self.world(records, 0 if what == "plan" else records)
        if what == "idle" and records not in self._linked:
            self._linked[records] = self._folder(world)
            self.start("backfill", self._linked[records], world)
        folder = self._folder(world, self._linked[records] if what == "idle" else None)
        self._server.ask("calls", name, latency / 1000)
        cpu, wall, peak = self.start(what, folder, world)
        calls = self._server.ask("calls", name, 0.0)
        self._check(what, folder, records, calls)
        shutil.rmtree(folder)
        asked = [sum(each.values()) for each in calls]
        return Run(cpu, wall, peak, (asked[0], asked[1]), CYCLES if what == "idle" else 1)

    def counted(self, nexudus: int, crm: int) -> tuple[list[int], int]:
        """A backfill whose writes are sent: the requests that each system had, and how many pairs are linked then."""
        name, world = self.world(nexudus, crm, live=True)
        folder = self._folder(world)
        self.start("backfill", folder, world)
        linked = json.loads((folder / "outcome.json").read_text())["records"]
        return [sum(each.values()) for each in self._server.ask("calls", name, 0.0)], linked

    def start(self, what: str, folder: Path, world: dict[str, Any]) -> tuple[float, float, float]:
        """Run a runner; see `measured`."""
        runner, program = what, sys.executable
        if what in FOREIGN:
            program = str(python(self._given.environments, INSTALLED[what]))
        else:
            runner = "ours"
        command = (program, str(HERE / "beside" / f"run_{runner}.py"), str(folder / "spec.json"), what)
        return measured(command, folder, world["environment"] if runner == "ours" else {})

    def _folder(self, world: dict[str, Any], like: Path | None = None) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        if like is not None:
            shutil.copytree(like, folder, dirs_exist_ok=True)
        spec = {
            "base_url": world["base_url"],
            "username": world["environment"]["NEXUDUS_USERNAME"],
            "password": world["environment"]["NEXUDUS_PASSWORD"],
            "list": "/crm/crmopportunities",
            "params": {"size": 1000, "CrmOpportunity_CrmBoardColumn_CrmBoard_Business_Id": world["business_id"]},
            "connections": self._given.connections,
            "folder": str(folder),
        }
        (folder / "spec.json").write_text(json.dumps(spec))
        readers = f"[run]\nreaders = {self._given.connections}\n"
        config = readers + world["config"]
        if stores.on_server():
            kept = (
                None
                if like is None
                else re.search('^url = "(postgresql.*)"$', (like / "config.toml").read_text(), re.M)
            )
            config = config.replace(FILE, stores.new_url() if kept is None else kept[1])
        (folder / "config.toml").write_text(config)
        return folder

    @staticmethod
    def _check(what: str, folder: Path, records: int, calls: list[dict[str, int]]) -> None:
        if any(each.get("writes") for each in calls):
            sys.exit(f"{what} sent writes: {calls}. The server's kept answers are wrong from then on.")
        if what == "plan":
            read = (folder / "said").read_text().count('"action":"create"')
            wanted = range(records - records // 20, records + 1)  # some have no e-mail address, or wait for a person
        else:
            read, wanted = json.loads((folder / "outcome.json").read_text())["records"], range(records, records + 1)
        if read not in wanted:
            sys.exit(f"{what} has {read} of {records} records")


def compare(bench: Bench, given: argparse.Namespace) -> None:
    """Measure, and print a table for each latency."""
    names = {**FOREIGN, **OURS}
    for latency in given.latency:
        runs: dict[tuple[str, int], list[Run]] = defaultdict(list)
        for turn in range(given.rounds):
            for records in given.records:
                for what in given.only:
                    began = stores.server_seconds() if stores.on_server() else 0.0
                    runs[what, records].append(bench.run(what, records, latency))
                    last = runs[what, records][-1]
                    progress = f"round {turn + 1}, {names[what]}, {records}: {last.cpu:.2f} s, {last.wall:.2f} s wall"
                    if stores.on_server():
                        progress += f", {stores.server_seconds() - began:.2f} s of the server's"
                    print(progress, file=sys.stderr, flush=True)
        few, many = given.records
        rows = [row(names[what], runs[what, few], runs[what, many], (few, many)) for what in given.only]
        if given.json:
            print(json.dumps({"latency_ms": latency, "crm": given.crm, "rows": [one.as_json() for one in rows]}))
        else:
            print(f"\n{given.crm}, {latency} ms of latency, {few} and {many} records, median of {given.rounds}\n")
            print(table(rows, FLOOR))


def requests(bench: Bench, given: argparse.Namespace) -> None:
    """Count, and print what a pair and a create cost in requests."""
    kinds = {"a matched pair": (1, 1), "a create in the CRM": (1, 0), "a create in Nexudus": (0, 1)}
    lines = [("", "Nexudus requests", "CRM requests", "together")]
    found = []
    for name, (nexudus, crm) in kinds.items():
        few, many = (bench.counted(number * nexudus, number * crm) for number in (FEW, MANY))
        each = [(after - before) / (many[1] - few[1]) for before, after in zip(few[0], many[0], strict=True)]
        lines.append((name, *(f"{one:.2f}" for one in (*each, sum(each)))))
        found.append({"name": name, "nexudus": round(each[0], 3), "crm": round(each[1], 3)})
    print(json.dumps({"crm": given.crm, "requests": found}) if given.json else f"\n{given.crm}\n\n{markdown(lines)}")


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = (*FOREIGN, *OURS)
    parser.add_argument("--records", type=int, nargs=2, default=[1000, 5000], metavar="N", help="few and many records")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--latency", type=int, nargs="+", default=[0], metavar="MS", help="of each answer")
    parser.add_argument("--connections", type=int, default=10, metavar="N", help="of the peers and the floor")
    parser.add_argument("--only", nargs="+", choices=known, default=list(known), metavar="NAME", help=", ".join(known))
    parser.add_argument("--crm", choices=("overplane", "erpnext"), default="overplane")
    parser.add_argument("--store", choices=stores.KINDS, default="sqlite", help="of this project")
    parser.add_argument("--requests", action="store_true", help="count this project's requests, measure nothing")
    parser.add_argument("--json", action="store_true")
    place = HERE.parent / ".peers"
    parser.add_argument("--environments", type=Path, default=place, help="folder of the peers' virtual environments")
    given = parser.parse_args()
    if given.records[0] >= given.records[1]:
        parser.error("--records: the second number has to be the greater one")
    return given


def main() -> None:
    given = options()
    stores.choose(given.store)
    with tempfile.TemporaryDirectory() as scratch, Server() as server:
        (requests if given.requests else compare)(Bench(server, given, Path(scratch)), given)


if __name__ == "__main__":
    main()
