"""What people decide at the command line: kept in the store for the next cycle, refused where it makes no sense."""

import getpass
from datetime import timedelta

import pytest
from cli_house import AT, CONFIG, SECOND, House, conflict, failure, link
from sqlmodel import SQLModel

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import (
    Brake,
    Conflict,
    ConnectionState,
    Decision,
    Failure,
    History,
    Journal,
    Link,
    Unlinked,
)


def entry(**values: object) -> History:
    given = {"connection": "london", "field": "title", "from_side": "crm", "nexudus_id": "101", "crm_id": "opp_1"}
    return History(**(given | {"at": AT, "old": "Old", "new": "New"} | values))


def alone(record_id: str, side: Side = Side.NEXUDUS, **values: object) -> Unlinked:
    given = {"connection": "london", "side": side.value, "record_id": record_id, "title": "Hot desk"}
    return Unlinked(**(given | values))


def brake(**values: object) -> Brake:
    return Brake(**({"connection": "london", "name": "mass-delete", "evidence": "30 of 40", "set_at": AT} | values))


def decided(house: House) -> list[tuple[str, str, dict[str, object]]]:
    return [(one.connection, one.kind, one.args) for one in house.rows(Decision)]


def test_a_conflict_is_resolved_for_the_next_cycle(house: House) -> None:
    house.keep(conflict())
    ended = house.run("conflicts", "resolve", "1", "--take", "crm")
    assert ended.code == 0
    assert "both sides get 'c'" in ended.out
    (one,) = house.rows(Conflict)
    assert (one.state, one.take) == ("resolved", "crm")
    assert "the next cycle takes crm" in house.run("conflicts", "list").out


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("title", "Everybody's", "Everybody's"),
        ("opportunity_amount", "", None),
        ("opportunity_amount", "1234.50", "1234.50"),
        ("expected_closing", "2026-05-01", "2026-05-01"),
        ("status", "converted", "Converted"),
        ("sales_stage", "Tour booked", "Tour booked"),
    ],
)
def test_a_third_value_is_kept_for_both_sides_with_the_name_of_who_typed_it(
    house: House, field: str, typed: str, kept: object
) -> None:
    house.keep(link(), conflict(field=field))
    ended = house.run("conflicts", "resolve", "1", "--value", typed)
    shown = "no value" if kept is None else repr(kept)
    assert (ended.code, ended.out) == (0, f"{field} of 101 ⇄ opp_1: both sides get {shown}, at the next cycle.\n")
    (one,) = house.rows(Conflict)
    assert (one.state, one.take, one.value, one.decided_by) == ("resolved", "value", kept, getpass.getuser())
    assert "resolved: the next cycle writes" in house.run("conflicts", "list").out


@pytest.mark.parametrize(
    ("values", "typed", "problem"),
    [
        ({"field": "opportunity_amount"}, "a lot", "value 'a lot': opportunity_amount cannot be that: "),
        ({"field": "opportunity_amount"}, "1e400", "value '1e400': Nexudus cannot hold it: "),
        ({"field": "expected_closing"}, "tomorrow", "value 'tomorrow': expected_closing cannot be that: "),
        ({"field": "status"}, "Gone", "value 'Gone': is not a status; one of Open, "),
        ({"field": "lead_source"}, "Fair", "conflict 1: lead_source does not travel both ways; "),
        ({"field": "nothing"}, "x", "conflict 1: nothing does not travel both ways; "),
        ({"kind": "overwritten"}, "x", "conflict 1: is not about two values of a field; "),
        ({"connection": "lisbon"}, "x", "conflict 1: its connection lisbon is not configured; "),
    ],
)
def test_a_third_value_that_cannot_stand_on_both_sides_is_refused(
    house: House, values: dict[str, object], typed: str, problem: str
) -> None:
    house.keep(conflict(**values))
    ended = house.run("conflicts", "resolve", "1", "--value", typed)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(f"nexudus-sync: {problem}")
    assert [one.state for one in house.rows(Conflict)] == ["open"]


