from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from fake_overplane import NOW, OPPORTUNITY, REASON_ROWS

from nexudus_sync.connectors.base import Draft, Party, Row, Scope, Stamp
from nexudus_sync.errors import NotFound, OutcomeUnknown, Refused, Stale, Unavailable

SCOPE = Scope(company="Example Corp")
ANA = Party("ana@example.com", "Ana", None, "Lead", "lead_1")


def draft(title="Desk", scope=SCOPE, created_at=None, **record) -> Draft:
    return Draft({"title": title} | record, ANA, scope, "crm:7", "EUR", created_at)


@pytest.fixture
def lost(server):
    """A lost opportunity with two reasons."""
    record = server.add(OPPORTUNITY, title="Desk", status="Lost", contact_email="ana@example.com")
    for idx, reason in enumerate(["Price", "Location"], 1):
        server.add(REASON_ROWS, opportunity_id=record["id"], idx=idx, lost_reason=reason)
    server.add(REASON_ROWS, opportunity_id="another", idx=1, lost_reason="x")
    return record


async def carried_out(crm, before, after):
    for step in crm.update_steps(before, after):
        before = (await crm.perform(step, before)).record
    return before


async def test_a_whole_record_has_its_child_rows_and_costs_two_calls(crm, server, lost):
    record = await crm.fetch(lost["id"])
    assert [row["lost_reason"] for row in record["lost_reasons"]] == ["Location", "Price"]
    assert {key: record[key] for key in lost} == lost
    assert len(server.calls) == 2


async def test_a_listed_row_saves_reading_the_opportunity(crm, server, lost):
    record = await crm.fetch(lost["id"], Row(lost["id"], Stamp("", None), lost))
    assert len(record["lost_reasons"]) == 2
    assert server.paths() == [f"/api/{REASON_ROWS}"]
    assert "lost_reasons" not in lost


async def test_child_rows_are_left_out_and_not_read_where_they_are_not_wanted(crm, server, lost):
    assert await crm.fetch(lost["id"], children=False) == lost
    assert server.paths() == [f"/api/crm/opportunity/{lost['id']}"]


async def test_child_rows_that_take_several_pages_are_all_read(crm, server, lost):
    server.largest = 1
    assert len((await crm.fetch(lost["id"]))["lost_reasons"]) == 2


async def test_child_pages_that_repeat_end_the_reading(crm, server, lost):
    rows = server.tables[REASON_ROWS][1:]

    def same(request):
        return httpx.Response(200, json={"data": rows, "has_more": True}) if "detail" in request.url.path else None

    server.before = same
    assert len((await crm.fetch(lost["id"]))["lost_reasons"]) == 2


async def test_an_id_is_never_taken_for_a_path(crm, server):
    paths = []

    def gone(request):
        paths.append(request.url.raw_path)
        return httpx.Response(404, json={})

    server.before = gone
    with pytest.raises(NotFound) as caught:
        await crm.fetch("../lead/x")
    assert paths == [b"/api/crm/opportunity/..%2Flead%2Fx"]
    assert caught.value.record == "../lead/x"


async def test_a_missing_record_is_absent_and_one_that_is_there_is_not(crm, server, lost):
    assert await crm.absent("gone", "")
    assert not await crm.absent(lost["id"], "")


async def test_a_web_page_with_status_404_proves_no_absence(crm, server, lost):
    server.before = lambda request: httpx.Response(404, text="<html>no such host</html>")
    with pytest.raises(Unavailable):
        await crm.absent(lost["id"], "")


@pytest.mark.parametrize("body", [None, {}, [], {"message": "ok"}])
async def test_an_answer_without_the_record_is_a_passing_failure(crm, server, body):
    server.before = lambda request: httpx.Response(200, json=body)
    with pytest.raises(Unavailable):
        await crm.absent("o1", "")


async def test_a_created_opportunity_is_what_the_reply_says(crm, server):
    written = await crm.perform(crm.create_step(draft(expected_closing="2026-04-01")))
    (made,) = server.tables[OPPORTUNITY]
    assert written.record == made | {"lost_reasons": []}
    assert (written.id, written.echoed, written.stamp.token) == (made["id"], True, "2026-03-02T12:00:00Z")
    assert server.calls[0][3]["company"] == "Example Corp"


