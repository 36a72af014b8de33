from collections.abc import Collection
from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from nexudus_sync.store import Store
from nexudus_sync.store.failures import due_failures, open_failure, solve_failures
from nexudus_sync.store.tables import Failure

MINUTE = timedelta(minutes=1)


def fail(store: Store, now: datetime, retry_after: timedelta | None = None, **more: str) -> Failure:
    key = {"connection": "london", "kind": "unmapped", "reason": "no stage Tour", "nexudus_id": "1", **more}
    with store.session() as session:
        return open_failure(session, now=now, retry_after=retry_after, **key)


def states(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.exec(select(Failure.state).order_by(col(Failure.id))))


def test_the_same_failure_is_one_row_that_counts_its_attempts(any_store: Store, now: datetime) -> None:
    first = fail(any_store, now, field="sales_stage", retry_after=MINUTE)
    assert (first.attempts, first.next_attempt) == (1, now + MINUTE)
    again = fail(any_store, now + MINUTE, field="sales_stage", reason="no stage Visit")
    assert (again.id, again.attempts, again.reason) == (first.id, 2, "no stage Visit")
    assert (again.first_at, again.last_at, again.next_attempt) == (now, now + MINUTE, None)


@pytest.mark.parametrize("other", ["connection", "kind", "field", "nexudus_id", "crm_id"])
def test_a_failure_that_differs_in_its_key_is_another(other: str, any_store: Store, now: datetime) -> None:
    assert fail(any_store, now).id != fail(any_store, now, **{other: "other"}).id


def test_failures_noted_in_one_transaction_are_told_apart(any_store: Store, now: datetime) -> None:
    with any_store.session() as session:
        for field in ("title", "status", "title"):
            open_failure(session, connection="london", kind="unmapped", field=field, reason="", now=now)
    assert states(any_store) == ["open", "open"]


def settle(store: Store, failure: Failure, state: str) -> None:
    with store.session() as session:
        session.add(failure)
        failure.state = state


def test_what_a_person_dismissed_stays_dismissed_while_its_reason_is_the_same(any_store: Store, now: datetime) -> None:
    dismissed = fail(any_store, now)
    settle(any_store, dismissed, "dismissed")
    again = fail(any_store, now + MINUTE)
    assert (again.id, again.state, again.attempts, again.last_at) == (dismissed.id, "dismissed", 2, now + MINUTE)


@pytest.mark.parametrize(("state", "reason"), [("solved", "no stage Tour"), ("dismissed", "no stage Visit")])
def test_a_settled_failure_that_comes_back_opens_anew(state: str, reason: str, any_store: Store, now: datetime) -> None:
    fail(any_store, now)
    settled = fail(any_store, now)
    settle(any_store, settled, state)
    again = fail(any_store, now + MINUTE, reason=reason)
    assert (again.id, again.state, again.attempts, again.first_at) == (settled.id, "open", 1, now + MINUTE)


def test_solving_takes_what_names_either_record(any_store: Store, now: datetime) -> None:
    fail(any_store, now)
    fail(any_store, now, nexudus_id="", crm_id="a")
    fail(any_store, now, nexudus_id="2", crm_id="b")
    fail(any_store, now, nexudus_id="")
    fail(any_store, now, connection="paris")
    with any_store.session() as session:
        assert solve_failures(session, "london", "1", "a") == 2
        assert solve_failures(session, "london", "1", "a") == 0
    assert states(any_store) == ["solved", "solved", "open", "open", "open"]


def test_solving_leaves_what_concerns_another_pair_whose_record_had_the_same_name(
    any_store: Store, now: datetime
) -> None:
    fail(any_store, now, nexudus_id="1", crm_id="CRM-OPP-2026-00003")
    with any_store.session() as session:
        assert solve_failures(session, "london", "2", "CRM-OPP-2026-00003") == 0
        assert solve_failures(session, "london", "", "CRM-OPP-2026-00003") == 0
    assert states(any_store) == ["open"]


def test_solving_without_a_record_takes_what_concerns_the_connection(any_store: Store, now: datetime) -> None:
    fail(any_store, now)
    fail(any_store, now, nexudus_id="")
    with any_store.session() as session:
        assert solve_failures(session, "london", "", "") == 1
    assert states(any_store) == ["open", "solved"]


@pytest.mark.parametrize(
    ("fields", "kinds", "left"),
    [
        (None, None, []),
        ({"title"}, None, ["status"]),
        (None, {"unmapped"}, ["status"]),
        ({"status"}, {"unmapped"}, ["title", "status"]),
        (set(), None, ["title", "status"]),
    ],
)
def test_solving_can_be_narrowed_to_fields_and_kinds(
    fields: Collection[str] | None, kinds: Collection[str] | None, left: list[str], any_store: Store, now: datetime
) -> None:
    fail(any_store, now, field="title")
    fail(any_store, now, field="status", kind="refused")
    with any_store.session() as session:
        solve_failures(session, "london", "1", "", fields=fields, kinds=kinds)
    with any_store.read() as session:
        assert list(session.exec(select(Failure.field).where(Failure.state == "open"))) == left


def test_due_are_the_open_ones_whose_moment_has_come_longest_overdue_first(any_store: Store, now: datetime) -> None:
    fail(any_store, now, field="later", retry_after=2 * MINUTE)
    fail(any_store, now, field="second", retry_after=MINUTE)
    fail(any_store, now, field="first", retry_after=timedelta())
    fail(any_store, now, field="never")
    fail(any_store, now, field="elsewhere", connection="paris", retry_after=MINUTE)
    fail(any_store, now, field="solved", retry_after=MINUTE)
    with any_store.session() as session:
        solve_failures(session, "london", "1", "", fields={"solved"})
        assert [row.field for row in due_failures(session, "london", now + MINUTE)] == ["first", "second"]
