from decimal import Decimal
from typing import Any

import pytest
from sandbox_client import OPPORTUNITIES, REQUIRED, SYNC, Caller, Crm

from nexudus_sandbox.overplane.objects import RefusalError

DETAILS = "/api/crm/opportunity-lost-reason-detail"
ITEMS = "/api/crm/opportunity-item"


def error(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json()["error"].get("param", "")


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic sk_test_1"])
def test_a_wrong_token_is_answered_401(authorization: str) -> None:
    assert Caller(Crm().double, authorization=authorization).get(OPPORTUNITIES).status == 401


def test_a_create_fills_in_the_defaults_and_shows_every_field() -> None:
    crm = Crm()
    answer = crm.caller.send(
        "POST", OPPORTUNITIES, {**REQUIRED, "title": "Désk", "opportunity_amount": Decimal("9.50")}
    )
    row = answer.json()
    assert answer.status == 201
    assert (row["status"], row["sales_stage"], row["probability"]) == ("Open", "Prospecting", 100)
    assert (row["opportunity_amount"], row["utm_source"]) == (Decimal("9.50"), None)
    assert crm.caller.get(f"{OPPORTUNITIES}/{row['id']}").json() == row


@pytest.mark.parametrize("missing", sorted(REQUIRED))
def test_what_a_create_lacks_is_named(missing: str) -> None:
    assert error(Crm().caller.send("POST", OPPORTUNITIES, {**REQUIRED, missing: ""})) == (400, missing)


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", 7), ("opportunity_amount", "7"), ("first_response_time", Decimal("1.5")), ("probability", True)],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(field: str, value: object) -> None:
    assert error(Crm().caller.send("POST", OPPORTUNITIES, {**REQUIRED, field: value})) == (400, field)


def test_timestamps_hold_the_pages_stray_spaces_unless_switched_off() -> None:
    crm = Crm()
    assert crm.double.record(crm.opportunity())["created_at"] == "2025-06-16T10: 00: 30Z"
    plain = Crm(stray_spaces=False)
    assert plain.double.record(plain.opportunity())["created_at"] == "2025-06-16T10:00:30Z"


def test_a_patch_leaves_what_it_does_not_name_and_moves_the_stamp() -> None:
    crm = Crm()
    row_id = crm.opportunity(title="Desk", language="es")
    crm.clock.turn(60)
    body = {"title": None, "created_at": "never", "id": "other"}
    row = crm.caller.send("PATCH", f"{OPPORTUNITIES}/{row_id}", body).json()
    assert (row["id"], row["title"], row["language"]) == (row_id, None, "es")
    assert (row["created_at"], row["updated_at"]) == ("2025-06-16T10: 00: 30Z", "2025-06-16T10: 01: 30Z")
    assert error(crm.caller.send("PATCH", f"{OPPORTUNITIES}/{row_id}", {"company": None})) == (400, "company")


def test_an_unknown_field_is_kept_or_refused() -> None:
    kept = Crm()
    assert kept.caller.send("POST", OPPORTUNITIES, {**REQUIRED, "external_id": "1"}).json()["external_id"] == "1"
    strict = Crm(refuse_unknown_fields=True)
    assert error(strict.caller.send("POST", OPPORTUNITIES, {**REQUIRED, "utm_term": "x"})) == (400, "utm_term")
    row = strict.double.record(strict.opportunity())
    assert strict.caller.send("PATCH", f"{OPPORTUNITIES}/{row['id']}", row).status == 200


def test_the_list_is_newest_first_in_pages_of_twenty() -> None:
    crm = Crm()
    ids = [crm.opportunity() for _ in range(22)]
    first = crm.caller.get(OPPORTUNITIES).json()
    rest = crm.caller.get(OPPORTUNITIES, offset=20).json()
    assert [row["id"] for row in first["data"] + rest["data"]] == ids[::-1]
    assert (first["has_more"], rest["has_more"], first["total"]) == (True, False, 22)


def test_a_limit_beyond_the_largest_is_cut_or_refused() -> None:
    crm = Crm(max_limit=2)
    for _ in range(3):
        crm.opportunity()
    answer = crm.caller.get(OPPORTUNITIES, limit=50).json()
    assert (len(answer["data"]), answer["has_more"]) == (2, True)
    crm.double.options.over_limit = "refuse"
    assert error(crm.caller.get(OPPORTUNITIES, limit=50)) == (400, "limit")
    assert error(crm.caller.get(OPPORTUNITIES, offset="x")) == (400, "offset")


def test_a_deletion_during_a_scan_skips_a_row_and_a_creation_repeats_one() -> None:
    crm = Crm()
    oldest, second, third, newest = (crm.opportunity() for _ in range(4))
    crm.caller.get(OPPORTUNITIES, limit=2)
    crm.double.delete(newest, "eva@example.com")
    assert [row["id"] for row in crm.caller.rows(OPPORTUNITIES, limit=2, offset=2)] == [oldest]
    crm.opportunity()
    assert [row["id"] for row in crm.caller.rows(OPPORTUNITIES, limit=2, offset=2)] == [second, oldest]
    assert third in crm.double.records()


def test_a_delete_is_permanent_and_takes_the_child_rows_along() -> None:
    crm = Crm()
    row_id = crm.opportunity()
    crm.double.set_lost_reasons(row_id, ["Price"], "eva@example.com")
    answer = crm.caller.send("DELETE", f"{OPPORTUNITIES}/{row_id}")
    assert answer.json() == {"id": row_id, "deleted": True}
    assert crm.caller.send("DELETE", f"{OPPORTUNITIES}/{row_id}").status == 404
    assert crm.caller.rows(DETAILS, parent_id=row_id) == []
    with pytest.raises(KeyError):
        crm.double.set_lost_reasons(row_id, [], "eva@example.com")


def test_child_rows_are_listed_by_their_parent_only_and_in_their_order() -> None:
    crm = Crm()
    row_id = crm.opportunity()
    for reason in ("Price", "Timing"):
        answer = crm.caller.send("POST", DETAILS, {"opportunity_id": row_id, "lost_reason": reason})
        assert answer.status == 201
    assert error(crm.caller.get(DETAILS)) == (400, "parent_id")
    rows = crm.caller.rows(DETAILS, parent_id=row_id)
    assert [(row["idx"], row["lost_reason"]) for row in rows] == [(1, "Price"), (2, "Timing")]
    reordered = crm.caller.send(
        "POST", f"{DETAILS}/reorder", {"parent_id": row_id, "ids": [rows[1]["id"], rows[0]["id"]]}
    )
    assert reordered.status == 200
    assert crm.double.lost_reasons(row_id) == ["Timing", "Price"]
    assert error(crm.caller.send("POST", f"{DETAILS}/reorder", {})) == (400, "ids")
    assert crm.caller.send("POST", f"{DETAILS}/reorder", {"ids": ["nothing"]}).status == 404


def test_a_child_row_stays_with_its_parent_and_needs_one() -> None:
    crm = Crm()
    row_id, other = crm.opportunity(), crm.opportunity()
    item = crm.caller.send("POST", ITEMS, {"opportunity_id": row_id, "item_code": "desk", "qty": 2}).json()
    moved = crm.caller.send("PATCH", f"{ITEMS}/{item['id']}", {"opportunity_id": other, "qty": 3, "idx": None}).json()
    assert (moved["opportunity_id"], moved["qty"]) == (row_id, 3)
    assert [row["id"] for row in crm.caller.rows(ITEMS, parent_id=row_id)] == [item["id"]]
    placed = crm.caller.send("POST", ITEMS, {"opportunity_id": row_id, "idx": 7}).json()
    assert placed["idx"] == 7
    assert error(crm.caller.send("POST", ITEMS, {"opportunity_id": "none"})) == (400, "opportunity_id")
    assert crm.caller.get(f"{ITEMS}/{item['id']}").status == 404
    assert crm.caller.send("DELETE", f"{ITEMS}/{item['id']}").status == 200


@pytest.mark.parametrize(("moves", "stamp"), [(False, "2025-06-16T10: 00: 30Z"), (True, "2025-06-16T10: 01: 30Z")])
def test_a_childs_change_leaves_the_parents_stamp_unless_switched_on(moves: bool, stamp: str) -> None:
    crm = Crm(children_move_parent=moves)
    row_id = crm.opportunity()
    crm.clock.turn(60)
    crm.double.set_lost_reasons(row_id, ["Price"], "eva@example.com")
    crm.double.set_lost_reasons(row_id, ["Timing"], "eva@example.com")
    assert crm.double.record(row_id)["updated_at"] == stamp


def test_an_unknown_lost_reason_is_taken_or_refused() -> None:
    crm = Crm()
    row_id = crm.opportunity()
    crm.double.add("opportunity-lost-reason", "eva@example.com", lost_reason="Price")
    crm.double.set_lost_reasons(row_id, ["Bad weather"], "eva@example.com")
    crm.double.options.refuse_unknown_lost_reasons = True
    with pytest.raises(RefusalError, match="list of lost reasons"):
        crm.double.set_lost_reasons(row_id, ["Bad weather"], "eva@example.com")
    crm.double.set_lost_reasons(row_id, ["Price"], "eva@example.com")
    assert crm.double.lost_reasons(row_id) == ["Price"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("crm/lead", {"lead_name": "Ana", "email_id": "ana@example.com"}),
        ("crm/customer", {"customer_name": "Søn ApS"}),
        ("crm/prospect", {"company_name": "Søn ApS"}),
        ("crm/sales-stage", {"stage_name": "Won"}),
        ("crm/opportunity-lost-reason", {"lost_reason": "Price"}),
        ("crm/opportunity-type", {"name": "Sales"}),
        ("crm/campaign", {"campaign_name": "spring"}),
        ("core/user", {"email": "eva@example.com"}),
    ],
)
def test_the_other_objects_follow_the_same_conventions(path: str, body: dict[str, str]) -> None:
    crm = Crm()
    row = crm.caller.send("POST", f"/api/{path}", body).json()
    assert row["id"].startswith(path.rpartition("/")[2] + "_")
    assert crm.caller.rows(f"/api/{path}") == [row]


def test_a_body_or_path_that_makes_no_sense_is_an_error_with_a_message() -> None:
    crm = Crm()
    assert error(crm.caller.send("POST", OPPORTUNITIES)) == (400, "")
    assert crm.caller.get(f"{OPPORTUNITIES}/opportunity_none").status == 404
    assert crm.caller.get("/api/crm/nothing").json()["error"]["message"] == "No such endpoint: GET /api/crm/nothing"


def test_a_rate_limit_can_be_given_to_it() -> None:
    from nexudus_sandbox.throttle import Window

    crm = Crm()
    crm.double.set_windows([Window(1, 10)])
    assert [crm.caller.get(OPPORTUNITIES).status for _ in range(2)] == [200, 409]


def test_people_and_the_api_leave_their_names_in_the_change_log() -> None:
    crm = Crm()
    row_id = crm.opportunity()
    crm.double.move(row_id, "Won", "eva@example.com")
    crm.caller.send("PATCH", f"{OPPORTUNITIES}/{row_id}", {"status": "Lost"})
    changes = {(change.by, change.field, change.new) for change in crm.double.changes if change.field}
    assert changes == {("eva@example.com", "sales_stage", "Won"), (SYNC, "status", "Lost")}
