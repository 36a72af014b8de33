from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from erpnext_site import COMPANY, MARIA, SCOPE, START, SYNC, Clock, Site, ids, pages

from nexudus_sync.connectors.base import Scope
from nexudus_sync.connectors.erpnext import ERPNextConnector
from nexudus_sync.errors import Unavailable

EVERYTHING = Scope()


@pytest.fixture
async def erp(site: Site) -> AsyncIterator[ERPNextConnector]:
    async with site.connect(page_size=3) as connector:
        yield connector


async def test_without_a_cursor_all_of_the_company_is_listed_and_verified(either: Site) -> None:
    either.double.add("Company", MARIA, company_name="Other", default_currency="EUR")
    names = [either.add(title=f"No {number}") for number in range(7)]
    either.add(company="Other")
    async with either.connect(page_size=3) as erp:
        found = await pages(erp)
    assert ids(found) == names
    assert found[-1].complete
    assert found[-1].total == 7
    assert found[-1].cursor
    assert all(page.cursor is None for page in found[:-1])


async def test_without_a_company_all_opportunities_are_in_scope(site: Site, erp: ERPNextConnector) -> None:
    site.double.add("Company", MARIA, company_name="Other", default_currency="EUR")
    names = [site.add(), site.add(company="Other")]
    found = await pages(erp, scope=EVERYTHING)
    assert ids(found) == names
    assert [erp.in_scope(row.record, SCOPE) for page in found for row in page.rows] == [True, False]
    assert all(erp.in_scope(row.record, EVERYTHING) for page in found for row in page.rows)
    assert erp.in_scope({"company": COMPANY.upper()}, SCOPE)


async def test_a_poll_that_finds_nothing_is_one_call(site: Site, erp: ERPNextConnector) -> None:
    site.add()
    cursor = (await pages(erp))[-1].cursor
    site.clock.pass_time(2 * 86400)
    cursor = (await pages(erp, cursor))[-1].cursor
    before = len(site.double.log)
    found = await pages(erp, cursor)
    assert ids(found) == []
    assert site.calls(before) == ["GET resource/Opportunity"]


async def test_a_user_whose_own_time_zone_is_taken_for_the_site_s_still_sees_every_save(site: Site) -> None:
    name = site.add()
    for zone in ("Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Niue"):
        site.double.change("User", SYNC, "Administrator", time_zone=zone)
        async with site.connect() as erp:
            cursor = (await pages(erp))[-1].cursor
            for _ in range(3):
                site.clock.pass_time(7200)
                cursor = (await pages(erp, cursor))[-1].cursor
            site.double.edit(name, MARIA, title=f"Edited in {zone}")
            site.clock.pass_time(60)
            rows = {row.id: row.record for page in await pages(erp, cursor) for row in page.rows}
            assert rows[name]["title"] == f"Edited in {zone}"


async def test_a_poll_lists_what_was_saved_whatever_its_company(site: Site, erp: ERPNextConnector) -> None:
    first, second = site.add(), site.add()
    cursor = (await pages(erp))[-1].cursor
    site.clock.pass_time(600)
    site.double.add("Company", MARIA, company_name="Other", default_currency="EUR")
    site.double.edit(second, MARIA, company="Other")
    assert ids(await pages(erp, cursor)) == [first, second]  # the first within the overlap
    site.clock.pass_time(60)
    cursor = (await pages(erp, cursor))[-1].cursor
    assert ids(await pages(erp, cursor)) == [second]


async def test_a_save_that_is_committed_late_is_found_behind_the_cursor(site: Site, erp: ERPNextConnector) -> None:
    late, other = site.add(title="late"), site.add()
    cursor = (await pages(erp))[-1].cursor
    site.clock.pass_time(1000)
    site.double.options.late_commit = 30.0
    site.double.change("Opportunity", late, MARIA, title="stamped long before it shows")
    site.double.options.late_commit = 0.0
    site.clock.pass_time(20)
    site.double.edit(other, MARIA, title="later stamp, committed first")
    cursor = (await pages(erp, cursor))[-1].cursor
    site.clock.pass_time(20)
    rows = {row.id: row.record for page in await pages(erp, cursor) for row in page.rows}
    assert rows[late]["title"] == "stamped long before it shows"


