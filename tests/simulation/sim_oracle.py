"""The oracle: undisturbed histories, and what became of them: people at work, no faults, no crashes.

What is asked of both systems, and how everything ends, are told as two hashes for each history. Code that was only
moved about changes neither; one that saves calls changes the first alone. People act at fixed moments, so that how long
a cycle takes changes nothing.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sim_people import People
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync import codec
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Failure, Link

STEPS, RECORDS = 12, 4
STEP = 300.0
"""Virtual seconds between two things that happen: no cycle takes so long."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d: ?\d\d: ?\d\d.*")


@dataclass(frozen=True, slots=True)
class Ended:
    """One history: the hashes of its calls and of its end, and how many calls there were by side and method."""

    calls: str
    states: str
    counts: dict[str, int]


def undisturbed(seed: int, folder: Path, system: str) -> Ended:
    """Play one seed with one CRM."""
    rng = random.Random(seed * 104_729 + 7)
    world = _world(seed, folder, system, rng)
    calls: list[list[Any]] = []
    for side in Side:
        world.double(side).watchers.append(
            lambda request, _, side=side: calls.append(
                [side.value, request.method, request.path, dict(request.query), request.body.decode()]
            )
        )
    try:
        people = People(world, rng, moves=len(world.places) > 1)
        for step in range(STEPS):
            _step(world, people, rng, step)
        for step in range(STEPS, STEPS + 3):
            _cycle(world, step, reconcile=step == STEPS)
        return Ended(_hash(calls), _hash(list(_states(world))), _counted(calls))
    finally:
        world.close()


def _world(seed: int, folder: Path, system: str, rng: random.Random) -> SimWorld:
    counts = {"nexudus": RECORDS, "crm": RECORDS - 1, "shared": 2}
    cities = rng.choice([("london",), ("london",), ("london", "madrid")])
    crm_settings = f"page_size = {rng.choice([3, 500, 500])}"
    deletes = rng.choice(["ignore", "propagate"])
    world = SimWorld(seed, folder, deletes=deletes, system=system, crm_settings=crm_settings, cities=cities, **counts)
    world.nexudus.options.keeps_system_id = rng.random() < 0.7
    world.nexudus.offset, world.crm.offset = rng.uniform(-600, 600), rng.uniform(-600, 600)
    return world


def _step(world: SimWorld, people: People, rng: random.Random, step: int) -> None:
    """A few things that people do, then a cycle."""
    for _ in range(rng.choice([0, 1, 2, 3, 6])):
        people.act(deletes=True)
    _cycle(world, step, reconcile=rng.random() < 0.1)


def _cycle(world: SimWorld, step: int, *, reconcile: bool) -> None:
    async def work() -> None:
        await world.engine.start()
        for connection in world.engine.connections:
            await run_cycle(connection, Options(reconcile=reconcile))

    world.clock.run(work())
    at = (step + 1) * STEP
    if world.clock.seconds > at:
        raise AssertionError(f"a cycle took until {world.clock.seconds:.0f} s, the next thing happens at {at:.0f} s")
    world.clock.seconds = at


def _states(world: SimWorld) -> Iterator[Any]:
    """What both systems hold, without moments, and what people see in the store."""
    for side in Side:
        yield sorted(([str(one), _timeless(row)] for one, row in world.double(side).records().items()), key=str)
    with world.store.read() as session:
        yield sorted([one.nexudus_id, one.crm_id, str(one.state)] for one in session.exec(select(Link)))
        for table in (Conflict, Failure):
            found = session.exec(select(table))
            yield sorted([one.nexudus_id, one.crm_id, one.field, str(one.state)] for one in found)


def _timeless(value: Any) -> Any:
    """The value without moments, and without the names of ERPNext's child rows, which are made of the moment."""
    if isinstance(value, dict):
        named = "parentfield" not in value
        return {key: _timeless(one) for key, one in value.items() if named or key != "name"}
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    return "a moment" if isinstance(value, str) and _MOMENT.fullmatch(value) else value


def _hash(value: Any) -> str:
    return blake2b(codec.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()


def _counted(calls: list[list[Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for side, method, *_ in calls:
        counts[f"{side} {method}"] = counts.get(f"{side} {method}", 0) + 1
    return dict(sorted(counts.items()))
