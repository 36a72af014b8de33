"""What goes wrong with one record, one call or one system neither stops the rest nor is forgotten."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import test_odd_moments as odd
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, edited_while_off, links, new_card, new_deal, rows, when
from sim_world import SimWorld
from sqlmodel import select
from test_more_stories import slow_poll
from test_odd_moments import ask, at_rest, link_of, one, release, skewed, to
from test_trail import shown, world_with_a_lost_edit

from nexudus_sandbox.seed.places import WELCOME
from nexudus_sync.engine import audit, brakes
from nexudus_sync.engine.cycle import settle_record
from nexudus_sync.engine.pull import pull
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import OutcomeUnknown, Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, Decision, Failure, History, Journal

TRAIL = "^GET .*/sys/audittrailentries"
CITIES = ("london", "madrid")

pytestmark = pytest.mark.usefixtures("closed")


def alone(world: SimWorld, side: Side, record_id: str) -> Report:
    """`sync --record`."""

    async def work() -> Report:
        await world.engine.start()
        return await settle_record(world.connection, side, record_id)

    world.clock.seconds += 60
    return world.clock.run(work())


def in_turn(world: SimWorld, times: int, *, after: float = 60.0, **options: Any) -> None:
    for _ in range(times):
        for city in CITIES:
            one(world, city, after=after, **options)


def test_a_trail_that_cannot_be_read_keeps_nothing_from_its_end(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    world.faults[Side.NEXUDUS].add("error_500_before", TRAIL, times=9999)
    world.nexudus.edit(card, ANA, Name="Renamed")
    cycle(world)
    entry = rows(world, History, crm_id=deal)[-1]
    ask(world, "undo", history_id=entry.id)
    report = one(world, "london", reconcile=True)
    assert any("audittrail" in error for error in report.errors)
    assert rows(world, Decision)[0].done_at is not None
    assert world.crm.record(deal)["title"] == entry.old


def test_a_release_is_spent_though_the_trail_cannot_be_read(tmp_path: Path) -> None:
    world, _ = odd.many_gone(tmp_path)
    world.faults[Side.NEXUDUS].add("error_500_before", TRAIL, times=9999)
    one(world, "london", one_shot=False)
    assert [brake.state for brake in rows(world, Brake)] == ["gone"]


def test_what_the_trail_showed_while_it_could_not_be_read_is_shown_later(tmp_path: Path) -> None:
    world, _ = world_with_a_lost_edit(tmp_path)
    world.faults[Side.NEXUDUS].add("error_500_before", TRAIL, times=9999)
    cycle(world, reconcile=True)
    world.faults[Side.NEXUDUS].clear()
    cycle(world, reconcile=True, after=86400.0)
    assert [conflict.field for conflict in shown(world)] == ["opportunity_amount"]


def test_a_value_lost_in_the_gap_is_shown_when_its_card_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    said = audit._said

    async def broken(*args: Any) -> Any:
        world.faults[Side.NEXUDUS].add("error_500_before", f"^GET .*/{link.nexudus_id}$", times=99)
        try:
            return await said(*args)
        finally:
            world.faults[Side.NEXUDUS].clear()

    with monkeypatch.context() as patch:
        patch.setattr(audit, "_said", broken)
        cycle(world, reconcile=True)
    assert shown(world) == []
    cycle(world, reconcile=True, after=86400.0)
    assert [conflict.field for conflict in shown(world)] == ["opportunity_amount"]


def test_a_value_lost_in_the_gap_is_shown_though_its_card_moved_since(tmp_path: Path) -> None:
    """Madrid has read the trail when the card comes to it, and it is gone from London when London reads it."""
    world, link = world_with_a_lost_edit(tmp_path, cities=CITIES)
    one(world, "madrid", reconcile=True)
    to(world, int(link.nexudus_id), "madrid")
    one(world, "madrid")
    in_turn(world, 2, reconcile=True)
    assert [(asked.connection, asked.nexudus) for asked in shown(world)] == [("madrid", "4321.00")]


def test_what_was_decided_is_not_asked_again_under_another_name_of_the_connection(tmp_path: Path) -> None:
    world, _ = world_with_a_lost_edit(tmp_path)
    cycle(world, reconcile=True)
    with world.store.session() as session:
        asked = session.exec(select(Conflict)).one()
        asked.state, asked.take = "resolved", Side.CRM.value
    cycle(world)
    world.places = {"west end": world.places["london"]}
    world.restart()
    cycle(world), cycle(world, reconcile=True)
    assert shown(world) == []


def test_one_release_is_for_all_that_one_brake_showed(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    texts = [f"{count} of 100 linked records changed in {system} at once" for count, system in ((90, "a"), (60, "b"))]
    evidence = [brakes.Evidence("mass-change", text) for text in texts]

    def braked() -> str | None:
        with world.store.session() as session:
            return brakes.pull_brake(session, world.connection, evidence)

    assert braked() == "mass-change"
    release(world)
    assert braked() is None


@pytest.mark.parametrize("claimed", [False, True])
def test_an_edit_of_the_counterpart_of_a_card_that_was_elsewhere_arrives(claimed: bool, tmp_path: Path) -> None:
    """Nobody polled for the pair meanwhile: the card lay in no connection's scope, or its connection rested."""
    world = at_rest(tmp_path, system="erpnext", cities=CITIES if claimed else ("london",))
    card, deal = born_in_nexudus(world)
    cities = CITIES if claimed else ("london",)
    if not claimed:
        to(world, card, "madrid")
        one(world, "london", after=900)
    world.crm.edit(deal, BEN, title="Meanwhile")
    other = next(link for link in links(world) if link.connection == cities[-1] and link.crm_id != deal)
    for _ in range(3):
        one(world, cities[-1], after=900)
    world.crm.edit(other.crm_id, BEN, title="Moves the cursor")
    for _ in range(2):
        one(world, cities[-1], after=900)
    to(world, card, cities[-1])
    for _ in range(3):
        one(world, cities[-1])
    assert world.nexudus.record(card)["Name"] == "Meanwhile"


