from decimal import Decimal
from typing import Any

import pytest
from erpnext_site import ADMIN, MARIA, SCOPE, Site

from nexudus_sandbox.wire import Response, json_response
from nexudus_sync.connectors.base import Record, Written
from nexudus_sync.connectors.erpnext import ERPNextConnector
from nexudus_sync.errors import NotFound, OutcomeUnknown, Refused, RoleMissing, Stale


async def change(erp: ERPNextConnector, name: str, **changes: Any) -> Written:
    """Read, change, write."""
    before = await erp.fetch(name)
    (step,) = erp.update_steps(before, before | changes)
    assert step.keys == changes.keys()
    return await erp.perform(step, before)


async def test_one_save_carries_what_differs_and_nothing_else(either: Site) -> None:
    name = either.add(title="Before", sales_stage="Qualification", probability=60)
    before = either.double.record(name)
    async with either.connect() as erp:
        written = await change(erp, name, title="After", opportunity_amount=Decimal("99.90"))
    after = either.double.record(name)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"title", "opportunity_amount", "modified", "modified_by"}
    assert written.stamp is not None
    assert (written.stamp.token, written.stamp.own) == (after["modified"], True)
    assert written.echoed
    assert written.record["title"] == "After"


async def test_nothing_differs_nothing_is_written(site: Site) -> None:
    name = site.add()
    async with site.connect() as erp:
        record = await erp.fetch(name)
        assert erp.update_steps(record, dict(record)) == []
        assert erp.update_steps(record, record | {"modified": "x", "doctype": "y"}) == []


async def test_a_save_in_between_is_not_overwritten(either: Site) -> None:
    name = either.add(title="Before")
    async with either.connect() as erp:
        before = await erp.fetch(name)
        (step,) = erp.update_steps(before, before | {"title": "Ours"})
        either.clock.pass_time(1)
        either.double.edit(name, MARIA, probability=5)
        with pytest.raises(Stale):
            await erp.perform(step, before)
        assert either.double.record(name)["title"] == "Before"
        await change(erp, name, title="Ours")
    assert either.double.record(name)["title"] == "Ours"
    assert either.double.record(name)["probability"] == 5


async def test_version_15_is_written_under_its_own_names(old_site: Site) -> None:
    name = old_site.add(source="Google")
    async with old_site.connect() as erp:
        record = await erp.fetch(name)
        assert (record["utm_source"], record.get("utm_campaign")) == ("Google", None)
        (step,) = erp.update_steps(record, record | {"utm_source": None, "utm_campaign": "AUTUMN"})
        written = await erp.perform(step, record)
    assert step.payload["body"] == {"source": None, "campaign": "AUTUMN"}
    assert written.record["utm_campaign"] == "autumn"
    stored = old_site.double.record(name)
    assert (stored["source"], stored["campaign"]) == (None, "autumn")


async def test_what_version_15_has_no_place_for_is_refused_and_named(old_site: Site, site: Site) -> None:
    async with old_site.connect() as erp:
        (hold,) = erp.refusals(None, {"utm_medium": "cpc", "title": "x"}, SCOPE, live=True)
        assert (hold.kind, hold.key) == ("no-such-field", "utm_medium")
        assert 'sync = "off"' in hold.reason
        assert erp.refusals({"utm_medium": "cpc"}, {"utm_medium": "cpc"}, SCOPE, live=True) == []
    async with site.connect() as erp:
        assert erp.refusals(None, {"utm_medium": "cpc"}, SCOPE, live=True) == []


async def test_a_text_that_is_too_long_is_refused_before_it_is_sent(site: Site) -> None:
    async with site.connect() as erp:
        (hold,) = erp.refusals({}, {"title": "x" * 141}, SCOPE, live=True)
        assert hold.key == "title"
        assert "takes 140 characters in title, this has 141" in hold.reason
        assert erp.refusals({}, {"title": "x" * 140}, SCOPE, live=True) == []


async def test_the_first_lost_reason_changes_and_the_others_stay(either: Site) -> None:
    name = either.add(status="Lost", lost_reasons=[{"lost_reason": "Price"}, {"lost_reason": "Timing"}])
    either.double.add("Opportunity Lost Reason", ADMIN, lost_reason="Need")
    async with either.connect() as erp:
        before = await erp.fetch(name)
        first, second = before["lost_reasons"]
        rows = [first | {"lost_reason": "Need"}, second]
        written = await change(erp, name, lost_reasons=rows)
    assert either.double.lost_reasons(name) == ["Need", "Timing"]
    assert [row["name"] for row in written.record["lost_reasons"]] == [first["name"], second["name"]]


