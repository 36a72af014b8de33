"""One history: a seed's random mix of work, faults, crashes and cycles, then healing, then the checker."""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from sim_checker import Violation, check
from sim_odd import KEPT, go_wrong
from sim_people import People
from sim_settings import reconfigure
from sim_time import Deadlock
from sim_world import Crash, SimWorld

from nexudus_sandbox.faults import KINDS
from nexudus_sync.connectors import registry
from nexudus_sync.connectors.nexudus import listing
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side

LATE = 8.0
"""Seconds after which a late commit lands: within the time recovery waits before it believes an absence."""
PACES = (0.02, 0.04, 0.08, 0.16)
"""How often a step is a cycle: from a sync that is behind people's work to one that follows their every move."""
SHORT = 50
"""In histories of fewer steps the sync runs more often, for otherwise many of them had no cycle among their faults."""
CITIES = (("london",), ("london",), ("london", "madrid"))
"""The locations that are connected, each with a company of its own, all to one CRM."""
QUIET = 8
"""How many cycles without edits and faults a world gets to come to rest."""


@dataclass(slots=True)
class Trace:
    """What happened, line by line; the same for the same seed."""

    seed: int
    lines: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    edits: int = 0
    cycles: int = 0
    crashes: int = 0
    faults: int = 0
    exempt: int = 0

    def note(self, world: SimWorld, text: str) -> None:
        """One more line, with the virtual time."""
        self.lines.append(f"{world.clock.seconds:9.2f} {text}")


def run_history(
    seed: int,
    folder: Path,
    *,
    steps: int = 60,
    records: int = 14,
    system: str | None = None,
    path: tuple[int, ...] = (),
) -> Trace:
    """Play one seed and check it. `records`: how many Nexudus has at first; the CRM has fewer, some are shared.

    `path` is the member's place in a family: at the forks of `sim_family` its digits decide how it goes on.
    """
    with history(seed, folder, steps=steps, records=records, system=system) as played:
        turns = forks(steps, len(path))
        for step in range(steps):
            if step in turns:
                played.turn(path[: turns.index(step) + 1])
            played.step()
        return played.end()


