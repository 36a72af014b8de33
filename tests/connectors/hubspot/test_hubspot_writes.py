"""Writing deals and contacts: once, found again, and what HubSpot refuses blamed on the right key."""

from datetime import timedelta
from typing import Any

import pytest
from hubspot_server import BEN, SALES, TOKEN, Account

from nexudus_sandbox.hubspot.pipelines import Stage
from nexudus_sandbox.hubspot.values import Rule
from nexudus_sync.connectors.base import Party
from nexudus_sync.errors import AnsweredForAnother, OutcomeUnknown, Refused, RoleMissing


async def test_a_deal_is_made_with_its_contact_company_key_and_stage_in_one_call() -> None:
    account = Account()
    company = account.double.add("companies", BEN, name="Lund Films")
    account.double.properties.add("contacts", "associatedcompanyid")
    one = account.double.objects.rows["contacts"][int(account.kai)]
    account.double.change(one, {"associatedcompanyid": company}, account.double.gate.keys["pat-na1-test"].author)
    async with account.open():
        await account.connector.find_party("kai@example.org", SALES)
        since = len(account.double.log)
        written = await account.connector.perform(account.connector.create_step(account.draft(amount="12.50")))
        assert account.asked(since) == ["POST /crm/objects/2026-03/deals"]
        made = account.double.deal(written.id)
        assert made.values["dealstage"] == "appointmentscheduled"
        assert (made.values["nexudus_id"], made.values["amount"]) == ("hubspot:1", "12.50")
        assert account.double.objects.others(made, "companies") == [int(company)]
        assert account.connector.facts(written.record).external_key == "hubspot:1"


@pytest.mark.parametrize("status", [400, 409])
async def test_a_second_create_is_a_success_if_the_key_is_ours(status: Any) -> None:
    async with Account(unique_conflict=status).open() as account:
        step = account.connector.create_step(account.draft())
        first = await account.connector.perform(step)
        second = await account.connector.perform(step)
        assert (second.id, second.found, first.found) == (first.id, True, False)
        assert len(account.double.records()) == 1


async def test_without_the_property_a_lost_create_is_searched_for() -> None:
    async with Account(key=False).open() as account:
        step, since = account.connector.create_step(account.draft()), account.clock.now()
        account.faults.add("drop_after", "^POST .*/deals$")
        with pytest.raises(OutcomeUnknown):
            await account.connector.perform(step)
        (found,) = await account.connector.find_created(step, since)
        assert found["dealname"] == "Made"
        assert await account.connector.find_created(step, since + timedelta(minutes=10)) == []


async def test_a_property_that_is_not_unique_is_not_relied_on() -> None:
    account = Account(key=False)
    account.double.properties.add("deals", "nexudus_id")
    async with account.open():
        step = account.connector.create_step(account.draft())
        assert "nexudus_id" not in step.payload["properties"]


async def test_a_contact_that_has_the_address_as_a_second_one_is_that_contact() -> None:
    async with Account().open() as account:
        ana = account.double.add("contacts", BEN, email="ana@example.org", hs_additional_emails="ana@old.example")
        assert await account.connector.find_party("ana@old.example", SALES) is None
        step = account.connector.party_step(Party("ana@old.example", "Ana"), SALES)
        written = await account.connector.perform(step)
        assert written.party is not None
        assert written.party.id == ana


async def test_a_conflict_that_names_no_id_is_looked_up() -> None:
    async with Account().open() as account:
        body = {"status": "error", "message": "Contact already exists", "category": "CONFLICT"}
        account.answer("^POST .*/contacts$", 409, body)
        step = account.connector.party_step(Party("kai@example.org", "Kai"), SALES)
        assert (await account.connector.perform(step)).id == account.kai


@pytest.mark.parametrize("in_context", [True, False])
async def test_refused_properties_are_named(in_context: bool) -> None:
    async with Account(fields_in_errors=in_context).open() as account:
        deal = account.deal()
        with pytest.raises(Refused) as raised:
            await account.write(deal, amount="much", hubspot_owner_id="7", dealname="Offices")
        assert raised.value.keys == {"amount", "hubspot_owner_id"}
        assert "\n" not in str(raised.value)
        assert account.double.deal(deal).values["dealname"] == "Desks"


async def test_a_demanded_property_is_blamed_on_the_one_that_demands_it() -> None:
    account = Account(settings={"api_version": "2026-09"})
    account.double.checker.rules.append(Rule("dealstage", "closedlost", "closed_lost_reason"))
    async with account.open():
        deal = account.deal()
        with pytest.raises(Refused, match="closed_lost_reason is required") as raised:
            await account.write(deal, **{"@status": "lost", "dealname": "Offices"})
        assert raised.value.keys == {"@status"}
        await account.write(deal, **{"@status": "lost", "closed_lost_reason": "Price"})
        assert account.double.deal(deal).values["dealstage"] == "closedlost"


