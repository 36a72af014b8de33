from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from erpnext_site import ADMIN, COMPANY, EMAIL, KEY_FIELD, SCOPE, START, SYNC, Site, draft

from nexudus_sync.connectors.base import Draft, Party, Scope, Step
from nexudus_sync.engine.write.perform import step_from, step_json
from nexudus_sync.errors import OutcomeUnknown, Refused

WHOLE = {
    "title": "Two desks",
    "status": "Lost",
    "sales_stage": "Qualification",
    "lost_reasons": [{"lost_reason": "Price"}],
    "opportunity_amount": Decimal("1200.50"),
    "expected_closing": "2026-05-01",
    "opportunity_owner": SYNC,
    "utm_source": "google",
    "utm_campaign": "autumn",
}


async def test_a_create_says_all_at_once(either: Site) -> None:
    async with either.connect() as erp:
        step = erp.create_step(draft(either, **WHOLE))
        assert WHOLE.keys() <= step.keys
        written = await erp.perform(step)
    stored = either.double.record(written.id)
    source, campaign = ("utm_source", "utm_campaign") if either.version >= 16 else ("source", "campaign")
    assert written.id.startswith("CRM-OPP-")
    assert {key: stored[key] for key in ("title", "status", "sales_stage")} == {
        "title": "Two desks",
        "status": "Lost",
        "sales_stage": "Qualification",
    }
    assert (stored["opportunity_amount"], stored["expected_closing"]) == (Decimal("1200.50"), "2026-05-01")
    assert (stored[source], stored[campaign]) == ("Google", "autumn")
    assert (stored["party_name"], stored["contact_email"]) == (either.lead, EMAIL)
    assert (stored["company"], stored["currency"], stored["transaction_date"]) == (COMPANY, "EUR", "2026-03-02")
    assert either.double.lost_reasons(written.id) == ["Price"]
    assert written.echoed
    assert written.record["utm_source"] == "Google"
    assert written.stamp is not None
    assert written.stamp.own


async def test_the_day_of_an_opportunity_is_the_locations(site: Site) -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    one = draft(site)
    async with site.connect(company="Set in the settings") as erp:
        days = []
        for scope in (Scope(), Scope(time_zone=ZoneInfo("America/New_York"))):
            step = erp.create_step(Draft(one.record, one.party, scope, one.key, "EUR", late))
            days.append(step.payload["body"]["transaction_date"])
            assert step.payload["body"]["company"] == "Set in the settings"
    assert days == ["2026-03-03", "2026-03-02"]  # the site itself is in Madrid


async def test_without_a_company_the_sites_own_is_taken(site: Site) -> None:
    one = draft(site)
    async with site.connect() as erp:
        written = await erp.perform(erp.create_step(Draft(one.record, one.party, Scope(), one.key)))
    assert site.double.record(written.id)["company"] == COMPANY


async def test_the_key_makes_a_repeated_create_find_the_first(either: Site) -> None:
    either.add_key_field()
    async with either.connect() as erp:
        step = erp.create_step(draft(either))
        first = await erp.perform(step)
        again = await erp.perform(step_from(step_json(step)))
        assert erp.facts(first.record).external_key == "nexudus:87000012"
        assert [record["name"] for record in await erp.find_created(step, START)] == [first.id]
    assert again.id == first.id
    assert len(either.double.records()) == 1
    assert either.double.record(first.id)[KEY_FIELD] == "nexudus:87000012"


async def test_an_own_name_makes_a_repeated_create_find_the_first(either: Site) -> None:
    async with either.connect(own_names=True) as erp:
        step = erp.create_step(draft(either))
        assert await erp.find_created(step, START) == []
        first = await erp.perform(step)
        again = await erp.perform(step)
        assert [record["name"] for record in await erp.find_created(step, START)] == ["NX-87000012"]
    assert (first.id, again.id) == ("NX-87000012", "NX-87000012")
    assert len(either.double.records()) == 1


async def test_the_sites_naming_series_stays_where_there_is_a_field_for_the_key(site: Site) -> None:
    site.add_key_field()
    async with site.connect(own_names=True) as erp:
        assert (await erp.perform(erp.create_step(draft(site)))).id.startswith("CRM-OPP-")


