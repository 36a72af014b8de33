"""Short stories for the checker: some people, some cycles, then rest, without a reconcile to mend what was missed."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sim_checker import Violation, check
from sim_desks import BEN
from sim_people import ANA
from sim_time import Deadlock
from sim_world import LONDON, Crash, SimWorld
from sqlmodel import col, select

from nexudus_sandbox.wire import Request, Response, json_response
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Journal, Link

Story = Callable[[SimWorld], None]
REST = 4
"""Quiet cycles at the end."""
LOCK = "record_403"
"""What does not pass by itself: an approval that locks a record."""
CREATE = "^POST .*/[Oo]pportunity$"
"""The create of an opportunity in the CRM, be it Overplane or ERPNext."""


def play(
    story: Story,
    folder: Path,
    *,
    deletes: str = "ignore",
    system: str = "overplane",
    cities: tuple[str, ...] = LONDON,
) -> list[Violation]:
    """A small world that agrees, the story, then rest; returns what the checker finds."""
    world = SimWorld(11, folder, nexudus=4, crm=4, shared=2, deletes=deletes, system=system, cities=cities)
    try:
        for _ in range(2):
            cycle(world)
        story(world)
        for faults in world.faults.values():
            faults.rules[:] = [rule for rule in faults.rules if rule.kind == LOCK]
        for _ in range(REST):
            cycle_anyway(world)
        return check(world)[0]
    finally:
        world.close()


def cycle(world: SimWorld, *, reconcile: bool = False, after: float = 60.0) -> None:
    """A cycle of each connection, `after` seconds later; a crash ends the process, and the next one begins anew."""

    async def work() -> None:
        await world.engine.start()
        for connection in world.engine.connections:
            await run_cycle(connection, Options(reconcile=reconcile))

    world.clock.seconds += after
    try:
        world.clock.run(work())
    except (Crash, Deadlock):
        if not world.crashed:
            raise
        world.restart()


def cycle_anyway(world: SimWorld) -> None:
    """A cycle as `run` has it: one that ends with an error is followed by the next."""
    with suppress(SyncError):
        cycle(world)


def when(
    world: SimWorld, side: Side, method: str, path: str, action: Callable[[], object], *, later: float = 0.0
) -> None:
    """Somebody does something right after (or some seconds after) the first request whose path ends so was answered."""
    armed = [True]

    def watch(request: Request, _: Response) -> None:
        if armed and request.method == method and request.path.endswith(path):
            armed.clear()
            if later:
                asyncio.get_running_loop().call_later(later, action)
            else:
                action()

    world.double(side).watchers.append(watch)


def new_card(world: SimWorld, name: str, **values: Any) -> int:
    """Ana's new card."""
    place = world.seeded.places.london
    customer = world.nexudus.directory.add_coworker(f"{name}@example.org", name, place.business_id)
    stage = world.nexudus.directory.stage_named(place.board_id, "New lead")
    return world.nexudus.create(ANA, **{"CrmBoardColumnId": stage, "CoworkerId": customer, "Name": name, **values})


def new_deal(world: SimWorld, name: str, **values: Any) -> str:
    """Ben's new opportunity."""
    return world.desk.create(name, **values)


def born_in_nexudus(world: SimWorld, **values: Any) -> tuple[int, str]:
    """Ana's new card, and its counterpart."""
    card = new_card(world, "anna", **values)
    cycle(world)
    cycle(world)
    return card, _partner(world, nexudus_id=str(card)).crm_id


def born_in_crm(world: SimWorld, **values: Any) -> tuple[int, str]:
    """Ben's new opportunity, and its counterpart."""
    deal = new_deal(world, "berta", **values)
    cycle(world)
    cycle(world)
    return int(_partner(world, crm_id=deal).nexudus_id), deal


def rows(world: SimWorld, table: Any, **values: Any) -> list[Any]:
    """What the store has of a table under these values."""
    with world.store.read() as session:
        return list(session.exec(select(table).filter_by(**values)))


def ended_after_the_create(world: SimWorld, side: Side = Side.NEXUDUS) -> None:
    """A cycle creates a record; its answer is lost, and the process ends before it looks for it."""

    def end() -> None:
        world.crash_at = world.commits + 1

    path = "/crmopportunities" if side is Side.NEXUDUS else "/crm/opportunity"
    world.faults[side].add("drop_after", f"^POST .*{path}$", times=1)
    when(world, side, "POST", path, end)
    cycle(world)
    assert rows(world, Journal, state="sent", kind="opportunity.create")


def edited_while_off(world: SimWorld) -> tuple[int, str]:
    """A pair of which Ben edits a field while it does not travel; it does again when a new process begins."""
    card, deal = born_in_crm(world, utm_medium="cpc")
    world.rules["utm_medium"] = 'sync = "off"'
    world.restart()
    cycle(world)
    world.crm.edit(deal, BEN, utm_medium="fair")
    cycle(world)
    world.rules.clear()
    world.restart()
    return card, deal


