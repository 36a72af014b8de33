from dataclasses import replace

from erpnext_site import ADMIN, COMPANY, SCOPE, SYNC, Site

from nexudus_sandbox.erpnext.permissions import SALES_MANAGER, SALES_USER, SYSTEM_MANAGER
from nexudus_sync.connectors.base import Check, Scope
from nexudus_sync.connectors.erpnext import checks


async def found(site: Site, user: str = "sync", scope: Scope = SCOPE, **settings: object) -> dict[str, Check]:
    """The worst line of each subject."""
    worst = {"ok": 0, "warn": 1, "fail": 2}
    async with site.stranger(user, **settings) as erp:
        lines = sorted(await erp.check(scope), key=lambda line: worst[line.level])
    return {line.subject: line for line in lines}


async def test_a_site_that_is_set_up_well_passes(site: Site) -> None:
    site.add_key_field()
    site.add()
    lines = await found(site)
    assert {line.level for line in lines.values()} == {"ok"}
    assert lines["login"].detail == f"logged in as {SYNC}; its times are in Europe/Madrid"
    assert lines["company"].detail == f'"{COMPANY}" has 1 opportunities'
    assert lines["external key"].detail.startswith("custom_nexudus_id shows")
    assert lines["utm_medium"].detail == "1 documents of UTM Medium"
    assert "daily reconcile" in lines["deletions"].detail


async def test_nothing_is_written(either: Site) -> None:
    before = len(either.double.changes)
    async with either.stranger() as erp:
        await erp.check(SCOPE)
    assert len(either.double.changes) == before
    assert {entry.method for entry in either.double.log} == {"GET"}


async def test_version_15_is_told_what_it_lacks(old_site: Site) -> None:
    detail = (await found(old_site))["fields"].detail
    assert "source is utm_source" in detail
    assert "it has no utm_content, utm_medium" in detail


async def test_a_wrong_login_ends_it(site: Site) -> None:
    lines = await found(site, "nobody")
    assert lines.keys() == {"login"}
    assert (lines["login"].level, lines["login"].exit_code) == ("fail", 2)


async def test_a_zone_that_is_not_the_others_is_named(either: Site) -> None:
    """The site tells a user their own zone for its own; an edit would be looked for hours too late."""
    change = either.double.change
    change("User", SYNC, ADMIN, time_zone="Asia/Kolkata")
    assert "time zone" not in await found(either)
    for user in ("salesuser@example.com", "noperm@example.com"):
        change("User", user, ADMIN, time_zone="Europe/Madrid")
    line = (await found(either))["time zone"]
    assert line.level == "warn"
    assert f"{SYNC} has Asia/Kolkata, most other users have Europe/Madrid" in line.detail
    assert "time zone" not in await found(either, "admin")
    change("User", SYNC, ADMIN, time_zone="Europe/Madrid")
    assert "time zone" not in await found(either)


async def test_a_company_that_does_not_exist_is_named_with_those_that_do(site: Site) -> None:
    line = (await found(site, scope=Scope(company="Nowhere Ltd")))["company"]
    assert (line.level, line.exit_code) == ("fail", 2)
    assert line.detail == f'ERPNext has no company "Nowhere Ltd" (it has "{COMPANY}")'
    assert (await found(site, scope=Scope(company="Nowhere Ltd", new_company=True)))["company"].level == "warn"
    assert (await found(site, scope=Scope()))["company"].level == "ok"


async def test_a_company_of_the_list_that_no_opportunity_carries_fails_while_others_are_carried(either: Site) -> None:
    either.double.add("Company", ADMIN, company_name="Other Ltd", default_currency="GBP")
    other = Scope(company="other ltd")
    assert (await found(either, scope=other))["company"].level == "ok"
    either.add()
    line = (await found(either, scope=other))["company"]
    assert (line.level, line.exit_code) == ("fail", 2)
    assert line.told.startswith(f'no opportunity carries "other ltd" (companies there: "{COMPANY}"); correct it')
    assert (await found(either, scope=replace(other, new_company=True)))["company"].level == "warn"


