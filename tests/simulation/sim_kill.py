"""Real processes that are really killed: the command line on a store on disk, against the sandbox on sockets."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sim_checker import accounted, no_duplicates
from sim_desks import Desk, desk
from sim_people import People
from sim_rest import at_rest

from nexudus_sandbox.double import Double
from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.seed import Seeded
from nexudus_sandbox.seed.places import Place
from nexudus_sandbox.wire import Request, Response
from nexudus_sandbox.world import World
from nexudus_sync.mapping import Side
from nexudus_sync.store import Store

COMMAND = (sys.executable, "-c", "from nexudus_sync.cli import main; main()", "--config")
BACKFILL, SYNC, SWEEP = ("backfill", "--yes"), ("sync",), ("sync", "--reconcile")
CALLS = {BACKFILL: 90, SYNC: 30}
"""About how many calls a run makes: it is killed at one of them."""
START_UP = 1.5
"""Seconds within which some runs are killed, whatever they have done by then."""
KILLS = 5
"""How many processes of an installation are killed, if they are not done before."""
PATIENCE = 120.0
"""Seconds after which a run that does not end is a failure."""
LAST_SYNCS = 5


@dataclass(slots=True)
class Killed:
    """What came of an installation: how many processes died, and what is not as it should be."""

    kills: int = 0
    troubles: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Office:
    """An installation in a folder, as the checker and the people know it."""

    world: World
    store: Store

    @property
    def nexudus(self) -> NexudusDouble:
        return self.world.nexudus

    @property
    def crm(self) -> Double:
        return self.world.crm.double

    @property
    def seeded(self) -> Seeded:
        return self.world.seeded

    @property
    def places(self) -> dict[str, Place]:
        return {"london": self.world.seeded.places.london}

    @property
    def desk(self) -> Desk:
        return desk(self.world.crm_name, self.world.crm)

    def double(self, side: Side) -> Double:
        return self.nexudus if side is Side.NEXUDUS else self.crm


def kill_and_check(seed: int, folder: Path, kills: int = KILLS, *, chosen: str | None = None) -> Killed:
    """Kill a backfill and syncs of one installation, while people go on with their work, then let it come to rest.

    What the dead leave behind is found by the next process, which may die of it. `chosen` is the CRM, else it is drawn.
    """
    rng, outcome = random.Random(seed), Killed()
    drawn = rng.choice(["overplane", "erpnext"])
    system = chosen or drawn
    with World(crm_name=system, nexudus=12, crm=9, shared=4, seed=seed) as world:
        config = world.config_toml() + '\n[run]\nabsence_wait = "1s"\n'
        (folder / "config.toml").write_text(config, encoding="utf-8")
        for number in range(2 * kills):
            outcome.kills += _killed(world, folder, SYNC if number > 1 else BACKFILL, rng)
            if outcome.kills == kills:
                break
            _people_work(world, folder, rng, number)
        _come_to_rest(world, folder, outcome)
        with _office(world, folder) as office:
            rest = at_rest(office)  # type: ignore[arg-type]
            found = [*no_duplicates(office, rest), *accounted(office, rest)]  # type: ignore[arg-type]
            outcome.troubles += [f"{one.invariant}: {one.text}" for one in found]
    return outcome


def _people_work(world: World, folder: Path, rng: random.Random, number: int) -> None:
    with _office(world, folder) as office:
        people = People(office, rng)  # type: ignore[arg-type]
        people.count = 100 * number
        for _ in range(5):
            people.act()


def _come_to_rest(world: World, folder: Path, outcome: Killed) -> None:
    """Sync until nothing is written; then the next sync writes nothing either.

    The first one sweeps: people rename, which leaves no trace that a poll could see.
    """
    written = []
    for number in range(LAST_SYNCS):
        before = _writes(world)
        _finished(world, folder, SYNC if number else SWEEP, outcome)
        written.append(_writes(world) - before)
        if written[-2:] == [0, 0]:
            return
    outcome.troubles.append(f"the last syncs still write: {written}")


def _writes(world: World) -> int:
    entries = [*world.nexudus.log, *world.crm.double.log]
    reads = ("/token", "/search", "/batch/read")
    return sum(entry.method != "GET" and not entry.path.endswith(reads) for entry in entries)


@contextmanager
def _office(world: World, folder: Path) -> Iterator[Office]:
    with closing(Store.open("sqlite:///state.db", base_dir=folder)) as store:
        yield Office(world, store)


def _run(world: World, folder: Path, verb: tuple[str, ...]) -> "subprocess.Popen[str]":
    environment = {**os.environ, **world.environment()}
    command = [*COMMAND, str(folder / "config.toml"), *verb]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder
    )


def _finished(world: World, folder: Path, verb: tuple[str, ...], outcome: Killed) -> None:
    """Run a verb to its end, which has to be a good one."""
    with _run(world, folder, verb) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    if process.returncode:
        outcome.troubles.append(f"{' '.join(verb)} ended with {process.returncode}: {errors.strip()}")


def _killed(world: World, folder: Path, verb: tuple[str, ...], rng: random.Random) -> bool:
    """Run a verb and kill it at a random call, or at a random moment of its start; False when it was done before."""
    early, delay = rng.random() < 0.15, rng.uniform(0, 0.02)
    at_call, moment = rng.randint(1, CALLS[verb]), rng.uniform(0.2, START_UP)
    with _run(world, folder, verb) as process:
        timers = [threading.Timer(moment, process.kill)] if early else []
        for timer in timers:
            timer.start()
        with _watched(world, lambda calls: calls == at_call and timers.append(_kill_in(delay, process))):
            process.communicate(timeout=PATIENCE)
        for timer in timers:
            timer.cancel()
            timer.join()
    return process.returncode < 0


def _kill_in(seconds: float, process: "subprocess.Popen[str]") -> threading.Timer:
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    return timer


@contextmanager
def _watched(world: World, called: Callable[[int], object]) -> Iterator[None]:
    """Tell of every call, with how many there were by now."""
    count, lock = [0], threading.Lock()

    def watch(_request: Request, _response: Response) -> None:
        with lock:
            count[0] += 1
            number = count[0]
        called(number)

    for double in (world.nexudus, world.crm.double):
        double.watchers.append(watch)
    try:
        yield
    finally:
        for double in (world.nexudus, world.crm.double):
            double.watchers.remove(watch)
