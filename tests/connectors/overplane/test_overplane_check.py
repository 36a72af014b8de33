from dataclasses import replace

import httpx
import pytest
from fake_overplane import OPPORTUNITY

from nexudus_sync.connectors.base import Check, Scope

SCOPE = Scope(company="Example Corp")


async def levels(crm, scope=SCOPE) -> dict[str, str]:
    return {check.subject: check.level for check in await crm.check(scope)}


@pytest.fixture
def furnished(server):
    server.add(OPPORTUNITY, company="Example Corp")
    for kind in ("crm/sales-stage", "core/user", "crm/opportunity-lost-reason", "crm/customer", "crm/lead"):
        server.add(kind)
    return server


async def test_all_is_well_with_a_furnished_account_and_nothing_is_written(crm, furnished):
    found = await levels(crm)
    assert set(found.values()) == {"ok"}
    assert {"opportunities", "company", "sales stages", "users", "lost reasons", "lost-reason rows", "clock"} <= set(
        found
    )
    assert {method for method, *_ in furnished.calls} == {"GET"}


async def test_empty_lists_of_names_are_warnings(crm, server):
    found = await levels(crm)
    assert {found[name] for name in ("sales stages", "users", "lost reasons")} == {"warn"}
    assert {found["company"], found["customers"], found["leads"]} == {"ok"}


async def company_of(crm, scope=SCOPE) -> Check:
    (company,) = [check for check in await crm.check(scope) if check.subject == "company"]
    return company


async def test_a_company_that_no_opportunity_carries_fails_with_those_there_are_unless_it_is_to_be_new(crm, server):
    for company in ("Other", "Another", "Other", None):
        server.add(OPPORTUNITY, company=company)
    company = await company_of(crm)
    assert (company.level, company.exit_code) == ("fail", 2)
    assert company.told == (
        'no opportunity carries "Example Corp" (companies there: "Another", "Other"); correct it, or set new_company '
        "= true in the connection if it is new"
    )
    assert (await company_of(crm, replace(SCOPE, new_company=True))).level == "warn"


async def test_a_company_that_only_an_old_opportunity_carries_is_well(crm, server):
    server.add(OPPORTUNITY, company="Example Corp")
    for _ in range(30):
        server.add(OPPORTUNITY, company="Other")
    assert (await company_of(crm)).level == "ok"


async def test_any_company_is_well_where_no_opportunity_carries_one(crm, server):
    server.add(OPPORTUNITY, company=" ")
    assert (await company_of(crm)).level == "ok"


async def test_where_nobody_answers_nothing_is_said_of_a_clock(crm, server):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    server.before = refuse
    (line,) = await crm.check(SCOPE)
    assert (line.subject, line.level) == ("opportunities", "fail")
    assert "check the network and base_url" in line.detail


async def test_a_scope_without_company_needs_one_for_creates(crm, connect, furnished):
    assert (await levels(crm, Scope()))["company"] == "warn"
    assert (await levels(connect(company="Main"), Scope()))["company"] == "ok"


@pytest.mark.parametrize(("status", "exit_code"), [(401, 2), (403, 1), (404, 2), (500, 1)])
async def test_opportunities_that_cannot_be_listed_fail_the_check(crm, server, status, exit_code):
    server.before = lambda request: httpx.Response(status, json={})
    first, clock = await crm.check(SCOPE)
    assert (first.subject, first.level, first.exit_code) == ("opportunities", "fail", exit_code)
    assert isinstance(clock, Check)


async def test_a_list_that_is_forbidden_is_a_warning_but_the_reason_rows_are_needed(crm, furnished):
    def forbidden(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(403, json={}) if request.url.path.endswith(("user", "detail")) else None

    furnished.before = forbidden
    found = await levels(crm)
    assert (found["users"], found["lost-reason rows"], found["leads"]) == ("warn", "fail", "ok")


async def test_totals_that_are_not_given_are_counted(crm, furnished):
    rows = {"data": [{"id": "x", "company": "Example Corp"}]}
    furnished.before = lambda request: httpx.Response(200, json=rows)
    assert (await levels(crm))["opportunities"] == "ok"


async def test_a_clock_that_differs_by_minutes_or_is_not_told_is_a_warning(crm, connect, furnished):
    furnished.skew = 600.0
    assert (await levels(crm))["clock"] == "warn"
    furnished.before = lambda request: httpx.Response(200, json=[], headers={"Date": ""})
    assert (await levels(connect()))["clock"] == "warn"


@pytest.mark.parametrize("total", [None, 25, 0])
async def test_a_total_that_says_nothing_is_a_warning(crm, furnished, total):
    furnished.listed = {"total": total, "has_more": True}
    assert (await levels(crm)).get("totals") == (None if total == 25 else "warn")