async def test_rows_of_one_stamp_fill_more_than_a_page(site: Site, erp: ERPNextConnector) -> None:
    site.double.site.stamped = START
    names = [site.add(title=f"imported {number}") for number in range(10)]
    site.double.site.stamped = None
    found = await pages(erp)
    assert sorted(ids(found)) == sorted(names)
    assert found[-1].complete


async def test_a_row_saved_while_the_list_is_read_is_listed_again_and_none_is_skipped(
    site: Site, erp: ERPNextConnector
) -> None:
    names = [site.add(title=str(number)) for number in range(7)]
    edited: list[str] = []

    def edit(request: object, response: object) -> None:
        if not edited and "limit_page_length=3" in str(request).replace("': '", "="):
            edited.append(names[0])
            site.double.edit(names[0], MARIA, title="moved to the end")

    site.double.watchers.append(edit)
    found = await pages(erp)
    assert edited
    assert set(ids(found)) == set(names)
    last = {row.id: row.record["title"] for page in found for row in page.rows}
    assert last[names[0]] == "moved to the end"
    assert found[-1].complete


async def test_a_list_whose_number_changes_is_read_again(site: Site, erp: ERPNextConnector) -> None:
    names = [site.add(title=str(number)) for number in range(4)]
    deleted: list[str] = []

    def delete(request: object, response: object) -> None:
        if not deleted and "resource/Opportunity" in str(request):
            deleted.append(names[0])
            site.double.delete(names[0], MARIA)

    site.double.watchers.append(delete)
    found = await pages(erp)
    assert found[-1].complete
    assert found[-1].total == 3
    assert ids(found) == names[:3] + names[3:] + names[1:]


async def test_a_list_that_never_holds_still_is_not_called_complete(site: Site, erp: ERPNextConnector) -> None:
    site.add()
    site.double.watchers.append(lambda request, response: site.add() and None)
    found = await pages(erp)
    assert not found[-1].complete
    assert found[-1].cursor


async def test_a_number_that_counts_what_the_user_may_not_see_is_no_doubt(either: Site) -> None:
    """Version 15 counts without regard to User Permissions; a listing by a key cannot shift and needs no second one."""
    for title in ("seen", "hidden"):
        either.add(title=title)
    hidden = either.double.create(MARIA, opportunity_from="Lead", party_name=either.lead, sales_stage="Qualification")
    either.double.users[SYNC].allowed = {"Sales Stage": {"Prospecting"}}
    async with either.connect() as erp:
        found = await pages(erp)
        assert hidden not in ids(found)
        assert found[-1].complete
        listings = [call for call in either.calls() if call == "GET resource/Opportunity"]
        assert len(listings) == 1


async def test_what_a_cursor_does_not_say_lists_everything(site: Site, erp: ERPNextConnector) -> None:
    name = site.add()
    site.clock.pass_time(86400)
    for cursor in ("garbage", "2026-03-02T09:00:00"):
        found = await pages(erp, cursor)
        assert ids(found) == [name]
        assert found[-1].complete


async def test_a_site_whose_stamps_are_no_moments_is_not_believed(site: Site, erp: ERPNextConnector) -> None:
    names = [site.add() for _ in range(3)]
    site.double.site.put("Opportunity", {**site.double.site.find("Opportunity", names[0]), "modified": "9 o'clock"})  # type: ignore[dict-item]
    with pytest.raises(Unavailable, match='stamp "9 o\'clock", which is not a moment'):
        await pages(erp)


