"""One fixed story that ends, and what can end the process in the middle of it.

Every run of it is the same up to the moment something goes wrong, so each commit and each call can be made to be the
last of its process, and what comes of it can be compared with the run in which nothing went wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import httpx
from sim_checker import check
from sim_desks import BEN
from sim_people import ANA
from sim_time import Deadlock
from sim_world import Crash, SimWorld
from sqlmodel import col, select

from nexudus_sandbox.faults import KINDS
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store.conflicts import THIRD_VALUE
from nexudus_sync.store.tables import Conflict, Failure, Journal, Link

Moment = Literal["commit", "before", "after"]
MOMENTS: tuple[Moment, ...] = ("commit", "before", "after")
SEED = 20260302
LATENCY = 0.05
"""Seconds a request is under way."""
PAUSE = 60.0
"""Seconds between two cycles."""
TRIES, ROUNDS = 6, 8
"""How many processes a cycle may take to come to its end, and how many cycles the world to come to rest."""
LASTS = {"late_commit": 8.0, "throttle_409": 1.0, "throttle_429": 1.0}
"""How many seconds a fault lasts: a late commit lands while recovery still waits before it believes an absence."""
INSTALLATIONS = {
    "overplane": ("overplane", ""),
    "erpnext": ("erpnext", ""),
    "hubspot": ("hubspot", ""),
    "erpnext-own-names": ("erpnext", 'external_key_field = "custom_absent"\nown_names = true'),
    "erpnext-by-content": ("erpnext", 'external_key_field = "custom_absent"'),
}
"""Where the story is played: the CRM, and its settings. They differ in how a create is known again."""
CARD_KEYS = (
    "Name", "Status", "Completed", "CrmBoardColumnId", "LossReason", "Value", "DueDate", "UtmSource", "UtmMedium",
    "UtmCampaign", "UtmContent", "UtmTerm", "LeadSource", "ResponsibleId", "Notes",
)  # fmt: skip
DEAL_KEYS = (
    "title", "status", "sales_stage", "opportunity_amount", "expected_closing", "utm_source", "utm_medium",
    "utm_campaign", "utm_content", "opportunity_owner", "currency", "company", "phone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """A moment at which the process ends: right after a commit, before a write call leaves, or before its answer comes.

    `number` counts from 1, from the start of the story or from the end of the process before.
    """

    at: Moment
    number: int

    def __str__(self) -> str:
        return f"{self.at} {self.number}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that goes wrong: the `number`th of a side, from the start of the story."""

    side: Side
    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.side.value} call {self.number} {self.kind}"


