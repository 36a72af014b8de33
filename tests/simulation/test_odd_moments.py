from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sim_checker import check
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, links, new_card, new_deal, rows
from sim_world import SimWorld
from sqlmodel import select
from test_trail import cycle as trail_cycle
from test_trail import world_with_a_lost_edit

from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, Decision, Failure, Journal, Link, Unlinked

pytestmark = pytest.mark.usefixtures("closed")


def one(world: SimWorld, city: str, *, after: float = 60.0, **options: Any) -> Any:
    async def work() -> Any:
        await world.engine.start()
        return await run_cycle(world.bridge_of(city), Options(**options))

    world.clock.seconds += after
    return world.clock.run(work())


def at_rest(folder: Path, **kw: Any) -> SimWorld:
    world = SimWorld(11, folder, **{"nexudus": 4, "crm": 4, "shared": 2, **kw})
    for _ in range(2):
        for connection in world.engine.connections:
            one(world, connection.name)
    return world


def ask(world: SimWorld, kind: str, **args: Any) -> None:
    with world.store.session() as session:
        session.add(Decision(connection="london", kind=kind, args=args, asked_at=world.clock.now()))


def to(world: SimWorld, card: int, city: str, stage: str = "New lead") -> None:
    board = getattr(world.seeded.places, city).board_id
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, stage))


def link_of(world: SimWorld, card: int) -> Link:
    return next(link for link in links(world) if link.nexudus_id == str(card))


# 1
def test_there_and_back_again(tmp_path: Path) -> None:
    world = at_rest(tmp_path, cities=("london", "madrid"))
    card = new_card(world, "anna", DueDate="2026-06-12T22:30:00Z")
    one(world, "london"), one(world, "london")
    deal = link_of(world, card).crm_id
    for city, day in (("madrid", "2026-06-13"), ("london", "2026-06-12")):
        to(world, card, city)
        for name in ("london", "madrid") * 3:
            one(world, name)
        assert link_of(world, card).connection == city
        assert world.crm.record(deal)["expected_closing"] == day  # London: 2026-06-13, and no conflict or failure


# 2, 3
def card_made_and_process_ended(world: SimWorld) -> str:
    """The server makes a card for Ben's deal; the answer is lost and the process ends before it looks."""
    deal, armed = new_deal(world, "berta"), [True]

    def watch(request: Any, _: Any) -> None:
        if armed and request.method == "POST" and request.path.endswith("/crmopportunities"):
            armed.clear()
            world.crash_at = world.commits + 1

    world.faults[Side.NEXUDUS].add("drop_after", "^POST .*/crmopportunities$")
    world.nexudus.watchers.append(watch)
    cycle(world)
    assert rows(world, Journal, state="sent", kind="opportunity.create")
    return deal