def links(world: SimWorld) -> list[Link]:
    """All links, in the order in which they were made."""
    with world.store.read() as session:
        return list(session.exec(select(Link).order_by(col(Link.id))))


def _partner(world: SimWorld, **ids: str) -> Link:
    with world.store.read() as session:
        return session.exec(select(Link).filter_by(**ids)).one()


def decide(world: SimWorld, name: str, take: Side) -> None:
    """A person resolves what is shown as a conflict of a field."""
    with world.store.session() as session:
        for conflict in session.exec(select(Conflict).where(Conflict.field == name, Conflict.state == "open")):
            conflict.state, conflict.take = "resolved", take.value
            session.add(conflict)


# -- the stories ----------------------------------------------------------------------------------------------------


def second_thoughts(world: SimWorld) -> None:
    """Ana changes an amount, and changes it again after the sync carried it."""
    card, _ = born_in_nexudus(world)
    for amount in (100, 200):
        world.nexudus.edit(card, ANA, Value=amount)
        cycle(world)


def edit_while_listing(world: SimWorld) -> None:
    """Ana changes a card right after the list that no longer shows it."""
    card, _ = world.seeded.equal[0]
    rename = lambda: world.nexudus.edit(card, ANA, Name="Just now")  # noqa: E731
    when(world, Side.NEXUDUS, "GET", "/crmopportunities", rename)
    cycle(world)


def edit_after_our_write(world: SimWorld) -> None:
    """Ben wins a deal; Ana renames the card between the write of the status and the read that verifies it."""
    card, deal = born_in_crm(world)
    world.crm.edit(deal, BEN, status="Converted")
    when(world, Side.NEXUDUS, "PUT", "/crmopportunities", lambda: world.nexudus.edit(card, ANA, Name="Renamed"))
    cycle(world)


def edit_during_a_slow_read(world: SimWorld) -> None:
    """Ana renames a card; the sync's read of it takes long, and meanwhile Ben renames the deal."""
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.faults[Side.NEXUDUS].add("slow", f"^GET .*/{card}$", seconds=6.0)
    when(world, Side.NEXUDUS, "GET", f"/{card}", lambda: world.crm.edit(deal, BEN, title="Ben's"), later=4.0)
    cycle(world)


def edit_in_the_gap(world: SimWorld) -> None:
    """Ana changes an amount; Ben changes it too, right after the sync has read the deal to write it. Then a sweep."""
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Value=4321)
    when(world, Side.CRM, "GET", f"/{deal}", lambda: world.crm.edit(deal, BEN, opportunity_amount=99))
    cycle(world)
    cycle(world, reconcile=True)


def lost_deal(world: SimWorld) -> None:
    """Ana's new card is lost already, with a reason: the CRM takes that as a row of its own."""
    born_in_nexudus(world, Status=3, LossReason=1)


def open_question(world: SimWorld) -> None:
    """Both change the amount, so a person is asked; meanwhile Ana renames the card, and then the person decides."""
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Value=100)
    world.clock.seconds += 30
    world.crm.edit(deal, BEN, opportunity_amount=205)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Renamed")
    cycle(world)
    decide(world, "opportunity_amount", Side.NEXUDUS)
    cycle(world)


def late_answer_to_a_question(world: SimWorld) -> None:
    """A person decides for Nexudus; before the sync does so, Ben changes the amount once more."""
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Value=100)
    world.crm.edit(deal, BEN, opportunity_amount=205)
    cycle(world)
    decide(world, "opportunity_amount", Side.NEXUDUS)
    world.clock.seconds += 5
    world.crm.edit(deal, BEN, opportunity_amount=305)
    cycle(world)


def both_rename(world: SimWorld) -> None:
    """Both rename it, Ben later: the newest wins and Ana's name is kept in the history."""
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.clock.seconds += 30
    world.crm.edit(deal, BEN, title="Ben's")
    cycle(world)


def crashes_all_along(world: SimWorld) -> None:
    """Ana renames one card after the other, and each time the process ends a commit later."""
    cards = [new_card(world, f"anna{number}") for number in range(1, 13)]
    cycle(world)
    cycle(world)
    for number, card in enumerate(cards, 1):
        world.nexudus.edit(card, ANA, Name=f"Name {number}")
        world.crash_at = world.commits + number
        cycle(world)
        world.crash_at = None
        world.restart()
        cycle(world)


def answer_lost(world: SimWorld) -> None:
    """A create is done, but its answer never comes."""
    new_card(world, "anna")
    world.faults[Side.CRM].add("drop_after", CREATE)
    cycle(world)
    cycle(world)


def landed_late(world: SimWorld) -> None:
    """The connection breaks while a create is sent, and the server does it five seconds later all the same."""
    new_card(world, "anna")
    struck: list[Request] = []

    def once(request: Request) -> bool:
        if struck or not re.search(CREATE, f"{request.method} {request.path}"):
            return False
        struck.append(request)
        world.crm.later(5.0, lambda: world.crm.serve(request))
        return True

    world.faults[Side.CRM].add("drop", once)
    cycle(world)
    cycle(world)


