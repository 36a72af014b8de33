"""What the store lets go once it is old, and what it keeps all the same."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import SQLModel, col, select

from nexudus_sync.store import Store, retention
from nexudus_sync.store.retention import Cutoffs, prune
from nexudus_sync.store.tables import Conflict, Decision, Failure, History, Journal, Link, Unlinked

DAY = timedelta(days=1)
Row = Callable[[datetime], SQLModel]


def history(at: datetime, **values: Any) -> History:
    return History(**({"at": at, "connection": "london", "field": "title", "from_side": "crm"} | values))


def journal(at: datetime, **values: Any) -> Journal:
    given = {"connection": "london", "side": "crm", "kind": "opportunity.update", "state": "confirmed"}
    return Journal(**(given | {"planned_at": at, "sent_at": at, "done_at": at} | values))


def conflict(at: datetime, **values: Any) -> Conflict:
    given = {"connection": "london", "field": "title", "state": "closed", "opened_at": at - DAY, "closed_at": at}
    return Conflict(**(given | values))


def failure(at: datetime, **values: Any) -> Failure:
    given = {"connection": "london", "kind": "unmapped", "reason": "no such stage", "state": "solved"}
    return Failure(**(given | {"first_at": at - DAY, "last_at": at} | values))


def decision(at: datetime, **values: Any) -> Decision:
    given = {"connection": "london", "kind": "unlink", "asked_at": at - DAY, "done_at": at, "outcome": "unlinked"}
    return Decision(**(given | values))


def cutoffs(now: datetime) -> Cutoffs:
    return Cutoffs(now - 400 * DAY, now - 60 * DAY)


def left(store: Store, table: type[Any]) -> list[Any]:
    with store.read() as session:
        return list(session.exec(select(table).order_by(col(table.id))))


def keep(store: Store, *rows: SQLModel) -> None:
    with store.session() as session:
        session.add_all(rows)


def pruned(store: Store, now: datetime) -> int:
    with store.session() as session:
        return prune(session, cutoffs(now))


@pytest.mark.parametrize(
    ("row", "days"), [(history, 400), (conflict, 400), (failure, 400), (decision, 400), (journal, 60)]
)
def test_a_row_goes_once_it_is_older_than_its_days(any_store: Store, now: datetime, row: Row, days: int) -> None:
    second = timedelta(seconds=1)
    keep(any_store, row(now - days * DAY - second), row(now - days * DAY), row(now))
    assert pruned(any_store, now) == 1
    assert [one.id for one in left(any_store, type(row(now)))] == [2, 3]
    assert pruned(any_store, now) == 0


@pytest.mark.parametrize(
    "row",
    [
        lambda at: journal(at, kind="opportunity.create"),
        lambda at: journal(at, kind="opportunity.create", state="dropped"),
        lambda at: journal(at, state="sent", done_at=None),
        lambda at: journal(at, state="planned", done_at=None, sent_at=None),
        lambda at: journal(at, state="failed", refused=["title"]),
        lambda at: conflict(at, state="open", closed_at=None),
        lambda at: conflict(at, state="resolved", take="crm", closed_at=None),
        lambda at: failure(at, state="open"),
        lambda at: failure(at, state="dismissed"),
        lambda at: decision(at, done_at=None),
    ],
)
def test_what_later_cycles_or_people_need_stays_however_old(any_store: Store, now: datetime, row: Row) -> None:
    old = row(now - 5000 * DAY)
    keep(any_store, old)
    assert pruned(any_store, now) == 0
    assert len(left(any_store, type(old))) == 1


def test_a_dropped_update_goes_with_the_confirmed_ones(any_store: Store, now: datetime) -> None:
    """One that was not found and is followed by one that was done must not become the last attempt."""
    lost = journal(now - 62 * DAY, state="dropped", not_found=True)
    keep(any_store, lost, journal(now - 61 * DAY), journal(now - 61 * DAY, state="dropped"), journal(now))
    assert pruned(any_store, now) == 3


def test_an_entry_that_is_being_undone_stays_until_the_undo_is_done(any_store: Store, now: datetime) -> None:
    keep(any_store, history(now - 500 * DAY), history(now - 500 * DAY), history(now))
    undo = decision(now, kind="undo", args={"history_id": 2}, done_at=None)
    keep(any_store, undo)
    assert pruned(any_store, now) == 1
    assert [one.id for one in left(any_store, History)] == [2, 3]
    with any_store.session() as session:
        session.get_one(Decision, undo.id).done_at = now
    assert pruned(any_store, now) == 1


def test_one_step_deletes_a_part_and_the_next_goes_on(
    any_store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP", 4)
    keep(any_store, *(history(now - 500 * DAY) for _ in range(3)), *(journal(now - 500 * DAY) for _ in range(3)))
    keep(any_store, history(now), journal(now))
    assert [pruned(any_store, now) for _ in range(3)] == [4, 2, 0]


def test_the_number_of_the_newest_row_is_never_given_again(any_store: Store, now: datetime) -> None:
    keep(any_store, *(conflict(now - 500 * DAY, nexudus_id=str(number)) for number in range(3)))
    assert pruned(any_store, now) == 2
    keep(any_store, conflict(now))
    assert [one.id for one in left(any_store, Conflict)] == [3, 4]


@pytest.mark.parametrize("state", ["open", "resolved"])
def test_the_history_of_a_field_stays_while_a_question_about_it_is_open(
    any_store: Store, now: datetime, state: str
) -> None:
    pair = {"nexudus_id": "1", "crm_id": "a"}
    keep(any_store, *(history(now - 500 * DAY, field=field, **pair) for field in ("title", "stage")), history(now))
    keep(any_store, conflict(now, state=state, closed_at=None, **pair))
    assert pruned(any_store, now) == 1
    assert [one.field for one in left(any_store, History)] == ["title", "title"]


def test_the_writes_beside_one_in_doubt_stay(any_store: Store, now: datetime) -> None:
    pair, old = {"nexudus_id": "1", "crm_id": "a"}, now - 70 * DAY
    doubt = journal(now, state="sent", done_at=None, **pair)
    keep(any_store, journal(old, **pair), journal(old, nexudus_id="2", crm_id="b"), doubt)
    assert pruned(any_store, now) == 1
    assert [one.id for one in left(any_store, Journal)] == [1, 3]


@pytest.mark.parametrize(("side", "record"), [("nexudus", "1"), ("crm", "a")])
def test_the_writes_of_a_record_without_a_counterpart_stay(
    any_store: Store, now: datetime, side: str, record: str
) -> None:
    keep(any_store, journal(now - 70 * DAY, nexudus_id="1", crm_id="a"), journal(now))
    keep(any_store, Unlinked(connection="london", side=side, record_id=record, state="waiting"))
    assert pruned(any_store, now) == 0


def test_the_writes_of_a_pair_that_went_to_another_connection_stay(any_store: Store, now: datetime) -> None:
    keep(any_store, Link(crm="c", connection="leeds", nexudus_id="1", crm_id="a", created_at=now))
    keep(any_store, journal(now - 70 * DAY, link_id=1), journal(now - 70 * DAY, link_id=1, connection="leeds"))
    keep(any_store, journal(now))
    assert pruned(any_store, now) == 1
    assert [one.connection for one in left(any_store, Journal)] == ["london", "london"]
