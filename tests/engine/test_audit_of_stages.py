"""Edits of a deal's stage, which is its status as well, and of what closing it sets, that fall into the gap."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lost_in_hubspot import answer, in_the_gap, questions
from stage_desks import LOST, OPEN, WON, Desks, working

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, History
from small_office import MARIA, TOM


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Desks]:
    async for made in working(Desks(tmp_path)):
        made.clock.turn(600)
        yield made


@pytest.fixture
async def paired(tmp_path: Path) -> AsyncIterator[Desks]:
    async for made in working(Desks(tmp_path, paired=True)):
        made.clock.turn(600)
        yield made


async def swept(office: Desks) -> list[tuple[str, Any, Any]]:
    await office.settle(3)
    await office.cycle(reconcile=True)
    return questions(office)


async def test_a_stage_that_our_stage_replaced_is_shown_and_brought_back(office: Desks) -> None:
    office.drag_card("Proposal sent")
    in_the_gap(office, office.deal_id, lambda: office.drag_deal("Negotiation"))
    assert await swept(office) == [("sales_stage", "Proposal sent", "Negotiation")]
    answer(office, Side.CRM)
    await office.rest()
    assert (office.says(), office.conflicts()) == ((OPEN, "Negotiation", "Negotiation"), [])


async def test_a_deal_that_was_won_in_the_gap_is_asked_about_as_won(office: Desks) -> None:
    office.drag_card("Proposal sent")
    in_the_gap(office, office.deal_id, lambda: office.drag_deal("Closed won"))
    found = await swept(office)
    assert ("status", "Open", "Converted") in found
    assert not [one for one in found if one[0] == "sales_stage"]
    answer(office, Side.CRM)
    await office.rest()
    assert office.says() == (WON, "Proposal sent", "Closed won")
    assert not [one for one in questions(office) if one[0] != "expected_closing"]


async def test_with_paired_columns_it_is_asked_about_as_both(paired: Desks) -> None:
    paired.drag_card("Proposal sent")
    in_the_gap(paired, paired.deal_id, lambda: paired.drag_deal("Closed won"))
    found = await swept(paired)
    assert {("status", "Open", "Converted"), ("sales_stage", "Proposal sent", "Won")} <= set(found)
    answer(paired, Side.CRM)
    await paired.rest()
    assert paired.says() == (WON, "Won", "Closed won")


async def test_a_stage_that_a_lost_card_replaced_can_still_go_to_the_card(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=LOST)
    in_the_gap(office, office.deal_id, lambda: office.drag_deal("Negotiation"))
    assert await swept(office) == [("sales_stage", "Tour booked", "Negotiation")]
    answer(office, Side.CRM)
    await office.rest()
    assert office.says() == (LOST, "Negotiation", "Closed lost")
    assert (office.conflicts(), office.failures()) == ([], set())


@pytest.mark.parametrize("by", ["writer", "hubspot"])
async def test_a_close_date_that_closing_the_deal_replaced_is_shown(office: Desks, by: str) -> None:
    office.deals.options.closing_by = by
    office.cards.edit(office.card, MARIA, Status=WON)
    in_the_gap(office, office.deal_id, lambda: office.deals.edit(office.deal_id, TOM, closedate="2026-09-01T10:00:00Z"))
    assert await swept(office) == [("expected_closing", "2026-03-02", "2026-09-01")]
    answer(office, Side.CRM)
    await office.rest()
    assert office.deals.record(office.deal_id)["closedate"].startswith("2026-09-01")
    assert str(office.cards.record(office.card)["DueDate"]).startswith("2026-09-01")


@pytest.mark.parametrize("by", ["writer", "hubspot"])
async def test_a_close_date_that_was_known_when_the_deal_was_closed_is_no_question(office: Desks, by: str) -> None:
    office.deals.options.closing_by = by
    office.deals.edit(office.deal_id, TOM, closedate="2026-09-01T10:00:00Z")
    await office.cycle()
    office.cards.edit(office.card, MARIA, Status=WON)
    assert await swept(office) == []
    assert [one.old for one in office.rows(History, field="expected_closing")][-1] == "2026-09-01"


@pytest.mark.parametrize("closed", ["Closed won", "Closed lost"])
async def test_a_card_that_is_reopened_right_after_its_deal_was_closed_is_no_question(
    office: Desks, closed: str
) -> None:
    office.drag_deal(closed)
    await office.cycle()
    office.cards.edit(office.card, MARIA, Status=OPEN)
    assert await swept(office) == []
    assert office.says() == (OPEN, "Tour booked", "Tour booked")


async def test_a_reason_that_ours_replaced_is_shown_and_brought_back(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=LOST, LossReason=4)
    await office.rest()
    office.clock.turn(600)
    office.cards.edit(office.card, MARIA, LossReason=1)
    ours = office.deals.record(office.deal_id)["closed_lost_reason"]
    in_the_gap(office, office.deal_id, lambda: office.deals.edit(office.deal_id, TOM, closed_lost_reason="Competition"))
    ((field, kept, gone),) = await swept(office)
    assert (field, gone, ours) == ("lost_reasons", "Competition", "Price")
    assert kept == office.deals.record(office.deal_id)["closed_lost_reason"]
    answer(office, Side.CRM)
    await office.rest()
    assert office.deals.record(office.deal_id)["closed_lost_reason"] == "Competition"
    assert office.rows(Conflict, state="open") == []
