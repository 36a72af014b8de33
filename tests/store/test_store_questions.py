from datetime import datetime, timedelta
from typing import Any

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store import Store, brakes, decisions, history, journal, records, unlinked
from nexudus_sync.store.ask import over
from nexudus_sync.store.in_memory import copy_of
from nexudus_sync.store.status import progress_of
from nexudus_sync.store.tables import Brake, Decision, History, Journal, Unlinked


def add(store: Store, *rows: Any) -> None:
    with store.session() as session:
        records.connection_state(session, "london", "overplane")
        session.add_all(rows)


def alone(record_id: str, **more: Any) -> Unlinked:
    return Unlinked(**{"connection": "london", "side": "crm", "record_id": record_id, **more})


def create(now: datetime, **more: Any) -> Journal:
    return Journal(**{"connection": "london", "side": "crm", "kind": journal.CREATE, "planned_at": now, **more})


def test_records_without_an_address_look_like_an_attempt_without_one(any_store: Store) -> None:
    add(any_store, alone("A"), alone("B", email="ana@example.com"), alone("C", email="bo@example.com", title="Desk"))
    with any_store.read() as session:
        like = unlinked.looking_like(session, "overplane", Side.CRM, title="Desk", email=None, keys=[])
        other = unlinked.looking_like(session, "overplane", Side.CRM, title="", email="ana@example.com", keys=[])
        assert unlinked.looking_like(session, "erpnext", Side.CRM, title="Desk", email=None, keys=[]) == []
    assert [{one.record_id for one in found} for found in (like, other)] == [{"A", "C"}, {"B"}]


def test_a_create_that_was_dropped_without_a_look_is_not_lost(any_store: Store, now: datetime) -> None:
    add(
        any_store,
        create(now, state="dropped"),
        create(now, state="dropped", looks=2, nexudus_id="1"),
        create(now, state="dropped", nexudus_id="2", crm_id="B"),
        create(now, state="sent", nexudus_id="3"),
        create(now, state="confirmed", nexudus_id="4", crm_id="D"),
    )
    with any_store.read() as session:
        assert [one.nexudus_id for one in journal.lost_creates(session, "overplane")] == ["1", "2", "3"]
        assert journal.count_created(session, "london") == 1


def test_a_brake_speaks_for_its_links_until_it_is_gone(any_store: Store, now: datetime) -> None:
    states = {"set": [1], "released": [2], "passed": [3], "gone": [4], "judging": [5]}
    add(
        any_store,
        *(Brake(connection="london", name="x", evidence="", set_at=now, state=s, links=states[s]) for s in states),
    )
    with any_store.read() as session:
        assert brakes.links_spoken_for(session, "london", ["x"]) == {1, 2, 3}
        assert brakes.links_spoken_for(session, "london", ["y"]) == set()
        assert [one.links for one in brakes.in_state(session, "london", "judging")] == [[5]]
        assert brakes.was_answered(session, "london", "x")


def test_the_newest_of_the_history_come_oldest_first(any_store: Store, now: datetime) -> None:
    rows = [
        History(at=now + timedelta(hours=n), connection="london", field="title", from_side="crm", nexudus_id=str(n % 2))
        for n in range(4)
    ]
    add(any_store, *rows)
    with any_store.read() as session:
        newest = history.newest(session, ["london"], None, 3)
        assert [one.at for one in newest] == [row.at for row in rows[1:]]
        assert history.last_after(session, newest[0]) == newest[2]
        assert history.last_after(session, newest[2]) is None
        assert history.written_since(session, newest[0], newest[2].at + timedelta(seconds=1)) == []


def test_a_decision_waits_until_it_is_done(any_store: Store, now: datetime) -> None:
    open_, done = (Decision(connection="london", kind="undo", asked_at=now) for _ in range(2))
    done.done_at, done.outcome = now + timedelta(hours=1), decisions.BROUGHT_BACK
    add(any_store, open_, done)
    with any_store.read() as session:
        assert (decisions.waiting(session, "london"), progress_of(over(session), "london").decisions) == ([open_], 1)
        assert decisions.carried_out(session, "london", now) == [done]
        assert decisions.carried_out(session, "london", now + timedelta(hours=2)) == []


def test_what_is_done_to_a_copy_leaves_the_store_alone(any_store: Store) -> None:
    add(any_store, alone("A", state="old"))
    copy = copy_of(any_store, "london")
    with copy.session() as session:
        unlinked.take_up_again(session, "london", "old")
    found = []
    for store in (any_store, copy):
        with store.read() as session:
            found.append(progress_of(over(session), "london").alone)
    copy.close()
    assert found == [{"old": 1}, {"waiting": 1}]
