"""Functions called by their path, methods of a document, renames, and the second version of the API."""

from typing import Any

import pytest
from erpnext_client import OF_LEAD, OPPORTUNITY, Client

from nexudus_sandbox.erpnext import ERPNextDouble

V2 = "/api/v2/document/Opportunity"


def call(client: Client, function: str, /, **arguments: Any) -> Any:
    return client.send("POST", f"/api/method/frappe.client.{function}", arguments).json()


def test_get_finds_by_name_or_by_filters(client: Client) -> None:
    name = client.create(title="x")["name"]
    assert call(client, "get", doctype="Opportunity", filters={"title": "x"})["message"]["name"] == name
    assert call(client, "get", doctype="Opportunity", filters={"title": "y"})["exc_type"] == "DoesNotExistError"


def test_get_needs_the_right_to_read(client: Client, double: ERPNextDouble) -> None:
    name = client.create()["name"]
    refused = call(Client(double, "noperm"), "get", doctype="Opportunity", name=name)
    assert refused["exc_type"] == "PermissionError"


def test_get_value_gives_the_fields_asked_for(client: Client) -> None:
    name = client.create(title="x")["name"]
    assert call(client, "get_value", doctype="Opportunity", fieldname="title", filters=name) == {
        "message": {"title": "x"}
    }
    several = call(client, "get_value", doctype="Opportunity", fieldname='["title"]', filters={"title": "y"})
    assert several == {"message": {}}


def test_a_user_is_told_their_own_zone_and_a_manager_the_sites(client: Client, admin: Client) -> None:
    told = "/api/method/frappe.client.get_time_zone"
    asked = {"doctype": "System Settings", "fieldname": "time_zone"}
    client.double.change("User", "sync@example.com", "Administrator", time_zone="Asia/Kolkata")
    assert client.get(told)["message"] == {"time_zone": "Asia/Kolkata"}
    assert admin.get("/api/method/frappe.client.get_value", **asked)["message"] == {"time_zone": "Europe/Madrid"}
    refused = client.get("/api/method/frappe.client.get_value", **asked)
    assert refused["exc_type"] == "PermissionError"
    assert "No permission for System Settings" in refused["exception"]


def test_before_version_16_a_count_asks_for_no_permission(old: ERPNextDouble, double: ERPNextDouble) -> None:
    for site, expected in ((old, {"message": 1}), (double, {"exc_type": "PermissionError"})):
        Client(site).create(title="a")
        counted = Client(site, "noperm").get("/api/method/frappe.client.get_count", doctype="Opportunity")
        assert counted.items() >= expected.items()


def test_set_value_writes_one_field_but_no_standard_one(client: Client) -> None:
    name = client.create()["name"]
    assert (
        call(client, "set_value", doctype="Opportunity", name=name, fieldname="title", value="x")["message"]["title"]
        == "x"
    )
    refused = call(client, "set_value", doctype="Opportunity", name=name, fieldname="owner", value="x")
    assert "Cannot edit standard fields" in refused["exception"]


def test_delete_answers_with_nothing(client: Client) -> None:
    name = client.create()["name"]
    assert call(client, "delete", doctype="Opportunity", name=name) == {}
    client.double.add("Competitor", "x", competitor_name="Other Space")
    assert call(client, "delete", doctype="Competitor", name="other space") == {}
    assert client.double.records() == {}


def test_one_bad_document_of_many_is_undone_alone(client: Client) -> None:
    name = client.create()["name"]
    docs = [
        {"doctype": "Opportunity", "docname": name, "title": title, "status": status}
        for title, status in (("x", "Bad"), ("y", "Open"))
    ]
    failed = call(client, "bulk_update", docs=docs)["message"]["failed_docs"]
    assert [item["doc"]["title"] for item in failed] == ["x"]
    assert client.double.record(name)["title"] == "y"


def test_an_argument_left_out_is_a_type_error(client: Client) -> None:
    assert call(client, "set_value", doctype="Opportunity")["exception"].endswith("argument: 'fieldname'")


def test_a_path_that_leads_nowhere_is_417(client: Client) -> None:
    response = client.send("GET", "/api/method/frappe.nothing")
    assert (response.status, response.json()["exc_type"]) == (417, "ValidationError")


def test_versions_tell_what_is_installed(old: ERPNextDouble) -> None:
    versions = Client(old).get("/api/method/frappe.utils.change_log.get_versions")["message"]
    assert versions["erpnext"]["version"].startswith("15.")