class Seam(httpx.AsyncBaseTransport):
    """Between the connectors and the doubles: counts the writes, and ends the process before or after one."""

    def __init__(self, world: "ScenarioWorld", inner: httpx.AsyncBaseTransport) -> None:
        self._world, self._inner = world, inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request, unless the process ends with it. A login is no write."""
        self._world.alive()
        if request.method == "GET" or request.url.path.endswith("/token"):
            return await self._inner.handle_async_request(request)
        self._world.writing = kind_of_call(request.method, request.url.path)
        self._world.passed("before")
        if request.method == "POST":
            self._world.creates.append(self._world.passed_in_all["before"])
        response = await self._inner.handle_async_request(request)
        self._world.passed("after")
        return response


class ScenarioWorld(SimWorld):
    """A small world that ends its process at each of the given points, one after the other."""

    def __init__(self, folder: Path, points: tuple[Point, ...] = (), *, installation: str = "overplane") -> None:
        self.installation = installation
        self.points, self.counting = list(points), False
        self.passing = dict.fromkeys(MOMENTS, 0)
        self.passed_in_all = dict.fromkeys(MOMENTS, 0)
        self.calls = dict.fromkeys(Side, 0)
        self.creates: list[int] = []
        self.writing = ""
        system, settings = INSTALLATIONS[installation]
        counts = {"nexudus": 3, "crm": 2, "shared": 1}
        super().__init__(SEED, folder, deletes="propagate", system=system, crm_settings=settings, **counts)
        if system == "overplane":
            self.crm.options.max_limit = 20

    def transport(self, side: Side) -> httpx.AsyncBaseTransport:
        """With the seam at which a process ends."""
        inner = DoubleTransport(self.double(side), self.faults[side], clock=self.clock, latency=lambda: LATENCY)
        return Seam(self, inner)

    def restart(self) -> None:
        """A new process, and its counts begin anew."""
        super().restart()
        self.passing = dict.fromkeys(MOMENTS, 0)

    def alive(self) -> None:
        """A process that has ended asks for nothing more."""
        if self.crashed:
            raise Crash

    def passed(self, what: Moment) -> None:
        """Count a commit or a call, and end the process where that is asked for."""
        self.alive()
        if not self.counting:
            return
        self.passing[what] += 1
        self.passed_in_all[what] += 1
        self.note(Point(what, self.passing[what]))
        if self.points and self.points[0] == Point(what, self.passing[what]):
            del self.points[0]
            self.strike()

    def strike(self) -> None:
        """What happens to the process at a moment that was chosen: it ends."""
        self.crashed = True
        raise Crash

    def note(self, point: Point) -> None:
        """A moment of the story's cycles that comes to pass."""

    async def cycle(self, *, reconcile: bool) -> int:
        """One cycle; how many writes it did."""
        await self.engine.start()
        report = await run_cycle(self.connection, Options(reconcile=reconcile))
        assert report.brake is None
        return report.written

    def _committed(self) -> None:
        self.commits += 1
        self.passed("commit")


def _first(world: ScenarioWorld) -> None:
    """What stands there before the sync first runs: a lost card, one in a later stage, a lost deal."""
    card = _new_card(world, "early", "Proposal sent", Value=900)
    world.nexudus.edit(card, ANA, Status=3, LossReason=1)
    deal = _new_deal(world, "elder", "Tour booked", opportunity_amount=450, status="Lost")
    world.crm.set_lost_reasons(deal, ["Price", "Timing"], BEN)


def _edits(world: ScenarioWorld) -> None:
    """An edit each way, a move of the status, a new record each way, and one field changed on both sides."""
    nexudus, crm = world.nexudus, world.crm
    ours, theirs = _pair(world, "elder@example.org"), _pair(world, "early@example.org")
    shared = world.seeded.pairs[0]
    nexudus.edit(int(theirs.nexudus_id), ANA, Name="Early, renamed", Notes="only here")
    crm.edit(theirs.crm_id, BEN, opportunity_amount=950, phone="+44 20 1")
    crm.edit(ours.crm_id, BEN, status="Replied", expected_closing="2026-09-09")
    nexudus.edit(int(ours.nexudus_id), ANA, UtmSource="newsletter")
    nexudus.edit(shared[0], ANA, Value=111, UtmCampaign="spring-2025")
    crm.edit(shared[1], BEN, opportunity_amount=222)
    _new_card(world, "newcard", "Tour booked", Value=70)
    deal = _new_deal(world, "newdeal", "Negotiation", opportunity_amount=80, status="Lost")
    crm.set_lost_reasons(deal, ["Competition"], BEN)


def _decisions(world: ScenarioWorld) -> None:
    """A deletion, a decision about the conflict, a won deal and another reason for a lost one."""
    world.nexudus.delete(int(_pair(world, "newdeal@example.org").nexudus_id), ANA)
    with world.store.session() as session:
        for conflict in session.exec(select(Conflict).where(Conflict.field == "opportunity_amount")):
            conflict.state, conflict.take, conflict.value = "resolved", THIRD_VALUE, "333"
            session.add(conflict)
    world.nexudus.move(int(_pair(world, "newcard@example.org").nexudus_id), "Won", ANA)
    world.crm.set_lost_reasons(_pair(world, "early@example.org").crm_id, ["Competition"], BEN)


