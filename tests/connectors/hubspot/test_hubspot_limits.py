"""Who may call, how often, and what `check` says of it."""

from typing import Any

import pytest
from hubspot_server import SALES, TOKEN, Account

from nexudus_sandbox.hubspot.pipelines import Stage
from nexudus_sync.connectors.base import Scope
from nexudus_sync.errors import AuthenticationFailed, HeldUp, OutcomeUnknown, Refused, RoleMissing, Unavailable


def too_many(policy: str) -> dict[str, Any]:
    return {"status": "error", "message": "too many", "errorType": "RATE_LIMIT", "policyName": policy}


@pytest.mark.parametrize(("policy", "least", "most"), [("TEN_SECONDLY_ROLLING", 10, 11), ("SECONDLY", 1, 2)])
async def test_a_full_window_is_waited_out(policy: str, least: float, most: float) -> None:
    async with Account().open() as account:
        deal, before = account.deal(), account.clock.monotonic()
        account.answer("GET .*/deals/", 429, too_many(policy))
        await account.connector.fetch(deal)
        assert least <= account.clock.monotonic() - before <= most


async def test_a_day_that_is_used_up_says_until_when_and_nothing_is_asked_before() -> None:
    async with Account().open() as account:
        deal = account.deal()
        account.double.gate.a_day = account.double.gate.used_today
        with pytest.raises(Unavailable, match=r"used up; it asks to wait 16 hours, until 2026-03-03 00:00 UTC") as told:
            await account.connector.fetch(deal)
        assert told.value.wait == 16 * 3600
        asked = len(account.double.log)
        account.clock.turn(16 * 3600 - 1)
        for call in (account.rows(account.clock.now().isoformat()), account.connector.fetch(deal)):
            with pytest.raises(Unavailable, match="until 2026-03-03 00:00 UTC"):
                await call
        assert len(account.double.log) == asked
        account.clock.turn(1)
        assert (await account.connector.fetch(deal))["dealname"] == "Desks"


async def test_the_day_ends_in_the_zone_of_the_account() -> None:
    account = Account()
    account.double.account.time_zone = "US/Eastern"
    async with account.open():
        account.double.gate.a_day = account.double.gate.used_today
        with pytest.raises(Unavailable, match="wait 21 hours, until 2026-03-03 05:00 UTC"):
            await account.connector.fetch("1")


async def test_an_account_that_is_moved_is_left_alone_for_as_long_as_it_says() -> None:
    async with Account().open() as account:
        deal = account.deal()
        account.double.gate.migrating = 7200
        told = "moving the account to another data centre; it asks to wait 2 hours, until 2026-03-02 10:00 UTC"
        for _ in range(3):
            with pytest.raises(Unavailable, match=told):
                await account.write(deal, dealname="Offices")
        assert [one.status for one in account.double.log][-2:] == [200, 477]
        account.double.gate.migrating = 0
        account.clock.turn(7200)
        await account.write(deal, dealname="Offices")


async def test_an_account_that_is_moved_within_the_hour_is_waited_for() -> None:
    async with Account().open() as account:
        deal, before = account.deal(), account.clock.monotonic()
        account.answer("GET .*/deals/", 477, "", Retry_After="1200")
        await account.connector.fetch(deal)
        assert account.clock.monotonic() - before >= 1200


async def test_searches_that_are_too_many_wait_longer_each_time() -> None:
    async with Account().open() as account:
        cursor, before = await account.cursor(), account.clock.monotonic()
        said = {"status": "error", "message": "You have reached your secondly limit."}
        for _ in range(3):
            account.answer("POST .*/search", 429, said)
        await account.rows(cursor)
        assert 1 + 2 + 3 <= account.clock.monotonic() - before <= 7


async def test_too_many_at_once_are_waited_for_as_a_full_window_is() -> None:
    async with Account().open() as account:
        deal, before = account.deal(), account.clock.monotonic()
        account.answer("GET .*/deals/", 429, too_many("CONCURRENT"))
        await account.connector.fetch(deal)
        assert account.clock.monotonic() - before >= 10


