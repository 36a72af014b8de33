from typing import Any

import pytest
from sandbox_client import CARDS, SYNC, Office


def put(office: Office, card: int, **changes: Any) -> dict[str, Any]:
    answer = office.caller.send("PUT", CARDS, office.read(card) | changes)
    assert answer.status == 200, answer.body
    return office.read(card) if card in office.double.cards.rows else {}


def test_entering_a_winning_stage_wins_the_card() -> None:
    office = Office()
    record = put(office, office.card(), CrmBoardColumnId=office.won)
    assert (record["Status"], record["Completed"], record["LostOn"]) == (2, True, None)
    assert record["WonOn"] == record["CrmUpdatedOn"] == "2025-06-16T10:00:30Z"


def test_entering_a_losing_stage_loses_the_card_whatever_status_was_sent() -> None:
    office = Office()
    record = put(office, office.card(), CrmBoardColumnId=office.lost, Status=1)
    assert (record["Status"], record["Completed"], record["WonOn"]) == (3, True, None)
    assert record["LostOn"] is not None


def test_a_status_that_is_written_sets_its_date_and_leaves_the_stage() -> None:
    office = Office()
    card = office.card()
    assert put(office, card, Status=3)["LostOn"] == "2025-06-16T10:00:30Z"
    reopened = put(office, card, Status=1)
    assert (reopened["LostOn"], reopened["CrmBoardColumnId"]) == (None, office.new)


@pytest.mark.parametrize(
    ("flag", "value"),
    [("CannedResponseId", 71), ("TaskListId", 5), ("ActivateAccount", True), ("DeactivateAccount", True)],
)
def test_a_stage_acts_when_a_card_enters_it_and_only_then(flag: str, value: Any) -> None:
    office = Office()
    stage = office.double.directory.add_stage(office.board, "Acting", **{flag: value})
    card = office.card()
    put(office, card, CrmBoardColumnId=stage)
    put(office, card, Notes="still there")
    (act,) = office.double.acts
    assert (act.flag, act.card_id, act.stage_id, act.coworker_id) == (flag, card, stage, office.coworker)
    active = office.double.directory.coworkers[office.coworker]["Active"]
    assert active is (flag != "DeactivateAccount")


def test_a_stage_that_deletes_the_customer_takes_all_its_cards_along() -> None:
    office = Office()
    stage = office.double.directory.add_stage(office.board, "Archive", DeleteAccount=True)
    card, other = office.card(), office.card()
    put(office, card, CrmBoardColumnId=stage)
    assert office.coworker not in office.double.directory.coworkers
    assert office.double.records() == {}
    assert office.caller.get(f"{CARDS}/{other}").status == 404
    deletes = [entry["EntityId"] for entry in office.double.audit.entries.values() if entry["AuditType"] == 3]
    assert sorted(deletes) == [card, other]


def test_a_deleted_customers_cards_can_stay() -> None:
    office = Office(deletes_cascade=False)
    card = office.card()
    office.double.cards.delete_customer(office.coworker, "eva@example.com")
    assert office.read(card)["CoworkerEmail"] is None


def test_a_card_on_top_moves_its_neighbours_down_stamped_by_the_system() -> None:
    office = Office()
    first, second = office.card(), office.card(Position=2)
    office.clock.turn(60)
    office.caller.send("POST", CARDS, office.body())
    records = [office.read(card) for card in (first, second)]
    assert [(record["Position"], record["UpdatedBy"]) for record in records] == [(2, "[System]"), (3, "[System]")]
    assert {record["UpdatedOn"] for record in records} == {"2025-06-16T10:01:30Z"}


def test_a_gap_ends_the_renumbering() -> None:
    office = Office()
    first, far = office.card(), office.card(Position=9)
    office.card()
    assert (office.read(first)["Position"], office.read(far)["UpdatedBy"]) == (2, "ana.boss@example.com")


def test_a_card_that_leaves_makes_room() -> None:
    office = Office()
    top, below = office.card(), office.card(Position=2)
    office.double.move(top, "Tour booked", "eva@example.com")
    office.card()
    assert office.read(below)["UpdatedBy"] == "ana.boss@example.com"
    office.double.delete(below, "eva@example.com")
    assert office.read(office.card(Position=2))["Position"] == 2


def test_a_card_pushed_aside_without_renumbering_leaves_the_others_place_alone() -> None:
    office = Office(renumber=False)
    below, top = office.card(), office.card()
    office.double.move(below, "Tour booked", "eva@example.com")
    office.double.options.renumber = True
    office.card()
    assert office.read(top)["Position"] == 2


def test_renumbering_can_be_switched_off() -> None:
    office = Office(renumber=False)
    first = office.card()
    office.card()
    assert (office.read(first)["Position"], office.read(first)["UpdatedBy"]) == (1, "ana.boss@example.com")


def test_people_move_cards_by_the_stages_name() -> None:
    office = Office()
    card = office.card()
    office.double.move(card, "Won", "eva@example.com")
    record = office.double.record(card)
    assert (record["CrmBoardColumnName"], record["Status"], record["UpdatedBy"]) == ("Won", 2, "eva@example.com")
    with pytest.raises(KeyError):
        office.double.move(card, "No such stage", "eva@example.com")


def test_the_audit_trail_lists_deletes_by_whom_and_when() -> None:
    office = Office()
    gone, kept = office.card(), office.card()
    office.clock.turn(3600)
    office.double.delete(gone, "eva@example.com")
    put(office, kept, Notes="new", Value=7)
    path, wanted = "/api/sys/audittrailentries", {"AuditTrailEntry_EntityShortName": "CrmOpportunity"}
    since = {"from_AuditTrailEntry_CreatedOn": "2025-06-16T11:00"}
    (deleted,) = office.caller.rows(path, AuditTrailEntry_AuditType=3, **wanted, **since)
    assert (deleted["EntityId"], deleted["ActionBy"]) == (gone, "eva@example.com")
    updates = office.caller.rows(path, AuditTrailEntry_AuditType=2, AuditTrailEntry_EntityId=kept)
    assert {(entry["PropertyName"], entry["OldValue"], entry["NewValue"], entry["ActionBy"]) for entry in updates} == {
        ("Notes", None, "new", SYNC),
        ("Value", None, "7", SYNC),
    }


def test_a_move_is_in_the_cards_history() -> None:
    office = Office()
    card = office.card()
    office.double.move(card, "Won", "eva@example.com")
    rows = office.caller.rows("/api/crm/crmopportunityhistories", CrmOpportunityHistory_CrmOpportunity=card)
    assert [row["CrmBoardColumnId"] for row in rows] == [office.new, office.won]