async def test_the_transaction_date_is_the_day_the_other_side_created_it_in_its_zone_or_today(crm, connect):
    late = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    madrid = Scope(company="Example Corp", time_zone=ZoneInfo("Europe/Madrid"))
    made = [draft(created_at=late), draft(scope=madrid, created_at=late), draft()]
    days = [crm.create_step(one).payload["transaction_date"] for one in made]
    assert days == ["2026-01-31", "2026-02-01", "2026-03-02"]


async def test_a_scope_without_company_takes_the_one_of_the_settings_or_refuses(crm, connect):
    assert connect(company="Main").create_step(draft(scope=Scope())).payload["company"] == "Main"
    with pytest.raises(Refused, match="company"):
        crm.create_step(draft(scope=Scope()))


async def test_an_update_is_one_partial_call_and_keeps_the_child_rows(crm, server, lost):
    before = await crm.fetch(lost["id"])
    (step,) = crm.update_steps(before, before | {"title": "Office"})
    written = await crm.perform(step, before)
    assert server.calls[-1][3] == {"title": "Office"}
    assert written.record == await crm.fetch(lost["id"])
    assert written.stamp == crm.stamp(written.record)
    assert (written.id, written.echoed, len(written.record["lost_reasons"])) == (lost["id"], True, 2)


async def test_changed_new_and_removed_reasons_end_as_planned(crm, server, lost):
    before = await crm.fetch(lost["id"])
    first = before["lost_reasons"][0]
    after = before | {"status": "Closed", "lost_reasons": [first | {"lost_reason": "Timing"}, {"lost_reason": "Size"}]}
    result = await carried_out(crm, before, after)
    assert [row["lost_reason"] for row in result["lost_reasons"]] == ["Timing", "Size"]
    stored = {row["lost_reason"] for row in server.tables[REASON_ROWS] if row["opportunity_id"] == lost["id"]}
    assert stored == {"Timing", "Size"}
    assert [call[3] for call in server.calls if call[0] == "PATCH"] == [{"status": "Closed"}, {"lost_reason": "Timing"}]


async def test_a_change_of_a_child_row_leaves_the_stamp_of_the_opportunity(crm, server, lost):
    before = await crm.fetch(lost["id"])
    (step,) = crm.update_steps(before, before | {"lost_reasons": [*before["lost_reasons"], {"lost_reason": "Size"}]})
    assert (await crm.perform(step, before)).stamp == crm.stamp(before)
    assert (await crm.perform(step)).stamp is None


async def test_a_reason_row_that_is_gone_means_that_the_record_moved_not_that_it_is_gone(crm, server, lost):
    before = await crm.fetch(lost["id"])
    changed = [row | {"lost_reason": "Size"} for row in before["lost_reasons"]]
    step = crm.update_steps(before, before | {"lost_reasons": changed})[0]
    server.tables[REASON_ROWS].clear()
    with pytest.raises(Stale) as caught:
        await crm.perform(step, before)
    assert caught.value.record == lost["id"]


async def test_deleting_what_is_gone_is_a_success(crm, server, lost):
    before = await crm.fetch(lost["id"])
    cleared = crm.update_steps(before, before | {"lost_reasons": []})
    for _ in range(2):
        assert (await crm.perform(crm.delete_step(lost["id"]))).id == lost["id"]
        for step in cleared:
            before = (await crm.perform(step, before)).record
    assert before["lost_reasons"] == []
    assert await crm.absent(lost["id"], "")


async def test_updating_what_is_gone_is_not_found(crm):
    (step,) = crm.update_steps({"id": "o1", "title": "a"}, {"id": "o1", "title": "b"})
    with pytest.raises(NotFound) as caught:
        await crm.perform(step, {"id": "o1"})
    assert caught.value.record == "o1"


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ({"errors": [{"field": "utm_source", "message": "unknown field"}]}, {"utm_source"}),
        ({"message": "unknown field: utm_source"}, {"utm_source"}),
        ({"message": "Unknown field 'x'"}, set()),
        ({"errors": [{"field": "x", "message": "title"}]}, set()),
    ],
)
async def test_a_refusal_names_the_keys_of_the_record_it_concerns(crm, server, body, keys):
    server.before = lambda request: httpx.Response(422, json=body)
    (step,) = crm.update_steps({"id": "o1"}, {"id": "o1", "title": "b", "utm_source": "c"})
    with pytest.raises(Refused) as caught:
        await crm.perform(step, {"id": "o1"})
    assert caught.value.keys == keys
    assert caught.value.record == "o1"