def forks(steps: int, number: int) -> list[int]:
    """The steps at which a history takes one of several ways, so that most of it comes before."""
    return [steps * (number + 2 + nth) // (2 * number + 2) for nth in range(number)]


@contextmanager
def history(seed: int, folder: Path, *, steps: int, records: int, system: str | None = None) -> Iterator["Played"]:
    """A history of so many steps that has begun: the world of this seed, after its first cycle."""
    rng = random.Random(seed * 7919 + 13)
    counts = {"nexudus": records, "crm": records * 5 // 7, "shared": records * 5 // 14}
    mode, chosen = rng.choice(["ignore", "ignore", "propagate"]), rng.choice(["overplane", "erpnext"])
    size = rng.choice([2, 7, 500])
    lines = [f"page_size = {min(size, 100) if system == 'hubspot' else size}"]
    if (system or chosen) == "erpnext":
        lines += rng.choice([["create_missing = true"], []]) + rng.choice([["own_names = true"], []])
    settings = {"deletes": mode, "system": system or chosen, "crm_settings": "\n".join(lines)}
    world = SimWorld(seed, folder, **settings, **counts, cities=rng.choice(CITIES))
    _vary(world, rng)
    people = People(world, rng, moves=len(world.places) > 1 or rng.random() < 0.2)
    played = Played(world, Trace(seed), people, rng, rng.choice(PACES) * max(1, SHORT / steps))
    patch = pytest.MonkeyPatch()
    patch.setattr(listing, "LARGEST_PAGE", rng.choice([2, 5, 1000]))
    patch.setattr(registry, "entry_points", cache(registry.entry_points))  # read at every restart else
    try:
        _cycle(world, played.trace, played.people, rng)
        yield played
    finally:
        patch.undo()
        world.close()


@dataclass(slots=True)
class Played:
    """A history under way. `pace`: how often a step is a cycle."""

    world: SimWorld
    trace: Trace
    people: People
    rng: random.Random
    pace: float

    def step(self) -> None:
        """One thing happens."""
        _step(self.world, self.trace, self.people, self.rng, self.pace)

    def turn(self, path: tuple[int, ...]) -> None:
        """From here on chance goes another way for each path."""
        self.rng.seed(f"{self.trace.seed} {path}")
        self.world.rng.seed(f"{path} {self.trace.seed}")
        self.trace.note(self.world, f"turn {path}")

    def end(self) -> Trace:
        """The world comes to rest, and is checked."""
        _heal(self.world, self.trace)
        self.trace.violations, self.trace.exempt = check(self.world)
        return self.trace


def _vary(world: SimWorld, rng: random.Random) -> None:
    """What the servers are like: their clocks, how late an edit shows, and the rest that no two of them share."""
    world.nexudus.options.late_visible = rng.choice([0.0, 0.0, 3.0, 20.0])
    world.nexudus.options.keeps_system_id = rng.random() < 0.7
    world.nexudus.offset, world.crm.offset = rng.uniform(-600, 600), rng.uniform(-600, 600)
    if world.desk.system == "overplane":
        world.crm.options.children_move_parent = rng.random() < 0.3
        world.crm.options.keeps = rng.choice(KEPT)
    elif world.desk.system == "hubspot":
        world.crm.options.search_lag = rng.choice([0.0, 3.0, 30.0])
        world.crm.options.says_source = rng.random() < 0.7
        world.crm.options.closing_by = rng.choice(["writer", "hubspot"])
        world.crm.options.apps_clear_editor = rng.random() < 0.3
        world.crm.options.touch_after = rng.choice([0.0, 0.4])
        world.crm.options.sent_closedate_stays = rng.random() < 0.5
        world.crm.options.second_delete = rng.choice([204, 404])
        world.crm.options.blank = rng.choice(["null", "missing"])
        if rng.random() < 0.5:  # in the others the stages of closed deals are called as columns are
            for stage in (stage for one in world.crm.pipelines.all for stage in one.stages if stage.closed):
                stage.label = f"Closed {stage.label.lower()}"
    else:
        world.crm.options.late_commit = rng.choice([0.0, 0.0, 3.0, 20.0])


def _step(world: SimWorld, trace: Trace, people: People, rng: random.Random, pace: float) -> None:
    """One thing happens. `pace`: how often it is a cycle."""
    if rng.random() < pace:
        reconcile = rng.random() < 0.1
        if reconcile:
            trace.note(world, "reconcile")
        _cycle(world, trace, people, rng, busy=rng.random() < 0.4, reconcile=reconcile)
        return
    roll = rng.random()
    if roll < 0.62:
        trace.edits += 1
        trace.note(world, people.act(deletes=True))
    elif roll < 0.80:
        world.clock.seconds += rng.choice([0.3, 1.0, 5.0, 30.0, 300.0])
    elif roll < 0.92:
        _fault(world, trace, rng)
    elif roll < 0.96:
        world.crash_at = world.commits + rng.randint(1, 25)
        trace.note(world, f"crash armed at commit {world.crash_at}")
    elif roll < 0.98:
        trace.note(world, "restart")
        world.restart()
    else:
        trace.note(world, reconfigure(world, rng))
        world.restart()


ODD = frozenset({"record_403", "locked_423", "echo", "latin_1", "no_total", "nonsense_headers"})
"""Answers that are odd, and no fault of the line."""


def _fault(world: SimWorld, trace: Trace, rng: random.Random) -> None:
    trace.faults += 1
    if rng.random() < 0.15:
        trace.note(world, f"fault: {go_wrong(world, rng)}")
        return
    side = rng.choice(list(Side))
    kind = rng.choice(sorted(KINDS | ODD))
    match = rng.choice(["", "^GET", "^(POST|PUT|PATCH|DELETE)", "^POST", "^(PUT|PATCH)"])
    seconds = LATE if kind == "late_commit" else None
    world.faults[side].add(kind, match, nth=rng.randint(1, 6), times=rng.choice([1, 1, 1, 3]), seconds=seconds)
    trace.note(world, f"fault {side} {kind} {match!r}")


def _cycle(
    world: SimWorld, trace: Trace, people: People, rng: random.Random, *, busy: bool = False, reconcile: bool = False
) -> bool | None:
    """A cycle of each connection, perhaps with people at work meanwhile; a crash or an error ends the process.

    Was anything written, or held back by a brake? None when the process ended early.
    """
    trace.cycles += 1
    try:
        reports = world.clock.run(_work(world, trace, people, rng, busy=busy, reconcile=reconcile))
    except (Crash, Deadlock) as end:
        if isinstance(end, Deadlock) and not world.crashed:
            raise
        trace.crashes += 1
        trace.note(world, "CRASH")
        world.restart()
        return None
    except SyncError as error:
        trace.note(world, f"run failed: {error}")
        world.restart()
        return None
    for report in reports:
        trace.note(world, f"cycle {report.connection} {dict(report.writes)} {report.errors or ''} {report.brake or ''}")
    return any(report.written or report.brake for report in reports)


async def _work(
    world: SimWorld, trace: Trace, people: People, rng: random.Random, *, busy: bool, reconcile: bool
) -> list[Report]:
    async def at_work() -> None:
        for _ in range(rng.randint(1, 6)):
            await asyncio.sleep(rng.choice([0.02, 0.05, 0.1, 0.4, 1.5]))
            trace.edits += 1
            trace.note(world, f"  meanwhile {people.act()}")

    job = asyncio.ensure_future(at_work()) if busy else None
    try:
        await world.engine.start()
        connections = rng.sample(world.engine.connections, len(world.engine.connections))
        return [await run_cycle(connection, Options(reconcile=reconcile)) for connection in connections]
    finally:
        if job is not None:
            job.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job


def _heal(world: SimWorld, trace: Trace) -> None:
    """No more faults, no more edits: the world comes to rest.

    Two reconciles, for a deletion is believed at the second; then cycles, if the second had still something to do.
    """
    world.crash_at = None
    for faults in world.faults.values():
        faults.clear()
    world.restart()
    people = People(world, random.Random(0))
    for round_number in range(QUIET):
        world.clock.seconds += 120
        _release(world)
        busy = _cycle(world, trace, people, random.Random(0), reconcile=round_number < 2)
        if round_number > 0 and busy is False:
            break


def _release(world: SimWorld) -> None:
    from sqlmodel import select

    from nexudus_sync.store.tables import Brake

    with world.store.session() as session:
        for brake in session.exec(select(Brake).where(Brake.state == "set")):
            brake.state = "released"
            session.add(brake)