def test_a_rename_moves_links_and_no_stamp(client: Client, admin: Client) -> None:
    name = client.create(utm_source="Web Portal", lost_reasons=[{"lost_reason": "No reply"}])["name"]
    before = client.double.record(name)
    call(admin, "rename_doc", doctype="UTM Source", old_name="Web Portal", new_name="Portal")
    call(admin, "rename_doc", doctype="Opportunity Lost Reason", old_name="No reply", new_name="Silence")
    call(admin, "rename_doc", doctype="Lead", old_name=OF_LEAD["party_name"], new_name="ANA")
    after = client.double.record(name)
    assert (after["utm_source"], after["party_name"], client.double.lost_reasons(name)) == (
        "Portal",
        "ANA",
        ["Silence"],
    )
    assert after["modified"] == before["modified"]
    reason = client.double.site.find("Opportunity Lost Reason", "Silence")
    assert reason is not None
    assert reason["lost_reason"] == "Silence"


def test_a_renamed_opportunity_takes_its_rows_along(client: Client) -> None:
    name = client.create(lost_reasons=[{"lost_reason": "No reply"}])["name"]
    client.double.rename(name, "NX-1", "x")
    assert [row["parent"] for row in client.double.record("NX-1")["lost_reasons"]] == ["NX-1"]


@pytest.mark.parametrize(("target", "merge"), [("taken", 0), ("missing", 1)])
def test_a_rename_to_what_is_taken_and_a_merge_into_nothing_are_refused(
    client: Client, target: str, merge: int
) -> None:
    name, taken = client.create()["name"], client.create()["name"]
    new = taken if target == "taken" else "NOPE"
    refused = call(client, "rename_doc", doctype="Opportunity", old_name=name, new_name=new, merge=merge)
    assert refused["exc_type"] == "ValidationError"


def test_a_merge_moves_the_targets_stamp(client: Client) -> None:
    name, target = client.create()["name"], client.create()["name"]
    before = client.double.record(target)["modified"]
    client.double.rename(name, target.lower(), "x", merge=True)
    assert list(client.double.records()) == [target]
    assert client.double.record(target)["modified"] > before


def test_a_method_that_does_not_exist_is_a_page(client: Client) -> None:
    name = client.create()["name"]
    response = client.send("POST", f"{OPPORTUNITY}/{name}", {"run_method": "nothing"})
    assert (response.status, response.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_several_arguments_left_out_are_named_together(client: Client) -> None:
    name = client.create()["name"]
    refused = client.send("POST", f"{OPPORTUNITY}/{name}", {"run_method": "declare_enquiry_lost"}).json()
    assert refused["exception"].endswith("2 required positional arguments: 'lost_reasons_list' and 'competitors'")


def test_declaring_lost_keeps_the_old_text_without_a_new_one(client: Client) -> None:
    name = client.create(order_lost_reason="old")["name"]
    body = {"run_method": "declare_enquiry_lost", "lost_reasons_list": [{"lost_reason": "No reply"}], "competitors": []}
    client.send("POST", f"{OPPORTUNITY}/{name}", body)
    record = client.double.record(name)
    assert (record["status"], record["order_lost_reason"]) == ("Lost", "old")


def test_the_second_version_reads_writes_and_calls(client: Client) -> None:
    name = client.create()["name"]
    assert client.send("PUT", f"{V2}/{name}/", {"title": "x"}).json()["data"]["title"] == "x"
    assert client.get("/api/v2/method/frappe.auth.get_logged_user") == {"data": "sync@example.com"}
    assert client.send("DELETE", f"{V2}/{name}").status == 202


def test_the_second_version_lists_further_messages_beside_the_error(client: Client) -> None:
    refused = client.send("POST", V2, {}).json()
    assert refused["errors"][0]["message"] == "Error: Value missing for Opportunity: Opportunity From"
    assert [told["message"] for told in refused["messages"]] == ["Error: Value missing for Opportunity: Party"]


def test_rights_are_told_by_role_and_by_document(client: Client, admin: Client) -> None:
    def may(user: Client, doctype: str, right: str, docname: str = "") -> bool:
        query = {"doctype": doctype, "docname": docname, "perm_type": right}
        return bool(user.get("/api/method/frappe.client.has_permission", **query)["message"]["has_permission"])

    assert may(client, "Opportunity", "create")
    assert not may(client, "UTM Source", "create")
    assert may(admin, "UTM Source", "create")
    assert may(client, "Lead", "write", "CRM-LEAD-2026-00001")
    client.double.users["sync@example.com"].allowed = {"Lead": set()}
    assert not may(client, "Lead", "write", "CRM-LEAD-2026-00001")


def test_a_name_in_another_case_is_taken(admin: Client) -> None:
    assert admin.send("POST", "/api/resource/Opportunity Lost Reason", {"lost_reason": "TOO EXPENSIVE"}).status == 409
