from datetime import timedelta
from typing import Any

import pytest
from nexudus_server import LOGIN, NOW, Server, answer, card, done, params, sent
from structlog.testing import capture_logs

from nexudus_sync.connectors.base import Draft, Party, Scope
from nexudus_sync.connectors.nexudus import NexudusConnector
from nexudus_sync.errors import LimitReached, OutcomeUnknown, Refused, Stale, Unavailable
from nexudus_sync.store import Store

MANY = "/crm/crmopportunities"
LONDON = Scope(business_id=1001)
ZOE = Party("zoe@example.com", "Zoë Ünal", kind="Coworker", id="501")


@pytest.fixture
async def ready(connector):
    await connector.context(card(7), LONDON)
    return connector


def create_step(connector: NexudusConnector, **record):
    return connector.create_step(Draft({"Name": "Desk", **record}, ZOE, LONDON, key="overplane:OPP-1"))


def customer(customer_id: int, email: str, **changes):
    return {
        "Id": customer_id,
        "Email": email,
        "FullName": f"C {customer_id}",
        "CreatedOn": "2026-01-01T00:00:00Z",
    } | changes


async def test_a_create_answers_with_the_new_id_and_its_stamp(ready, server: Server):
    server.on("POST", MANY, done(900))
    written = await ready.perform(create_step(ready))
    assert written.id == "900"
    assert written.stamp is not None
    assert written.stamp.own
    assert written.record["Name"] == "Desk"
    assert not written.echoed


async def test_a_create_that_names_no_id_may_have_been_done(ready, server: Server):
    server.on("POST", MANY, done())
    with pytest.raises(OutcomeUnknown, match="without naming its Id"):
        await ready.perform(create_step(ready))


async def test_a_reply_without_a_stamp_leaves_the_looking_to_the_engine(ready, server: Server):
    server.on("POST", MANY, done(900, UpdatedOn=None))
    assert (await ready.perform(create_step(ready))).stamp is None


def crowded(server: Server, total: int) -> None:
    server.on("GET", MANY, lambda request: server.listed(request, [], TotalItems=total))


async def test_a_full_location_is_told_before_anything_is_sent(ready, server: Server):
    crowded(server, 5000)
    with pytest.raises(LimitReached, match="location 1001 is full: 5000 of 5000"):
        await ready.perform(create_step(ready))
    assert not server.calls("POST", "crmopportunities")
    asked = params(server.calls("GET", "crmopportunities")[-1])
    assert asked["CrmOpportunity_CrmBoardColumn_CrmBoard_Business_Id"] == "1001"
    assert asked["size"] == "1"


async def test_own_creates_count_towards_the_limit_without_counting_again(ready, server: Server):
    crowded(server, 4999)
    server.on("POST", MANY, done(900))
    await ready.perform(create_step(ready))
    with pytest.raises(LimitReached):
        await ready.perform(create_step(ready))
    assert len(server.calls("GET", "crmopportunities")) == 1


async def test_after_some_minutes_the_location_is_counted_again(ready, server: Server, clock):
    crowded(server, 5000)
    with pytest.raises(LimitReached):
        await ready.perform(create_step(ready))
    crowded(server, 10)
    server.on("POST", MANY, done(900))
    await clock.sleep(301)
    assert (await ready.perform(create_step(ready))).id == "900"


async def test_a_nearly_full_location_is_warned_of_once(ready, server: Server):
    crowded(server, 4500)
    server.on("POST", MANY, done(900))
    with capture_logs() as logs:
        await ready.perform(create_step(ready))
        await ready.perform(create_step(ready))
    assert [entry["opportunities"] for entry in logs if entry["event"] == "nexudus.nearly_full"] == [4500]


async def test_an_update_puts_the_whole_record_with_every_unknown_field(ready, server: Server):
    before = card(7, SystemId="theirs")
    server.on("PUT", MANY, done(7))
    (step,) = ready.update_steps(before, {**before, "Name": "New"})
    written = await ready.perform(step, before)
    assert sent(server.calls("PUT", "crmopportunities")[0]) == {**before, "Name": "New"}
    assert written.record["UpdatedBy"] == LOGIN
    assert written.record["SomethingNew"] == {"kept": True}
    assert written.stamp == ready.stamp(written.record)


