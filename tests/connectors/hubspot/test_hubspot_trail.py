"""The histories of deals as a trail: whose change was whose, as far as it can be known."""

from datetime import timedelta
from typing import Any

import pytest
from hubspot_server import SALES, Account

from nexudus_sandbox.hubspot.objects import Author
from nexudus_sync.connectors.base import Audited, Sent
from nexudus_sync.connectors.hubspot import trail

MARIA = "maria.nunez@example.com"


async def write(account: Account, deal: str, **changes: Any) -> Sent:
    """The sync changes a deal; what the journal has of it."""
    before = await account.connector.fetch(deal)
    (step,) = account.connector.update_steps(before, {**before, **changes})
    at = account.clock.now()
    account.clock.turn(0.2)
    await account.connector.perform(step, before)
    account.clock.turn(0.2)
    return Sent(deal, step, at, account.clock.now())


async def told(account: Account, *sent: Sent) -> list[Audited]:
    found = await account.connector.histories(sent)
    assert found is not None
    assert [one.number for one in found] == sorted(one.number for one in found)
    return found


def of(found: list[Audited], key: str) -> list[tuple[Any, Any, bool]]:
    return [(one.old, one.new, one.own) for one in found if one.key == key]


@pytest.mark.parametrize("sources", [{}, {"says_source": False}, {"keys_are_users": True}], ids=str)
async def test_own_writes_are_known_however_the_history_names_a_key(sources: dict[str, Any]) -> None:
    async with Account(**sources).open() as account:
        account.connector.want(frozenset({"amount", "dealname", "@status"}))
        deal = account.deal(amount="1")
        account.clock.turn(60)
        account.double.edit(deal, MARIA, amount="20")
        account.clock.turn(60)
        sent = await write(account, deal, amount="20.50")
        found = await told(account, sent)
        assert of(found, "amount") == [(None, "1", False), ("1", "20", False), ("20", "20.50", True)]
        assert [one.author for one in found if one.key == "amount"][1] == MARIA
        assert [one.sent for one in found if one.own] == [sent.at]


async def test_a_value_that_the_server_spells_otherwise_is_still_ours() -> None:
    async with Account(says_source=False).open() as account:
        account.connector.want(frozenset({"amount", "closedate"}))
        deal = account.deal()
        sent = await write(account, deal, amount="20.00", closedate="2026-05-01T12:00:00Z")
        one = account.double.deal(deal)
        for name, value in (("amount", "20"), ("closedate", "2026-05-01T12:00:00.000Z")):
            past = one.history[name][0]
            one.history[name][0] = type(past)(value, past.at, past.by)
        assert {(one.key, one.own) for one in await told(account, sent)} >= {("amount", True), ("closedate", True)}


async def test_the_same_value_written_by_somebody_else_later_is_not_ours() -> None:
    async with Account(says_source=False).open() as account:
        account.connector.want(frozenset({"amount"}))
        deal = account.deal()
        sent = await write(account, deal, amount="20")
        account.clock.turn(60)
        account.double.edit(deal, MARIA, amount="30")
        account.double.edit(deal, MARIA, amount="20")
        assert of(await told(account, sent), "amount") == [(None, "20", True), ("20", "30", False), ("30", "20", False)]


async def test_an_app_that_is_not_ours_is_somebody() -> None:
    async with Account().open() as account:
        account.connector.want(frozenset({"amount"}))
        deal = account.deal()
        sent = await write(account, deal, amount="20")
        account.clock.turn(60)
        account.double.objects.set(account.double.deal(deal), {"amount": "30"}, Author("zap", "INTEGRATION", "999"))
        found = await told(account, sent)
        assert of(found, "amount") == [(None, "20", True), ("20", "30", False)]
        assert found[-1].author == "integration"


async def test_a_late_write_is_known_once_our_app_is() -> None:
    async with Account().open() as account:
        account.connector.want(frozenset({"amount"}))
        deal, other = account.deal(), account.deal()
        lost = await write(account, deal, amount="20")
        given_up = Sent(deal, lost.step, lost.at - timedelta(hours=1), lost.at - timedelta(minutes=30))
        assert of(await told(account, given_up), "amount") == [(None, "20", False)]
        assert of(await told(account, given_up, await write(account, other, amount="1")), "amount")[0][2]
        assert [one.sent for one in await told(account, given_up) if one.key == "amount"] == [given_up.at]


