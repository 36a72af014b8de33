"""Where a CRM tells when each value was set, the newest value wins, and not the record that was touched last."""

import json
from pathlib import Path

import pytest

from nexudus_sandbox.wire import Request, Response
from small_office import MARIA, TOM, SmallOffice


@pytest.mark.parametrize("system", ["hubspot", "overplane"])
async def test_a_later_edit_of_another_field_makes_no_value_newer_where_the_system_tells(
    system: str, tmp_path: Path
) -> None:
    office = SmallOffice(tmp_path, system, shared=1)
    async with office.open():
        ((card, deal),) = office.pairs
        title = "dealname" if system == "hubspot" else "title"
        amount = "amount" if system == "hubspot" else "opportunity_amount"
        office.clock.turn(600)
        office.deals.edit(deal, TOM, **{title: "First, there"})
        office.clock.turn(60)
        office.cards.edit(card, MARIA, Name="Later, here")
        office.clock.turn(60)
        office.deals.edit(deal, TOM, **{amount: 4321})
        since = len(office.deals.log)
        await office.settle(3)
        newest = "Later, here" if system == "hubspot" else "First, there"
        assert (office.cards.record(card)["Name"], office.deals.record(deal)[title]) == (newest, newest)
        assert float(office.cards.record(card)["Value"]) == 4321
        histories = [one for one in office.deals.log[since:] if b'propertiesWithHistory":["' in one.body]
        assert len(histories) == (system == "hubspot")


async def test_the_newest_value_of_a_deal_wins(tmp_path: Path) -> None:
    office = SmallOffice(tmp_path, "hubspot", shared=1)
    async with office.open():
        ((card, deal),) = office.pairs
        office.clock.turn(600)
        office.cards.edit(card, MARIA, Name="First, here")
        office.clock.turn(60)
        office.deals.edit(deal, TOM, dealname="Later, there")
        await office.settle(3)
        assert office.cards.record(card)["Name"] == office.deals.record(deal)["dealname"] == "Later, there"


async def test_a_value_that_was_cleared_last_stays_away_whatever_else_was_edited_since(tmp_path: Path) -> None:
    office = SmallOffice(tmp_path, "hubspot", shared=1)
    async with office.open():
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, DueDate="2025-08-01T00:00:00Z")
        await office.settle(3)
        assert office.deals.record(deal)["closedate"]
        office.clock.turn(600)
        office.deals.edit(deal, TOM, closedate="2025-09-01T00:00:00Z")
        office.clock.turn(60)
        office.cards.edit(card, MARIA, DueDate=None)
        office.clock.turn(60)
        office.deals.edit(deal, TOM, amount=4321)
        await office.settle(3)
        assert not office.cards.record(card)["DueDate"]
        assert not office.deals.record(deal).get("closedate")


def histories(office: SmallOffice, since: int = 0) -> list[int]:
    """How many deals each of the calls that asked for histories was about."""
    asked = [one for one in office.deals.log[since:] if b'propertiesWithHistory":["' in one.body]
    return [len(json.loads(one.body)["inputs"]) for one in asked]


async def test_the_pairs_in_question_are_dated_fifty_a_call(tmp_path: Path) -> None:
    office = SmallOffice(tmp_path, "hubspot", shared=60)
    async with office.open():
        office.clock.turn(600)
        for card, _ in office.pairs:
            office.cards.edit(card, MARIA, Name=f"First, here {card}")
        office.clock.turn(60)
        for card, deal in office.pairs:
            office.deals.edit(deal, TOM, dealname=f"Later, there {card}")
        since = len(office.deals.log)
        await office.settle(2)
        assert histories(office, since) == [50, 10]
        assert {office.cards.record(card)["Name"] for card, _ in office.pairs} == {
            f"Later, there {card}" for card, _ in office.pairs
        }


async def test_what_was_edited_after_the_call_that_dated_many_is_dated_once_more(tmp_path: Path) -> None:
    office = SmallOffice(tmp_path, "hubspot", shared=2)
    async with office.open():
        (_, first), (card, deal) = sorted(office.pairs)
        office.clock.turn(600)
        for each, other in office.pairs:
            office.deals.edit(other, TOM, dealname=f"First, there {each}")
        office.clock.turn(60)
        for each, _ in office.pairs:
            office.cards.edit(each, MARIA, Name=f"Later, here {each}")
        office.clock.turn(60)
        since, asked = len(office.deals.log), list[bytes]()

        def after_the_call(request: Request, _: Response) -> None:
            if not asked and b'propertiesWithHistory":["' in request.body:
                asked.append(request.body)
                office.clock.turn(30)
                office.deals.edit(deal, TOM, dealname="The latest, there")

        office.deals.watchers.append(after_the_call)
        await office.settle(2)
        assert histories(office, since) == [2, 1]
        assert office.deals.record(first)["dealname"].startswith("Later, here")
        assert office.cards.record(card)["Name"] == office.deals.record(deal)["dealname"] == "The latest, there"
