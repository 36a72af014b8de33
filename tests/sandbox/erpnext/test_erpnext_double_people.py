"""What people do at their desks, beside the API."""

import pytest
from erpnext_client import OF_LEAD, Client
from erpnext_recordings import Time

from nexudus_sandbox.erpnext import ERPNextDouble, FrappeError

MARTA = "marta@example.com"


def test_people_create_edit_move_and_delete(double: ERPNextDouble) -> None:
    name = double.create(MARTA, **OF_LEAD, title="x")
    assert double.edit(name, MARTA, title="y")["title"] == "y"
    assert double.move(name, "qualification", MARTA)["sales_stage"] == "Qualification"
    double.set_lost_reasons(name, ["No reply", "Too expensive"], MARTA)
    assert double.lost_reasons(name) == ["No reply", "Too expensive"]
    assert double.record(name)["modified_by"] == MARTA
    double.delete(name, MARTA)
    assert double.records() == {}


def test_what_people_change_is_noted_field_by_field(double: ERPNextDouble) -> None:
    name = double.create(MARTA, **OF_LEAD, lost_reasons=[{"lost_reason": "No reply"}])
    double.edit(name, MARTA, title="y")
    noted = [(change.action, change.field, change.new) for change in double.changes if change.kind == "Opportunity"]
    assert [(action, field) for action, field, _ in noted] == [
        ("create", ""),
        ("update", "modified"),
        ("update", "title"),
    ]
    assert noted[-1][2] == "y"


def test_who_is_not_there_is_a_key_error(double: ERPNextDouble) -> None:
    for act in (double.record, double.lost_reasons):
        with pytest.raises(KeyError):
            act("NOPE")
    with pytest.raises(KeyError):
        double.edit("NOPE", MARTA, title="x")
    with pytest.raises(KeyError):
        double.delete("NOPE", MARTA)
    with pytest.raises(KeyError):
        double.touch("NOPE", MARTA)


def test_what_is_refused_leaves_no_trace(double: ERPNextDouble) -> None:
    name = double.create(MARTA, **OF_LEAD, title="x")
    with pytest.raises(FrappeError, match="Could not find Sales Stage"):
        double.edit(name, MARTA, title="y", sales_stage="Nowhere")
    assert double.record(name)["title"] == "x"


def test_a_touch_moves_the_stamp_and_nothing_else(double: ERPNextDouble) -> None:
    before = double.record(double.create(MARTA, **OF_LEAD))
    double.touch(before["name"], "boss@example.com")
    after = double.record(before["name"])
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"modified", "modified_by"}


def test_a_late_commit_appears_behind_later_stamps(double: ERPNextDouble, client: Client, time: Time) -> None:
    name = double.create(MARTA, **OF_LEAD, title="x")
    double.options.late_commit = 30
    time.pass_by(1)
    double.edit(name, MARTA, title="late")
    created = double.create(MARTA, **OF_LEAD, title="new")
    time.pass_by(1)
    other = client.create(title="api")
    assert [row["title"] for row in client.list(fields=["title"])] == ["x", "api"]
    time.pass_by(30)
    rows = client.list(fields=["name", "title"], order_by="modified asc")
    assert rows == [
        {"name": name, "title": "late"},
        {"name": created, "title": "new"},
        {"name": other["name"], "title": "api"},
    ]
    assert (created, other["name"]) == ("CRM-OPP-2026-00002", "CRM-OPP-2026-00003")


def test_a_late_save_that_was_overtaken_is_stamped_when_it_commits(
    double: ERPNextDouble, client: Client, time: Time
) -> None:
    name = double.create(MARTA, **OF_LEAD)
    double.options.late_commit = 30
    double.edit(name, MARTA, probability=5)
    time.pass_by(1)
    overtaking = client.update(name, title="api")["modified"]
    time.pass_by(30)
    record = double.record(name)
    assert (record["title"], record["probability"]) == ("api", 5)
    assert record["modified"] > overtaking


def test_a_late_save_of_what_is_gone_is_lost(double: ERPNextDouble, client: Client, time: Time) -> None:
    name = double.create(MARTA, **OF_LEAD)
    double.options.late_commit = 30
    double.edit(name, MARTA, title="late")
    double.delete(name, MARTA)
    time.pass_by(30)
    assert client.list() == []


def test_a_late_create_without_a_series_takes_no_number(double: ERPNextDouble, time: Time) -> None:
    double.options.late_commit = 30
    assert double.add("Competitor", MARTA, competitor_name="Other Space") == "Other Space"
    assert double.site.find("Competitor", "Other Space") is None
    time.pass_by(30)
    double.settle()
    assert double.site.find("Competitor", "Other Space") is not None