@pytest.mark.parametrize("by", ["writer", "hubspot"])
@pytest.mark.parametrize("sources", [{}, {"says_source": False}, {"keys_are_users": True}], ids=str)
async def test_a_stage_is_told_as_status_too_and_what_closing_sets_as_ours(by: Any, sources: dict[str, Any]) -> None:
    async with Account(closing_by=by, **sources).open() as account:
        account.connector.want(frozenset({"@status", "dealstage", "closedate"}))
        await account.connector.context({}, SALES)
        deal = account.deal()
        account.clock.turn(60)
        account.double.edit(deal, MARIA, dealstage="contractsent")
        account.clock.turn(60)
        found = await told(account, await write(account, deal, **{"@status": "won"}))
        assert of(found, "dealstage")[-2:] == [
            ("qualifiedtobuy", "contractsent", False),
            ("contractsent", "closedwon", True),
        ]
        assert of(found, "@status") == [("open", "won", True)]
        assert [own for *_, own in of(found, "closedate")] == [True]


async def test_a_stage_that_a_reopened_deal_goes_back_to_is_ours() -> None:
    async with Account(says_source=False).open() as account:
        account.connector.want(frozenset({"@status"}))
        deal = account.deal(dealstage="contractsent")
        account.double.edit(deal, MARIA, dealstage="closedlost")
        account.clock.turn(60)
        found = await told(account, await write(account, deal, **{"@status": "open"}))
        assert of(found, "dealstage")[-1] == ("closedlost", "contractsent", True)
        assert of(found, "@status") == [("open", "lost", False), ("lost", "open", True)]


async def test_only_mapped_properties_are_asked_for_and_fifty_deals_a_call() -> None:
    async with Account().open() as account:
        account.connector.want(frozenset({"amount"}))
        sent = await write(account, account.deal(), amount="20")
        since = len(account.double.log)
        many = [Sent(str(number), sent.step, sent.at, sent.done) for number in range(1, 102)]
        assert await account.connector.histories(many) == []
        asked = [one for one in account.double.log[since:] if one.path.endswith("/batch/read")]
        assert [one.body.count(b'"id"') for one in asked] == [50, 50, 1]
        assert b'"propertiesWithHistory":["amount","dealstage","pipeline"]' in asked[0].body


async def test_a_key_that_may_not_read_histories_says_so() -> None:
    async with Account().open() as account:
        sent = await write(account, account.deal(), amount="20")
        account.faults.add("record_403", "batch/read")
        assert await account.connector.histories([sent]) is None


def test_a_history_without_sense_is_passed_over() -> None:
    odd = [None, "x", {"value": "2"}, {"value": "1", "timestamp": "yesterday"}]
    past = {"1": {"amount": odd, "dealname": None, "closedate": 7, "pipeline": {"value": "1"}}, "2": {}}
    assert trail.Trail({}, lambda _: None).read(past, []) == []


async def test_a_deal_names_whom_it_says_edited_it_last() -> None:
    async with Account().open() as account:
        deal, other = account.deal(), account.deal()
        assert account.connector.stamp(await account.connector.fetch(deal)).author == ""
        await account.connector.context({}, SALES)
        account.double.edit(deal, MARIA, amount="20")
        seen = [account.connector.stamp(await account.connector.fetch(one)).author for one in (deal, other)]
        assert seen == [MARIA, "user 501"]
        rows = [row async for page in account.connector.scan(SALES, None) for row in page.rows]
        assert {row.id: row.stamp.author for row in rows} == {deal: MARIA, other: "user 501"}


async def test_without_that_property_nobody_is_named() -> None:
    async with Account(names_editor=False).open() as account:
        await account.connector.context({}, SALES)
        deal = account.deal()
        account.double.edit(deal, MARIA, amount="20")
        assert account.connector.stamp(await account.connector.fetch(deal)).author == ""


async def test_who_edited_a_deal_is_no_content_of_it() -> None:
    async with Account().open() as account:
        deal = account.deal()
        before = await account.connector.fetch(deal)
        account.double.edit(deal, MARIA)
        after = await account.connector.fetch(deal)
        assert before != after
        assert account.connector.digest_view(before) == account.connector.digest_view(after)
