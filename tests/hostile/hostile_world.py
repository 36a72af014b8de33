"""A small installation between hostile servers, and what must hold after each cycle of it."""

import random
import resource
from pathlib import Path
from typing import Any

import httpx
from hostile_transport import HostileTransport
from sim_checker import check
from sim_desks import BEN
from sim_people import ANA
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.double import Change
from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Failure, Link

EDITS: dict[Side, tuple[str, ...]] = {Side.NEXUDUS: ("Name", "Value"), Side.CRM: ("title", "opportunity_amount")}
"""What people change, under the names of each side; in the same order on both."""
STAMPS = {"UpdatedOn", "UpdatedBy", "CrmUpdatedOn", "updated_at", "modified", "modified_by", "Position"}
LONGEST = 4 * 3600.0
"""Virtual seconds within which a cycle ends, its retries and waits included."""
MEMORY = 256 * 1024 * 1024
REST = 4
"""Clean cycles after which both sides agree again."""


class HostileWorld(SimWorld):
    """A `SimWorld` whose answers are spoiled while it is `hostile`."""

    def __init__(self, seed: int, folder: Path, system: str) -> None:
        self.chance = random.Random(seed)
        self.wires: list[HostileTransport] = []
        self.wanted: set[tuple[Side, str, str, Any]] = set()
        """Side, record, field and value of what people's edits are to become on the other side, sooner or later."""
        super().__init__(seed, folder, nexudus=5, crm=4, shared=3, system=system)

    def transport(self, side: Side) -> httpx.AsyncBaseTransport:
        """With nonsense on the way back."""
        made = HostileTransport(super().transport(side), self.chance)
        self.wires.append(made)
        return made

    def between(self, *, hostile: bool) -> None:
        """From now on answers are spoiled, or are not."""
        for wire in self.wires:
            wire.hostile = hostile


def _cycle(world: HostileWorld, *, reconcile: bool = False) -> list[str]:
    """One cycle, a minute later; what it says of what went wrong. Any error but the program's own is raised."""

    async def work() -> list[str]:
        await world.engine.start()
        report = await run_cycle(world.connection, Options(reconcile=reconcile))
        return [*map(str, report.errors), *([report.brake] if report.brake else [])]

    world.clock.seconds += 60
    try:
        return world.clock.run(work())
    except SyncError as error:
        return [str(error)]


def _pairs(world: HostileWorld) -> list[tuple[int, str]]:
    with world.store.read() as session:
        links = session.exec(select(Link).where(Link.state == "active")).all()
        failed = {row.nexudus_id for row in session.exec(select(Failure).where(Failure.state == "open"))}
    return [(int(link.nexudus_id), link.crm_id) for link in links if link.nexudus_id not in failed]


def _written(world: HostileWorld, since: dict[Side, int]) -> list[tuple[Side, Change]]:
    """What the sync changed on both sides, but for stamps."""
    changes = [(side, change) for side in Side for change in world.double(side).changes[since[side] :]]
    return [(side, change) for side, change in changes if change.by == SYNC_USER and change.field not in STAMPS]


def _edit(world: HostileWorld, number: int) -> None:
    """A person gives one field of a pair another value."""
    card, deal = world.chance.choice(_pairs(world))
    side, index = world.chance.choice(list(Side)), world.chance.randrange(2)
    value: Any = (f"Edit {number}", 1000 + number)[index]
    ids = {Side.NEXUDUS: str(card), Side.CRM: deal}
    world.wanted.add((side.other, ids[side.other], EDITS[side.other][index], value))
    if side is Side.NEXUDUS:
        world.nexudus.edit(card, ANA, **{EDITS[side][index]: value})
    else:
        world.crm.edit(deal, BEN, **{EDITS[side][index]: value})


def play(seed: int, folder: Path, system: str, cycles: int) -> list[str]:
    """So many hostile cycles, each after one person's edit, with clean ones between; what was not as it should be."""
    world, troubles, began = HostileWorld(seed, folder, system), list[str](), _memory()
    try:
        for _ in range(2):
            _cycle(world)
        for number in range(cycles):
            troubles += [f"cycle {number}: {one}" for one in _round(world, number)]
        world.between(hostile=False)
        for number in range(REST):
            world.clock.seconds += 3600
            _release(world)
            _cycle(world, reconcile=number < 2)
        troubles += [f"{one.invariant}: {one.text}" for one in check(world)[0]]
        taken = _memory() - began
        return troubles + ([f"{taken:,} bytes of memory"] if taken > MEMORY else [])
    finally:
        world.close()


def _memory() -> int:
    """The most bytes that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _round(world: HostileWorld, number: int) -> list[str]:
    """An edit, a hostile cycle, and clean ones until both sides can agree again."""
    if not _pairs(world):
        return []
    _edit(world, number)
    since, began = {side: len(world.double(side).changes) for side in Side}, world.clock.seconds
    spoiled = sum(len(wire.done) for wire in world.wires)
    world.between(hostile=True)
    said = _cycle(world, reconcile=world.chance.random() < 0.2)
    world.between(hostile=False)
    ways = [way for wire in world.wires for way in wire.done][spoiled:]
    found = [f"more than one line: {one!r}" for one in said if "\n" in one or "Traceback" in one]
    found += [
        f"{side} {change.record_id} {change.field}: {change.old!r} -> {change.new!r} was not asked for, after {ways}"
        for side, change in _written(world, since)
        if change.action != "update" or (side, str(change.record_id), change.field, change.new) not in world.wanted
    ]
    if world.clock.seconds - began > LONGEST:
        found.append(f"took {world.clock.seconds - began:,.0f} s, after {ways}")
    world.clock.seconds += 1800
    _release(world)
    _cycle(world)
    return found


def _release(world: HostileWorld) -> None:
    """A person looks at the brakes and lets the sync go on."""
    with world.store.session() as session:
        for brake in session.exec(select(Brake).where(Brake.state == "set")):
            brake.state = "released"
            session.add(brake)