async def test_a_lock_is_waited_for_once_and_is_then_that_deals_failure() -> None:
    async with Account().open() as account:
        deal, before = account.deal(), account.clock.monotonic()
        account.answer("PATCH", 423, {"status": "error", "message": "It is locked"})
        with pytest.raises(HeldUp, match="somebody holds the record"):
            await account.write(deal, dealname="Offices")
        assert 5 <= account.clock.monotonic() - before <= 6
        await account.write(deal, dealname="Rooms")
        assert account.double.record(deal)["dealname"] == "Rooms"
        other = account.deal()
        for error, name in ((HeldUp, "Desks 1"), (Refused, "Desks 2")):
            account.answer("PATCH", 423, {"status": "error", "message": "It is locked"})
            with pytest.raises(error, match=f"{other}.*It is locked" if error is Refused else "holds the record"):
                await account.write(other, dealname=name)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 521, 524])
async def test_what_fails_in_hubspot_itself_is_read_again_but_never_written_again(status: int) -> None:
    async with Account().open() as account:
        deal = account.deal()
        for _ in range(3):
            account.answer("GET .*/deals/", status, "<html>bad gateway</html>")
        assert (await account.connector.fetch(deal))["dealname"] == "Desks"
        asked = len(account.double.log)
        account.answer("PATCH", status, "<html>bad gateway</html>")
        with pytest.raises(OutcomeUnknown, match=f"answered {status}"):
            await account.write(deal, dealname="Offices")
        assert [one.method for one in account.double.log[asked:]].count("PATCH") == 1


async def test_a_window_that_others_have_nearly_filled_makes_the_sync_pause() -> None:
    async with Account().open() as account:
        deal = account.deal()
        account.double.gate.ten_seconds = 20
        for _ in range(40):
            await account.connector.fetch(deal)
        assert account.double.gate.exceeded == []


async def test_the_windows_are_never_exceeded_by_many_calls_at_once() -> None:
    async with Account().open() as account:
        deal = account.deal()
        for number in range(200):
            await account.connector.fetch(deal)
            if number % 4 == 0:
                await account.rows((account.clock.now()).isoformat())
        assert account.double.gate.exceeded == []


@pytest.mark.parametrize("apart", [True, False])
async def test_associations_have_a_window_of_their_own_that_others_may_have_nearly_filled(apart: bool) -> None:
    async with Account().open() as account:
        account.double.gate.associations, account.double.gate.apart = 20, apart
        cursor = await account.cursor()
        for _ in range(60):
            account.deal()
            await account.rows(cursor)
        asked = [one for one in account.asked() if "/associations/" in one]
        assert len(asked) == 60
        assert account.double.gate.exceeded == []


async def test_what_is_configured_for_associations_holds_back_them_alone() -> None:
    async with Account(settings={"association_limits": {"per_second": 1}}).open() as account:
        cursor, began = await account.cursor(), account.clock.monotonic()
        for _ in range(5):
            await account.connector.fetch(account.deal())
        assert account.clock.monotonic() - began < 2
        for _ in range(5):
            account.deal()
            await account.rows(cursor)
        assert account.clock.monotonic() - began >= 4
        assert account.connector.budget_left()["associations.per_second"][1] == 1


async def test_a_refused_call_about_associations_holds_back_all_but_searches() -> None:
    async with Account().open() as account:
        cursor, deal, before = await account.cursor(), account.deal(), account.clock.monotonic()
        account.answer("POST .*/associations/", 429, too_many("TEN_SECONDLY_ROLLING"))
        assert list(await account.rows(cursor)) == [deal]
        assert account.clock.monotonic() - before >= 10


async def test_a_key_of_another_account_is_refused_before_anything_is_read() -> None:
    account = Account(settings={"portal_id": 999})
    with pytest.raises(AuthenticationFailed, match="one of account 12345678, not of 999"):
        await account.connector.start()
    assert account.asked() == ["GET /account-info/2026-03/details"]
    await account.connector.aclose()


async def test_a_missing_scope_is_named() -> None:
    async with Account().open() as account:
        key = account.double.gate.keys[TOKEN]
        key.scopes -= {"crm.objects.deals.read"}
        with pytest.raises(RoleMissing, match=r"lacks the scope crm\.objects\.deals\.read"):
            await account.rows()


async def said(account: Account, scope: Scope = SALES) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in await account.connector.check(scope):
        found.setdefault(line.subject, []).append((line.level, line.told))
    await account.connector.aclose()
    return found


