"""The double's answers beside those that were recorded: statuses, headers and shapes."""

from typing import Any

import pytest
from hubspot_client import DEALS, Account, recording, shape

from nexudus_sandbox.hubspot.values import Rule

CONTACTS = "/crm/objects/2026-03/contacts"


def names_of(headers: Any) -> set[str]:
    """The headers of an answer that say something of HubSpot, in small letters."""
    passing = {"x-hubspot-correlation-id", "x-hubspot-ratelimit-secondly", "x-hubspot-ratelimit-secondly-remaining"}
    return {name.lower() for name in headers if name.lower().startswith("x-hubspot")} - passing


def test_a_missing_record_is_a_page_that_is_known_by_its_header() -> None:
    told, answer = recording("v3_company_get_after_delete_404_html"), Account().call("GET", f"{DEALS}/7")
    assert answer.status == told["status"]
    assert answer.body.decode() == told["response"]
    assert names_of(answer.headers) == names_of(told["headers"])


def test_a_path_that_does_not_exist_lacks_that_header() -> None:
    answer = Account().call("GET", "/crm/objects/2026-03/nonsense")
    assert (answer.status, "X-HubSpot-NotFound" in answer.headers) == (404, False)


def test_a_search_tells_of_the_day_only() -> None:
    told = recording("v3_contact_search_200")
    answer = Account().call("POST", f"{CONTACTS}/search", told["request"]["body"])
    assert names_of(answer.headers) == names_of(told["headers"])
    assert shape(answer.json()) | {"paging": None} == shape(told["response"]) | {"paging": None} | {
        "results": shape(answer.json()["results"])
    }


def test_the_echo_of_a_change_is_not_the_record() -> None:
    account, told = Account(), recording("v3_company_patch_200")
    company = account.post("/crm/objects/2026-03/companies", {"properties": {"name": "ACME", "domain": "x.org"}})["id"]
    answer = account.call("PATCH", f"/crm/objects/2026-03/companies/{company}", told["request"]["body"])
    assert (answer.status, answer.json().keys()) == (told["status"], told["response"].keys())
    assert answer.json()["properties"].keys() <= told["response"]["properties"].keys()
    assert "domain" not in answer.json()["properties"]


def test_a_taken_address_names_the_contact_that_has_it() -> None:
    account, told = Account(), recording("quoted_contact_create_409")
    answer = account.call("POST", CONTACTS, {"properties": {"email": "kai@example.org"}})
    assert (answer.status, shape(answer.json())) == (told["status"], shape(told["response"]))
    assert answer.json()["message"] == f"Contact already exists. Existing ID: {account.kai}"


def test_refused_properties_are_named_as_recorded() -> None:
    told = recording("2026-03_contacts_batch_create_400_properties")
    answer = Account().call("POST", CONTACTS, {"properties": {"first000name": "x", "last000name": "y"}})
    assert (answer.status, shape(answer.json())) == (told["status"], shape(told["response"]))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("documented_2026-09_required_400", {"dealname": "x"}),
        ("documented_2026-09_conditional_400", {"dealname": "x", "amount": "1", "dealstage": "closedlost"}),
    ],
)
def test_an_administrators_rules_bind_only_from_2026_09_on(name: str, values: dict[str, str]) -> None:
    account, told = Account(), recording(name)
    account.double.checker.required.add("amount")
    account.double.checker.rules.append(Rule("dealstage", "closedlost", "closed_lost_reason"))
    body = {"properties": {"pipeline": "default", **values}, "associations": []}
    answer = account.call("POST", DEALS.replace("2026-03", "2026-09"), body)
    assert answer.status == told["status"]
    (error,) = answer.json()["errors"]
    assert error["code"] == told["response"]["errors"][0]["code"]
    assert shape(error) == shape(told["response"]["errors"][0])
    assert account.call("POST", DEALS, body).status == 201


def test_a_missing_scope_is_named() -> None:
    account, told = Account(), recording("v3_company_get_403_missing_scope")
    account.double.gate.keys["pat-na1-test"].scopes = frozenset()
    answer = account.call("GET", f"{DEALS}/1")
    assert (answer.status, answer.json()["category"]) == (told["status"], told["response"]["category"])
    assert names_of(answer.headers) == names_of(told["headers"])
    assert answer.json()["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.deals.read"]}


def test_the_pipelines_look_as_recorded() -> None:
    told = recording("pipelines_deals_200")["response"]
    found = Account().get("/crm/pipelines/2026-03/deals")
    assert shape(found)["results"][0].keys() >= shape(told)["results"][0].keys() - {"id"}
    stages = [one["results"][0]["stages"][0] for one in (found, told)]
    assert shape(stages[0])["metadata"].keys() >= shape(stages[1])["metadata"].keys()


def test_stages_are_not_among_the_options_of_the_property() -> None:
    known = {one["name"]: one for one in Account().get("/crm/properties/2026-03/deals")["results"]}
    for name in ("dealstage", "pipeline"):
        assert (known[name]["options"], known[name]["externalOptions"]) == ([], True)


def test_the_account_looks_as_recorded() -> None:
    told = recording("account_info_details_200")["response"]
    assert shape(Account().get("/account-info/2026-03/details")) == shape(told)


def test_histories_are_newest_first_and_come_fifty_at_a_time() -> None:
    account, told = Account(), recording("v3_contacts_with_history_200")["response"]
    deal = account.deal()
    account.time.turn(1)
    account.call("PATCH", f"{DEALS}/{deal}", {"properties": {"dealname": "Renamed"}})
    found = account.get(f"{DEALS}/{deal}", propertiesWithHistory="dealname,amount")["propertiesWithHistory"]
    assert [one["value"] for one in found["dealname"]] == ["Renamed", "Desks"]
    assert found["amount"] == []
    entry = told["results"][0]["propertiesWithHistory"]["city"][0]
    assert found["dealname"][0].keys() >= entry.keys()
    assert [one["sourceType"] for one in found["dealname"]] == ["INTEGRATION", "CRM_UI"]
    body = {"properties": [], "propertiesWithHistory": ["dealname"], "inputs": [{"id": str(n)} for n in range(51)]}
    assert account.call("POST", f"{DEALS}/batch/read", body).status == 400
