"""A fleet: how well do workers keep time over very many tenants, at what cost, and while one is killed again and again?

    python benchmarks/fleet.py [--tenants 200] [--workers 2] [--minutes 10] [--kills 5] [--edits 20] [--json]

Starts PostgreSQL (durable, as it would be installed), one process with every tenant's doubles, and workers as anybody
would. Each tenant has one connection that is polled once a minute. After all first runs have ended it is measured for
some minutes: how late each poll came, counted from its moment in the minute; the longest time between two polls of a
connection; and the processor time of workers and database a poll. `--edits`: people's edits a minute, all of which must
have been carried over at the end. `--kills`: for so many minutes more, one worker is ended with kill -9 every 30
seconds, and another one started.

Fails when a poll is later than 60 seconds (90 with kills), or when the two sides of a tenant do not agree.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

from beside.server import Server  # noqa: E402
from beside.tenants import Tenants  # noqa: E402
from nexudus_sync.worker.due import phase  # noqa: E402
from postgres_server import PostgresServer, _end_with_parent  # noqa: E402

POLL = 60.0
KILL_EVERY = 30.0
LATEST, LATEST_KILLED = 60.0, 90.0
"""How late a poll may be, in seconds."""
COUNTS = {"nexudus": 10, "crm": 10, "shared": 10}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Lateness is in seconds; processor time in seconds a poll, and as a share of one core."""

    tenants: int
    workers: int
    minutes: float
    kills: int
    polls: int
    late_median: float
    late_99: float
    late_most: float
    longest_gap: float
    edits: int
    first_runs: float
    processor_workers: float
    processor_database: float
    share_workers: float
    share_database: float
    megabytes: float
    wrong: list[str]

    @property
    def missed(self) -> bool:
        return bool(self.wrong) or self.late_most > (LATEST_KILLED if self.kills else LATEST)


class Workers:
    """The workers' processes. `spent`: the processor time of those that have ended."""

    def __init__(self, folder: Path, count: int, options: list[str]) -> None:
        self._folder, self._options, self.spent = folder, options, 0.0
        self.running: list[subprocess.Popen[bytes]] = []
        for _ in range(count):
            self.start()

    def start(self) -> None:
        log = (self._folder / "worker.log").open("ab")
        program = Path(sys.executable).with_name("nexudus-sync")
        command = [program, "-c", str(self._folder / "config.toml"), "worker"]
        started = subprocess.Popen([*command, *self._options], stdout=log, stderr=log, preexec_fn=_end_with_parent)
        self.running.append(started)

    def kill(self) -> None:
        """Kill one, and start another, as a service manager would."""
        one = self.running.pop(random.randrange(len(self.running)))
        self.spent += processor(one.pid)
        one.kill()
        one.wait()
        self.start()

    def check(self) -> None:
        """Fail when one has ended by itself."""
        if any(one.poll() is not None for one in self.running):
            raise SystemExit((self._folder / "worker.log").read_text()[-2000:])

    def processor(self) -> float:
        return self.spent + sum(processor(one.pid) for one in self.running)

    def megabytes(self) -> float:
        return max(peak(one.pid) for one in self.running)

    def stop(self) -> None:
        for one in self.running:
            one.send_signal(signal.SIGTERM)
        for one in self.running:
            one.wait()


def processor(pid: int) -> float:
    """Processor time of a process and of its children that have ended, in seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(one) for one in fields[11:15]) / TICKS


def peak(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")) / 1024


def family(pid: int) -> float:
    """Processor time of a process and all that it started."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return processor(pid) + sum(processor(int(one)) for one in found)


def lay_out(folder: Path, url: str, doubles: Server, tenants: int) -> list[str]:
    """Write a fleet's files; its connections' names."""
    front, names = doubles.ask("open"), [f"t{number:04}" for number in range(tenants)]
    (folder / "config.toml").write_text(
        f'[store]\nurl = "{url}"\n[log]\nformat = "json"\n[fleet]\nfolder = "tenants"\n'
    )
    for name in names:
        made = doubles.ask("add", name, front, COUNTS, f"{POLL:.0f}s")
        place = folder / "tenants" / name
        place.mkdir(parents=True)
        (place / "config.toml").write_text(made["config"])
        lines = (f"{key}='{value}'" for key, value in made["environment"].items())
        (place / "secrets.env").write_text("\n".join(lines))
    return [f"{name}/london" for name in names]


