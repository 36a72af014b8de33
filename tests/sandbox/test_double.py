from datetime import timedelta

import pytest
from sandbox_client import CARDS, START, SYNC, HandClock, Office

from nexudus_sandbox.double import Double
from nexudus_sandbox.throttle import Window
from nexudus_sandbox.wire import Request, Response


def test_the_date_header_shows_the_servers_own_clock() -> None:
    office = Office()
    office.double.offset = 600
    assert office.caller.get(CARDS).headers["Date"] == "Mon, 16 Jun 2025 10:10:30 GMT"


def test_every_request_is_logged_with_who_sent_it_and_what_came_of_it() -> None:
    office = Office()
    office.caller.get(CARDS, size=5)
    office.caller.send("DELETE", f"{CARDS}/1")
    assert [(entry.user, entry.method, entry.query, entry.status) for entry in office.double.log] == [
        (SYNC, "GET", {"size": "5"}, 200),
        (SYNC, "DELETE", {}, 404),
    ]
    assert office.double.log[0].at == START


def test_what_falls_due_runs_in_order_and_not_before_its_time() -> None:
    office, ran = Office(), []
    office.double.later(20, lambda: ran.append("second"))
    office.double.later(10, lambda: ran.append("first"))
    office.clock.turn(9)
    office.caller.get(CARDS)
    assert ran == []
    office.clock.turn(11)
    office.double.settle()
    assert ran == ["first", "second"]


def test_a_watcher_can_edit_between_two_pages() -> None:
    office = Office()

    def edit(_request: Request, _response: Response) -> None:
        office.card()

    office.double.watchers.append(edit)
    assert office.caller.get(CARDS).json()["TotalItems"] == 0
    assert office.caller.get(CARDS).json()["TotalItems"] == 1


def test_changes_name_who_changed_which_field_from_what_to_what() -> None:
    office = Office()
    card = office.card()
    office.double.edit(card, "eva@example.com", Notes="Called")
    office.double.delete(card, "eva@example.com")
    created, *edits, deleted = office.double.changes
    assert (created.action, created.by, created.new["Name"]) == ("create", "ana.boss@example.com", "Desk")
    assert [(c.field, c.old, c.new) for c in edits if c.field == "Notes"] == [("Notes", None, "Called")]
    assert (deleted.action, deleted.record_id, deleted.new) == ("delete", str(card), None)


def test_a_new_budget_starts_to_count_anew() -> None:
    office = Office()
    office.double.set_windows([Window(1, 10)])
    assert [office.caller.get(CARDS).status for _ in range(3)] == [200, 409, 429]
    office.double.set_windows([Window(1, 10)], time_scale=0.1)
    assert office.caller.get(CARDS).status == 200
    office.clock.turn(1)
    assert office.caller.get(CARDS).status == 200


def test_the_servers_clock_runs_ahead_by_its_offset_in_whole_seconds() -> None:
    clock = HandClock()
    clock.turn(0.7)
    assert Double(clock.now, offset=-30).now() == START - timedelta(seconds=30)


def test_a_double_has_to_say_what_it_answers() -> None:
    with pytest.raises(NotImplementedError):
        Double(HandClock().now).handle(Request("GET", "/"))
