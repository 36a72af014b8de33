"""What HubSpot does by itself, and the switches for what nobody knows."""

from typing import Any

import pytest
from hubspot_client import BEN, DEALS, Account

from nexudus_sandbox.hubspot.pipelines import Stage


def found(account: Account, **filters: str) -> list[str]:
    body = {
        "filterGroups": [{"filters": [{"propertyName": k, "operator": "EQ", "value": v} for k, v in filters.items()]}]
    }
    return [one["id"] for one in account.post(f"{DEALS}/search", body)["results"]]


def test_the_search_lags_and_shows_the_state_of_then() -> None:
    account = Account(search_lag=30.0)
    deal = account.deal()
    assert found(account, dealname="Desks") == []
    account.time.turn(30)
    assert found(account, dealname="Desks") == [deal]
    account.double.edit(deal, BEN, dealname="Offices")
    account.time.turn(29)
    assert found(account, dealname="Desks") == [deal]
    assert account.get(f"{DEALS}/{deal}")["properties"]["dealname"] == "Offices"
    account.time.turn(1)
    assert found(account, dealname="Offices") == [deal]


def test_the_recycle_bin_moves_no_stamp_and_is_hidden_from_the_search() -> None:
    account = Account()
    deal = account.deal()
    before = account.get(f"{DEALS}/{deal}")["updatedAt"]
    account.time.turn(60)
    assert account.call("DELETE", f"{DEALS}/{deal}").status == 204
    assert (found(account, dealname="Desks"), account.get(DEALS)["results"]) == ([], [])
    assert account.get(f"{DEALS}/{deal}", archived="true")["updatedAt"] == before
    assert [one["id"] for one in account.get(DEALS, archived="true")["results"]] == [deal]
    account.double.restore(deal, BEN)
    assert account.get(f"{DEALS}/{deal}")["archived"] is False


@pytest.mark.parametrize(("switch", "status"), [(204, 204), (404, 404)])
def test_a_second_deletion_is_answered_as_the_switch_says(switch: int, status: int) -> None:
    account = Account(second_delete=switch)
    deal = account.deal()
    assert account.call("DELETE", f"{DEALS}/{deal}").status == 204
    assert account.call("DELETE", f"{DEALS}/{deal}").status == status


@pytest.mark.parametrize("keeps", [True, False])
def test_a_merge_leaves_one_deal_that_names_the_others(keeps: bool) -> None:
    account = Account(merge_keeps_primary=keeps)
    one, two = account.deal(dealname="One"), account.deal(dealname="Two", amount="7")
    left = account.double.merge(one, two, BEN)
    assert (left == one) is keeps
    said = account.get(f"{DEALS}/{left}", properties="dealname,amount,hs_merged_object_ids", associations="contacts")
    assert (said["properties"]["dealname"], said["properties"]["amount"]) == ("One", "7")
    assert two in said["properties"]["hs_merged_object_ids"].split(";")
    assert [link["id"] for link in said["associations"]["contacts"]["results"]] == [account.kai]
    assert account.get(f"{DEALS}/{two}")["id"] == left
    account.double.options.merged_answers = "not-found"
    assert account.call("GET", f"{DEALS}/{two}").status == 404


def test_what_is_erased_leaves_no_trace() -> None:
    account = Account()
    deal = account.deal()
    account.double.erase(deal, BEN)
    assert account.call("GET", f"{DEALS}/{deal}").status == 404
    assert account.call("GET", f"{DEALS}/{deal}", archived="true").status == 404


@pytest.mark.parametrize(("sets", "stays"), [(True, True), (True, False), (False, True)])
def test_closing_sets_the_close_date_as_the_switches_say(sets: bool, stays: bool) -> None:
    account = Account(stage_sets_closedate=sets, sent_closedate_stays=stays)
    deal = account.deal()
    account.call("PATCH", f"{DEALS}/{deal}", {"properties": {"dealstage": "closedwon"}})
    now = "2026-03-02T08:00:00.417Z"
    assert account.double.record(deal).get("closedate") == (now if sets else None)
    other, sent = account.deal(), "2026-05-01T12:00:00.000Z"
    account.call("PATCH", f"{DEALS}/{other}", {"properties": {"dealstage": "closedlost", "closedate": sent}})
    assert account.double.record(other)["closedate"] == (sent if stays else now)
    account.double.move(deal, "Closed lost", BEN)
    assert account.double.record(deal)["closedate"] == now


@pytest.mark.parametrize(("switch", "status"), [("refuse", 400), ("accept", 200)])
def test_a_stage_of_another_pipeline_is_answered_as_the_switch_says(switch: str, status: int) -> None:
    account = Account(foreign_stage=switch)
    account.double.pipelines.add("Renewals", [Stage("77", "Open")])
    assert account.call("PATCH", f"{DEALS}/{account.deal()}", {"properties": {"dealstage": "77"}}).status == status


@pytest.mark.parametrize("status", [400, 409])
def test_a_taken_unique_value_is_refused(status: Any) -> None:
    account = Account(unique_conflict=status)
    account.double.properties.add("deals", "nexudus_id", unique=True)
    account.deal(nexudus_id="nexudus:1")
    body = {"properties": {"dealname": "Again", "nexudus_id": "nexudus:1"}, "associations": []}
    assert account.call("POST", DEALS, body).status == status
    assert len(account.double.records()) == 1