async def test_check_is_content_with_an_account_that_is_well_set_up() -> None:
    account = Account(settings={"portal_id": 12345678})
    before = account.double.records()
    lines = await said(account)
    assert {level for found in lines.values() for level, _ in found} == {"ok"}, lines
    assert set(lines) >= {"account", "scopes", "properties", "external key", "pipeline", "stages", "owners", "clock"}
    assert account.double.records() == before


async def test_to_try_whether_owners_can_be_read_one_of_them_is_enough() -> None:
    account = Account()
    for name in ("ada", "ben", "cleo"):
        account.double.account.hire(f"{name}@example.org")
    await said(account)
    tried = [one for one in account.double.log if "/owners/" in one.path and one.query.get("limit") == "1"]
    assert len(tried) == 1


async def test_check_names_every_missing_scope() -> None:
    account = Account()
    account.double.gate.keys[TOKEN].scopes -= {"crm.objects.contacts.write", "crm.objects.owners.read"}
    lines = await said(account)
    assert [told.split(": ")[0] for _, told in lines["scopes"]] == [
        "crm.objects.owners.read",
        "crm.objects.contacts.write",
    ]
    assert "the key lacks it; add it in HubSpot" in lines["scopes"][0][1]


async def test_check_names_them_all_where_the_first_one_keeps_it_from_starting() -> None:
    account = Account()
    account.double.gate.keys[TOKEN].scopes -= {"crm.schemas.deals.read", "crm.objects.deals.write"}
    lines = await said(account)
    assert [told.split(": ")[0] for _, told in lines["scopes"]] == ["crm.schemas.deals.read", "crm.objects.deals.write"]
    assert list(lines) == ["scopes"]


def blind(**settings: Any) -> Account:
    """An account whose details the key may not read."""
    account = Account(settings=settings, account_scope="oauth")
    account.double.gate.keys[TOKEN].scopes -= {"oauth"}
    return account


HAND = {"time_zone": "US/Eastern", "currency": "USD"}


@pytest.mark.parametrize("settings", [{}, {"time_zone": "US/Eastern"}, {"currency": "USD"}])
async def test_a_key_that_may_not_read_the_account_needs_zone_and_currency(settings: dict[str, str]) -> None:
    account = blind(**settings)
    with pytest.raises(RoleMissing, match=r"scope oauth.*time_zone and currency") as told:
        await account.connector.start()
    assert "\n" not in str(told.value)
    assert account.asked() == ["GET /account-info/2026-03/details"]
    account.double.gate.keys[TOKEN].scopes -= {"crm.objects.deals.write"}
    lines = await said(account)
    assert [(level, one.split(": ")[0]) for level, one in lines["scopes"]] == [
        ("fail", "oauth"),
        ("fail", "crm.objects.deals.write"),
    ]
    assert "or give time_zone and currency" in lines["scopes"][0][1]


async def test_zone_and_currency_may_come_from_the_configuration() -> None:
    account = blind(**HAND)
    async with account.open():
        deal, since = account.deal(amount="12"), len(account.double.log)
        record = await account.connector.fetch(deal)
        context = await account.connector.context(record, SALES)
        assert (str(context.time_zone), context.currency) == ("US/Eastern", "USD")
        assert account.connector.facts(record).currency == "USD"
        assert account.connector.learned() == {}
        await account.connector.start()
        assert "GET /account-info/2026-03/details" not in account.asked(since)
        account.connector.ask_afresh()
        account.double.gate.keys[TOKEN].scopes |= {"oauth"}
        await account.connector.start()
        assert str((await account.connector.context(record, SALES)).time_zone) == "Europe/London"


async def test_check_says_that_the_account_is_not_proven() -> None:
    lines = await said(blind(**HAND, portal_id=12345678))
    ((level, told),) = lines["account"]
    assert level == "warn"
    assert (
        "US/Eastern and USD are taken from the configuration, and whether it is account 12345678 is not known" in told
    )
    assert [level for level, _ in lines["scopes"]] == ["ok"]


async def test_what_the_account_says_counts_more_than_the_configuration() -> None:
    lines = await said(Account(settings=HAND))
    assert [level for level, _ in lines["account"]] == ["ok", "warn", "warn"]
    assert (
        lines["account"][1][1]
        == "time_zone = US/Eastern in the configuration, but the account has Europe/London, which counts"
    )


