"""Small worlds at rest, single cycles, and what people and clocks do in them: what the stories of the engine share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sim_people import ANA
from sim_stories import cycle, links, rows, when
from sim_world import SimWorld

from nexudus_sandbox.wire import Response, json_response
from nexudus_sync import codec
from nexudus_sync.engine.cycle import Cycle, Options, run_cycle, settle_record
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, Decision, Failure, Journal, Link


def link_of_deal(world: SimWorld, deal: str) -> Link:
    return next(link for link in links(world) if link.crm_id == deal)


def silent(world: SimWorld, path: str) -> None:
    """The CRM's answer to a write is lost, and from then on it is not there."""
    world.faults[Side.CRM].add("drop_after", f"{path}$", times=1)
    end = lambda: world.faults[Side.CRM].add("connect", "", times=999)  # noqa: E731
    method, _, rest = path.removeprefix("^").partition(" ")
    when(world, Side.CRM, method, rest.removeprefix(".*"), end)
    cycle(world)
    world.faults[Side.CRM].clear()
    assert len(rows(world, Journal, state="sent")) == 1


def brakes_of(world: SimWorld) -> list[tuple[str, str]]:
    return [(one.name, one.state) for one in rows(world, Brake)]


def release(world: SimWorld) -> None:
    """A person releases the brakes that are set."""
    with world.store.session() as session:
        for brake in rows(world, Brake, state="set"):
            kept = session.get_one(Brake, brake.id)
            kept.state, kept.released_at = "released", world.clock.now()


def called(world: SimWorld, title: str) -> tuple[int, int]:
    """How many cards and how many opportunities have a title."""
    cards = [card for card in world.nexudus.records().values() if card["Name"] == title]
    return len(cards), len([deal for deal in world.crm.records().values() if deal.get("title") == title])


def slow_poll(world: SimWorld, tick: int, action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of long work somebody does something, and a poll is due."""
    ticks, real = [0], Cycle.poll_if_due

    async def late(self: Cycle) -> None:
        ticks[0] += 1
        if ticks[0] == tick:
            action()
            await self.connection.clock.sleep(90)
        await real(self)

    monkeypatch.setattr(Cycle, "poll_if_due", late)


def two_connections(folder: Path) -> SimWorld:
    """London and Madrid, both at rest."""
    world = SimWorld(11, folder, nexudus=4, crm=4, shared=2, cities=("london", "madrid"))
    for _ in range(2):
        cycle_of(world, "london")
        cycle_of(world, "madrid")
    return world


def place_card(world: SimWorld, card: int, city: str, customer: int | None = None) -> None:
    """Ana moves a card to a city's board, and perhaps gives it another customer."""
    board = getattr(world.seeded.places, city).board_id
    values = {} if customer is None else {"CoworkerId": customer}
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, "New lead"), **values)


def links_of_card(world: SimWorld, card: int) -> list[Link]:
    return [link for link in links(world) if link.nexudus_id == str(card)]


def cycle_of(world: SimWorld, city: str = "london", *, after: float = 60.0, **options: Any) -> Report:
    """One cycle of one connection, `after` seconds later, and what it did."""

    async def work() -> Report:
        await world.engine.start()
        return await run_cycle(world.bridge_of(city), Options(**options))

    world.clock.seconds += after
    return world.clock.run(work())


def at_rest(folder: Path, **settings: Any) -> SimWorld:
    """A small world that agrees."""
    world = SimWorld(11, folder, **{"nexudus": 4, "crm": 4, "shared": 2, **settings})
    for _ in range(2):
        for connection in world.engine.connections:
            cycle_of(world, connection.name)
    return world


def ask(world: SimWorld, kind: str, **args: Any) -> None:
    """A person asks for something at the command line."""
    with world.store.session() as session:
        session.add(Decision(connection="london", kind=kind, args=args, asked_at=world.clock.now()))


def move_card(world: SimWorld, card: int, city: str, stage: str = "New lead") -> None:
    """Ana moves a card to a stage of a city's board."""
    board = getattr(world.seeded.places, city).board_id
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, stage))