async def test_a_refused_reason_concerns_the_lost_reasons(crm, server):
    server.before = lambda request: httpx.Response(400, json={"message": "no such lost_reason"})
    (step,) = crm.update_steps({"id": "o1"}, {"id": "o1", "lost_reasons": [{"lost_reason": "x"}]})
    with pytest.raises(Refused) as caught:
        await crm.perform(step, {"id": "o1"})
    assert caught.value.keys == {"lost_reasons"}


async def test_a_refused_party_keeps_the_fields_the_answer_names(crm, server):
    server.before = lambda request: httpx.Response(400, json={"error": {"param": "email_id", "message": "bad"}})
    with pytest.raises(Refused, match="bad") as caught:
        await crm.perform(crm.party_step(Party("a@example.com", "A"), SCOPE))
    assert caught.value.keys == {"email_id"}


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, {"text": "<html>"}), (200, {"text": ""}), (200, {"json": {"ok": True}}), (200, {"json": None}), (204, {})],
)
async def test_a_create_answered_without_the_record_may_have_been_done(crm, server, status, answer):
    server.before = lambda request: httpx.Response(status, **answer)
    with pytest.raises(OutcomeUnknown):
        await crm.perform(crm.create_step(draft()))
    assert len(server.calls) == 1


async def test_a_lost_create_is_found_by_what_was_sent_among_the_newest(crm, server):
    step = crm.create_step(draft())
    sent = {key: step.payload[key] for key in ("title", "party_name", "contact_email", "company")}
    server.add(OPPORTUNITY, **sent)
    server.add(OPPORTUNITY, at=NOW, **sent | {"title": "Other"})
    made = server.add(OPPORTUNITY, at=NOW, **sent | {"title": " desk ", "contact_email": None})
    server.add(REASON_ROWS, opportunity_id=made["id"], lost_reason="Price")
    (found,) = await crm.find_created(step, NOW)
    assert found["id"] == made["id"]
    assert [row["lost_reason"] for row in found["lost_reasons"]] == ["Price"]


async def test_the_search_for_a_lost_create_ends_at_the_first_page_that_is_older(connect, server):
    crm = connect(page_size=20)
    step = crm.create_step(draft())
    for _ in range(100):
        server.add(OPPORTUNITY, at=NOW - timedelta(hours=1))
    assert not await crm.absent(server.tables[OPPORTUNITY][0]["id"], "")
    server.calls.clear()
    assert await crm.find_created(step, NOW) == []
    assert len(server.calls) == 1


@pytest.mark.parametrize("skew", [600.0, -600.0])
async def test_the_search_for_a_lost_create_goes_by_the_servers_clock_after_a_restart_too(connect, server, skew):
    server.skew = skew
    crm, since = connect(), server.clock.now()
    step = crm.create_step(draft())
    server.add(OPPORTUNITY, at=server.now() - timedelta(minutes=5), **step.payload)
    made = (await crm.perform(step)).id
    for one in (crm, connect()):
        assert [record["id"] for record in await one.find_created(step, since)] == [made]


async def test_an_opportunity_without_creation_time_does_not_end_the_search(crm, server):
    step = crm.create_step(draft())
    made = server.add(OPPORTUNITY, at=NOW, **step.payload)
    server.add(OPPORTUNITY, at=NOW)["created_at"] = None
    assert [record["id"] for record in await crm.find_created(step, NOW)] == [made["id"]]


async def test_no_change_is_refused_beforehand_and_no_login_is_needed(crm, server):
    await crm.start()
    assert crm.refusals(None, {"status": "Lost"}, SCOPE, live=True) == []
    assert server.calls == []