@dataclass(frozen=True, slots=True)
class Phase:
    """What people do, and the cycle that follows it."""

    people: Callable[[ScenarioWorld], None]
    reconcile: bool = False


PHASES = (Phase(_first), Phase(_edits), Phase(_decisions, reconcile=True))


def play(world: ScenarioWorld) -> None:
    """The whole story, to the rest after it. Raises AssertionError when a cycle or the world finds no end."""
    for phase in PHASES:
        world.clock.seconds += PAUSE
        phase.people(world)
        _to_the_end(world, reconcile=phase.reconcile)
    for side, faults in world.faults.items():
        world.calls[side] = len(world.double(side).log)
        faults.clear()
    for number in range(ROUNDS):
        world.clock.seconds += PAUSE
        if not _to_the_end(world, reconcile=number == 0) and number:
            world.restart()
            return
    raise AssertionError("the world does not come to rest")


def _to_the_end(world: ScenarioWorld, *, reconcile: bool) -> int:
    """One cycle, in as many processes as it takes; how many writes the last of them did."""
    for _ in range(TRIES):
        world.counting = True
        try:
            return world.clock.run(world.cycle(reconcile=reconcile))
        except (Crash, Deadlock, SyncError) as end:
            if isinstance(end, Deadlock) and not world.crashed:
                raise
            world.clock.seconds += 1.0
            world.restart()
        finally:
            world.counting = False
    raise AssertionError("a cycle does not come to its end")


@dataclass(frozen=True, slots=True)
class Whole:
    """The run in which nothing goes wrong: its end, its moments, and its calls before the world comes to rest.

    `creates`: which of the writes, counted from 1, create something.
    """

    end: dict[str, Any]
    moments: dict[Moment, int]
    calls: dict[Side, int]
    creates: list[int]


@cache
def whole(installation: str) -> Whole:
    """Play the story undisturbed, once a process for each installation."""
    with TemporaryDirectory() as folder:
        world = ScenarioWorld(Path(folder), installation=installation)
        try:
            play(world)
            return Whole(end_state(world), world.passed_in_all, world.calls, world.creates)
        finally:
            world.close()


def kind_of_call(method: str, path: str) -> str:
    """What is asked, whichever record it is asked about."""
    parent, _, last = path.rpartition("/")
    return f"{method} {parent}/{{id}}" if any(sign.isdigit() for sign in last) else f"{method} {path}"