def test_hubspot_moves_the_stamp_of_a_new_deal_by_itself() -> None:
    account = Account(touch_after=0.367)
    made = account.post(DEALS, {"properties": {"dealname": "New"}, "associations": []})
    account.time.turn(1)
    assert account.get(f"{DEALS}/{made['id']}")["updatedAt"] > made["updatedAt"]


def test_a_deal_may_have_no_stage_and_says_so_as_the_switch_says() -> None:
    account = Account()
    deal = account.double.create(BEN, dealname="Bare")
    assert account.get(f"{DEALS}/{deal}")["properties"]["dealstage"] is None
    account.double.options.blank = "missing"
    assert "dealstage" not in account.get(f"{DEALS}/{deal}")["properties"]


def test_limits_are_of_the_app_the_account_and_the_search() -> None:
    account = Account()
    account.double.gate.ten_seconds = 3
    deal = account.deal()
    answers = [account.call("GET", f"{DEALS}/{deal}") for _ in range(4)]
    assert [one.status for one in answers] == [200, 200, 200, 429]
    assert answers[2].headers["X-HubSpot-RateLimit-Remaining"] == "0"
    assert (answers[3].json()["policyName"], "Retry-After" in answers[3].headers) == ("TEN_SECONDLY_ROLLING", False)
    searches = [account.call("POST", f"{DEALS}/search", {}).status for _ in range(6)]
    assert searches == [200] * 5 + [429]
    account.time.turn(10)
    account.double.gate.a_day = account.double.gate.used_today
    assert account.call("GET", f"{DEALS}/{deal}").json()["policyName"] == "DAILY"
    account.time.turn(16 * 3600)
    assert account.call("GET", f"{DEALS}/{deal}").status == 200


def test_a_search_refuses_what_is_too_much() -> None:
    account = Account()
    account.double.gate.a_second = 100
    for body in (
        {"limit": 201},
        {"limit": 100, "after": "9950"},
        {"properties": ["x" * 100] * 30},
        {"sorts": ["a", "b"]},
    ):
        assert account.call("POST", f"{DEALS}/search", body).status == 400


def test_a_second_address_is_taken_and_found_as_the_switch_says() -> None:
    account = Account()
    account.double.add("contacts", BEN, email="ana@example.org", hs_additional_emails="ana@old.example")
    path, body = "/crm/objects/2026-03/contacts", {"properties": {"email": "ana@old.example"}}
    assert account.call("POST", path, body).status == 409
    wanted = {"properties": ["email"], "idProperty": "email", "inputs": [{"id": "ana@old.example"}]}
    assert account.call("POST", f"{path}/batch/read", wanted).json()["results"] == []
    account.double.options.finds_second_email = True
    assert len(account.call("POST", f"{path}/batch/read", wanted).json()["results"]) == 1


@pytest.mark.parametrize(
    ("switches", "source"),
    [
        ({}, ("INTEGRATION", "4169410", None)),
        ({"says_source": False}, ("API", None, None)),
        ({"keys_are_users": True}, ("CRM_UI", "userId:501", 501)),
    ],
)
def test_a_keys_write_has_the_source_that_the_switch_says(switches: dict[str, Any], source: Any) -> None:
    account = Account(**switches)
    deal = account.deal()
    account.call("PATCH", f"{DEALS}/{deal}", {"properties": {"amount": "5"}})
    (past,) = account.get(f"{DEALS}/{deal}", propertiesWithHistory="amount")["propertiesWithHistory"]["amount"]
    assert (past["sourceType"], past.get("sourceId"), past.get("updatedByUserId")) == source


@pytest.mark.parametrize(("by", "source"), [("writer", "INTEGRATION"), ("hubspot", "CALCULATED")])
def test_the_close_date_of_closing_is_whose_the_switch_says(by: Any, source: str) -> None:
    account = Account(closing_by=by)
    deal = account.deal(closedate="2026-09-01")
    account.time.turn(60)
    account.call("PATCH", f"{DEALS}/{deal}", {"properties": {"dealstage": "closedwon"}})
    past = account.get(f"{DEALS}/{deal}", propertiesWithHistory="closedate")["propertiesWithHistory"]["closedate"]
    assert [one["sourceType"] for one in past] == [source, "CRM_UI"]
    assert past[0]["value"].startswith("2026-03-02T08:01")


@pytest.mark.parametrize(
    ("switches", "after_people", "after_an_app"),
    [
        ({}, "501", "501"),
        ({"apps_clear_editor": True}, "501", None),
        ({"names_editor": False}, None, None),
    ],
)
def test_a_deal_names_its_last_editor_as_the_switches_say(
    switches: dict[str, Any], after_people: str | None, after_an_app: str | None
) -> None:
    account = Account(**switches)
    deal = account.deal()

    def editor() -> Any:
        return account.get(f"{DEALS}/{deal}", properties="hs_updated_by_user_id")["properties"]["hs_updated_by_user_id"]

    assert editor() == after_people
    account.call("PATCH", f"{DEALS}/{deal}", {"properties": {"amount": "5"}})
    assert editor() == after_an_app