async def test_a_stage_that_hubspot_refuses_is_blamed_on_what_travelled() -> None:
    async with Account().open() as account:
        deal = account.deal()
        account.pipeline.stages = [one for one in account.pipeline.stages if one.id != "closedwon"]
        with pytest.raises(Refused) as raised:
            await account.write(deal, **{"@status": "won"})
        assert raised.value.keys == {"@status"}


async def test_the_pipeline_is_written_with_every_stage() -> None:
    async with Account(foreign_stage="accept").open() as account:
        deal = account.deal()
        await account.write(deal, dealstage="contractsent")
        assert b'"pipeline":"default"' in account.double.log[-1].body


async def test_a_deal_without_an_open_past_is_reopened_in_the_first_open_stage() -> None:
    async with Account().open() as account:
        record = await account.write(account.deal(dealstage="closedwon"), **{"@status": "open"})
        assert (record["dealstage"], record["@status"]) == ("appointmentscheduled", "open")


async def test_of_several_won_stages_the_settings_choose_one() -> None:
    for settings, stage in (({}, None), ({"won_stage": "Closed big"}, "big")):
        account = Account(settings=settings)
        account.pipeline.stages.append(Stage("big", "Closed big", True, 1.0))
        async with account.open():
            before = await account.connector.fetch(account.deal())
            holds = account.connector.refusals(before, {**before, "@status": "won"}, SALES, live=True)
            assert ["several won stages" in one.reason for one in holds] == ([True] if stage is None else [])
            if stage:
                await account.write(before["@id"], **{"@status": "won"})
                assert account.double.deal(before["@id"]).values["dealstage"] == stage


async def test_a_reply_about_another_deal_is_an_unknown_outcome() -> None:
    async with Account().open() as account:
        deal, other = account.deal(), account.deal()
        account.answer("^PATCH", 200, {"id": other, "properties": {}})
        with pytest.raises(AnsweredForAnother):
            await account.write(deal, dealname="Offices")


@pytest.mark.parametrize("second", [204, 404])
async def test_deleting_what_is_deleted_is_a_success(second: Any) -> None:
    async with Account(second_delete=second).open() as account:
        step = account.connector.delete_step(account.deal())
        for _ in range(2):
            assert (await account.connector.perform(step)).id == step.record_id


async def test_a_currency_that_the_account_lacks_is_refused() -> None:
    account = Account()
    account.double.account.more_currencies = ("EUR",)
    async with account.open():
        draft = account.draft()
        step = account.connector.create_step(draft)
        assert step.payload["properties"]["deal_currency_code"] == "GBP"
        assert (await account.connector.context({}, SALES)).currency is None
        with pytest.raises(Refused, match="has no currency USD"):
            account.connector.create_step(type(draft)(draft.record, draft.party, SALES, "k", "USD"))


async def test_the_property_for_the_key_is_made_when_asked_and_used_from_then_on() -> None:
    account = Account(key=False, settings={"nexudus_id": "card_id"})
    async with account.open():
        assert "(card_id, unique values)" in await account.connector.lacks_key()
        told = 'deals have the property "Nexudus ID" (card_id) now; its values are unique'
        assert await account.connector.make_key() == told
        made = account.double.properties.of["deals"]["card_id"]
        assert (made.unique, made.type, made.field_type, made.label) == (True, "string", "text", "Nexudus ID")
        assert await account.connector.lacks_key() == ""
        step = account.connector.create_step(account.draft())
        assert step.payload["properties"]["card_id"] == "hubspot:1"


async def test_making_the_property_takes_a_scope_that_a_refusal_names() -> None:
    account = Account(key=False)
    account.double.gate.keys[TOKEN].scopes -= {"crm.schemas.deals.write"}
    async with account.open():
        with pytest.raises(RoleMissing, match=r"lacks the scope crm\.schemas\.deals\.write; add it in HubSpot"):
            await account.connector.make_key()
        assert "nexudus_id" not in account.double.properties.of["deals"]


async def test_a_property_that_somebody_made_meanwhile_will_do() -> None:
    account = Account(key=False)
    async with account.open():
        assert await account.connector.lacks_key()
        account.double.properties.add("deals", "nexudus_id", unique=True)
        assert "now; its values are unique" in await account.connector.make_key()


async def test_an_archived_property_that_comes_back_without_unique_values_is_not_used() -> None:
    account = Account(key=False)
    account.double.properties.add("deals", "nexudus_id")
    account.double.properties.change("deals", "nexudus_id", archived=True)
    async with account.open():
        with pytest.raises(Refused, match=r"does not demand unique values.*name another one as nexudus_id"):
            await account.connector.make_key()


@pytest.mark.parametrize("case", ["none wanted", "not readable", "not unique"])
async def test_no_property_is_offered_where_one_is_there_or_nobody_may_look(case: str) -> None:
    account = Account(key=False, settings={"nexudus_id": ""} if case == "none wanted" else {})
    if case == "not unique":
        account.double.properties.add("deals", "nexudus_id")
    async with account.open():
        if case == "not readable":
            account.connector.account.ask_afresh()
            account.answer("GET .*/properties/", 403, {"status": "error", "message": "no"})
        assert await account.connector.lacks_key() == ""
