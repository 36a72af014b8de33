from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store import Store
from nexudus_sync.store.journal import mark_confirmed, mark_dropped, mark_failed, mark_sent, pending, plan_write
from nexudus_sync.store.tables import Journal

SECOND = timedelta(seconds=1)


def plan(store: Store, now: datetime, connection: str = "london") -> int:
    with store.session() as session:
        write = plan_write(
            session,
            connection=connection,
            side=Side.CRM,
            kind="update",
            now=now,
            nexudus_id="1",
            fields={"title": "Desk"},
        )
    assert write.id is not None
    return write.id


def sent(store: Store, now: datetime) -> int:
    journal_id = plan(store, now)
    with store.session() as session:
        mark_sent(session, journal_id, now)
    return journal_id


def read(store: Store, journal_id: int) -> Journal:
    with store.read() as session:
        return session.get_one(Journal, journal_id)


def test_a_write_goes_from_planned_over_sent_to_confirmed(any_store: Store, now: datetime) -> None:
    journal_id = plan(any_store, now)
    assert read(any_store, journal_id).state == "planned"
    with any_store.session() as session:
        mark_sent(session, journal_id, now + SECOND)
    assert read(any_store, journal_id).state == "sent"
    with any_store.session() as session:
        mark_confirmed(session, journal_id, now + 2 * SECOND, "id b3c1")
    write = read(any_store, journal_id)
    assert (write.state, write.outcome, write.fields) == ("confirmed", "id b3c1", {"title": "Desk"})
    assert (write.planned_at, write.sent_at, write.done_at) == (now, now + SECOND, now + 2 * SECOND)


@pytest.mark.parametrize("make", [plan, sent])
@pytest.mark.parametrize(("mark", "state"), [(mark_failed, "failed"), (mark_dropped, "dropped")])
def test_a_write_can_fail_or_be_dropped_before_and_after_it_was_sent(
    make: Callable[[Store, datetime], int], mark: Callable[..., Journal], state: str, any_store: Store, now: datetime
) -> None:
    journal_id = make(any_store, now)
    with any_store.session() as session:
        mark(session, journal_id, now + SECOND, "why")
    write = read(any_store, journal_id)
    assert (write.state, write.outcome, write.done_at) == (state, "why", now + SECOND)


def test_a_write_is_sent_once(any_store: Store, now: datetime) -> None:
    journal_id = sent(any_store, now)
    with any_store.session() as session, pytest.raises(ValueError, match="journal row 1 is sent, not planned"):
        mark_sent(session, journal_id, now)


def test_a_write_that_was_not_sent_cannot_be_confirmed(any_store: Store, now: datetime) -> None:
    journal_id = plan(any_store, now)
    with any_store.session() as session, pytest.raises(ValueError, match="is planned, not sent"):
        mark_confirmed(session, journal_id, now)


@pytest.mark.parametrize("mark", [mark_sent, mark_confirmed, mark_failed, mark_dropped])
def test_a_settled_write_stays_as_it_is(mark: Callable[..., Journal], any_store: Store, now: datetime) -> None:
    journal_id = sent(any_store, now)
    with any_store.session() as session:
        mark_confirmed(session, journal_id, now)
        with pytest.raises(ValueError, match="is confirmed, not"):
            mark(session, journal_id, now)


def test_a_write_that_does_not_exist_cannot_be_marked(any_store: Store, now: datetime) -> None:
    with any_store.session() as session, pytest.raises(ValueError, match="journal row 9 is missing"):
        mark_sent(session, 9, now)


def test_pending_are_the_planned_and_the_sent_in_their_order(any_store: Store, now: datetime) -> None:
    first, done, second = sent(any_store, now), sent(any_store, now), plan(any_store, now)
    plan(any_store, now, "paris")
    with any_store.session() as session:
        mark_confirmed(session, done, now)
        assert [write.id for write in pending(session, "london")] == [first, second]
