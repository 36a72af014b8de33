from decimal import Decimal
from typing import Any

import pytest
from sandbox_client import CARDS, SYNC, Office

from nexudus_sandbox.nexudus.shape import REQUIRED


def post(office: Office, **values: Any) -> int:
    answer = office.caller.send("POST", CARDS, office.body(**values))
    assert answer.status == 200, answer.body
    return int(answer.json()["Value"]["Id"])


def test_a_create_answers_with_the_envelope_and_the_new_id() -> None:
    office = Office()
    answer = office.caller.send("POST", CARDS, office.body(Name="Désk", Value=Decimal("10.50"))).json()
    assert (answer["Status"], answer["WasSuccessful"], answer["UpdatedBy"]) == (200, True, SYNC)
    record = office.read(answer["Value"]["Id"])
    assert (record["Name"], record["Value"], record["Reminded"]) == ("Désk", Decimal("10.50"), False)
    assert record["UpdatedOn"] == answer["UpdatedOn"] == "2025-06-16T10:00:30Z"


@pytest.mark.parametrize("missing", REQUIRED)
def test_what_a_create_lacks_is_named(missing: str) -> None:
    office = Office()
    answer = office.caller.send("POST", CARDS, office.body() | {missing: None})
    assert answer.status == 400
    assert answer.json() == {
        "Message": f"{missing}: is a required field",
        "Value": None,
        "Errors": [{"AttemptedValue": None, "Message": "is a required field", "PropertyName": missing}],
        "WasSuccessful": False,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("LossReason", 77),
        ("LeadSource", 3),
        ("Value", "much"),
        ("Value", {}),
        ("DueDate", "soon"),
        ("Name", 7),
        ("Completed", "perhaps"),
        ("Position", Decimal("1.5")),
        ("Position", True),
        ("ResponsibleId", 999),
        ("CoworkerId", 999),
        ("CrmBoardColumnId", 999),
    ],
)
def test_a_value_that_a_field_cannot_take_is_refused_by_name(field: str, value: object) -> None:
    office = Office()
    answer = office.caller.send("POST", CARDS, office.body(**{field: value}))
    assert answer.status == 400
    assert [error["PropertyName"] for error in answer.json()["Errors"]] == [field]


def test_values_take_the_servers_form() -> None:
    office = Office()
    card = post(
        office,
        DueDate="2025-07-01T09:30:00+02:00",
        WonOn="2025-07-01",
        Position="3",
        Completed="true",
        Value="7.50",
        LossReason=Decimal("4"),
    )
    record = office.read(card)
    assert record["DueDate"] == "2025-07-01T07:30:00Z"
    assert record["WonOn"] == "2025-07-01T00:00:00Z"
    assert (record["Position"], record["Completed"], record["Value"]) == (3, True, Decimal("7.50"))
    assert record["LossReason"] == 4


def test_a_create_into_a_later_stage_answers_500_unless_that_is_switched_off() -> None:
    office = Office()
    answer = office.caller.send("POST", CARDS, office.body(CrmBoardColumnId=office.tour))
    assert (answer.status, answer.json()) == (500, {"Message": "An error has occurred."})
    office.double.options.first_stage_only = False
    assert office.read(post(office, CrmBoardColumnId=office.tour))["CrmBoardColumnName"] == "Tour booked"


def test_one_kind_of_account_breaks_on_a_create_without_an_opportunity_type() -> None:
    office = Office(opportunity_type_required=True)
    kind = office.double.directory.put("opportunity_types", {"Name": "Membership"})
    assert office.caller.send("POST", CARDS, office.body()).status == 500
    assert office.read(post(office, OpportunityTypeId=kind))["OpportunityTypeName"] == "Membership"


def test_a_location_that_is_full_refuses_further_cards() -> None:
    office = Office(opportunity_limit=2)
    post(office)
    post(office)
    answer = office.caller.send("POST", CARDS, office.body())
    assert (answer.status, answer.json()["WasSuccessful"]) == (400, False)
    assert "limit of 2" in answer.json()["Message"]