async def test_an_update_of_a_record_only_partly_known_reads_it_first(ready, server: Server):
    server.cards[7] = card(7)
    server.on("PUT", MANY, done(7))
    (step,) = ready.update_steps(card(7), card(7, Name="New"))
    await ready.perform(step, {"Id": 7, "Name": "old"})
    assert sent(server.calls("PUT", "crmopportunities")[0]) == card(7, Name="New")


async def test_an_update_of_a_record_that_moved_is_not_sent(ready, server: Server):
    (step,) = ready.update_steps(card(7), card(7, Name="New"))
    with pytest.raises(Stale):
        await ready.perform(step, card(7, UpdatedOn="2026-03-02T11:00:00Z"))
    assert not server.calls("PUT", "crmopportunities")


async def test_deleting_what_is_gone_already_is_a_success(ready, server: Server):
    server.on("DELETE", f"{MANY}/7", done(), answer('"Not found"', 404))
    for _ in range(2):
        assert (await ready.perform(ready.delete_step("7"))).id == "7"


async def test_a_customer_is_created_in_the_location_without_an_e_mail_to_them(ready, server: Server):
    server.on("POST", "/spaces/coworkers", done(600))
    written = await ready.perform(ready.party_step(Party("a@example.com", "A", "A Ltd"), LONDON))
    body = sent(server.calls("POST", "coworkers")[0])
    assert body["Businesses"] == [1001]
    assert body["InvoicingBusinessId"] == 1001
    assert body["CreateUser"] is False
    assert (body["CountryId"], body["SimpleTimeZoneId"]) == (1220, 2023)
    assert (body["CoworkerType"], body["Gender"], body["TaxRateType"], body["SundayAttendance"]) == (1, 1, 1, 5)
    assert written.party == Party("a@example.com", "A", "A Ltd", kind="Coworker", id="600")


async def test_a_location_without_a_country_refuses_the_customer(ready, server: Server):
    server.lists["businesses"].append({"Id": 1002})
    step = ready.party_step(Party("a@example.com", "A"), Scope(business_id=1002))
    with pytest.raises(Refused, match="country or time zone"):
        await ready.perform(step)


async def test_a_customer_created_without_an_id_may_exist(ready, server: Server):
    server.on("POST", "/spaces/coworkers", done())
    with pytest.raises(OutcomeUnknown):
        await ready.perform(ready.party_step(Party("a@example.com", "A"), LONDON))


async def test_the_customer_of_the_location_comes_first_then_the_oldest(connector, server: Server):
    server.lists["coworkers"] = [
        customer(1, "a@example.com"),
        customer(2, "A@Example.com", InvoicingBusinessId=1001, CompanyName="A Ltd"),
        customer(3, "a@example.com", Businesses=[1001], CreatedOn="2025-01-01T00:00:00Z"),
        customer(4, "other@example.com", InvoicingBusinessId=1001, CreatedOn="2020-01-01T00:00:00Z"),
    ]
    found = await connector.find_party("a@example.com", Scope(board_id=1))
    assert found == Party("a@example.com", "C 3", None, kind="Coworker", id="3")
    assert params(server.calls("GET", "coworkers")[0])["Coworker_Email"] == "a@example.com"


async def test_no_customer_with_the_e_mail_is_none(connector, server: Server):
    server.lists["coworkers"] = [customer(4, "other@example.com")]
    assert await connector.find_party("a@example.com", LONDON) is None


async def test_without_an_e_mail_no_customer_is_looked_for(connector, server: Server):
    assert await connector.find_party(" ", LONDON) is None
    assert not server.calls("GET", "coworkers")


