"""Titles that look like HTML: the site escapes them, and nobody but the site sees that."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from small_office import MARIA, TOM, SmallOffice

TITLE = "Desk & Co <Ltd>: closed"
KEPT = "Desk &amp; Co &lt;Ltd&gt;: closed"


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[SmallOffice]:
    async with SmallOffice(tmp_path, "erpnext", shared=1).open() as office:
        yield office


@pytest.mark.parametrize("won", [True, False])
async def test_the_same_title_on_both_sides_is_one_opportunity(office: SmallOffice, won: bool) -> None:
    before = len(office.cards.records()), len(office.deals.records())
    for number in range(2):
        title = f"{TITLE} {number}"
        office.card("ana@example.com", title, **({"Status": 2} if won else {}))
        office.deal(
            "ana@example.com" if number == 0 else "ANA@example.com", title, **({"status": "Converted"} if won else {})
        )
        await office.settle(1)
    await office.settle(3)
    assert (len(office.cards.records()), len(office.deals.records())) == (before[0] + 2, before[1] + 2)
    assert not office.conflicts()
    assert not office.failures()
    assert office.deal_titles().count(f"{KEPT} 0") == 1
    assert not [title for title in office.card_titles() if "&amp;" in title]


async def test_a_title_travels_as_people_see_it(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.deals.edit(deal, TOM, title=TITLE)
    assert await office.settle(3) == [{"nexudus opportunity.update": 1}, {}, {}]
    assert office.cards.record(card)["Name"] == TITLE
    office.cards.edit(card, MARIA, Name="Now A & B <x@y.z>")
    assert await office.settle(3) == [{"crm opportunity.update": 1}, {}, {}]
    assert office.deals.record(deal)["title"] == "Now A &amp; B &lt;x@y.z&gt;"
    assert office.cards.record(card)["Name"] == "Now A & B <x@y.z>"
    assert not office.failures()


@pytest.mark.parametrize("title", ["AT&amp;T", "&lt;b&gt; & <i>", "x &amp;amp; y <b@c.d>", "5 &lt; 6 & 7"])
async def test_what_somebody_meant_to_look_escaped_stays_so(office: SmallOffice, title: str) -> None:
    card, deal = office.pairs[0]
    office.cards.edit(card, MARIA, Name=title)
    assert await office.settle(3) == [{"crm opportunity.update": 1}, {}, {}]
    assert office.cards.record(card)["Name"] == title
    office.deals.edit(deal, TOM, probability=33)
    assert await office.settle(2) == [{}, {}]
    assert not office.failures()


async def test_harmless_markup_that_the_site_completes_is_left_as_it_is(office: SmallOffice) -> None:
    card, _ = office.pairs[0]
    office.cards.edit(card, MARIA, Name="A <b>bold & open title")
    assert await office.settle(3) == [{"crm opportunity.update": 1}, {}, {}]
    assert office.cards.record(card)["Name"] == "A <b>bold & open title"
    assert office.failures() == {("stored-differently", "title")}


async def test_a_customers_name_is_no_more_escaped_than_a_title(office: SmallOffice) -> None:
    lead = office.deals.add("Lead", TOM, lead_name="Ana & <Co>", email_id="co@example.com", company_name="R&D <Labs>")
    office.deals.create(
        TOM, opportunity_from="Lead", party_name=lead, contact_email="co@example.com", title="Desk",
        company="Example Corp", currency="GBP",
    )  # fmt: skip
    await office.settle(2)
    (made,) = [one for one in office.cards.directory.coworkers.values() if one["Email"] == "co@example.com"]
    assert (made["FullName"], made["CompanyName"]) == ("R&D <Labs>", "R&D <Labs>")
