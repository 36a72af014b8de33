from datetime import timedelta

import httpx
import pytest
from fake_overplane import NOW

from nexudus_sync.connectors.base import Party, Scope
from nexudus_sync.errors import RoleMissing

ALL = Scope()


async def test_customers_come_before_leads_and_the_oldest_before_the_others(crm, server):
    server.add("crm/lead", email_id="ana@example.com", lead_name="Lead Ana", at=NOW - timedelta(days=9))
    oldest = server.add("crm/customer", email_id="ANA@example.com ", customer_name="Old", at=NOW - timedelta(days=5))
    server.add("crm/customer", email_id="ana@example.com", customer_name="New")
    server.tables["crm/customer"].reverse()
    assert await crm.find_party("Ana@Example.com", ALL) == Party(
        "ana@example.com", "Old", None, "Customer", oldest["id"]
    )


async def test_a_lead_is_found_where_no_customer_is(crm, server):
    lead = server.add("crm/lead", email_id="ana@example.com", lead_name="Ana", company_name="Ana SL")
    assert await crm.find_party("ana@example.com", ALL) == Party("ana@example.com", "Ana", "Ana SL", "Lead", lead["id"])
    assert "/api/crm/prospect" not in server.paths()


async def test_a_customer_that_is_a_company_names_it(crm, server):
    server.add("crm/customer", email_id="ana@example.com", customer_name="Ana SL", customer_type="Company")
    assert (await crm.find_party("ana@example.com", ALL)).company_name == "Ana SL"


async def test_prospects_are_looked_through_where_they_are_created(crm, server):
    server.add("crm/prospect", email_id="ana@example.com", company_name="Ana SL")
    assert await crm.find_party("ana@example.com", ALL) is None
    assert (await crm.find_party("ana@example.com", Scope(party="Prospect"))).kind == "Prospect"


async def test_parties_are_read_once_and_after_a_miss_at_most_once_a_minute(crm, server, clock):
    for number in range(5):
        assert await crm.find_party(f"x{number}@example.com", ALL) is None
    assert sorted(server.paths()) == ["/api/crm/customer", "/api/crm/lead"]
    server.add("crm/lead", email_id="x1@example.com")
    clock.pass_time(61)
    assert (await crm.find_party("x1@example.com", ALL)).kind == "Lead"
    assert len(server.paths()) == 4


async def test_a_party_without_email_or_an_empty_list_is_no_match(crm, server):
    server.add("crm/lead", email_id=None, lead_name="Nobody")
    server.before = lambda request: httpx.Response(404, json={}) if "customer" in request.url.path else None
    assert await crm.find_party("ana@example.com", ALL) is None


async def test_customers_that_may_not_be_read_are_an_error_since_a_lead_could_be_doubled(crm, server):
    server.before = lambda request: httpx.Response(403, json={}) if "customer" in request.url.path else None
    with pytest.raises(RoleMissing, match="may not GET crm/customer"):
        await crm.find_party("ana@example.com", ALL)


@pytest.mark.parametrize(("kind", "path"), [("Lead", "lead"), ("Customer", "customer"), ("Prospect", "prospect")])
async def test_a_created_party_is_found_without_reading_the_lists_again(crm, server, kind, path):
    scope = Scope(party=kind)
    assert await crm.find_party("ana@example.com", scope) is None
    written = await crm.perform(crm.party_step(Party("ana@example.com", "Ana"), scope))
    assert (written.party.kind, written.party.id, written.party.email) == (kind, written.id, "ana@example.com")
    assert server.paths("POST") == [f"/api/crm/{path}"]
    reads = len(server.paths())
    assert await crm.find_party("ana@example.com", scope) == written.party
    assert len(server.paths()) == reads


async def test_a_party_whose_creation_had_no_answer_is_found_by_reading_the_list_now(crm, server):
    step = crm.party_step(Party("ana@example.com", "Ana"), ALL)
    assert await crm.find_created(step, NOW) == []
    lead = server.add("crm/lead", email_id="Ana@example.com")
    assert await crm.find_created(step, NOW) == [{"id": lead["id"]}]
    assert await crm.find_party("ana@example.com", ALL)


async def test_a_party_created_before_any_list_was_read_is_in_the_first_one(crm, server):
    await crm.perform(crm.party_step(Party("ana@example.com", "Ana"), ALL))
    assert await crm.find_party("ana@example.com", ALL)
