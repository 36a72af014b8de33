"""A lost reason where an administrator of HubSpot made a list of them: by its labels, and what it lacks waits alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stage_desks import LOST, Desks, working

from small_office import MARIA, TOM


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Desks]:
    made = Desks(tmp_path)
    listed = {"type": "enumeration", "field_type": "select", "options": ("Price", "Timing")}
    made.deals.properties.change("deals", "closed_lost_reason", **listed)
    async for each in working(made):
        yield each


async def test_a_reason_that_the_list_has_travels_both_ways(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=LOST, LossReason=1)
    await office.rest()
    assert office.deals.record(office.deal_id)["closed_lost_reason"] == "Timing"
    office.deals.edit(office.deal_id, TOM, closed_lost_reason="Price")
    await office.rest()
    assert office.cards.record(office.card)["LossReason"] == 4
    assert (office.failures(), office.conflicts()) == (set(), [])


async def test_a_reason_that_the_list_lacks_waits_and_the_rest_is_carried_over(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=LOST, LossReason=7, Name="Renamed")
    await office.rest()
    deal = office.deals.record(office.deal_id)
    assert (deal["dealname"], deal.get("closed_lost_reason")) == ("Renamed", None)
    assert office.says()[2] == "Closed lost"
    assert office.failures() == {("unmapped", "lost_reasons")}
    options = ("Price", "Timing", "Competition")
    office.deals.properties.change("deals", "closed_lost_reason", options=options)
    office.clock.turn(120)
    await office.settle(2, reconcile=True)
    assert office.deals.record(office.deal_id)["closed_lost_reason"] == "Competition"
    assert office.failures() == set()
