"""E-mail addresses as people and programs write them: one customer stays one, and two are never confused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from nexudus_sync.store.tables import Failure
from small_office import SmallOffice

ANA = "ana.prueba@example.com"
SPELLINGS = [f"mailto:{ANA}", f"Ana Prueba <{ANA}>", f"\ufeff{ANA}", f"\u200b{ANA.upper()} ", f"{ANA};"]


@pytest_asyncio.fixture(params=["overplane"])
async def office(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[SmallOffice]:
    async with SmallOffice(tmp_path, request.param, shared=1).open() as office:
        yield office


def customers(office: SmallOffice) -> int:
    return len(office.cards.directory.coworkers)


def leads(office: SmallOffice) -> int:
    return len(office.deals.objects.rows["lead"])


@pytest.mark.parametrize("spelled", SPELLINGS)
async def test_an_opportunity_whose_address_is_spelled_oddly_finds_its_customer(
    office: SmallOffice, spelled: str
) -> None:
    office.customer(ANA)
    before = customers(office), len(office.cards.records())
    office.deal(spelled, "Desk")
    await office.settle(2)
    assert (customers(office), len(office.cards.records())) == (before[0], before[1] + 1)
    assert not office.failures()


@pytest.mark.parametrize("spelled", SPELLINGS)
async def test_a_card_whose_customer_is_spelled_oddly_finds_its_lead_and_its_counterpart(
    office: SmallOffice, spelled: str
) -> None:
    office.deal(ANA, "Desk")
    office.card(spelled, "Desk")
    await office.settle(2)
    assert len(office.links()) == 2
    office.card(spelled, "Second desk", Status=2)
    before = leads(office)
    await office.settle(2)
    assert leads(office) == before
    assert not office.conflicts()


@pytest.mark.parametrize("email", ["n/a", "-", "none@", "a@x.example; b@y.example"])
async def test_a_text_that_is_not_an_address_makes_no_customer_and_says_why(office: SmallOffice, email: str) -> None:
    before = leads(office), len(office.deals.records())
    office.card(email, "Desk")
    await office.settle(2)
    assert (leads(office), len(office.deals.records())) == before
    (failure,) = office.rows(Failure, state="open")
    assert (failure.kind, failure.reason) == (
        "no-email",
        f'its e-mail is "{email}", not a single address to find or create its customer by; correct it',
    )


async def test_two_customers_with_the_same_oddity_are_not_taken_for_one(office: SmallOffice) -> None:
    office.card("n/a", "Desk for Ana")
    office.deal("n/a", "Desk for Bea")
    await office.settle(2)
    assert len(office.links()) == 1
    assert {kind for kind, _ in office.failures()} == {"no-email"}


async def test_the_same_oddity_and_title_is_the_same_opportunity(office: SmallOffice) -> None:
    office.card("n/a", "Desk for Ana")
    office.deal("N/A ", "Desk for Ana")
    await office.settle(2)
    assert len(office.links()) == 2
    assert not office.failures()


async def test_a_customer_that_is_spelled_as_oddly_in_nexudus_is_found_there(office: SmallOffice) -> None:
    spelled = f"Ana Prueba <{ANA}>"
    office.customer(spelled)
    before = customers(office)
    office.deal(spelled, "Desk")
    await office.settle(2)
    assert customers(office) == before