async def test_a_key_that_has_run_out_is_said_in_one_line() -> None:
    account = Account()
    account.double.gate.keys.clear()
    with pytest.raises(AuthenticationFailed, match="the token was not accepted; put a valid service key") as told:
        await account.connector.start()
    assert TOKEN not in str(told.value)
    lines = await said(account)
    assert [(level, "not accepted" in line) for level, line in lines["login"]] == [("fail", True)]


async def test_a_server_that_forbids_without_being_hubspot_is_no_missing_scope() -> None:
    account = Account()
    for _ in range(4):
        account.answer("GET", 403, "<html><body>blocked by your administrator</body></html>")
    with pytest.raises(Unavailable, match="a server in front of HubSpot forbids it"):
        await account.connector.start()
    await account.connector.aclose()


async def test_a_refusal_without_a_scope_is_told_in_hubspots_words() -> None:
    account = Account()
    no = {"status": "error", "message": "You do not have permissions to view object type DEAL in portal 1"}
    account.answer("GET .*/pipelines/", 403, no)
    with pytest.raises(RoleMissing, match="may not GET /crm/pipelines/2026-03/deals: You do not have permissions"):
        await account.connector.start()
    await account.connector.aclose()


async def test_without_the_scope_for_owners_the_deals_are_read_all_the_same() -> None:
    account = Account()
    account.double.gate.keys[TOKEN].scopes -= {"crm.objects.owners.read"}
    async with account.open():
        deal = account.deal(hubspot_owner_id=account.maria)
        record = await account.connector.fetch(deal)
        owners = (await account.connector.context(record, SALES)).directories["user"]
        assert (record["hubspot_owner_id"], owners.name(account.maria)) == (account.maria, None)
    lines = await said(account)
    assert lines["owners"][0][0] == "warn"


async def test_check_says_what_to_create() -> None:
    account = Account(key=False)
    account.connector.want(frozenset({"utm_source", "hs_is_closed", "@status"}))
    lines = await said(account)
    assert [level for level, _ in lines["properties"]] == ["warn", "fail"]
    assert 'no property "utm_source"' in lines["properties"][1][1]
    assert '"Require unique values"' in lines["external key"][0][1]


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ([Stage("1", "Open")], 'pipeline "Odd" has no won stage'),
        ([Stage("1", "Open"), Stage("2", "A", True, 1.0), Stage("3", "B", True, 1.0)], "name one of them in won_stage"),
        ([Stage("1", "Open", permissions="READ_ONLY")], 'closed to programs: "Open"'),
    ],
)
async def test_check_looks_at_the_pipelines_stages(stages: list[Stage], told: str) -> None:
    account = Account()
    account.double.pipelines.add("Odd", stages)
    lines = await said(account, Scope(company="odd"))
    assert any(level == "warn" and told in detail for level, detail in lines["stages"])


async def test_check_refuses_a_pipeline_that_does_not_exist() -> None:
    found = await Account().connector.check(Scope(company="Nowhere"))
    (line,) = [one for one in found if one.subject == "pipeline"]
    assert (line.level, line.detail) == ("fail", 'there is no pipeline "Nowhere"')
    assert '"Sales pipeline"' in line.remedy


async def test_check_warns_of_a_test_account_and_of_an_old_version() -> None:
    account = Account(settings={"api_version": "2024-09"})
    account.double.account.kind = "SANDBOX"
    lines = await said(account)
    assert (lines["account"][0][0], lines["version"][0][0]) == ("warn", "warn")


async def test_what_starts_again_before_each_poll_asks_nothing_again() -> None:
    async with Account().open() as account:
        asked = len(account.double.log)
        await account.connector.start()
        assert len(account.double.log) == asked


@pytest.mark.parametrize("several", [False, True])
async def test_check_names_a_won_stage_that_is_none(several: bool) -> None:
    account = Account(settings={"won_stage": "Closed one", "lost_stage": "closedlost"})
    if several:
        account.pipeline.stages.append(Stage("2", "Won later", True, 1.0))
    lines = await said(account)
    problem = 'won_stage = "Closed one" is no won stage of pipeline "Sales pipeline"'
    told = f'{problem}; correct won_stage; there is "Closed won"'
    assert [one for level, one in lines["stages"] if level == "warn"] == [told + (', "Won later"' if several else "")]


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'Mars' is no time zone; write it like Europe/London"):
        Account(settings={"time_zone": "Mars"})