def test_an_answer_is_taken_back_until_a_cycle_has_carried_it_out(house: House) -> None:
    house.keep(conflict(), conflict(nexudus_id="2", state="closed"))
    house.run("conflicts", "resolve", "1", "--take", "crm")
    ended = house.run("conflicts", "take-back", "1")
    assert ended.out == "Conflict 1 about title of 101 ⇄ opp_1 is open again.\n"
    one = house.rows(Conflict)[0]
    assert (one.state, one.take, one.decided_by, one.decided_at) == ("open", None, "", None)
    for number, why in ((1, "has no answer yet"), (2, "was carried out already")):
        ended = house.run("conflicts", "take-back", str(number))
        assert (ended.code, ended.err) == (1, f"nexudus-sync: conflict {number} {why}; there is nothing to take back\n")


def test_a_paused_connection_says_so_and_runs_again_when_resumed(house: House) -> None:
    by = getpass.getuser()
    assert house.run("pause", "london").out.startswith("london is paused; a cycle that is under way is finished.")
    assert house.run("pause", "london").out.startswith("london was paused already.")
    assert f" by {by}; `nexudus-sync resume london` lets it run again." in house.run("status").out
    (one,) = house.run("status", "--json").json["connections"]
    assert (one["paused_by"], one["paused_at"][-1]) == (by, "Z")
    assert house.run("resume", "london").out == "london runs again: `run` takes it up at its next poll.\n"
    assert house.run("resume", "london").out == "london was not paused.\n"
    assert "paused_at" not in house.run("status", "--json").json["connections"][0]


def test_a_connection_that_is_not_configured_cannot_be_paused(house: House) -> None:
    house.keep()
    ended = house.run("pause", "paris")
    problem = "no connection is named 'paris'; configured connections: london"
    assert (ended.code, ended.err) == (2, f"nexudus-sync: --connection: {problem}\n")


@pytest.mark.parametrize("verb", [("show", "9"), ("resolve", "9", "--take", "crm")])
def test_a_conflict_that_is_not_there_is_wrong_usage(house: House, verb: tuple[str, ...]) -> None:
    ended = house.run("conflicts", *verb)
    assert (ended.code, ended.err) == (
        2,
        "nexudus-sync: conflict 9: there is no such conflict; see `nexudus-sync conflicts list`\n",
    )


def question(**values: object) -> Conflict:
    reason = "several records share e-mail and title"
    given = {"kind": "match", "field": "record", "base": None, "link_id": None, "reason": reason}
    return conflict(**(given | values))


def test_a_record_with_several_candidates_is_copied_when_its_own_side_is_taken(house: House) -> None:
    house.keep(question(crm_id="", nexudus=["Desk (101)"], crm=["Desk (opp_1)", "Desk (opp_2)"]))
    shown = house.run("conflicts", "show", "1").out
    assert "Resolve it with `nexudus-sync link 101 CRM`, or `nexudus-sync ignore 101`, or" in shown
    assert "`nexudus-sync conflicts resolve 1 --take nexudus` to copy it as a new record." in shown
    ended = house.run("conflicts", "resolve", "1", "--take", "nexudus")
    assert ended.out == "101 of Nexudus is copied to the CRM as a new record, at the next cycle.\n"


def test_the_other_side_of_several_candidates_cannot_be_taken(house: House) -> None:
    house.keep(question(nexudus_id="", nexudus=["Desk (101)", "Desk (102)"], crm=["Desk (opp_1)"]))
    ended = house.run("conflicts", "resolve", "1", "--take", "nexudus")
    assert ended.code == 2
    assert ended.err.startswith(
        "nexudus-sync: --take nexudus: conflict 1 asks which record belongs to opp_1; resolve it"
    )
    assert "`nexudus-sync link NEXUDUS opp_1`, or `nexudus-sync ignore opp_1`, or" in ended.err
    assert [(one.state, one.take) for one in house.rows(Conflict)] == [("open", None)]


@pytest.mark.parametrize(
    ("take", "told"),
    [
        ("crm", "the record in the CRM is kept, and the pair is closed"),
        ("nexudus", "the deletion in Nexudus is taken: the record in the CRM is deleted too"),
    ],
)
def test_a_deletion_against_an_edit_says_what_becomes_of_the_record(house: House, take: str, told: str) -> None:
    said = {"nexudus": "deleted", "crm": "edited", "reason": "deleted in Nexudus and edited in the CRM"}
    house.keep(question(link_id=1, kind="deleted", side="crm", **said))
    out = house.run("conflicts", "resolve", "1", "--take", take).out
    assert out == f"101 ⇄ opp_1: {told}, at the next cycle.\n"


