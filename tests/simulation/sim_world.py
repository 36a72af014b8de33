"""A whole installation in one process: doubles, real connectors, engine and store, and what can go wrong between."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from sim_desks import desk
from sim_store import borrowed, given_back
from sim_time import SimClock

from nexudus_sandbox.crms import CRMS
from nexudus_sandbox.double import Double
from nexudus_sandbox.faults import Faults
from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.seed import seed
from nexudus_sandbox.seed.places import SYNC_USER, Place
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sandbox.wire import Request, Response
from nexudus_sync.config import load
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.startup.assemble import Engine, assemble
from nexudus_sync.mapping import Side
from nexudus_sync.mapping.shipped import shipped

ENVIRONMENT = {"USER": SYNC_USER, "PASSWORD": "simulated"}
CONFIG = """
[nexudus]
base_url = "https://nexudus.test/api"
username = "${{USER}}"
password = "${{PASSWORD}}"
{table}
{crm_settings}
"""
CONNECTION = """
[[connection]]
name = "{name}"
crm = "{system}"
scope = {{ business_id = {business_id} }}
company = "{company}"
deletes = "{deletes}"
first_match = "{first_match}"
mapping = {{ nexudus = "mappings/nexudus.toml", crm = "crm.toml" }}
"""
LONDON = ("london",)

ELSEWHERE = 2
"""Opportunities in each location and company beside London."""


class Crash(BaseException):
    """The process ends here. Not an Exception: nothing may catch it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One request the double answered, at `at` virtual seconds: `changes` is how many changes it had logged by then.

    `body` is kept of a CRM's answers, to tell which page of a list showed a record. `lingered`: it was on the way for
    longer than its sender waited.
    """

    method: str
    path: str
    changes: int
    at: float
    body: bytes = b""
    lingered: bool = False


class SimWorld:
    """One seed's world. `restart` gives a new engine on the same store, as a new process would."""

    def __init__(
        self,
        seed_number: int,
        folder: Path,
        *,
        nexudus: int = 14,
        crm: int = 10,
        shared: int = 5,
        deletes: str = "ignore",
        system: str = "overplane",
        crm_settings: str = "",
        cities: tuple[str, ...] = LONDON,
    ) -> None:
        self.rng = random.Random(seed_number)
        self.clock = SimClock()
        self.nexudus = NexudusDouble(self.clock.now, seed=seed_number)
        self.desk = desk(system, CRMS[system](self.clock.now))
        self.crm = self.desk.double
        counts = {"nexudus": nexudus, "crm": crm, "shared": shared, "elsewhere": ELSEWHERE}
        self.seeded = seed(self.nexudus, self.desk.crm.double, seed=seed_number, **counts)
        self.places: dict[str, Place] = {city: getattr(self.seeded.places, city) for city in cities}
        """The location of each connection."""
        self.nexudus.add_account(SYNC_USER, ENVIRONMENT["PASSWORD"])
        self.faults = {Side.NEXUDUS: Faults(self.rng), Side.CRM: Faults(self.rng)}
        self.readings: dict[Side, list[Reading]] = {Side.NEXUDUS: [], Side.CRM: []}
        for side, double in ((Side.NEXUDUS, self.nexudus), (Side.CRM, self.crm)):
            double.watchers.append(self._watcher(side))
        self.folder = folder
        self.settings = {"deletes": deletes, "first_match": "manual", "crm_settings": crm_settings}
        self.rules: dict[str, str] = dict(self.desk.rules)
        """Lines an operator added to fields of the CRM's mapping file."""
        self.widened: dict[str, dict[Side, int]] = {}
        """Fields whose edits on some side began to travel at a restart: each is a first match of its own then.

        With the number of changes in each double by then; of several times the last.
        """
        self.ever_propagated = deletes == "propagate"
        self.store, self.closed = borrowed(), False
        self.crash_at: int | None = None
        self.crashed = False
        self.commits = 0
        self.store.after_commit = self._committed
        self.restarts = 0
        self.engine: Engine = self._assemble()

    @property
    def deletes(self) -> str:
        """What becomes of the counterpart of a deleted record."""
        return self.settings["deletes"]

    def double(self, side: Side) -> Double:
        """The double of a side."""
        return self.nexudus if side is Side.NEXUDUS else self.desk.crm.double

    @property
    def connection(self) -> Connection:
        """The first connection, or the only one."""
        return self.engine.connections[0]

    def bridge_of(self, connection: str) -> Connection:
        """The connection of that name."""
        return self.engine.connection(connection)[0]

    def restart(self) -> None:
        """A new process on the same store; the old one's objects are gone."""
        self.restarts += 1
        self.crash_at = None
        self.crashed = False
        heard = self._heard()
        self.engine = self._assemble()
        so_far = {side: len(self.double(side).changes) for side in Side}
        self.widened |= {name: so_far for name, _ in self._heard() - heard}

    def _heard(self) -> set[tuple[str, Side]]:
        """The fields that travel, with the sides whose edits do."""
        return {(field.name, side) for field in self.connection.mapping.fields for side in field.sources}

    def transport(self, side: Side) -> httpx.AsyncBaseTransport:
        """What carries a new engine's requests to a side."""
        latency: Callable[[], float] = lambda: self.rng.uniform(0.01, 0.12)  # noqa: E731
        return DoubleTransport(self.double(side), self.faults[side], clock=self.clock, latency=latency)

    def close(self) -> None:
        """The end of this world's time; its store serves the next one. A second call does nothing."""
        if not self.closed:
            self.closed = True
            given_back(self.store)
            self.clock.close()

    def _committed(self) -> None:
        self.commits += 1
        if self.crash_at is not None and self.commits >= self.crash_at:
            self.crash_at = None
            self.crashed = True
            raise Crash

    def _assemble(self) -> Engine:
        path = self.folder / "config.toml"
        self.ever_propagated |= self.deletes == "propagate"
        system = self.desk.system
        table = self.desk.crm.table.format(url=f"https://{system}.test")
        (self.folder / "crm.toml").write_text(self._mapping(), encoding="utf-8")
        text = CONFIG.format(table=table, **self.settings)
        for city, place in self.places.items():
            scope = {"business_id": place.business_id, "company": place.company}
            text += CONNECTION.format(name=city, system=system, **scope, **self.settings)
        path.write_text(text)
        settings = load(path, {**ENVIRONMENT, **self.desk.crm.environment})
        transports = {"nexudus": self.transport(Side.NEXUDUS), system: self.transport(Side.CRM)}
        return assemble(settings, clock=self.clock, rng=self.rng, store=self.store, transports=transports)

    def _mapping(self) -> str:
        """The CRM's shipped mapping file, with the lines that the operator added."""
        text = shipped(self.desk.system)
        for name, line in self.rules.items():
            # a field that has no place in the CRM stays off
            text = re.sub(rf"(?m)^\[fields\.{name}\]$(?!\nsync)", f"[fields.{name}]\n{line}", text)
        return text

    def landed_late(self, side: Side) -> list[Request]:
        """The requests that were applied after their sender had stopped waiting, or still will be."""
        return [request for kind, request in self.faults[side].injected if kind == "late_commit"]

    def _watcher(self, side: Side) -> Callable[[Request, Response], None]:
        double, readings = self.double(side), self.readings[side]

        def note(request: Request, response: Response) -> None:
            body = response.body if side is Side.CRM else b""
            lingered = any(one is request for one in self.landed_late(side))
            now = self.clock.seconds
            readings.append(Reading(request.method, request.path, len(double.changes), now, body, lingered))

        return note