def landed_too_late(world: SimWorld) -> None:
    """A create is done when the sync had given it up and created another."""
    new_card(world, "anna")
    world.faults[Side.CRM].add("late_commit", CREATE, seconds=75.0)
    cycle(world)
    cycle(world)


def listed_late(world: SimWorld) -> None:
    """Ben's deal is copied; a reconcile comes before Nexudus's list shows the new card."""
    world.nexudus.options.late_visible = 20.0
    new_deal(world, "berta")
    cycle(world)
    cycle(world, reconcile=True, after=1.0)


def deleted_card(world: SimWorld) -> None:
    """Ana deletes the counterpart of Ben's deal: under "ignore" the deal stays, and nothing comes back."""
    card, _ = born_in_crm(world)
    world.nexudus.delete(card, ANA)
    cycle(world, reconcile=True)
    cycle(world)


def moved_elsewhere(world: SimWorld) -> None:
    """Ana moves a card to another location: its link sleeps, and nothing is deleted."""
    card, _ = born_in_crm(world)
    madrid = world.nexudus.directory.stage_named(world.seeded.places.madrid.board_id, "New lead")
    world.nexudus.edit(card, ANA, CrmBoardColumnId=madrid)
    cycle(world, reconcile=True)


def late_in_london(world: SimWorld) -> None:
    """Ana moves a card that is due shortly before midnight to Madrid, where it is the next day by then."""
    card, _ = born_in_nexudus(world, DueDate="2026-06-12T22:30:00Z")
    madrid = world.nexudus.directory.stage_named(world.seeded.places.madrid.board_id, "New lead")
    world.nexudus.edit(card, ANA, CrmBoardColumnId=madrid)
    cycle(world)


def notes_of_her_own(world: SimWorld) -> None:
    """Ana's notes have no place in the CRM; Ben renames the deal."""
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Notes="Called twice", UtmTerm="desk")
    cycle(world)
    world.crm.edit(deal, BEN, title="Renamed")
    cycle(world)


def unknown_stage(world: SimWorld) -> None:
    """Ben moves a deal to a stage that Nexudus has not: that waits where a person sees it."""
    _, deal = born_in_crm(world)
    world.crm.move(deal, "Prospecting", BEN)
    cycle(world)


def many_restarts(world: SimWorld) -> None:
    """One process after the other, without a pause."""
    for _ in range(25):
        world.restart()
        cycle(world, reconcile=True, after=0.0)


def answered_with_another(world: SimWorld) -> None:
    """Ana renames a card, and twice its read is answered with another card; meanwhile Ben changes the amount."""
    card, deal = born_in_crm(world, opportunity_amount=300)
    other = new_card(world, "olga", Value=777)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Berta's")
    answer = json_response(200, world.nexudus.record(other))
    world.faults[Side.NEXUDUS].change(f"^GET .*/{card}$", lambda _: answer, times=2)
    cycle(world)
    world.crm.edit(deal, BEN, opportunity_amount=555)
    cycle(world)


def shown_as_it_was(world: SimWorld) -> None:
    """Ana renames a card; the list of the CRM shows the deal once more as it was before the sync wrote that."""
    card, deal = born_in_nexudus(world)
    before = dict(world.crm.record(deal))
    world.nexudus.edit(card, ANA, Name="Anna & Co")
    cycle(world)

    def behind(answer: Response) -> Response:
        body = answer.json()
        rows = [before if row["id"] == deal else row for row in body["data"]]
        return json_response(200, {**body, "data": rows if before in rows else [*rows, before]})

    if world.desk.system == "overplane":
        world.faults[Side.CRM].change("^GET .*/crm/opportunity$", behind)
    cycle(world)
    cycle(world)


def kept_differently(world: SimWorld) -> None:
    """Ana gives a card a long name, of which the CRM keeps the first forty characters."""
    card, _ = born_in_nexudus(world)
    if world.desk.system == "overplane":
        world.crm.options.keeps = ("cut",)
    world.nexudus.edit(card, ANA, Name="Forty desks by the window, from the first of June on")
    cycle(world)
    cycle(world)


def one_is_locked(world: SimWorld) -> None:
    """Ana renames two cards; the CRM refuses to have the first one's deal written, for good."""
    card, deal = born_in_nexudus(world)
    other, _ = born_in_crm(world)
    world.nexudus.edit(card, ANA, Name="First")
    world.nexudus.edit(other, ANA, Name="Second")
    world.faults[Side.CRM].add(LOCK, f"^(PATCH|PUT) .*/{deal}$", times=99)
    cycle_anyway(world)


def two_at_once(world: SimWorld) -> None:
    """Ana renames two cards; the CRM cannot be reached when the first is to be written."""
    card, deal = born_in_nexudus(world)
    other, _ = born_in_crm(world)
    world.faults[Side.CRM].add("connect", f"^(PATCH|PUT) .*/{deal}$", times=99)
    world.nexudus.edit(card, ANA, Name="First")
    world.nexudus.edit(other, ANA, Name="Second")
    cycle(world)