@pytest.mark.parametrize(
    ("take", "told"),
    [
        ("nexudus", "title of 101 ⇄ opp_1: 'b' is restored on both sides, at the next cycle."),
        ("crm", "title of 101 ⇄ opp_1 stays 'c', and the question is closed, at the next cycle."),
    ],
)
def test_what_was_overwritten_unseen_is_brought_back_or_left(house: House, take: str, told: str) -> None:
    house.keep(conflict(kind="overwritten", reason="overwritten between our read and our write at 08:00:00 UTC"))
    assert house.run("conflicts", "resolve", "1", "--take", take).out == f"{told}\n"


def test_a_closed_conflict_cannot_be_resolved(house: House) -> None:
    house.keep(conflict(state="closed"))
    ended = house.run("conflicts", "resolve", "1", "--take", "nexudus")
    assert ended.code == 1
    assert "is closed" in ended.err


def test_only_the_two_sides_can_be_taken(house: House) -> None:
    house.keep(conflict())
    assert house.run("conflicts", "resolve", "1", "--take", "both").code == 2
    assert house.run("conflicts", "resolve", "1").code == 2


def test_a_conflict_is_shown_in_full(house: House) -> None:
    house.keep(conflict(reason="both moved", field="record"))
    out = house.run("conflicts", "show", "1").out
    assert "both moved" in out
    assert "101 ⇄ opp_1" in out
    assert "--take nexudus" in out


def test_a_failure_is_due_again_and_what_held_it_back_is_forgotten(house: House) -> None:
    house.keep(link(bounces={"crm title": 2}), failure(next_attempt=None), failure(field="title", state="solved"))
    assert house.run("failures", "retry", "1").code == 0
    first, _ = house.rows(Failure)
    assert first.next_attempt is not None
    assert house.rows(Link)[0].bounces == {}
    ended = house.run("failures", "retry", "2")
    assert (ended.code, ended.err) == (1, "nexudus-sync: failure 2 is already solved\n")


def test_a_refused_record_is_taken_up_again_when_its_failure_is_retried(house: House) -> None:
    house.keep(alone("105", state="refused"), failure(field="", kind="no-email", nexudus_id="105", crm_id=""))
    house.keep(failure(state="dismissed", field="title"))
    assert "1 failure will" in house.run("failures", "retry", "--all").out
    assert house.rows(Unlinked)[0].state == "waiting"


@pytest.mark.parametrize("words", [(), ("1", "--all")])
def test_retry_wants_an_id_or_all(house: House, words: tuple[str, ...]) -> None:
    assert house.run("failures", "retry", *words).code == 2


def test_a_failure_is_dismissed(house: House) -> None:
    house.keep(failure())
    assert house.run("failures", "dismiss", "1").code == 0
    assert house.run("failures", "list", "--json").json == []
    assert house.run("failures", "dismiss", "7").code == 2


def test_a_solved_failure_is_not_dismissed_and_will_be_seen_again(house: House) -> None:
    house.keep(failure(state="solved"))
    ended = house.run("failures", "dismiss", "1")
    assert (ended.code, "is already solved" in ended.err) == (1, True)
    assert [one.state for one in house.rows(Failure)] == ["solved"]


def test_failures_are_shown_with_their_reason(house: House) -> None:
    house.keep(failure(), failure(field="", next_attempt=None))
    out = house.run("failures", "list").out
    assert "no such stage" in out
    assert "when something changes" in out


def test_a_brake_is_shown_and_released_by_its_name(house: House) -> None:
    house.keep(brake())
    assert "30 of 40" in house.run("brake", "show").out
    ended = house.run("brake", "release", "empty-side")
    assert (ended.code, ended.err) == (
        2,
        "nexudus-sync: brake empty-side: there is no such brake; brakes that are set: mass-delete\n",
    )
    assert house.run("brake", "release", "mass-delete").code == 0
    assert house.rows(Brake)[0].state == "released"
    assert "released for the next cycle" in house.run("brake", "show").out
    assert "brakes that are set: none" in house.run("brake", "release", "mass-delete").err


def test_two_records_are_linked_at_the_next_cycle(house: House) -> None:
    house.keep(alone("105"))
    assert house.run("link", "105", "opp_5").code == 0
    assert decided(house) == [("london", "link", {"nexudus_id": "105", "crm_id": "opp_5"})]