def test_many_broken_records_keep_a_command_from_no_other(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=20, crm=20, shared=18)
    for _ in range(2):
        cycle(world)
    *bad, good = links(world)
    for link in bad[:12]:
        world.faults[Side.CRM].add("error_500_before", f"^(PATCH|PUT) .*/{link.crm_id}$", times=99999)
        world.nexudus.edit(int(link.nexudus_id), ANA, Name="Broken")
    world.nexudus.edit(int(good.nexudus_id), ANA, Name="Sound")
    for _ in range(8):
        with suppress(Unavailable, OutcomeUnknown):  # the circuit opens
            one(world, "london")
    assert world.crm.record(good.crm_id)["title"] == "Sound"


def test_a_record_that_is_synced_alone_is_matched_with_what_is_new(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("connect", "^POST .*/crm/opportunity$", times=99)
    cycle(world)
    world.faults[Side.CRM].clear()
    deal = new_deal(world, "anna")  # Ben enters it himself
    alone(world, Side.NEXUDUS, str(card))
    assert link_of(world, card).crm_id == deal


def test_a_record_that_is_synced_alone_may_have_the_name_of_one_that_was_linked(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    _, deal = born_in_crm(world)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True)
    assert new_deal(world, "carla") == deal
    assert alone(world, Side.CRM, deal).created["nexudus"] == 1
    assert [link.state for link in links(world) if link.crm_id == deal] == ["closed", "active"]


def test_a_record_that_is_synced_alone_heeds_a_changed_mapping(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, _ = edited_while_off(world)
    alone(world, Side.NEXUDUS, str(card))
    assert [(one.field, one.state) for one in rows(world, Conflict)] == [("utm_medium", "open")]
    assert world.nexudus.record(card)["UtmMedium"] == "cpc"


def test_a_lost_answer_about_a_record_that_is_synced_alone_is_found_out(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Name="Renamed")
    world.faults[Side.CRM].add("drop_after", f"^PATCH .*/{deal}$", times=1)
    alone(world, Side.NEXUDUS, str(card))
    assert rows(world, Journal, state="sent") == []
    assert world.crm.record(deal)["title"] == "Renamed"


def test_a_question_is_over_when_the_record_was_linked_elsewhere(tmp_path: Path) -> None:
    world = at_rest(tmp_path, cities=CITIES)
    card = new_card(world, "anna")
    to(world, card, "madrid")
    for _ in range(2):
        new_deal(world, "anna", company=world.places["madrid"].company)
    one(world, "madrid")
    assert len(rows(world, Conflict, state="open", nexudus_id=str(card))) == 1
    to(world, card, "london")
    one(world, "london")
    to(world, card, "madrid")
    in_turn(world, 3)
    assert rows(world, Conflict, state="open", nexudus_id=str(card)) == []


def test_a_record_that_was_refused_is_tried_again_when_somebody_mends_it(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("error_500_before", "^POST .*/crm/opportunity$", times=9999)
    for _ in range(40):
        one(world, "london", after=600, one_shot=False)
    world.faults[Side.CRM].clear()
    (failure,) = rows(world, Failure, state="open", nexudus_id=str(card))
    assert failure.next_attempt > world.clock.now() + timedelta(hours=1)
    world.nexudus.edit(card, ANA, Name="Mended")
    one(world, "london", one_shot=False)
    assert link_of(world, card).state == "active"


def test_an_edit_that_a_failed_attempt_came_upon_travels_though_the_attempt_is_not_repeated(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    cycle(world)
    world.crm.edit(deal, BEN, title="Ben's")
    when(world, Side.CRM, "GET", "/crm/opportunity", lambda: world.nexudus.edit(card, ANA, Value=777))
    world.faults[Side.NEXUDUS].add("connect", "^PUT .*/crmopportunities$", times=99)
    one(world, "london", one_shot=False)
    world.faults[Side.NEXUDUS].clear()
    world.clock.seconds += 20
    world.crm.edit(deal, BEN, title="berta")  # so that nothing is to be written to the card any more
    for after in (20, 60, 60):
        one(world, "london", after=after, one_shot=False)
    assert world.crm.record(deal)["opportunity_amount"] == 777


def test_what_is_new_is_new_though_the_backfill_was_noted_under_a_clock_that_was_ahead(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    ours = skewed(world, 30 * 86400.0)
    one(world, "london")
    ours.ahead = 0.0
    world.clock.seconds += 86400
    new_deal(world, "berta", sales_stage=WELCOME)
    for _ in range(2):
        one(world, "london")
    acting = world.nexudus.directory.stage_named(world.seeded.places.london.board_id, WELCOME)
    (card,) = [card for card in world.nexudus.records().values() if card["Name"] == "berta"]
    assert card["CrmBoardColumnId"] == acting


def test_a_stamp_of_the_future_is_read_once(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, _ = born_in_nexudus(world)
    for table in (world.nexudus.cards.rows, world.nexudus.cards.listed):
        table[card] = {**table[card], "UpdatedOn": "2031-01-01T00:00:00Z"}
    cycle(world, after=3600)
    before = len(world.readings[Side.NEXUDUS])
    for _ in range(3):
        cycle(world, after=3600)
    assert [r.path for r in world.readings[Side.NEXUDUS][before:] if r.path.endswith(f"/{card}")] == []


def test_a_poll_within_a_sweep_is_none_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = at_rest(tmp_path)
    asked, list_side = list[bool](), pull.list_side

    async def noted(*args: Any, **options: Any) -> Any:
        asked.append(options["full"])
        return await list_side(*args, **options)

    monkeypatch.setattr(pull, "list_side", noted)
    for number in range(6):
        new_card(world, f"anna{number}")
        world.clock.seconds += 2
    slow_poll(world, 3, lambda: None, monkeypatch)
    cycle(world, reconcile=True)
    assert asked == [True, True, False, False]


def test_a_question_is_closed_where_its_field_does_not_travel_any_more(tmp_path: Path) -> None:
    """Both change an amount, and a person is asked; then the card moves to a connection that leaves amounts alone."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2, cities=CITIES)
    world.rules["opportunity_amount"] = 'sync = "off"'
    world.restart()
    without_amounts = world.bridge_of("madrid").mapping
    world.rules.clear()
    world.restart()
    world.bridge_of("madrid").mapping = without_amounts
    in_turn(world, 2)
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Value=100)
    world.crm.edit(deal, BEN, opportunity_amount=205)
    in_turn(world, 1)
    assert len(rows(world, Conflict, state="open")) == 1
    to(world, card, "madrid")
    in_turn(world, 2)
    assert link_of(world, card).connection == "madrid"
    assert rows(world, Conflict, state="open") == []


def test_a_field_that_travels_since_is_compared_though_its_card_moved_before_anybody_looked(tmp_path: Path) -> None:
    """In Madrid a source only travels from the CRM; it travels both ways when the card comes to London."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2, cities=CITIES)
    world.rules["utm_source"] = 'sync = "from-crm"'
    world.restart()
    in_turn(world, 2)
    card = new_card(world, "anna", UtmSource="radio")
    to(world, card, "madrid")
    in_turn(world, 2)
    deal = link_of(world, card).crm_id
    assert not world.crm.record(deal).get("utm_source")
    world.rules.clear()
    world.restart()
    to(world, card, "london")
    in_turn(world, 2)
    assert link_of(world, card).connection == "london"
    assert world.crm.record(deal)["utm_source"] == "radio"


def test_what_the_backfill_left_stays_in_sight_under_another_name_of_the_connection(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    deal = new_deal(world, "berta", sales_stage=WELCOME)
    cycle(world), cycle(world)
    world.places = {"west end": world.places["london"]}
    world.restart()
    cycle(world), cycle(world, reconcile=True)
    (left,) = rows(world, Failure, state="open", crm_id=deal)
    assert (left.connection, left.kind, left.field) == ("west end", "stage-acts", "sales_stage")


def test_what_failed_of_a_pair_is_out_of_sight_while_its_card_is_elsewhere(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    world.crm.move(deal, "Prospecting", BEN)
    cycle(world)
    assert [one.kind for one in rows(world, Failure, state="open")] == ["unmapped"]
    to(world, card, "madrid")
    cycle(world)
    assert link_of(world, card).state == "sleeping"
    assert rows(world, Failure, state="open") == []
    to(world, card, "london", "Tour booked")
    world.crm.move(deal, "Prospecting", BEN)
    cycle(world)
    assert rows(world, Failure, state="open") != [] or rows(world, Conflict, state="open") != []