async def test_clearing_the_lost_reasons_clears_all_rows(either: Site) -> None:
    name = either.add(status="Lost", lost_reasons=[{"lost_reason": "Price"}, {"lost_reason": "Timing"}])
    async with either.connect() as erp:
        await change(erp, name, lost_reasons=[])
        assert either.double.lost_reasons(name) == []
        await change(erp, name, lost_reasons=[{"lost_reason": "price"}])
    assert either.double.lost_reasons(name) == ["Price"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": None}, {"title": "Ana Prueba"}),
        ({"title": "A & B <x@y.z>"}, {"title": "A &amp; B &lt;x@y.z&gt;"}),
        ({"sales_stage": "qualification "}, {"sales_stage": "Qualification"}),
        ({"probability": "abc"}, {"probability": 0}),
        ({"opportunity_amount": "1,234.50"}, {"opportunity_amount": Decimal("1234.5")}),
    ],
)
async def test_the_answer_shows_what_the_site_made_of_it(either: Site, changes: Record, said: Record) -> None:
    name = either.add(title="Before")
    async with either.connect() as erp:
        written = await change(erp, name, **changes)
        assert {key: written.record[key] for key in said} == said
        again = await erp.fetch(name)
    assert erp.stamp(again) == written.stamp


async def test_a_source_that_the_lead_has_cannot_be_cleared_and_the_answer_says_so(site: Site) -> None:
    site.double.change("Lead", site.lead, ADMIN, utm_source="Google")
    name = site.add()
    async with site.connect() as erp:
        assert (await change(erp, name, utm_source=None)).record["utm_source"] == "Google"


async def test_a_refusal_names_the_record_and_its_keys(either: Site) -> None:
    name = either.add()
    async with either.connect() as erp:
        with pytest.raises(Refused, match='Status cannot be "Nowhere"') as caught:
            await change(erp, name, status="Nowhere", title="x")
    assert (caught.value.record, caught.value.keys) == (name, {"status"})


async def test_a_link_that_is_gone_makes_the_lists_be_read_again(site: Site) -> None:
    name = site.add()
    async with site.connect() as erp:
        assert (await erp.context({}, SCOPE)).directories["utm_medium"].names() == ("cpc",)
        site.double.rename("cpc", "paid", MARIA, doctype="UTM Medium")
        with pytest.raises(Refused, match="Could not find Medium: cpc") as caught:
            await change(erp, name, utm_medium="cpc")
        assert caught.value.keys == {"utm_medium"}
        assert (await erp.context({}, SCOPE)).directories["utm_medium"].names() == ("paid",)


async def test_a_save_whose_answer_is_lost_is_unknown_and_sent_once(site: Site) -> None:
    name = site.add()
    async with site.connect() as erp:
        site.faults.add("drop_after", "PUT")
        with pytest.raises(OutcomeUnknown):
            await change(erp, name, title="Arrived")
    assert site.double.record(name)["title"] == "Arrived"
    assert site.calls().count(f"PUT resource/Opportunity/{name}") == 1


async def test_who_may_not_write_is_told_the_role(site: Site) -> None:
    name = site.add()
    async with site.connect() as erp:
        before = await erp.fetch(name)
        site.double.users["sync@example.com"].roles = frozenset({"Marketing Manager"})
        (step,) = erp.update_steps(before, before | {"title": "x"})
        with pytest.raises(RoleMissing, match="may not write Opportunity: give it the role Sales User"):
            await erp.perform(step, before)


async def test_deleting_what_is_gone_is_a_success(either: Site) -> None:
    name = either.add()
    async with either.connect() as erp:
        for _ in range(2):
            assert (await erp.perform(erp.delete_step(name))).id == name
        with pytest.raises(NotFound):
            await erp.fetch(name)
    assert either.double.records() == {}


async def test_what_others_link_to_is_not_deleted(site: Site) -> None:
    name = site.add()
    site.double.quote(name, MARIA)
    async with site.connect() as erp:
        with pytest.raises(Refused, match=f"Opportunity {name} is linked with Quotation"):
            await erp.perform(erp.delete_step(name))


async def test_a_field_is_not_blamed_for_its_name_in_another_ones_value(either: Site) -> None:
    name = either.add()
    async with either.connect() as erp:
        with pytest.raises(Refused) as caught:
            await change(erp, name, title="A title", status="Replied", utm_source="Title of the status campaign")
        assert caught.value.keys == {"utm_source"}
        with pytest.raises(Refused) as caught:
            await change(erp, name, title="A title", lost_reasons=[{"lost_reason": "No status, no title"}])
        assert caught.value.keys == {"lost_reasons"}
        with pytest.raises(Refused) as caught:
            await change(erp, name, title="A title", utm_source="Source")
        assert caught.value.keys == {"utm_source"}


async def test_a_success_without_a_word_is_an_unknown_outcome(site: Site) -> None:
    name = site.add(title="Before")
    site.faults.change("^PUT", lambda _: Response(204, {}, b""))
    async with site.connect() as erp:
        with pytest.raises(OutcomeUnknown):
            await change(erp, name, title="After")


async def test_a_refusal_by_a_server_in_front_of_it_is_told_in_its_words(site: Site) -> None:
    name = site.add(title="Before")
    site.faults.change("^PUT", lambda _: json_response(451, {"message": "frozen for the audit"}))
    async with site.connect() as erp:
        with pytest.raises(Refused, match="frozen for the audit"):
            await change(erp, name, title="After")
