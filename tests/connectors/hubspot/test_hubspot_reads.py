"""Reading deals: changes by the search, everything by the list, single ones by id, and what proves that one is gone."""

from typing import Any

import pytest
from hubspot_server import BEN, SALES, TOKEN, Account

from nexudus_sandbox.hubspot.objects import Author
from nexudus_sandbox.hubspot.pipelines import Stage
from nexudus_sandbox.wire import html_response
from nexudus_sync.connectors.base import Scope
from nexudus_sync.errors import AnotherRecord, NotFound, Unavailable

SEARCH = "POST /crm/objects/2026-03/deals/search"


async def test_a_row_of_the_search_is_only_a_hint_and_one_of_the_list_is_the_record() -> None:
    async with Account().open() as account:
        deal, cursor = account.deal(), await account.cursor()
        (listed,) = (await account.rows()).values()
        account.double.edit(deal, BEN, dealname="Offices")
        account.double.objects.hide_from_search(account.double.deal(deal))
        (hinted,) = (await account.rows(cursor)).values()
        assert (listed.lagging, hinted.lagging) == (False, True)
        assert hinted.record["dealname"] == "Desks"
        assert (await account.connector.fetch(deal, hinted))["dealname"] == "Offices"
        since = len(account.double.log)
        assert await account.connector.fetch(deal, listed) == listed.record
        assert len(account.double.log) == since


async def test_a_poll_reads_back_by_the_overlap() -> None:
    async with Account(search_lag=30.0).open() as account:
        deal = account.deal()
        account.clock.turn(20)
        cursor = await account.cursor()
        assert await account.rows(cursor) == {}
        account.clock.turn(60)
        assert list(await account.rows(cursor)) == [deal]


async def test_an_import_of_one_millisecond_is_listed_whole_by_pages_that_do_not_shift() -> None:
    async with Account(settings={"page_size": 5}).open() as account:
        cursor = await account.cursor()
        deals = [account.deal(dealname=f"Deal {number}") for number in range(23)]
        seen: list[str] = []

        def work(request: object, _: object) -> None:
            if str(getattr(request, "path", "")).endswith("/search"):
                account.clock.turn(0.1)
                account.double.edit(deals[-1], BEN, dealname=f"Again {len(seen)}")
                seen.append("")

        account.double.watchers.append(work)
        assert list(await account.rows(cursor)) == deals
        assert len(seen) == 5
        assert account.double.gate.exceeded == []


async def test_a_mapping_of_very_many_properties_still_fits_into_a_search() -> None:
    account = Account()
    names = [f"a_property_with_a_long_name_{number}" for number in range(120)]
    for name in names:
        account.double.properties.add("deals", name)
    account.connector.want(frozenset(names))
    async with account.open():
        cursor = await account.cursor()
        deal = account.deal(**{names[7]: "said"})
        (row,) = (await account.rows(cursor)).values()
        assert (row.id, row.record[names[7]], row.lagging) == (deal, "said", False)


async def test_contacts_and_their_links_are_read_in_batches_and_once() -> None:
    async with Account().open() as account:
        cursor = await account.cursor()
        deals = [account.deal() for _ in range(4)]
        since = len(account.double.log)
        rows = await account.rows(cursor)
        links, contacts = (
            "POST /crm/associations/2026-03/deals/contacts/batch/read",
            "POST /crm/objects/2026-03/contacts",
        )
        assert account.asked(since) == [SEARCH, links, f"{contacts}/batch/read"]
        assert account.connector.facts(rows[deals[0]].record).email == "kai@example.org"
        account.double.edit(deals[0], BEN, dealname="Offices")
        since = len(account.double.log)
        await account.rows(cursor)
        assert account.asked(since) == [SEARCH]


@pytest.mark.parametrize("blank", ["null", "missing"])
async def test_a_deal_without_a_stage_is_open_and_in_no_pipeline(blank: str) -> None:
    async with Account(blank=blank).open() as account:
        record = await account.connector.fetch(account.double.create(BEN, dealname="Bare"))
        assert record["@status"] == "open"
        assert not account.connector.in_scope(record, SALES)


async def test_of_several_contacts_the_oldest_with_an_address_counts() -> None:
    async with Account().open() as account:
        nobody = account.double.add("contacts", BEN, firstname="Nobody")
        noor = account.double.add("contacts", BEN, email="noor@example.org")
        late = account.double.add("contacts", BEN, email="late@example.org")
        record = await account.connector.fetch(account.deal(contacts=[late, noor, nobody]))
        assert account.connector.facts(record).email == "noor@example.org"
        bare = await account.connector.fetch(account.deal(contacts=[]))
        assert account.connector.facts(bare).email is None


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("answers", ["survivor", "not-found"])
async def test_a_merged_deal_leads_to_the_one_that_is_left(keeps: bool, answers: str) -> None:
    async with Account(merge_keeps_primary=keeps, merged_answers=answers).open() as account:
        one, two = account.deal(dealname="One"), account.deal(dealname="Two")
        left = account.double.merge(one, two, BEN)
        with pytest.raises(AnotherRecord) as raised:
            await account.connector.fetch(two)
        assert (raised.value.survivor, raised.value.told) == (left, left)
        assert not await account.connector.absent(two, "")


async def test_an_answer_about_another_deal_without_a_merge_proves_nothing() -> None:
    async with Account().open() as account:
        one, two = account.deal(), account.deal()
        body = {"id": two, "properties": {}, "createdAt": None, "updatedAt": None}
        account.answer(f"GET .*/{one}$", 200, body)
        with pytest.raises(AnotherRecord) as raised:
            await account.connector.fetch(one)
        assert raised.value.survivor is None