def test_linking_or_ignoring_what_no_cycle_has_seen_says_that_the_next_one_will_tell(house: House) -> None:
    house.keep(alone("105"))
    out = house.run("link", "105", "opp_5").out
    assert "No cycle has seen opp_5 yet. If it does not exist, the next cycle refuses this and says so." in out
    assert "seen 105" not in out
    assert "No cycle has seen 4711 yet." in house.run("ignore", "4711").out
    assert "No cycle" not in house.run("ignore", "105").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("opp_5", "105"), "; the Nexudus id comes first: link 105 opp_5"),
        (("opp_5", "opp_6"), ""),
    ],
)
def test_what_is_no_nexudus_id_is_refused_at_once(house: House, words: tuple[str, str], told: str) -> None:
    ended = house.run("link", *words)
    assert ended.code == 2
    assert ended.err == f"nexudus-sync: record opp_5: is not a Nexudus id: those are whole numbers{told}\n"
    assert decided(house) == []


def test_a_record_that_has_a_partner_is_not_linked_again(house: House) -> None:
    house.keep(link(), link(2, state="closed"))
    ended = house.run("link", "109", "opp_1")
    assert ended.code == 1
    assert "101 ⇄ opp_1 are already linked" in ended.err
    assert house.run("link", "102", "opp_2").code == 0


def test_link_asks_which_connection_where_that_is_not_clear(house: House) -> None:
    house.write(CONFIG + SECOND)
    ended = house.run("link", "105", "opp_5")
    assert ended.code == 2
    assert "add --connection london" in ended.err
    house.keep(alone("105", connection="madrid"))
    assert house.run("link", "105", "opp_5").code == 0
    assert house.run("link", "106", "opp_6", "--connection", "london").code == 0
    assert [one[0] for one in decided(house)] == ["madrid", "london"]
    assert house.run("ignore", "999").code == 2


def test_link_takes_the_connection_that_parted_the_records(house: House) -> None:
    house.write(CONFIG + SECOND)
    house.keep(link(2, state="closed", connection="madrid"))
    assert house.run("link", "102", "opp_2").code == 0
    assert [one[0] for one in decided(house)] == ["madrid"]


@pytest.mark.parametrize("known", [link(6), alone("106")], ids=["linked", "alone"])
def test_two_records_of_nexudus_are_not_linked(house: House, known: SQLModel) -> None:
    house.keep(alone("105"), known)
    ended = house.run("link", "105", "106")
    told = "nexudus-sync: record 106: is a Nexudus record; give the CRM's id second\n"
    assert (ended.code, ended.err) == (2, told)
    assert decided(house) == []


def test_a_crm_whose_ids_look_like_those_of_nexudus_is_linked_all_the_same(house: House) -> None:
    house.keep(alone("105"), alone("106"), alone("106", Side.CRM))
    assert house.run("link", "105", "106").code == 0


def test_a_pair_is_parted_at_the_next_cycle(house: House) -> None:
    house.keep(link())
    assert house.run("unlink", "opp_1").code == 0
    assert decided(house) == [("london", "unlink", {"link_id": 1})]
    ended = house.run("unlink", "opp_9")
    said = "nexudus-sync: record opp_9: there is no such record; see `nexudus-sync links list`\n"
    assert (ended.code, ended.err) == (2, said)
    house.keep(alone("105"))
    assert house.run("unlink", "105").code == 1


def test_a_record_is_ignored_on_the_side_that_knows_it(house: House) -> None:
    house.keep(link(), alone("opp_7", Side.CRM))
    assert house.run("ignore", "opp_7").code == 0
    assert house.run("ignore", "12345").code == 0
    assert decided(house) == [
        ("london", "ignore", {"side": "crm", "record_id": "opp_7"}),
        ("london", "ignore", {"side": "nexudus", "record_id": "12345"}),
    ]
    assert house.run("ignore", "101").code == 1


def test_undo_is_kept_for_the_next_cycle(house: House) -> None:
    house.keep(link(crm_snapshot={"title": "New"}), entry())
    assert house.run("undo", "1").code == 0
    assert decided(house) == [("london", "undo", {"history_id": 1, "force": False})]


def test_undo_is_refused_at_once_when_the_value_moved_on(house: House) -> None:
    house.keep(link(crm_snapshot={"title": "Newer"}), entry())
    ended = house.run("undo", "1")
    assert ended.code == 1
    assert "has changed since, to 'Newer'; add --force" in ended.err
    assert decided(house) == []
    assert house.run("undo", "1", "--force").code == 0
    assert decided(house) == [("london", "undo", {"history_id": 1, "force": True})]