@pytest.mark.parametrize("title", ["Two desks", "A & B <x@y.z>"])
async def test_without_key_or_name_a_lost_create_is_found_by_what_it_says(either: Site, title: str) -> None:
    async with either.connect() as erp:
        either.add(title=title)  # somebody else's
        either.clock.pass_time(600)
        step = erp.create_step(draft(either, title=title))
        began = either.clock.now()
        assert await erp.find_created(step, began) == []
        either.faults.add("drop_after", "POST")
        with pytest.raises(OutcomeUnknown):
            await erp.perform(step)
        (found,) = await erp.find_created(step, began)
        assert erp.facts(found).email == EMAIL
        other = erp.create_step(draft(either, title="Another"))
        assert await erp.find_created(other, began) == []


async def test_an_empty_title_is_the_sites_to_fill(site: Site) -> None:
    async with site.connect() as erp:
        step = erp.create_step(draft(site, title=None))
        written = await erp.perform(step)
        assert written.record["title"] == "Ana Prueba"
        assert [record["name"] for record in await erp.find_created(step, START)] == [written.id]


async def test_what_the_party_fills_in_comes_back_in_the_answer(either: Site) -> None:
    field = "utm_source" if either.version >= 16 else "source"
    either.double.change("Lead", either.lead, ADMIN, **{field: "Google"})
    async with either.connect() as erp:
        written = await erp.perform(erp.create_step(draft(either)))
    assert written.record["utm_source"] == "Google"
    assert written.echoed


async def test_a_refused_create_blames_the_keys_its_words_name(site: Site) -> None:
    async with site.connect() as erp:
        with pytest.raises(Refused, match="Could not find Sales Stage: Nowhere") as caught:
            await erp.perform(erp.create_step(draft(site, sales_stage="Nowhere")))
        assert caught.value.keys == {"sales_stage"}
        with pytest.raises(Refused) as caught:
            await erp.perform(erp.create_step(draft(site, lost_reasons=[{"lost_reason": "Nobody's"}])))
        assert caught.value.keys == {"lost_reasons"}
        with pytest.raises(Refused, match="Incorrect date value"):
            await erp.perform(erp.create_step(draft(site, expected_closing="31/12/2026")))
    assert site.double.records() == {}


async def test_a_unique_field_that_is_not_ours_refuses(site: Site) -> None:
    site.add_key_field("custom_ticket")
    site.add_key_field()
    async with site.connect() as erp:
        await erp.perform(erp.create_step(draft(site, custom_ticket="T-1")))
        with pytest.raises(Refused, match="must be unique"):
            await erp.perform(erp.create_step(draft(site, key="nexudus:2", custom_ticket="T-1")))


async def test_creates_that_collide_on_a_prospect_are_sent_again(either: Site) -> None:
    prospect = either.double.add("Prospect", ADMIN, company_name="Acme", company=COMPANY)
    party = Party("x@acme.example", "Acme", "Acme", "Prospect", prospect)
    async with either.connect() as erp:
        step = erp.create_step(Draft({"title": "Desks"}, party, SCOPE, "nexudus:1", "EUR", START))
        either.double.collide("Prospect", prospect)
        before = either.clock.now()
        written = await erp.perform(step)
        assert either.calls() == ["POST resource/Opportunity"] * 2
    assert either.clock.now() > before
    assert either.double.record(written.id)["opportunity_from"] == "Prospect"
    assert len(either.double.records()) == 1


async def test_deadlocks_are_waited_out_but_not_for_ever(site: Site) -> None:
    async with site.connect() as erp:
        site.double.options.deadlocks = 3
        await erp.perform(erp.create_step(draft(site)))
        assert len(site.double.records()) == 1
        site.double.options.deadlocks = 100
        with pytest.raises(Exception, match="another save got in the way"):
            await erp.perform(erp.create_step(draft(site)))
        site.double.options.deadlocks = 0
    assert len(site.double.records()) == 1


def test_a_step_is_kept_as_json(site: Site) -> None:
    step = Step("opportunity.create", {"name": "", "body": {"title": "x"}}, frozenset({"title"}))
    assert step_from(step_json(step)) == step
