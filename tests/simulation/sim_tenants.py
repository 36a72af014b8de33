"""A tenant of a real cluster: its doubles on sockets, and its part of the store as the checker reads a world."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, ClassVar

from sim_desks import Desk, desk
from sim_people import People
from sim_world import Reading
from sqlalchemy import insert
from sqlmodel import SQLModel

from nexudus_sandbox.double import Double
from nexudus_sandbox.wire import Request, Response
from nexudus_sandbox.world import World
from nexudus_sync.clock import SystemClock
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.startup.assemble import assemble
from nexudus_sync.mapping import Side
from nexudus_sync.store import Store

COUNTS = {"nexudus": 6, "crm": 5, "shared": 3}
"""Opportunities of a tenant at first."""
_OWN = ("connection", "crm", "name", "system")
"""The columns that say whose a row is."""


class Tenant:
    """One tenant: its doubles on sockets, and what the checker and the people know of it."""

    def __init__(self, name: str, system: str, seed: int, is_waking: Callable[[], bool]) -> None:
        self.name, self.system = name, system
        self.world = World(crm_name=system, seed=seed, **COUNTS)
        self.readings: dict[Side, list[Reading]] = {side: [] for side in Side}
        self._is_waking = is_waking
        for side in Side:
            self.double(side).watchers.append(self._watcher(side))
        self.people = People(self, random.Random(seed))  # type: ignore[arg-type]
        self.edits = 0

    def act(self) -> None:
        """People do one thing."""
        with self.world.nexudus.lock, self.world.crm.double.lock:
            self.people.act()
        self.edits += 1

    def double(self, side: Side) -> Double:
        return self.world.nexudus if side is Side.NEXUDUS else self.world.crm.double

    def writes(self) -> int:
        """How many requests changed something, or tried to."""
        reads = ("/token", "/search", "/batch/read")
        entries = [entry for side in Side for entry in list(self.double(side).log)]
        return sum(entry.method != "GET" and not entry.path.endswith(reads) for entry in entries)

    def _watcher(self, side: Side) -> Callable[[Request, Response], None]:
        double, readings = self.double(side), self.readings[side]

        def note(request: Request, response: Response) -> None:
            body = response.body if side is Side.CRM else b""
            late = request.method != "GET" and self._is_waking()
            readings.append(
                Reading(request.method, request.path, len(double.changes), time.monotonic(), body, lingered=late)
            )

        return note

    # what the checker asks for

    @property
    def nexudus(self) -> Any:
        return self.world.nexudus

    @property
    def crm(self) -> Any:
        return self.desk.double

    @property
    def desk(self) -> Desk:
        return desk(self.system, self.world.crm)

    @property
    def seeded(self) -> Any:
        return self.world.seeded

    @property
    def places(self) -> dict[str, Any]:
        return {f"{self.name}/london": self.world.seeded.places.london}


class AtRest:
    """A tenant as the checker reads a simulated world: with its part of the store, and an engine of its own."""

    rules: ClassVar[dict[str, str]] = {}
    widened: ClassVar[dict[str, dict[Side, int]]] = {}
    ever_propagated = False

    def __init__(self, tenant: Tenant, store: Store, fleet: Fleet, clock: "RunningClock") -> None:
        self._tenant, self.clock = tenant, clock
        self.store = part_of(store, tenant.name)
        self.engine = assemble(fleet.settings(tenant.name), clock=clock, rng=random.Random(1), store=self.store)

    def close(self) -> None:
        """The engine is not needed any longer."""
        self.clock.run(self.engine.aclose())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tenant, name)

    @property
    def connection(self) -> Connection:
        return self.engine.connections[0]

    def bridge_of(self, name: str) -> Connection:
        return self.engine.connection(name)[0]

    def landed_late(self, side: Side) -> list[Request]:
        return []


class RunningClock(SystemClock):
    """The real time, and a loop to run in."""

    seconds = 0.0

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self._loop.close()


def part_of(store: Store, tenant: str) -> Store:
    """A tenant's rows, in a store in memory."""
    copy = Store.open("sqlite://")
    with store.read() as source, copy.session() as target:
        for table in SQLModel.metadata.sorted_tables:
            own = [table.c[name] for name in _OWN if name in table.c]
            if own:
                query = table.select().where(own[0].startswith(f"{tenant}/", autoescape=True))
                rows = [dict(row) for row in source.connection().execute(query).mappings()]
                if rows:
                    target.connection().execute(insert(table), rows)
    return copy