def test_undo_of_what_is_undone_already_says_so(house: House) -> None:
    house.keep(entry(), entry(old="New", new="Old", from_side="nexudus"), link(crm_snapshot={"title": "Old"}))
    ended = house.run("undo", "1")
    assert (ended.code, ended.out) == (0, "title of 101 ⇄ opp_1 is already 'Old'; there is nothing to restore.\n")
    assert decided(house) == []


def test_undo_is_refused_when_the_sync_wrote_the_field_again(house: House) -> None:
    house.keep(link(crm_snapshot={"title": "New"}), entry(), entry(old="New", new="Third"))
    assert "has changed since, to 'Third'" in house.run("undo", "1").err


@pytest.mark.parametrize(
    ("field", "snapshot"),
    [
        ("title", {"title": {"$unsent": True}}),
        ("opportunity_amount", {"opportunity_amount": "many"}),
        ("territory", {}),
    ],
)
def test_undo_leaves_to_the_cycle_what_the_store_cannot_tell(
    house: House, field: str, snapshot: dict[str, object]
) -> None:
    house.keep(link(crm_snapshot=snapshot), entry(field=field, new="2.00", old="1.00"))
    assert house.run("undo", "1").code == 0


def test_undo_needs_an_entry_and_a_link(house: House) -> None:
    house.keep(entry(), link(2), entry(crm_id="opp_2", nexudus_id="102", connection="london", field="notes"))
    assert house.run("undo", "9").code == 2
    ended = house.run("undo", "1")
    assert ended.code == 1
    assert "no longer linked" in ended.err


def test_undo_of_a_connection_that_is_not_configured_any_more_is_refused(house: House) -> None:
    house.keep(entry(connection="paris"))
    house.keep(link(connection="paris"), entry())
    for number in ("1", "2"):
        ended = house.run("undo", number)
        assert ended.code == 2
        assert ended.err == (
            f"nexudus-sync: history entry {number}: its connection paris is not configured; "
            "configure it again to restore the value\n"
        )
    assert decided(house) == []


def test_explain_tells_of_a_linked_record(house: House) -> None:
    pair = link(
        nexudus_snapshot={"Name": "Desk", "CrmBoardColumnId": 3001, "Value": {"$unsent": True}},
        crm_snapshot={"title": "Desk", "sales_stage": "New lead"},
        nexudus_recheck=True,
        nexudus_stamp="2026-03-02|maria",
    )
    moved = Journal(connection="madrid", side="crm", kind="opportunity.update", planned_at=AT, state="confirmed")
    moved.nexudus_id, moved.crm_id = "101", "opp_1"
    waits = Journal(connection="london", side="crm", kind="opportunity.update", planned_at=AT, fields={"title": {}})
    waits.nexudus_id, waits.crm_id = "101", "opp_1"
    asked = Decision(connection="london", kind="unlink", args={"link_id": 1}, asked_at=AT)
    house.write(CONFIG + SECOND)
    house.keep(*(ConnectionState(name=name, crm="overplane") for name in ("london", "madrid")))
    house.keep(pair, moved, waits, asked, entry(), brake())
    house.keep(failure(), conflict(), conflict(field="city", state="resolved", take="crm"))
    for record in ("101", "opp_1"):
        out = house.run("explain", record).out
        assert out.startswith("Desk\n")
        assert ["record", "Nexudus", "101", "⇄", "overplane", "opp_1"] in [line.split() for line in out.splitlines()]
        assert ["sales_stage", "New", "lead", "New", "lead"] in [line.split() for line in out.splitlines()]
        assert "(not carried over yet)" in out
        assert "(not read yet)" in out
        assert "keeps its company, Example Iberia" in out
        assert "mass-delete: 30 of 40" in out
        assert "no such stage" in out
        assert "Nexudus says b, the CRM says c" in out
        assert "the next cycle takes crm" in out
        assert "opportunity.update is planned: title" in out
        assert "unlink: at the next cycle" in out
        assert "Old" in out


def test_explain_tells_of_a_record_without_counterpart(house: House) -> None:
    why = "several records share it"
    house.keep(alone("105", state="unmatched", reason=why, email="a@example.com", created_at=AT - timedelta(days=1)))
    out = house.run("explain", "105").out
    assert out.startswith("a@example.com: no counterpart\n") or "· a@example.com: no counterpart" in out
    assert why in out
    assert "Nothing is waiting." in out


