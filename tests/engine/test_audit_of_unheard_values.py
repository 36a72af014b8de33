"""A value that our write replaced unseen, where ERPNext cannot hold what a person writes afterwards."""

from pathlib import Path

import pytest

from nexudus_sandbox.wire import Request, Response
from small_office import MARIA, TOM, SmallOffice


async def lose_a_campaign(office: SmallOffice) -> int:
    """Between the GET and the PUT of a title, Maria enters a campaign that ERPNext does not have; returns the card."""
    card, deal = office.pairs[0]
    armed = [True]

    def in_the_gap(request: Request, _: Response) -> None:
        if armed and request.method == "GET" and request.path.endswith(f"/crmopportunities/{card}"):
            armed.clear()
            office.cards.edit(card, MARIA, UtmCampaign="Lost")

    office.cards.watchers.append(in_the_gap)
    office.clock.turn(600)
    office.deals.edit(deal, TOM, title="Another title")
    await office.cycle()
    office.cards.watchers.remove(in_the_gap)
    await office.cycle(reconcile=True)
    assert office.conflicts() == ["utm_campaign"]
    office.clock.turn(600)
    return card


@pytest.mark.parametrize("written", ["Lost", "A newer one", None])
async def test_the_question_closes_although_the_value_written_since_waits(tmp_path: Path, written: str | None) -> None:
    async with SmallOffice(tmp_path, "erpnext").open() as office:
        card = await lose_a_campaign(office)
        office.cards.edit(card, MARIA, UtmCampaign=written)
        await office.settle(2)
        assert office.conflicts() == []
        assert office.failures() == ({("unmapped", "utm_campaign")} if written else set())
        assert office.cards.record(card)["UtmCampaign"] == written


async def test_it_stays_open_while_nobody_writes_anything(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "erpnext").open() as office:
        card = await lose_a_campaign(office)
        office.cards.edit(card, MARIA, Value=4321)
        await office.settle(2)
        await office.cycle(reconcile=True)
        assert office.conflicts() == ["utm_campaign"]
