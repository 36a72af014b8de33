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


async def test_empty_lists_of_names_and_an_unknown_company_are_warnings(crm, server):
    server.add(OPPORTUNITY, company="Other")
    found = await levels(crm)
    assert {found[name] for name in ("company", "sales stages", "users", "lost reasons")} == {"warn"}
    assert {found["customers"], found["leads"]} == {"ok"}
    (company,) = [check for check in await crm.check(SCOPE) if check.subject == "company"]
    assert '"Other"' in company.detail


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