async def test_nothing_is_missed_when_the_clocks_go_back() -> None:
    clock = Clock(datetime(2026, 10, 25, 0, 50, tzinfo=UTC))  # 02:50 in Madrid; ten minutes later it is 02:00 again
    site = Site(16, clock)
    name = site.add()
    async with site.connect(overlap=60) as erp:
        cursor = (await pages(erp))[-1].cursor
        for minute in range(0, 150, 5):
            site.double.edit(name, MARIA, title=f"after {minute} minutes")
            clock.pass_time(2)
            found = await pages(erp, cursor)
            titles = [row.record["title"] for page in found for row in page.rows]
            assert titles == [f"after {minute} minutes"]
            cursor = found[-1].cursor
            clock.pass_time(298)


async def test_stamps_ahead_of_the_servers_clock_do_not_carry_the_cursor_away(
    site: Site, erp: ERPNextConnector
) -> None:
    name = site.add()
    site.double.site.stamped = START + timedelta(days=30)
    site.double.touch(name, MARIA)
    site.double.site.stamped = None
    cursor = (await pages(erp))[-1].cursor
    assert cursor is not None
    assert datetime.fromisoformat(cursor) <= site.clock.now() + timedelta(seconds=1)
    other = site.add()
    assert other in ids(await pages(erp, cursor))


async def test_a_row_carries_its_stamp_and_who_saved_it(site: Site, erp: ERPNextConnector) -> None:
    name = site.add()
    ((row,), *_) = ([*page.rows] for page in await pages(erp))
    assert row.stamp.token == site.double.record(name)["modified"]
    assert row.stamp.at == site.clock.now()
    assert not row.stamp.own
    assert not row.hot
    assert erp.stamp({"modified": "2026-03-02 10:00:00.000001", "modified_by": SYNC.upper()}).own


async def test_a_save_that_changes_nothing_changes_no_content(site: Site, erp: ERPNextConnector) -> None:
    name = site.add()
    before = (await pages(erp))[0].rows[0]
    site.clock.pass_time(1)
    site.double.touch(name, MARIA)
    after = (await pages(erp))[0].rows[0]
    assert before.stamp != after.stamp
    assert erp.digest_view(before.record) == erp.digest_view(after.record)


async def test_a_renamed_source_shows_in_the_content_though_no_stamp_moves(site: Site, erp: ERPNextConnector) -> None:
    site.add(utm_source="Google")
    before = (await pages(erp))[0].rows[0]
    site.double.rename("Google", "Google Ads", MARIA, doctype="UTM Source")
    after = (await pages(erp))[0].rows[0]
    assert before.stamp == after.stamp
    assert erp.digest_view(before.record) != erp.digest_view(after.record)


async def test_fetching_is_one_call_and_brings_the_child_rows(either: Site) -> None:
    name = either.add(status="Lost", lost_reasons=[{"lost_reason": "Price"}, {"lost_reason": "Timing"}])
    async with either.connect() as erp:
        record = await erp.fetch(name)
        assert either.calls() == [f"GET resource/Opportunity/{name}"]
    assert [row["lost_reason"] for row in record["lost_reasons"]] == ["Price", "Timing"]


async def test_an_opportunity_without_an_e_mail_gets_its_partys(site: Site, erp: ERPNextConnector) -> None:
    customer = site.double.add(
        "Customer", MARIA, customer_name="Acme", customer_type="Company", email_id="Sales@Acme.example"
    )
    of_lead, of_customer = (
        site.add(contact_email=""),
        site.add(contact_email=None, opportunity_from="Customer", party_name=customer),
    )
    rows = {row.id: row.record for page in await pages(erp) for row in page.rows}
    assert erp.facts(rows[of_lead]).email == "ana@example.com"
    facts = erp.facts(rows[of_customer])
    assert (facts.email, facts.customer_name, facts.company_name) == ("sales@acme.example", "Acme", "Acme")
    before = len(site.double.log)
    await pages(erp)
    assert not [call for call in site.calls(before) if "Lead" in call or "Customer" in call]