def test_the_name_of_a_source_given_to_the_next_before_recovery(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    deal = card_made_and_process_ended(world)
    world.crm.delete(deal, BEN)
    assert world.desk.create("carla") == deal
    for _ in range(5):
        cycle(world)
    card = world.nexudus.record(
        int(next(link for link in links(world) if link.crm_id == deal and link.state == "active").nexudus_id)
    )
    assert card["CoworkerEmail"] == "carla@example.org"  # berta@example.org, under the name "carla"


def test_the_name_of_a_source_given_to_the_next_after_recovery(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    deal = card_made_and_process_ended(world)
    world.crm.delete(deal, BEN)
    cycle(world)  # the link is closed, with crm_identity ""
    assert world.desk.create("carla") == deal
    for _ in range(4):
        cycle(world)
    cycle(world, reconcile=True), cycle(world)
    assert rows(world, Unlinked, record_id=deal) or [
        link for link in links(world) if link.crm_id == deal and link.state == "active"
    ]


# 4
def test_an_edit_of_what_never_arrived_and_a_deletion(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    board = world.seeded.places.london.board_id
    for name in ("Only here", "Only here too"):
        world.nexudus.directory.add_stage(board, name)
    card = new_card(world, "anna")
    to(world, card, "london", "Only here")
    cycle(world), cycle(world)
    deal = link_of(world, card).crm_id
    to(world, card, "london", "Only here too")  # or "Won": the same
    world.crm.delete(deal, BEN)
    cycle(world), cycle(world, reconcile=True)
    assert card in world.nexudus.records()  # deleted; no question was asked, nothing is in the history


# 5
def test_a_lost_edit_of_a_card_that_is_deleted_since(tmp_path: Path) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    world.nexudus.delete(int(link.nexudus_id), ANA)
    died = 0
    for _ in range(5):
        try:
            trail_cycle(world, reconcile=True)
        except Exception:
            died += 1
    assert died == 0  # 5


# 6
class Skewed:
    """A machine's clock that is `ahead` of everybody's."""

    def __init__(self, clock: Any, ahead: float) -> None:
        self.clock, self.ahead = clock, ahead

    def now(self) -> Any:
        return self.clock.now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return float(self.clock.monotonic())

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


def skewed(world: SimWorld, ahead: float) -> Skewed:
    real = world.clock
    world.clock = ours = Skewed(real, ahead)  # type: ignore[assignment]
    world.restart()
    world.clock = real
    return ours


def test_a_clock_that_was_behind_is_put_right(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    ours = skewed(world, -3600.0)
    for _ in range(3):
        one(world, "london")
    ours.ahead = 0.0
    one(world, "london")
    world.clock.seconds += 600
    world.nexudus.edit(card, ANA, Name="After the step")
    for _ in range(120):
        one(world, "london")  # two hours
    assert world.crm.record(deal)["title"] == "After the step"


# 7
def test_a_failure_noted_under_a_clock_that_was_ahead(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    ours = skewed(world, 365 * 86400.0)
    world.nexudus.edit(card, ANA, Name="One")
    world.faults[Side.CRM].add("connect", f"^(PATCH|PUT) .*/{deal}$", times=99)
    one(world, "london", one_shot=False)
    world.faults[Side.CRM].clear()
    ours.ahead = 0.0
    for name in ("Two", "Three"):
        world.nexudus.edit(card, ANA, Name=name)
        for _ in range(30):
            one(world, "london", one_shot=False, after=3600.0)
    assert world.crm.record(deal)["title"] == "Three"  # "berta"


# 8
def test_the_reconcile_of_a_connection_that_cards_moved_to(tmp_path: Path) -> None:
    cities = ("london", "madrid")
    world = at_rest(tmp_path, nexudus=20, crm=20, shared=18, system="erpnext", cities=cities)
    for number, link in enumerate([link for link in links(world) if link.connection == "london"][:14]):
        to(world, int(link.nexudus_id), "madrid")
        if number % 5 == 4:
            one(world, "madrid"), one(world, "london")
    for name in cities * 3:
        one(world, name)
    report = one(world, "madrid", reconcile=True)
    assert report.brake is None, [b.evidence for b in rows(world, Brake)]  # 14 of 18 links are missing


# 9
def test_the_zone_of_a_connection_is_changed(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    born_in_nexudus(world, DueDate="2026-06-12T22:30:00Z")
    world.settings["deletes"] = 'ignore"\ntime_zone = "Europe/Madrid'
    world.restart()
    for number in range(5):
        cycle(world, reconcile=number == 3)
    assert check(world)[0] == []


# 10
def test_a_move_to_a_connection_with_other_rules(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2, cities=("london", "madrid"))
    shipped = world.bridge_of("madrid").mapping
    world.rules["utm_source"] = 'sync = "from-crm"'
    world.restart()
    world.bridge_of("madrid").mapping = shipped  # as with a mapping file of its own: two-way
    for name in ("london", "madrid") * 2:
        one(world, name)
    card = new_card(world, "anna", UtmSource="radio")
    one(world, "london"), one(world, "london")
    to(world, card, "madrid")
    for name in ("madrid", "london") * 3:
        one(world, name)
    one(world, "madrid", reconcile=True), one(world, "madrid")
    assert link_of(world, card).connection == "madrid"
    assert world.crm.record(link_of(world, card).crm_id)["utm_source"] == "radio" or rows(
        world, Conflict, field="utm_source"
    )


# 11
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Nexudus says @@ it means half an emoji, as a program writes it that cuts UTF-16 in the middle of one."""
    plain = SimWorld.transport

    class Halved(httpx.AsyncBaseTransport):
        def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
            self.inner = inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await self.inner.handle_async_request(request)
            body = (await answer.aread()).replace(b"@@", b"\\ud83d")
            kept = {k: v for k, v in answer.headers.items() if k.lower() != "content-length"}
            return httpx.Response(answer.status_code, headers=kept, content=body)

    monkeypatch.setattr(
        SimWorld, "transport", lambda w, side: Halved(plain(w, side)) if side is Side.NEXUDUS else plain(w, side)
    )


@pytest.mark.parametrize("linked", [False, True])
def test_half_an_emoji(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool) -> None:
    half(monkeypatch)
    world = at_rest(tmp_path)
    if linked:
        world.nexudus.edit(born_in_nexudus(world)[0], ANA, UtmCampaign="Tour @@")
    else:
        new_card(world, "dora", Name="Tour @@")
    other = new_card(world, "carla")
    cycle(world)  # UnicodeEncodeError
    assert link_of(world, other)


@pytest.mark.parametrize("key", ["CreatedOn", "UpdatedOn"])
def test_year_one(tmp_path: Path, key: str) -> None:
    world = at_rest(tmp_path)
    other, bad = new_card(world, "carla"), new_card(world, "anna")
    for table in (world.nexudus.cards.rows, world.nexudus.cards.listed):
        table[bad] = {**table[bad], key: "0001-01-01T00:00:00Z"}
    cycle(world, reconcile=True)  # OverflowError
    assert link_of(world, other)


# 12
def test_relinking_one_of_a_parted_pair(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, parted = born_in_crm(world)
    other = new_deal(world, "carla")
    cycle(world), cycle(world)
    for deal in (parted, other):
        ask(world, "unlink", link_id=next(link.id for link in links(world) if link.crm_id == deal))
    cycle(world)
    before = len(world.nexudus.records())
    ask(world, "link", nexudus_id=str(card), crm_id=other)
    for _ in range(3):
        cycle(world)
    assert (
        len(world.nexudus.records()) == before
    )  # one more: a copy of `parted`, which unlink said never is created again


# 13
def test_a_conflict_on_a_field_that_does_not_travel_any_more(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Value=100)
    world.crm.edit(deal, BEN, opportunity_amount=205)
    cycle(world)
    world.rules["opportunity_amount"] = 'sync = "off"'
    world.restart()
    cycle(world)
    assert [c.state for c in rows(world, Conflict)] == ["closed"]  # "resolved" for ever, the link read in each cycle


# 14
def test_unlink_asked_for_before_a_move(tmp_path: Path) -> None:
    world = at_rest(tmp_path, cities=("london", "madrid"))
    card, deal = born_in_crm(world, title="moving")
    world.nexudus.edit(card, ANA, Status=2)
    world.crm.edit(deal, BEN, status="Lost")
    one(world, "london")
    assert rows(world, Conflict, state="open")
    ask(world, "unlink", link_id=link_of(world, card).id)
    to(world, card, "madrid")
    for name in ("madrid", "london", "madrid", "london"):
        one(world, name)
    assert link_of(world, card).state == "closed"
    assert rows(world, Conflict, state="open") == []  # madrid's is open for ever


# 15
def test_what_a_limit_leaves_leaves_the_scope_meanwhile(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=30, crm=4, shared=2)
    lone, seen = [new_card(world, f"anna{n}") for n in range(4)], list[int]()

    def watch(request: Any, _: Any) -> None:
        if request.method == "POST" and not seen and "opportunity" in request.path:
            seen.append(1)
            for card in lone[-3:]:
                to(world, card, "madrid")
            world.clock.seconds += 61  # a poll is due

    world.crm.watchers.append(watch)
    one(world, "london", limit=2)  # StaleDataError


def release(world: SimWorld) -> None:
    with world.store.session() as session:
        for brake in session.exec(select(Brake).where(Brake.state == "set")):
            brake.state = "released"


def test_a_write_that_is_never_done_is_shown_as_a_failure_until_it_is(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Name="Sent in vain")
    world.faults[Side.CRM].add("error_500_before", f"^PATCH .*/{deal}$", times=99)
    cycle(world)
    assert [(one.kind, one.crm_id) for one in rows(world, Failure, state="open")] == [("unavailable", deal)]
    world.faults[Side.CRM].clear()
    cycle(world)
    assert rows(world, Failure, state="open") == []
    assert world.crm.record(deal)["title"] == "Sent in vain"


def many_gone(folder: Path, pairs: int = 18) -> tuple[SimWorld, list[int]]:
    """Twelve of the cards are deleted, which a sweep finds; the others are given back."""
    world = at_rest(folder, nexudus=pairs + 2, crm=pairs + 2, shared=pairs, deletes="propagate")
    asked = {one.nexudus_id for one in rows(world, Conflict, state="open")}
    cards = [int(link.nexudus_id) for link in links(world) if link.nexudus_id not in asked]
    for card in cards[:12]:
        world.nexudus.delete(card, ANA)
    assert one(world, "london", reconcile=True).brake == "mass-delete"
    release(world)
    return world, cards[12:]


def test_what_a_sweep_had_found_is_carried_out_by_the_next_cycle_after_its_brake_is_released(tmp_path: Path) -> None:
    world, left = many_gone(tmp_path)
    report = one(world, "london")
    assert (report.brake, report.deleted) == (None, 12)
    assert {int(link.nexudus_id) for link in links(world) if link.state == "active"} >= set(left)


@pytest.mark.parametrize(("more", "brake"), [(4, None), (11, "mass-delete")])
def test_a_brake_is_released_for_what_it_showed_and_no_more(more: int, brake: str | None, tmp_path: Path) -> None:
    """Further links set a brake where they alone are too many."""
    world, left = many_gone(tmp_path, pairs=28)
    for card in left[:more]:
        world.nexudus.delete(card, ANA)
    before = len(world.crm.records())
    assert one(world, "london").brake == brake
    assert len(world.crm.records()) == (before if brake else before - 12 - more)


def test_a_record_about_which_a_person_is_asked_is_not_deleted_with_its_counterpart(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Value=100)
    world.crm.edit(deal, BEN, opportunity_amount=205)
    cycle(world)
    world.crm.delete(deal, BEN)
    cycle(world), cycle(world, reconcile=True)
    assert card in world.nexudus.records()
    assert [one.field for one in rows(world, Conflict, state="open")] == ["opportunity_amount", "record"]


def test_a_company_whose_opportunities_are_all_gone_is_an_empty_side(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    for deal, row in list(world.crm.records().items()):
        if row["company"] == "Example Corp":
            world.crm.delete(deal, BEN)
    assert one(world, "london").brake == "empty-side"
    assert len(world.crm.records()) > 0


@pytest.mark.parametrize("system", ["overplane", "erpnext"])
def test_an_edit_of_an_opportunity_of_another_company_is_seen_by_a_sweep(system: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path, cities=("london", "madrid"), system=system)
    card, deal = world.seeded.pairs[0]
    world.crm.edit(deal, BEN, company=world.places["madrid"].company)
    one(world, "london")
    world.crm.edit(deal, BEN, opportunity_amount=777)
    one(world, "london", reconcile=True)
    assert world.nexudus.record(card)["Value"] == 777


def test_what_is_restored_is_asked_about_no_more(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    card, deal = world.seeded.pairs[0]
    kept = world.nexudus.cards.rows[card]
    world.nexudus.delete(card, ANA)
    world.crm.edit(deal, BEN, title="Edited meanwhile")
    one(world, "london", reconcile=True)
    assert [one.field for one in rows(world, Conflict, state="open", crm_id=deal)] == ["record"]
    world.nexudus.cards.rows[card] = world.nexudus.cards.listed[card] = kept  # as a backup has it, its stamp included
    one(world, "london", reconcile=True)
    assert rows(world, Conflict, state="open", crm_id=deal) == []
    assert world.nexudus.record(card)["Name"] == "Edited meanwhile"