def lateness(name: str, listed: list[float], since: float, until: float) -> list[float]:
    """How late the poll of each of the connection's moments was, and how late one is that is missing."""
    offset, found = phase(name) * POLL, []
    moment = since + (offset - since) % POLL
    while moment + POLL <= until:
        after = [at for at in listed if at >= moment - 0.05]
        found.append((min(after) if after else until) - moment)
        moment += POLL
    return found


def gap(listed: list[float], since: float, until: float) -> float:
    moments = [since, *(at for at in listed if since <= at <= until), until]
    return max(later - earlier for earlier, later in pairwise(moments))


def measured(asked: argparse.Namespace, folder: Path) -> list[Figures]:
    server = PostgresServer(durable=True, max_connections="200", shared_buffers="128MB").start()
    doubles = Server(Tenants)
    workers = None
    try:
        database = server.create()
        names = lay_out(folder, server.url(database), doubles, asked.tenants)
        began = time.time()
        workers = Workers(folder, asked.workers, asked.option)
        done = "SELECT count(*) FROM connection_state WHERE backfilled_at IS NOT NULL"
        while not _ready(server, database, done, asked.tenants):
            workers.check()
            time.sleep(1)
        first_runs = time.time() - began
        time.sleep(POLL)  # what the first runs left to do is done by then
        phases = [(asked.minutes, 0.0), (asked.kills, KILL_EVERY)]
        return [
            _phase(asked, minutes, kill, names, server, doubles, workers, first_runs)
            for minutes, kill in phases
            if minutes
        ]
    finally:
        if workers is not None:
            workers.stop()
        doubles.close()
        server.close()


def _ready(server: PostgresServer, database: str, question: str, count: int) -> bool:
    try:
        return bool(server.run(question, database)[0][0] >= count)
    except Exception:
        return False  # the first worker is still making the tables


def _phase(
    asked: argparse.Namespace,
    minutes: float,
    kill: float,
    names: list[str],
    server: PostgresServer,
    doubles: Server,
    workers: Workers,
    first_runs: float,
) -> Figures:
    assert server._process is not None
    doubles.ask("listed")
    since, kills = time.time(), 0
    until = since + minutes * 60
    before = workers.processor(), family(server._process.pid)
    next_kill, next_edit = since + (kill or 1e9), since
    while (now := time.time()) < until:
        if now >= next_kill:
            workers.kill()
            kills, next_kill = kills + 1, next_kill + kill
        if asked.edits and now >= next_edit and now < until - 100:  # the last ones are carried over in time
            doubles.ask("edit", 1)
            next_edit += 60 / asked.edits
        time.sleep(0.2)
    after = workers.processor(), family(server._process.pid)
    listed = doubles.ask("listed")
    seen = {name: listed.get(name.partition("/")[0], []) for name in names}
    late = sorted(one for name in names for one in lateness(name, seen[name], since, until))
    polls, seconds = sum(map(len, seen.values())), until - since
    spent = after[0] - before[0], after[1] - before[1]
    return Figures(
        tenants=asked.tenants,
        workers=asked.workers,
        minutes=minutes,
        kills=kills,
        polls=polls,
        late_median=round(median(late), 2),
        late_99=round(late[len(late) * 99 // 100], 2),
        late_most=round(late[-1], 2),
        longest_gap=round(max(gap(seen[name], since, until) for name in names), 1),
        edits=doubles.ask("edits"),
        first_runs=round(first_runs, 1),
        processor_workers=round(spent[0] / polls, 4),
        processor_database=round(spent[1] / polls, 4),
        share_workers=round(spent[0] / seconds, 3),
        share_database=round(spent[1] / seconds, 3),
        megabytes=round(workers.megabytes(), 1),
        wrong=doubles.ask("wrong"),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--kills", type=float, default=0, help="minutes with kills, after those without")
    parser.add_argument("--edits", type=float, default=20, help="edits a minute")
    parser.add_argument(
        "--option", action="append", default=[], help="an option of `worker`, such as --option=--port=0"
    )
    parser.add_argument("--keep", type=Path, help="a folder for the files and the log, which is kept")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = measured(asked, folder)
    for figures in found:
        if asked.json:
            print(json.dumps(asdict(figures)))
            continue
        for name, value in asdict(figures).items():
            print(f"{name.replace('_', ' '):>20}  {value}")
    return int(any(figures.missed for figures in found))


if __name__ == "__main__":
    sys.exit(main())