async def test_who_may_not_list_companies_is_told_those_that_opportunities_carry(either: Site) -> None:
    user = either.double.users[SYNC]

    class Blind(type(user)):  # type: ignore[misc]
        def may(self, right: str, doctype: str) -> bool:
            return doctype != "Company" and bool(super().may(right, doctype))

    either.double.users[SYNC] = Blind(SYNC, user.roles, user.api_key, user.api_secret)
    either.add()
    line = (await found(either, scope=Scope(company="Nowhere Ltd")))["company"]
    assert (line.level, line.exit_code) == ("fail", 2)
    assert line.told.startswith(f'no opportunity carries "Nowhere Ltd" (companies there: "{COMPANY}"); correct it')


async def test_missing_roles_are_named_beforehand(site: Site) -> None:
    lines = await found(site, "sales")
    assert lines["sales_stage"].level == "warn"
    assert "give it the role Sales Manager" in lines["sales_stage"].detail
    site.double.users[SYNC].roles = frozenset({SALES_USER, SALES_MANAGER})
    lines = await found(site, create_missing=True)
    assert "may not create UTM Source: give it the role Marketing Manager" in lines["utm_source"].detail
    assert lines["lost_reasons"].detail.endswith("; a missing value is created")


async def test_rights_that_roles_lack_fail(site: Site) -> None:
    grants = site.double.users[SYNC]
    may = type(grants).may

    class Reader(type(grants)):  # type: ignore[misc]
        def may(self, right: str, doctype: str) -> bool:
            return right == "read" and doctype not in {"Customer", "Contact"} and bool(may(self, right, doctype))

    site.double.users[SYNC] = Reader(SYNC, grants.roles, grants.api_key, grants.api_secret)
    async with site.stranger() as erp:
        lines = [line.detail for line in await erp.check(SCOPE) if line.subject == "roles"]
    assert lines == [
        "the user may not write Opportunity: give it the role Sales User in ERPNext",
        "the user may not create Opportunity: give it the role Sales User in ERPNext",
        "the user may not delete Opportunity: give it the role Sales User in ERPNext",
        "the user may not create Lead: give it the role Sales User in ERPNext",
        "the user may not read Customer: give it the role Sales User in ERPNext; nobody can be found there by e-mail",
        "the user may not read Contact: give it the role Sales User in ERPNext; nobody can be found there by e-mail",
    ]


async def test_how_a_lost_create_is_known_again_is_said(site: Site) -> None:
    assert (await found(site))["external key"].level == "warn"
    assert "add custom_nexudus_id" in (await found(site))["external key"].detail
    assert "add a custom field" in (await found(site, external_key_field=None))["external key"].detail
    assert (await found(site, own_names=True))["external key"].level == "ok"


async def test_a_filter_that_is_not_obeyed_fails(site: Site) -> None:
    name = site.add()
    row = site.double.site.find("Opportunity", name)
    assert row is not None
    site.double.site.put("Opportunity", row | {"modified": "9999-12-31 23:59:59.000000"})
    assert (await found(site))["filters"].level == "fail"


async def test_a_system_manager_reads_the_deleted_documents(site: Site) -> None:
    site.double.users[SYNC].roles |= {SYSTEM_MANAGER}
    assert "deletions" not in await found(site)


async def test_an_error_on_the_way_is_a_line_and_ends_nothing(site: Site) -> None:
    async with site.connect() as erp:
        site.double.users[SYNC].roles = frozenset()
        lines = [line async for line in checks.lines(erp.api, erp._directories, erp.site, erp._settings, SCOPE)]
    assert [line.level for line in lines if line.subject == "site"] == ["fail", "fail"]
    assert [line.subject for line in lines][-1] == "utm_campaign"


async def test_a_site_without_some_field_is_told_so(site: Site) -> None:
    async with site.connect() as erp:
        bare = replace(erp.site, lacks=frozenset({"utm_content"}))
        lines = [line async for line in checks.lines(erp.api, erp._directories, bare, erp._settings, SCOPE)]
    assert lines[1] == Check("fields", "warn", "opportunities have no utm_content")


def test_a_clock_that_is_off_is_a_warning() -> None:
    assert checks.clock(None).level == "warn"
    assert checks.clock(0.4).level == "ok"
    assert checks.clock(-61.0) == Check(
        "clock", "warn", "the server's clock is -61 s from ours; its times are corrected by that"
    )