def kinds(installation: str, side: Side) -> list[str]:
    """What can go wrong with a call. To ERPNext a 409 is a refusal, never "too many calls"."""
    never = {"throttle_409"} if side is Side.CRM and INSTALLATIONS[installation][0] != "overplane" else set()
    return sorted(KINDS - never)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a disturbed run ended: what is not as it should be, and whether all that was to go wrong did."""

    troubles: tuple[str, ...]
    reached: bool


def disturbed(folder: Path, installation: str, *, points: tuple[Point, ...] = (), fault: Fault | None = None) -> Ending:
    """Play the story with what goes wrong in it, and compare its end with that of the run in which nothing does."""
    world = ScenarioWorld(folder, points, installation=installation)
    faults = world.faults[fault.side] if fault is not None else None
    if fault is not None and faults is not None:
        faults.add(fault.kind, nth=fault.number, seconds=LASTS.get(fault.kind))
    try:
        play(world)
        reached = not world.points and (faults is None or len(faults.injected) == 1)
        return Ending(troubles(world), reached)
    except AssertionError as unfinished:
        return Ending((str(unfinished),), reached=True)
    finally:
        world.close()


def troubles(world: ScenarioWorld) -> tuple[str, ...]:
    """What is not as it should be at the end: all that is unlike the undisturbed run, and all broken promises."""
    expected, found = whole(world.installation).end, end_state(world)
    different = [f"{k}: {_difference(expected[k], found[k])}" for k in expected if expected[k] != found[k]]
    return (*different, *(f"{one.invariant}: {one.text}" for one in check(world)[0]))


def _difference(expected: list[Any], found: list[Any]) -> str:
    less, more = [one for one in expected if one not in found], [one for one in found if one not in expected]
    return f"missing {less}, surplus {more}" if less or more else f"{len(found)} instead of {len(expected)}"


def end_state(world: ScenarioWorld) -> dict[str, Any]:
    """What a person would find at the end, on both sides and in the store, without what names moments or ids."""
    names = _names(world)
    with world.store.read() as session:
        links = session.exec(select(Link)).all()
        conflicts = session.exec(select(Conflict).where(col(Conflict.state) != "closed")).all()
        failures = session.exec(select(Failure).where(col(Failure.state) != "solved")).all()
        pending = session.exec(select(Journal.kind).where(col(Journal.state).in_(("planned", "sent")))).all()

    def both(row: Link | Conflict | Failure) -> tuple[str, str]:
        return names.get(row.nexudus_id, "-"), names.get(row.crm_id, "-")

    return {
        "cards": _shown(names, world.nexudus.records(), CARD_KEYS),
        "deals": _shown(names, world.crm.records(), DEAL_KEYS),
        "reasons": sorted((names[deal], world.crm.lost_reasons(deal)) for deal in world.crm.records()),
        "customers": sorted(str(row["Email"]) for row in world.nexudus.directory.coworkers.values()),
        "parties": _parties(world),
        "links": sorted((*both(one), one.state) for one in links),
        "conflicts": sorted((one.field, *both(one), one.state) for one in conflicts),
        "failures": sorted((one.kind, one.field, *both(one)) for one in failures),
        "pending": list(pending),
    }


def _parties(world: ScenarioWorld) -> list[str]:
    """The e-mails of the leads and customers that the CRM has."""
    if world.desk.system == "hubspot":
        return sorted(one.values.get("email", "None") for one in world.crm.objects.live("contacts"))
    if world.desk.system == "erpnext":
        tables = [world.crm.site.tables[kind].rows for kind in ("Lead", "Customer")]
    else:
        tables = [world.crm.objects.rows[kind] for kind in ("lead", "customer")]
    return sorted(str(row.get("email_id")) for rows in tables for row in rows.values())


def _names(world: ScenarioWorld) -> dict[str, str]:
    """By id: the customer's e-mail, by which every record of the story is known."""
    coworkers = world.nexudus.directory.coworkers
    names = {str(i): str(coworkers[row["CoworkerId"]]["Email"]) for i, row in world.nexudus.cards.rows.items()}
    return names | {str(i): str(row.get("contact_email")) for i, row in world.crm.records().items()}


def _shown(names: dict[str, str], rows: dict[Any, Any], keys: tuple[str, ...]) -> list[tuple[str, list[Any]]]:
    return sorted((names[str(i)], [row.get(key) for key in keys]) for i, row in rows.items())


def _pair(world: ScenarioWorld, email: str) -> Link:
    names = _names(world)
    with world.store.read() as session:
        return next(link for link in session.exec(select(Link)) if names.get(link.nexudus_id) == email)


def _new_card(world: ScenarioWorld, name: str, stage: str, **values: Any) -> int:
    place, directory = world.seeded.places.london, world.nexudus.directory
    customer = directory.add_coworker(f"{name}@example.org", name.title(), place.business_id)
    column = directory.stage_named(place.board_id, stage)
    values |= {"CrmBoardColumnId": column, "CoworkerId": customer, "Name": f"Card {name}", "Position": 1}
    return world.nexudus.create(ANA, **values)


def _new_deal(world: ScenarioWorld, name: str, stage: str, **values: Any) -> str:
    return world.desk.create(name, title=f"Deal {name}", sales_stage=stage, **values)