async def test_a_create_of_unknown_outcome_is_found_by_its_key(ready, server: Server):
    server.cards = {
        1: card(1, SystemId="overplane:OPP-1", CreatedOn="2026-03-02T11:59:00Z"),
        2: card(2, SystemId="overplane:OPP-2", CreatedOn="2026-03-02T11:59:00Z", CoworkerId=501, Name="Desk"),
        3: card(3, SystemId="overplane:OPP-1", CreatedOn="2026-02-01T00:00:00Z"),
    }
    found = await ready.find_created(create_step(ready), NOW)
    assert found == [server.cards[1]]


async def test_without_a_key_it_is_found_by_customer_and_name(ready, server: Server):
    at = "2026-03-02T11:59:00Z"
    server.cards = {
        1: card(1, CoworkerId=501, Name="Desk", CreatedOn=at, SystemId=""),
        2: card(2, CoworkerId=501, Name="Other", CreatedOn=at),
        3: card(3, CoworkerId=502, Name="Desk", CreatedOn=at),
    }
    assert [record["Id"] for record in await ready.find_created(create_step(ready), NOW)] == [1]


async def test_the_search_begins_two_minutes_early_by_the_servers_clock(connector, server: Server):
    server.skew = -3600
    await connector.context(card(7), LONDON)
    await connector.find_created(create_step(connector), NOW + timedelta(seconds=30))
    assert params(server.requests[-1])["from_CrmOpportunity_CreatedOn"] == "2026-03-02T10:58"


async def test_a_customer_of_unknown_outcome_is_found_by_e_mail(ready, server: Server):
    server.lists["coworkers"] = [customer(1, "a@example.com")]
    step = ready.party_step(Party("a@example.com", "A"), LONDON)
    assert await ready.find_created(step, NOW) == [{"id": "1"}]


async def test_other_steps_create_nothing(ready):
    assert await ready.find_created(ready.delete_step("7"), NOW) == []


@pytest.mark.parametrize("kept", [True, False])
async def test_whether_the_key_sticks_is_seen_at_the_first_create_and_remembered(make, server: Server, kept):
    store = Store.open("sqlite://")
    server.on("POST", MANY, done(900))
    server.cards[900] = card(900, SystemId="overplane:OPP-1" if kept else None)
    for attempt in range(2):
        connector = make(store)
        await connector.context(card(7), LONDON)
        step = create_step(connector)
        assert ("SystemId" in step.payload["body"]) is (attempt == 0 or kept)
        await connector.perform(step)
        await connector.fetch("900")
        await connector.fetch("900")
        assert ("SystemId" in create_step(connector).payload["body"]) is kept
        await connector.aclose()
    store.close()


async def test_without_a_store_it_is_remembered_for_the_process(ready, server: Server):
    server.on("POST", MANY, done(900))
    server.cards = {900: card(900), 7: card(7)}
    await ready.perform(create_step(ready))
    await ready.fetch("7")
    await ready.fetch("900")
    assert "SystemId" not in create_step(ready).payload["body"]


@pytest.mark.parametrize(
    ("key", "value"), [("Status", []), ("CoworkerId", True), ("ResponsibleId", {}), ("TeamId", "none"), ("Name", ["x"])]
)
async def test_what_is_no_value_of_its_key_is_not_put_back(connector, server: Server, key: str, value: Any) -> None:
    before = card(7, Notes="as it was")
    (step,) = connector.update_steps(before, {**before, "UtmSource": "fair"})
    with pytest.raises(Unavailable, match=f"was read with {key} "):
        await connector.perform(step, {**before, key: value})
    assert not server.calls("PUT", "/crm/crmopportunities")


@pytest.mark.parametrize(
    ("key", "value"), [("CoworkerId", "500004"), ("AgentId", 7.0), ("TeamId", ""), ("Status", 0), ("Extra", [])]
)
async def test_odd_but_possible_values_are_put_back(ready, server: Server, key: str, value: Any) -> None:
    server.on("PUT", MANY, done(7))
    before = card(7)
    (step,) = ready.update_steps(before, {**before, "UtmSource": "fair"})
    await ready.perform(step, {**before, key: value})
    assert sent(server.calls("PUT", MANY)[0])["UtmSource"] == "fair"
