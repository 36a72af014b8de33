from collections.abc import AsyncIterator

import pytest
from erpnext_site import ADMIN, COMPANY, EMAIL, MARIA, SCOPE, START, Site, pages

from nexudus_sync.connectors.base import Party, Scope
from nexudus_sync.connectors.erpnext import ERPNextConnector
from nexudus_sync.errors import OutcomeUnknown, Refused

OF_PROSPECTS = Scope(company=COMPANY, party="Prospect")
OF_CUSTOMERS = Scope(company=COMPANY, party="Customer")


@pytest.fixture
async def erp(site: Site) -> AsyncIterator[ERPNextConnector]:
    async with site.connect() as connector:
        yield connector


async def test_a_lead_is_found_by_its_e_mail_in_any_case(either: Site) -> None:
    async with either.connect() as erp:
        found = await erp.find_party("ANA@example.com", SCOPE)
    assert found == Party(EMAIL, "Ana Prueba", None, "Lead", either.lead)


async def test_a_customer_comes_before_a_lead(site: Site, erp: ERPNextConnector) -> None:
    site.double.add("Customer", ADMIN, customer_name="Ana", customer_type="Individual", email_id=EMAIL)
    found = await erp.find_party(EMAIL, SCOPE)
    assert found == Party(EMAIL, "Ana", None, "Customer", "Ana")


async def test_a_customer_is_found_by_its_contact(either: Site) -> None:
    add = either.double.add
    name = add("Customer", ADMIN, customer_name="Acme", customer_type="Company")
    links = [{"link_doctype": "Customer", "link_name": name}]
    add("Contact", ADMIN, first_name="Bea", email_id="bea@acme.example", links=links)
    async with either.connect() as erp:
        found = await erp.find_party("bea@acme.example", SCOPE)
    assert found == Party("bea@acme.example", "Acme", "Acme", "Customer", "Acme")


async def test_of_two_with_one_e_mail_the_older_counts(site: Site, erp: ERPNextConnector) -> None:
    for name in ("Older", "Newer"):
        site.clock.pass_time(1)
        site.double.add("Customer", ADMIN, customer_name=name, customer_type="Company", email_id="x@example.com")
    found = await erp.find_party("x@example.com", SCOPE)
    assert found is not None
    assert found.id == "Older"


async def test_nobody_is_nobody(erp: ERPNextConnector) -> None:
    assert await erp.find_party("nobody@example.com", OF_PROSPECTS) is None


async def test_kinds_that_may_not_be_read_have_nobody(site: Site, erp: ERPNextConnector) -> None:
    site.double.users["sync@example.com"].roles = frozenset({"Marketing Manager"})
    assert await erp.find_party(EMAIL, SCOPE) is None


async def test_a_lead_is_created_for_a_customer_of_nexudus(either: Site) -> None:
    wanted = Party("new@example.com", "Noa Nueva", "Nueva SL", "Lead")
    async with either.connect() as erp:
        step = erp.party_step(wanted, SCOPE)
        assert await erp.find_created(step, START) == []
        written = await erp.perform(step)
        assert await erp.find_created(step, START) == [{"id": written.id}]
        assert await erp.find_party("new@example.com", SCOPE) == written.party
    assert written.party == Party("new@example.com", "Noa Nueva", "Nueva SL", "Lead", written.id)
    lead = either.double.site.find("Lead", written.id)
    assert lead is not None
    assert (lead["lead_name"], lead["company_name"], lead["company"]) == ("Noa Nueva", "Nueva SL", COMPANY)


async def test_a_lead_that_is_there_already_is_taken(either: Site) -> None:
    async with either.connect() as erp:
        written = await erp.perform(erp.party_step(Party(EMAIL, "Ana", None), SCOPE))
    assert written.id == either.lead
    assert written.party is not None
    assert written.party.email == EMAIL


async def test_a_lost_answer_leaves_the_lead_to_be_found(site: Site, erp: ERPNextConnector) -> None:
    step = erp.party_step(Party("new@example.com", "Noa", None), SCOPE)
    site.faults.add("drop_after", "POST")
    with pytest.raises(OutcomeUnknown):
        await erp.perform(step)
    assert len(await erp.find_created(step, START)) == 1