def test_a_put_clears_every_writable_field_that_is_not_sent() -> None:
    office = Office()
    custom = {"Data": [{"Name": "Ref", "Value": "1", "Type": "string", "JsonValue": None}]}
    card = office.card(Notes="keep me", Value=Decimal(5), Reminded=True, SystemId="x:1", CustomFields=custom, Score=9)
    answer = office.caller.send("PUT", CARDS, office.body(Id=card, Name="Desk"))
    assert answer.status == 200
    record = office.read(card)
    cleared = ("Notes", "Value", "SystemId", "CustomFields", "Score")
    assert {key: record[key] for key in cleared} == dict.fromkeys(cleared)
    assert record["Reminded"] is False
    assert (record["Name"], record["UpdatedBy"]) == ("Desk", SYNC)


def test_a_put_of_what_was_read_changes_nothing_but_the_stamp() -> None:
    office = Office()
    card = office.card(Notes="a\r\nb", Value=Decimal("5.10"), SystemId="x:1", DueDate="2025-07-01T22:30:00Z", Score=9)
    before = office.read(card)
    office.clock.turn(5)
    assert office.caller.send("PUT", CARDS, before).status == 200
    after = office.read(card)
    assert {key for key in after if after[key] != before[key]} == {"UpdatedOn", "UpdatedBy"}


def test_a_put_without_the_required_fields_is_refused_and_changes_nothing() -> None:
    office = Office()
    card = office.card(Notes="keep me")
    answer = office.caller.send("PUT", CARDS, {"Id": card, "Name": "x"})
    assert answer.status == 400
    assert [error["PropertyName"] for error in answer.json()["Errors"]] == list(REQUIRED)
    assert office.read(card)["Notes"] == "keep me"


def test_a_put_needs_the_id_of_a_card_that_exists() -> None:
    office = Office()
    nameless = office.caller.send("PUT", CARDS, office.body())
    assert [error["PropertyName"] for error in nameless.json()["Errors"]] == ["Id"]
    unknown = office.caller.send("PUT", CARDS, office.body(Id=1))
    assert (unknown.status, unknown.json()) == (404, "Not found")


def test_the_external_key_can_be_dropped_silently() -> None:
    office = Office(keeps_system_id=False)
    assert office.read(post(office, SystemId="overplane:1"))["SystemId"] is None


def test_a_second_delete_answers_not_found() -> None:
    office = Office()
    card = office.card()
    first = office.caller.send("DELETE", f"{CARDS}/{card}")
    second = office.caller.send("DELETE", f"{CARDS}/{card}")
    assert (first.status, first.json()["WasSuccessful"]) == (200, True)
    assert (second.status, second.json()) == (404, "Not found")


@pytest.mark.parametrize("status", [404, 500])
def test_a_read_of_a_missing_id_answers_404_or_500(status: int) -> None:
    assert Office(missing_id_status=status).caller.get(f"{CARDS}/1").status == status
    assert Office().caller.get(f"{CARDS}/abc").status == 404


def test_a_body_that_is_no_json_is_refused_without_breaking_the_server() -> None:
    office = Office()
    assert office.caller.send("POST", CARDS).status == 400
    assert office.caller.send("POST", CARDS, [1]).json()["WasSuccessful"] is False


def test_a_path_that_does_not_exist_answers_404_with_a_page() -> None:
    answer = Office().caller.get("/api/crm/nothing")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_command_answers_200_also_when_it_fails() -> None:
    office = Office()
    run = f"{CARDS}/runcommand"
    assert office.caller.get(f"{CARDS}/commands").json() == []
    failed = office.caller.send("POST", run, {"Key": "NOTHING", "Ids": [], "Parameters": []})
    assert (failed.status, failed.json()["WasSuccessful"]) == (200, False)
    office.double.opportunities.commands["REMIND"] = "Send a reminder"
    assert [command["Key"] for command in office.caller.get(f"{CARDS}/commands").json()] == ["REMIND"]
    assert office.caller.send("POST", run, {"Key": "REMIND", "Ids": [1]}).json()["WasSuccessful"] is False
    assert office.caller.send("POST", run, {"Key": "REMIND", "Ids": [office.card()]}).json()["WasSuccessful"] is True
