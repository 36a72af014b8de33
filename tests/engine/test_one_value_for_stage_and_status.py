"""Status and stage are one value in a CRM: what people do on either side, through the whole engine, with HubSpot."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select
from stage_desks import LOST, OPEN, WON, Desks, working

from nexudus_sandbox.hubspot.objects import Author
from nexudus_sync.engine.startup.missing_names import refuse_missing
from nexudus_sync.errors import ConfigError, Unavailable
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.mapping.context import Context
from nexudus_sync.store.conflicts import THIRD_VALUE
from nexudus_sync.store.tables import Conflict, Decision, History, Link
from small_office import MARIA, TOM, SmallOffice


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Desks]:
    async for made in working(Desks(tmp_path)):
        yield made


@pytest.fixture
async def paired(tmp_path: Path) -> AsyncIterator[Desks]:
    async for made in working(Desks(tmp_path, paired=True)):
        yield made


async def test_a_card_set_to_won_without_a_move_wins_its_deal(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=WON)
    await office.rest()
    assert office.says() == (WON, "Tour booked", "Closed won")
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_a_card_moved_into_a_winning_column_wins_its_deal(paired: Desks) -> None:
    paired.drag_card("Won")
    await paired.rest()
    assert paired.says() == (WON, "Won", "Closed won")
    assert (paired.failures(), paired.conflicts()) == (set(), [])


async def test_a_deal_dragged_to_closed_won_wins_its_card_and_leaves_its_column(office: Desks) -> None:
    office.drag_deal("Closed won")
    await office.rest()
    assert office.says() == (WON, "Tour booked", "Closed won")
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_a_paired_column_follows_the_stage(paired: Desks) -> None:
    paired.drag_deal("Closed won")
    await paired.rest()
    assert paired.says() == (WON, "Won", "Closed won")


async def test_a_deal_dragged_to_closed_lost_loses_its_card_with_the_reason(office: Desks) -> None:
    office.drag_deal("Closed lost", closed_lost_reason="Price")
    await office.rest()
    assert office.says() == (LOST, "Tour booked", "Closed lost")
    assert office.cards.record(office.card)["LossReason"] == 4
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_a_reason_that_nexudus_does_not_know_waits_alone(office: Desks) -> None:
    office.drag_deal("Closed lost", closed_lost_reason="Bought a boat")
    await office.rest()
    assert office.says() == (LOST, "Tour booked", "Closed lost")
    assert office.failures() == {("unmapped", "lost_reasons")}


@pytest.mark.parametrize("by", ["card", "deal"])
async def test_what_is_reopened_goes_back_to_the_last_open_stage_it_had(office: Desks, by: str) -> None:
    office.drag_deal("Closed lost")
    await office.rest()
    if by == "card":
        office.cards.edit(office.card, MARIA, Status=OPEN)
    else:
        office.drag_deal("Tour booked")
    await office.rest()
    assert office.says() == (OPEN, "Tour booked", "Tour booked")
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_a_deal_reopened_elsewhere_takes_its_card_along(office: Desks) -> None:
    office.drag_deal("Closed won")
    await office.rest()
    office.drag_deal("Negotiation")
    await office.rest()
    assert office.says() == (OPEN, "Negotiation", "Negotiation")


async def test_a_column_changed_while_the_deal_is_closed_is_not_lost(office: Desks) -> None:
    office.drag_deal("Closed won")
    await office.rest()
    office.drag_card("Proposal sent")
    await office.rest()
    assert office.says() == (WON, "Proposal sent", "Closed won")
    assert (office.failures(), office.conflicts()) == (set(), [])
    office.cards.edit(office.card, MARIA, Status=OPEN)
    await office.rest()
    assert office.says() == (OPEN, "Proposal sent", "Proposal sent")


async def test_status_here_and_stage_there_at_once_both_arrive(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=WON)
    office.drag_deal("Negotiation")
    await office.rest()
    assert office.says() == (WON, "Negotiation", "Closed won")
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_stage_here_and_status_there_at_once_both_arrive(office: Desks) -> None:
    office.drag_card("Negotiation")
    office.drag_deal("Closed lost", closed_lost_reason="Timing")
    await office.rest()
    assert office.says() == (LOST, "Negotiation", "Closed lost")
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_won_here_and_lost_there_is_asked_about(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=WON)
    office.drag_deal("Closed lost")
    await office.rest()
    assert office.says() == (WON, "Tour booked", "Closed lost")
    assert office.conflicts() == ["status"]


@pytest.mark.parametrize("take", ["nexudus", "crm"])
async def test_a_paired_column_does_not_answer_whether_a_deal_is_won_or_lost(paired: Desks, take: str) -> None:
    """Nexudus itself loses a card that enters this column, so what María had set would be gone without a question."""
    paired.cards.edit(paired.card, MARIA, Status=WON)
    paired.drag_deal("Closed lost")
    await paired.rest()
    assert paired.says() == (WON, "Tour booked", "Closed lost")
    assert paired.conflicts() == ["status"]
    assert paired.failures() == {("stage-contradicts", "sales_stage")}
    with paired.engine.store.session() as session:
        (asked,) = session.exec(select(Conflict).where(col(Conflict.state) == "open")).all()
        asked.state, asked.take = "resolved", take
    await paired.settle(2)
    await paired.cycle(reconcile=True)
    await paired.rest()
    won = take == "nexudus"
    assert paired.says() == ((WON, "Tour booked", "Closed won") if won else (LOST, "Lost", "Closed lost"))
    assert (paired.failures(), paired.conflicts()) == (set(), [])


async def test_a_status_and_a_stage_that_travel_together_are_one_write(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=LOST, LossReason=1)
    office.drag_card("Proposal sent")
    writes = len([entry for entry in office.deals.log if entry.method == "PATCH"])
    await office.rest()
    assert office.says() == (LOST, "Proposal sent", "Closed lost")
    assert len([entry for entry in office.deals.log if entry.method == "PATCH"]) == writes + 1
    assert office.deals.record(office.deal_id)["closed_lost_reason"] == "Timing"


async def test_a_card_won_and_moved_elsewhere_at_once_keeps_its_column_until_it_is_reopened(paired: Desks) -> None:
    paired.cards.edit(paired.card, MARIA, Status=WON)
    paired.drag_card("Proposal sent")
    await paired.rest()
    assert paired.says() == (WON, "Proposal sent", "Closed won")
    assert (paired.failures(), paired.conflicts()) == (set(), [])
    paired.cards.edit(paired.card, MARIA, Status=OPEN)
    await paired.rest()
    assert paired.says() == (OPEN, "Proposal sent", "Proposal sent")


async def test_a_card_reopened_in_a_column_that_the_pipeline_lacks_waits_and_is_no_question(office: Desks) -> None:
    second = SmallOffice.card(office, "noor@example.org", "Offices", Status=LOST)
    office.cards.move(second, "Lost", MARIA)
    await office.rest()
    office.cards.edit(second, MARIA, Status=OPEN)
    await office.rest()
    assert office.deals.record(office.links()[second])["dealstage"] == office.pipeline.stages[0].id
    assert (office.failures(), office.conflicts()) == ({("unmapped", "sales_stage")}, [])


async def test_a_pipeline_without_a_lost_stage_holds_the_status_and_says_what_to_do(office: Desks) -> None:
    office.pipeline.stages.remove(office.stage("Closed lost"))
    office.engine.connectors["hubspot"].ask_afresh()
    office.cards.edit(office.card, MARIA, Status=LOST, Name="Renamed")
    await office.rest()
    assert office.says() == (LOST, "Tour booked", "Tour booked")
    assert office.failures() == {("no-stage", "status")}
    assert office.deals.record(office.deal_id)["dealname"] == "Renamed"


async def test_a_renamed_stage_is_followed(office: Desks) -> None:
    office.stage("Tour booked").label = "Visit"
    office.stage("Negotiation").label = "Haggling"
    office.engine.connectors["hubspot"].ask_afresh()
    office.cards.edit(office.card, MARIA, Name="Renamed")
    await office.rest()
    assert office.says() == (OPEN, "Tour booked", "Visit")
    assert office.failures() == set()
    office.drag_deal("Haggling")
    await office.rest()
    assert office.failures() == {("unmapped", "sales_stage")}
    board = office.seeded.places.london.board_id
    office.cards.directory.add_stage(board, "Haggling")
    office.clock.turn(120)
    await office.settle(2, reconcile=True)
    assert office.says() == (OPEN, "Haggling", "Haggling")
    assert office.failures() == set()


async def test_a_stage_of_the_same_name_in_another_pipeline_is_never_written(office: Desks) -> None:
    office.drag_card("Negotiation")
    await office.rest()
    (others,) = [one for one in office.deals.pipelines.all if one.label == "Example Iberia"]
    stage = office.deals.record(office.deal_id)["dealstage"]
    assert stage == office.stage("Negotiation").id
    assert stage not in [one.id for one in others.stages]
    assert office.deals.record(office.deal_id)["pipeline"] == office.pipeline.id


async def test_a_stage_that_only_some_may_write_is_left_alone(office: Desks) -> None:
    office.stage("Negotiation").permissions = "INTERNAL_ONLY"
    office.engine.connectors["hubspot"].ask_afresh()
    office.drag_card("Negotiation")
    office.cards.edit(office.card, MARIA, Name="Renamed")
    await office.rest()
    assert office.says() == (OPEN, "Negotiation", "Tour booked")
    assert office.failures() == {("stage-locked", "sales_stage")}
    assert office.deals.record(office.deal_id)["dealname"] == "Renamed"


async def test_a_card_that_is_won_already_makes_a_won_deal(office: Desks) -> None:
    second = SmallOffice.card(office, "kai@example.org", "Offices", Status=WON)
    await office.rest()
    made = office.deals.record(office.links()[second])
    assert made["dealstage"] == office.stage("Closed won").id
    assert office.failures() == set()
    assert office.cards.record(second)["CrmBoardColumnName"] == "New lead"


async def test_a_deal_that_is_lost_already_makes_a_lost_card(office: Desks) -> None:
    contact = office.deals.add("contacts", TOM, email="noor@example.org", firstname="Noor")
    place = {"pipeline": office.pipeline.id, "dealstage": office.stage("Closed lost").id}
    deal = office.deals.create(TOM, dealname="Gone", contacts=[contact], closed_lost_reason="Price", **place)
    await office.rest()
    (card,) = [card for card, made in office.links().items() if made == deal]
    assert (office.cards.record(card)["Status"], office.cards.record(card)["LossReason"]) == (LOST, 4)
    assert office.failures() == set()


@pytest.mark.parametrize("stays", [True, False])
async def test_the_close_date_that_hubspot_sets_travels_back_once(office: Desks, stays: bool) -> None:
    office.deals.options.sent_closedate_stays = stays
    office.cards.edit(office.card, MARIA, Status=WON)
    await office.rest()
    assert str(office.cards.record(office.card)["DueDate"])[:10] == "2026-03-02"
    assert sum(sum(one.values()) for one in office.wrote) == 2


@pytest.mark.parametrize("refuses", ["refuse", "accept"])
async def test_a_deal_without_a_stage_is_open_and_takes_the_cards(office: Desks, refuses: Any) -> None:
    office.deals.options.foreign_stage = refuses
    contact = office.deals.add("contacts", TOM, email="bare@example.org", firstname="Bare")
    deal = office.deals.create(TOM, dealname="Bare", contacts=[contact], pipeline=office.pipeline.id)
    second = SmallOffice.card(office, "bare@example.org", "Bare")
    await office.rest()
    assert office.links()[second] == deal
    assert office.deals.record(deal)["dealstage"] == office.stage("New lead").id


def say_value(office: Desks, value: str) -> None:
    """A person types a third value for the one conflict."""
    with office.engine.store.session() as session:
        (one,) = session.exec(select(Conflict).where(col(Conflict.state) == "open"))
        one.state, one.take, one.value = "resolved", THIRD_VALUE, value
        one.decided_by, one.decided_at = "sofia", office.clock.now()


async def test_a_third_status_reopens_both(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=WON)
    office.drag_deal("Closed lost")
    await office.rest()
    say_value(office, "Open")
    await office.rest()
    assert office.says() == (OPEN, "Tour booked", "Tour booked")
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_a_third_stage_is_taken_on_both_sides(office: Desks) -> None:
    office.drag_card("Negotiation")
    office.drag_deal("Proposal sent")
    await office.rest()
    assert office.conflicts() == ["sales_stage"]
    say_value(office, "New lead")
    await office.rest()
    assert office.says() == (OPEN, "New lead", "New lead")
    assert (office.failures(), office.conflicts()) == (set(), [])


@pytest.mark.parametrize(
    ("answer", "column"), [(None, "Negotiation"), ("Negotiation", "Negotiation"), ("New lead",) * 2]
)
async def test_a_question_about_the_stage_is_over_once_the_deal_is_closed(
    office: Desks, answer: str | None, column: str
) -> None:
    office.drag_card("Negotiation")
    office.drag_deal("Proposal sent")
    await office.rest()
    if answer is not None:
        say_value(office, answer)
    office.cards.edit(office.card, MARIA, Status=WON)
    await office.rest()
    assert office.says() == (WON, column, "Closed won")
    assert (office.failures(), office.conflicts()) == (set(), [])
    office.cards.edit(office.card, MARIA, Status=OPEN)
    await office.rest()
    assert office.says() == (OPEN, column, column)


async def test_a_third_stage_is_kept_until_nexudus_has_it_where_the_deal_is_closed_meanwhile(office: Desks) -> None:
    office.drag_card("Negotiation")
    office.drag_deal("Proposal sent")
    await office.rest()
    say_value(office, "New lead")
    office.cards.edit(office.card, MARIA, Status=WON)
    office.card_faults.add("connect", "^PUT ", times=99)
    await office.settle(2)
    office.card_faults.clear()
    office.clock.turn(900)
    await office.rest()
    assert office.says() == (WON, "New lead", "Closed won")
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_an_undone_third_status_is_apart_again(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=WON)
    office.drag_deal("Closed lost")
    await office.rest()
    say_value(office, "Open")
    await office.rest()
    (entry,) = office.rows(History, field="status", from_side="person")
    with office.engine.store.session() as session:
        args = {"history_id": entry.id, "force": False}
        session.add(Decision(connection=entry.connection, kind="undo", args=args, asked_at=office.clock.now()))
    await office.rest()
    assert office.says() == (WON, "Tour booked", "Closed lost")
    assert office.conflicts() == ["status"]


async def test_the_id_of_a_stage_that_the_pipeline_does_not_have_is_never_taken_for_its_name(office: Desks) -> None:
    office.deals.objects.set(office.deals.deal(office.deal_id), {"dealstage": "70990001"}, Author(TOM))
    await office.rest()
    assert office.column() == "Tour booked"
    assert office.failures() == {("unreadable", "sales_stage")}
    link = office.rows(Link)[0]
    lens = office.engine.connections[0].mapping.find("sales_stage").lens(Side.CRM)
    with pytest.raises(Unreadable):  # as `explain` reads it, which asks no system
        lens.read(link.crm_snapshot["dealstage"], Context())


async def test_a_renamed_pipeline_stops_the_sync_and_is_named(office: Desks) -> None:
    await refuse_missing(office.engine.connections[0])
    office.pipeline.label = "Renamed"
    office.engine.connections[0].connector(Side.CRM).ask_afresh()
    await office.engine.start()
    with pytest.raises(ConfigError, match='there is no pipeline "Example Corp"; name one of "Renamed"'):
        await refuse_missing(office.engine.connections[0])


async def test_a_pipeline_renamed_while_the_sync_runs_is_followed_until_it_is_read_again(office: Desks) -> None:
    office.pipeline.label = "Renamed"
    office.deals.edit(office.deal_id, TOM, dealname="By Tom")
    await office.rest()
    assert office.cards.record(office.card)["Name"] == "By Tom"
    office.engine.connections[0].connector(Side.CRM).ask_afresh()
    await office.engine.start()
    with pytest.raises(Unavailable, match='there is no pipeline "Example Corp"'):
        await office.cycle()