def link_of_card(world: SimWorld, card: int) -> Link:
    return next(link for link in links(world) if link.nexudus_id == str(card))


def many_gone(folder: Path, pairs: int = 18) -> tuple[SimWorld, list[int]]:
    """Twelve of the cards are deleted, which a sweep finds; the others are given back."""
    world = at_rest(folder, nexudus=pairs + 2, crm=pairs + 2, shared=pairs, deletes="propagate")
    asked = {one.nexudus_id for one in rows(world, Conflict, state="open")}
    cards = [int(link.nexudus_id) for link in links(world) if link.nexudus_id not in asked]
    for card in cards[:12]:
        world.nexudus.delete(card, ANA)
    assert cycle_of(world, "london", reconcile=True).brake == "mass-delete"
    release(world)
    return world, cards[12:]


def failures_of(world: SimWorld, state: str = "open") -> list[tuple[str, str, str]]:
    """What waits: kind, Nexudus id and CRM id."""
    return [(one.kind, one.nexudus_id, one.crm_id) for one in rows(world, Failure, state=state)]


def questions_of(world: SimWorld) -> list[tuple[Any, Any]]:
    """What the open questions about records show."""
    return [(one.nexudus, one.crm) for one in rows(world, Conflict, state="open", field="record")]


def told(world: SimWorld, side: Side, calls: str, change: Callable[[dict[str, Any]], object], **how: Any) -> None:
    """Let answers say something else: `change` works on the parsed body, in place."""

    def changed(answer: Response) -> Response:
        body = answer.json()
        change(body)
        return Response(answer.status, answer.headers, codec.dumps(body).encode())

    world.faults[side].change(calls, changed, **how)


def answered_by(world: SimWorld, side: Side, calls: str, record: Any, **how: Any) -> None:
    """Let answers to these calls be about another record, as the double holds it."""
    body = {"data": record} if world.desk.system == "erpnext" and side is Side.CRM else record
    world.faults[side].change(calls, lambda _: json_response(200, body), **how)


def cycles(world: SimWorld, *reconciles: bool) -> None:
    for reconcile in reconciles:
        cycle(world, reconcile=reconcile)


def whole_list(world: SimWorld, deal: str, old: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """A list that shows one opportunity as it was."""

    def behind(body: dict[str, Any]) -> None:
        body["data"] = [old if row["id"] == deal else row for row in body["data"]]

    return behind


def kinds_of_failures(world: SimWorld, **values: Any) -> list[str]:
    """The kinds of what waits for a person."""
    return [failure.kind for failure in rows(world, Failure, state="open", **values)]


def card_of_deal(world: SimWorld, deal: str) -> int:
    """The card that a deal is linked with."""
    (link,) = [link for link in links(world) if link.crm_id == deal]
    return int(link.nexudus_id)


def pair_of_card(world: SimWorld, card: int) -> tuple[str, str]:
    """What a card is linked with, and the state of that."""
    (link,) = [link for link in links(world) if link.nexudus_id == str(card)]
    return link.crm_id, link.state


def to_madrid(world: SimWorld, card: int) -> None:
    """Ana moves a card to Madrid's board, and its pair goes on there."""
    board = world.seeded.places.madrid.board_id
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, "New lead"))
    cycle(world), cycle(world)
    assert [link.connection for link in links(world) if link.nexudus_id == str(card)] == ["madrid"]


CITIES = ("london", "madrid")


def cycle_of_record(world: SimWorld, side: Side, record_id: str) -> Report:
    """`sync --record`."""

    async def work() -> Report:
        await world.engine.start()
        return await settle_record(world.connection, side, record_id)

    world.clock.seconds += 60
    return world.clock.run(work())


def cycles_in_turn(world: SimWorld, times: int, *, after: float = 60.0, **options: Any) -> None:
    for _ in range(times):
        for city in CITIES:
            cycle_of(world, city, after=after, **options)
