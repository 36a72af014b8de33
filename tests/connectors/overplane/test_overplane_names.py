import asyncio

import httpx
import pytest
from fake_overplane import OPPORTUNITY

from nexudus_sync.connectors.base import Scope
from nexudus_sync.errors import Unavailable

ALL = Scope()


@pytest.fixture
def people(server):
    server.add("core/user", email="Ana@Example.com", full_name="Ana García")
    server.add("core/user", email="bo@example.com", full_name="Bo Li")
    server.add("core/user", email="bo2@example.com", full_name="Bo Li")
    server.add("core/user", email=None, full_name="Robot")
    return server.tables["core/user"]


async def test_an_owner_is_known_by_id_email_or_full_name_and_written_as_email(crm, people):
    users = (await crm.context({}, ALL)).directories["user"]
    assert [users.name(raw) for raw in (people[3]["id"], "ANA@example.com", "ana garcía")] == ["ana@example.com"] * 3
    assert users.raw("Ana@example.com") == "ana@example.com"
    assert set(users.names()) == {"ana@example.com", "bo@example.com", "bo2@example.com"}


async def test_a_full_name_that_two_users_have_stands_for_neither(crm, people):
    users = (await crm.context({}, ALL)).directories["user"]
    assert [users.name(raw) for raw in ("Bo Li", "Robot", "", None)] == [None] * 4
    assert users.raw("Bo Li") is None


async def test_without_a_readable_user_list_any_email_can_be_written(crm, server):
    users = (await crm.context({}, ALL)).directories["user"]
    assert users.raw("x@example.com") == "x@example.com"
    assert users.raw("x") is None


async def test_stages_are_known_by_name_or_id(crm, server):
    stage = server.add("crm/sales-stage", stage_name="Tour booked")
    server.add("crm/sales-stage", stage_name=" ")
    stages = (await crm.context({}, ALL)).directories["sales_stage"]
    assert [stages.name(raw) for raw in ("tour booked", stage["id"], "x")] == ["Tour booked", "Tour booked", None]
    assert stages.raw("TOUR BOOKED") == "Tour booked"
    assert stages.names() == ("Tour booked",)


async def test_without_a_list_of_stages_any_text_is_a_stage(crm, server):
    assert "sales_stage" not in (await crm.context({}, ALL)).directories


@pytest.mark.parametrize("status", [403, 404])
async def test_lists_that_are_missing_or_forbidden_give_no_names(crm, server, status):
    server.before = lambda request: httpx.Response(status, json={})
    context = await crm.context({"currency": "JPY"}, ALL)
    assert (context.digits, context.time_zone, set(context.directories)) == (0, None, {"user"})


async def test_a_list_that_fails_for_now_is_an_error_and_is_read_the_next_time(crm, server):
    server.add("crm/sales-stage", stage_name="Tour booked")
    server.before = lambda request: httpx.Response(503)
    with pytest.raises(Unavailable):
        await crm.context({}, ALL)
    server.before = lambda request: None
    assert "sales_stage" in (await crm.context({}, ALL)).directories


async def test_directories_are_read_once_a_process(crm, server, people):
    await asyncio.gather(*(crm.context({"opportunity_owner": "ana@example.com"}, ALL) for _ in range(5)))
    assert server.paths().count("/api/core/user") == 1


async def test_a_miss_reads_again_but_the_same_miss_not_within_a_minute(crm, server, clock, people):
    record = {"opportunity_owner": "new@example.com"}
    await crm.context({}, ALL)
    users = (await crm.context(record, ALL)).directories["user"]
    assert users.name("new@example.com") is None
    server.add("core/user", email="new@example.com")
    clock.pass_time(59)
    await crm.context(record, ALL)
    assert server.paths().count("/api/core/user") == 2
    clock.pass_time(2)
    users = (await crm.context(record, ALL)).directories["user"]
    assert users.name("new@example.com") == "new@example.com"
    assert server.paths().count("/api/core/user") == 3


async def test_a_name_that_could_not_be_written_is_looked_for_the_next_time(crm, server):
    server.add("crm/sales-stage", stage_name="Tour booked")
    stages = (await crm.context({}, ALL)).directories["sales_stage"]
    assert stages.raw("Negotiation") is None
    server.add("crm/sales-stage", stage_name="Negotiation")
    stages = (await crm.context({}, ALL)).directories["sales_stage"]
    assert stages.raw("negotiation") == "Negotiation"


async def test_digits_follow_the_currency_of_the_record(crm, server):
    assert [(await crm.context({"currency": code}, ALL)).digits for code in ("kwd", "JPY", "EUR", None)] == [3, 0, 2, 2]


async def test_facts_are_the_records_own_before_its_partys(crm, server):
    record = server.add(
        OPPORTUNITY,
        contact_email=" Ana@Example.com ",
        customer_name="Ana",
        company="Example Corp",
        currency="eur",
        opportunity_from="Customer",
        party_name="c1",
    )
    facts = crm.facts(record)
    assert (facts.id, facts.identity, facts.external_key) == (record["id"], "", None)
    assert (facts.email, facts.customer_name, facts.company, facts.currency) == (
        "ana@example.com",
        "Ana",
        "Example Corp",
        "EUR",
    )
    assert facts.created_at.isoformat() == "2026-03-01T12:00:00+00:00"
    assert (facts.party.kind, facts.party.id, facts.party.name) == ("Customer", "c1", "Ana")
    assert crm.facts({}).party is None


def test_the_digest_leaves_out_stamp_counter_and_child_rows(crm):
    record = {"id": "o1", "title": "a", "updated_at": "x", "first_response_time": 3, "lost_reasons": []}
    assert crm.digest_view(record) == {"id": "o1", "title": "a"}