@pytest.mark.parametrize(
    ("name", "firm", "expected"),
    [
        ("Noa", "Nueva SL", ("Noa", "Individual")),
        ("", "Nueva SL", ("Nueva SL", "Company")),
        ("", None, ("n@x.es", "Individual")),
    ],
)
async def test_a_customer_is_created_where_the_scope_says_so(
    either: Site, name: str, firm: str | None, expected: tuple[str, str]
) -> None:
    async with either.connect() as erp:
        written = await erp.perform(erp.party_step(Party("n@x.es", name, firm), OF_CUSTOMERS))
        assert await erp.find_party("n@x.es", SCOPE) is not None
    customer = either.double.site.find("Customer", written.id)
    assert customer is not None
    assert (customer["customer_name"], customer["customer_type"]) == expected


async def test_a_prospect_gets_a_contact_to_be_found_by(either: Site) -> None:
    async with either.connect() as erp:
        step = erp.party_step(Party("n@x.es", "Noa", "Nueva SL"), OF_PROSPECTS)
        written = await erp.perform(step)
        assert await erp.find_party("n@x.es", OF_PROSPECTS) == written.party
        assert await erp.find_party("n@x.es", SCOPE) is None
        again = await erp.perform(step)
        assert again.id == written.id == "Nueva SL"
    assert len(either.double.site.tables["Contact"].rows) == 1


async def test_a_prospect_without_a_contact_is_taken_by_its_name(site: Site, erp: ERPNextConnector) -> None:
    site.double.add("Prospect", ADMIN, company_name="Nueva SL", company=COMPANY)
    written = await erp.perform(erp.party_step(Party("n@x.es", "Noa", "Nueva SL"), OF_PROSPECTS))
    assert written.id == "Nueva SL"
    assert await erp.find_party("n@x.es", OF_PROSPECTS) == written.party


async def test_nobody_is_created_without_an_e_mail(erp: ERPNextConnector) -> None:
    with pytest.raises(Refused, match="a Lead cannot be created without an e-mail"):
        erp.party_step(Party("", "Noa", None), SCOPE)


async def test_a_bad_e_mail_is_refused_in_plain_words(erp: ERPNextConnector) -> None:
    with pytest.raises(Refused, match="not-an-address is not a valid Email Address"):
        await erp.perform(erp.party_step(Party("not-an-address", "Noa", None), SCOPE))


async def test_a_duplicate_that_cannot_be_found_is_a_refusal(site: Site, erp: ERPNextConnector) -> None:
    step = erp.party_step(Party(EMAIL, "Ana", None), SCOPE)
    site.double.users["sync@example.com"].allowed = {"Lead": set()}
    with pytest.raises(Refused, match="must be unique"):
        await erp.perform(step)


async def test_parties_of_listed_opportunities_are_read_together_and_once(either: Site) -> None:
    add = either.double.add
    leads = [add("Lead", ADMIN, lead_name=f"Lead {n}", email_id=f"lead{n}@example.com") for n in range(150)]
    for lead in leads:
        either.add(party_name=lead, contact_email=None)
    async with either.connect() as erp:
        for _ in range(3):
            rows = [row for page in await pages(erp) for row in page.rows]
        assert {erp.facts(row.record).email for row in rows} == {f"lead{n}@example.com" for n in range(150)}
    asked = [entry for entry in either.double.log if entry.path == "/api/resource/Lead"]
    assert len(asked) == 2
    assert {entry.status for entry in asked} == {200}


async def test_a_party_is_read_again_with_a_later_change_of_its_opportunity(either: Site) -> None:
    name = either.add(contact_email=None)
    async with either.connect() as erp:
        await pages(erp)
        either.double.change("Lead", either.lead, MARIA, email_id="new@example.com")
        either.clock.pass_time(3 * 3600)
        (row,) = [row for page in await pages(erp) for row in page.rows]
        assert erp.facts(row.record).email == EMAIL
        either.double.touch(name, MARIA)
        (row,) = [row for page in await pages(erp) for row in page.rows]
        assert erp.facts(row.record).email == "new@example.com"


async def test_an_opportunity_read_by_itself_knows_its_party_as_it_is_now(either: Site) -> None:
    name = either.add(contact_email=None)
    async with either.connect() as erp:
        (row,) = [row for page in await pages(erp) for row in page.rows]
        either.clock.pass_time(3 * 3600)
        either.double.change("Lead", either.lead, MARIA, email_id="new@example.com")
        assert erp.facts(await erp.fetch(name, row)).email == EMAIL
        assert erp.facts(await erp.fetch(name)).email == "new@example.com"