@pytest.mark.parametrize("form", ["html", "json"])
async def test_only_a_404_of_hubspots_own_proves_that_a_deal_is_gone(form: str) -> None:
    async with Account(not_found=form).open() as account:
        deal, erased = account.deal(), account.deal()
        account.double.delete(deal, BEN)
        account.double.erase(erased, BEN)
        for gone in (deal, erased):
            with pytest.raises(NotFound):
                await account.connector.fetch(gone)
            assert await account.connector.absent(gone, "")
        account.double.restore(deal, BEN)
        assert not await account.connector.absent(deal, "")
        account.faults.change("GET .*/deals/", lambda _: html_response(404, "Not found"), times=9)
        with pytest.raises(Unavailable, match="not by HubSpot"):
            await account.connector.absent(erased, "")


async def test_stages_are_those_of_the_deals_pipeline_and_owners_may_have_left() -> None:
    account = Account()
    gone = account.double.account.hire("old@example.com", "Old Hand", archived=True)
    async with account.open():
        record = await account.connector.fetch(account.deal(hubspot_owner_id=gone))
        context = await account.connector.context(record, SALES)
        assert context.directories["dealstage"].names()[0] == "Appointment scheduled"
        owners = context.directories["user"]
        assert (owners.name(gone), owners.raw("old@example.com")) == ("old@example.com", None)
        assert owners.raw("Maria.Nunez@example.com") == account.maria


async def test_a_reason_that_is_a_list_is_said_by_its_labels() -> None:
    account = Account()
    account.double.properties.change("deals", "closed_lost_reason", type="enumeration", options=("Price", "Timing"))
    async with account.open():
        context = await account.connector.context(await account.connector.fetch(account.deal()), SALES)
        assert context.directories["closed_lost_reason"].names() == ("Price", "Timing")


async def test_when_each_property_was_set_is_told_by_its_history() -> None:
    async with Account().open() as account:
        deal = account.deal(amount="1")
        account.clock.turn(60)
        account.double.edit(deal, BEN, dealname="Later")
        told = await account.connector.changed_at(
            [deal, "999"], frozenset({"dealname", "amount", "@status", "closedate"})
        )
        assert set(told) == {deal}
        at = told[deal]
        assert (at["dealname"] - at["amount"]).total_seconds() == 60
        assert at["@status"] == at["amount"]
        assert "closedate" not in at


async def test_a_stage_that_is_new_is_found_once_it_was_missed() -> None:
    async with Account().open() as account:
        record = await account.connector.fetch(account.deal())
        one, two = [await account.connector.context(record, SALES) for _ in range(2)]
        account.pipeline.stages.append(Stage("42", "Haggling"))
        assert one.directories["dealstage"].raw("haggling") is None
        account.clock.turn(120)
        found = (await account.connector.context({}, SALES)).directories["dealstage"].raw("Haggling")
        assert (found, two.directories["dealstage"].raw("Haggling")) == ("42", None)


async def test_a_read_before_a_write_does_not_ask_for_the_contact() -> None:
    async with Account().open() as account:
        deal, since = account.deal(), len(account.double.log)
        record = await account.connector.fetch(deal, children=False)
        assert account.asked(since) == [f"GET /crm/objects/2026-03/deals/{deal}"]
        assert (record["@contacts"], account.connector.facts(record).email) == ([account.kai], None)
        assert account.connector.facts(await account.connector.fetch(deal)).email == "kai@example.org"


async def test_a_contact_is_read_again_once_a_person_asks_for_another_try() -> None:
    async with Account().open() as account:
        bare = account.double.add("contacts", BEN, firstname="Noor")
        deal = account.deal(contacts=[bare])
        assert account.connector.facts(await account.connector.fetch(deal)).email is None
        one = account.double.objects.rows["contacts"][int(bare)]
        account.double.change(one, {"email": "noor@example.org"}, account.double.gate.keys[TOKEN].author)
        account.connector.ask_afresh()
        assert account.connector.facts(await account.connector.fetch(deal)).email == "noor@example.org"


@pytest.mark.parametrize("missing", ["207", "left-out"])
async def test_what_a_batch_does_not_find_is_missing_and_nothing_else(missing: Any) -> None:
    async with Account(missing_in_batch=missing).open() as account:
        cursor = await account.cursor()
        gone = account.double.add("contacts", BEN, email="gone@example.org")
        deals = [account.deal(contacts=those) for those in ([], [account.kai], [gone])]
        account.double.objects.archive(account.double.objects.rows["contacts"][int(gone)], Author(BEN))
        rows = await account.rows(cursor)
        assert list(rows) == deals
        emails = [account.connector.facts(rows[deal].record).email for deal in deals]
        assert emails == [None, "kai@example.org", None]


@pytest.mark.parametrize("path", ["associations", "contacts/batch/read"])
async def test_a_batch_that_failed_in_part_is_not_believed(path: str) -> None:
    async with Account().open() as account:
        cursor = await account.cursor()
        account.deal()
        error = {"status": "error", "category": "INTERNAL_ERROR", "message": "try later"}
        body = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}
        for _ in range(4):
            account.answer(f"POST .*/{path}", 207, body)
        with pytest.raises(Unavailable, match="only in part: try later"):
            await account.rows(cursor)


async def test_a_pipeline_is_named_by_its_label_or_by_its_id() -> None:
    async with Account().open() as account:
        account.double.pipelines.add("Renewals", [Stage("77", "Open")], "renewals")
        account.connector.ask_afresh()
        await account.connector.start()
        record = await account.connector.fetch(account.deal(pipeline="renewals", dealstage="77"))
        named = [account.connector.in_scope(record, Scope(company=one)) for one in ("renewals", "RENEWALS", "default")]
        assert named == [True, True, False]