def test_explain_of_an_unknown_record_is_wrong_usage(house: House) -> None:
    ended = house.run("explain", "105")
    assert ended.code == 2
    assert "record 105: there is no such record" in ended.err


def test_explain_tells_what_a_refused_decision_came_to(house: House) -> None:
    refused = {"asked_at": AT, "done_at": AT, "connection": "london"}
    house.keep(link(), entry())
    house.keep(
        Decision(kind="undo", args={"history_id": 1, "force": False}, outcome="refused: title says 'X' now", **refused)
    )
    house.keep(Decision(kind="undo", args={"history_id": 101, "force": False}, outcome="refused: another's", **refused))
    out = house.run("explain", "101").out
    assert "undo: refused: title says 'X' now" in out
    assert "another's" not in out


def test_explain_of_a_record_that_only_a_decision_names_tells_its_outcome(house: House) -> None:
    args = {"side": "nexudus", "record_id": "999"}
    told = "refused: nexudus has no record 999"
    house.keep(Decision(kind="ignore", args=args, outcome=told, connection="london", asked_at=AT, done_at=AT))
    ended = house.run("explain", "999")
    assert ended.code == 0
    assert "Nexudus 999: no cycle has seen it" in ended.out
    assert f"ignore: {told}" in ended.out


def test_history_says_what_a_persons_undo_caused(house: House) -> None:
    later = AT + timedelta(minutes=5)
    house.keep(entry(), entry(at=later, old="New", new="Old", from_side="nexudus"), entry(at=later, field="notes"))
    done = Decision(connection="london", kind="undo", args={"history_id": 1, "force": False}, asked_at=AT)
    done.done_at, done.outcome = later + timedelta(seconds=3), "brought back"
    house.keep(link(), done)
    assert [one["from"] for one in house.run("history", "--json").json] == ["crm", "undo", "crm"]
    assert "undo 1" in house.run("history").out
    assert "undo 1" in house.run("explain", "101").out


@pytest.mark.parametrize(("variables", "by"), [({}, "tom"), ({"SUDO_USER": "maria"}, "maria")])
def test_history_says_who_asked_for_an_undo(
    house: House, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], by: str
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "tom")
    monkeypatch.delenv("SUDO_USER", raising=False)
    house.environment |= variables
    house.keep(link(crm_snapshot={"title": "New"}), entry())
    assert house.run("undo", "1").code == 0
    (asked,) = house.rows(Decision)
    asked.done_at, asked.outcome = asked.asked_at + timedelta(minutes=1), "brought back"
    house.keep(asked, entry(at=asked.asked_at, old="New", new="Old", from_side="nexudus"))
    assert [one.get("by") for one in house.run("history", "--json").json] == [None, by]
    for verb in (("history",), ("explain", "101")):
        assert f"undo 1, asked by {by}" in house.run(*verb).out


def test_an_undo_whose_asker_nobody_knows_is_told_without(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    monkeypatch.delenv("SUDO_USER", raising=False)
    house.keep(link(crm_snapshot={"title": "New"}), entry())
    assert house.run("undo", "1").code == 0


def test_an_undo_that_was_refused_caused_nothing(house: House) -> None:
    house.keep(entry(), entry(at=AT + timedelta(minutes=5), old="New", new="Old"))
    refused = Decision(connection="london", kind="undo", args={"history_id": 1}, asked_at=AT)
    refused.done_at, refused.outcome = AT + timedelta(hours=1), "refused: it moved on"
    house.keep(refused)
    assert [one["from"] for one in house.run("history", "--json").json] == ["crm", "crm"]


def test_status_says_what_a_limit_left(house: House) -> None:
    house.keep(alone("105", state="limit"), alone("106", state="limit"), alone("107"))
    told = "london: --limit left out 2 records; `nexudus-sync sync` copies all, `backfill --limit N` some."
    assert told in house.run("status").out


def test_of_several_links_the_active_one_is_meant(house: House) -> None:
    house.keep(link(state="closed", crm_identity="x"), link(2, crm_id="opp_1", crm_identity="y"))
    assert "Nexudus 102 ⇄ overplane opp_1" in house.run("explain", "opp_1").out
