from datetime import datetime

import pytest
from sqlmodel import Session

from nexudus_sync.errors import StoreError
from nexudus_sync.mapping.sides import Side
from nexudus_sync.store import Store
from nexudus_sync.store.records import Remembered, connection_state, link_by, links, remembered
from nexudus_sync.store.tables import Link, Unlinked


def link(now: datetime, nexudus_id: str, crm_id: str, **more: object) -> Link:
    return Link(
        **{
            "crm": "overplane",
            "connection": "london",
            "nexudus_id": nexudus_id,
            "crm_id": crm_id,
            "nexudus_stamp": f"n{nexudus_id}",
            "crm_stamp": f"c{crm_id}",
            "created_at": now,
            **more,
        }
    )


def add(store: Store, *rows: Link | Unlinked) -> None:
    with store.session() as session:
        session.add_all(rows)


def found(session: Session, **asked: str) -> str | None:
    row = link_by(session, "overplane", **asked)
    return row and row.nexudus_id


def test_a_connections_state_is_made_once_and_kept(any_store: Store) -> None:
    with any_store.session() as session:
        connection_state(session, "london", "overplane").cycles += 1
    with any_store.session() as session:
        assert connection_state(session, "london", "overplane").cycles == 1


def test_a_connection_that_changes_its_crm_is_refused(any_store: Store) -> None:
    with any_store.session() as session:
        connection_state(session, "london", "overplane")
        with pytest.raises(
            StoreError, match=r"^connection london: the store knows it with crm 'overplane', not 'other'"
        ):
            connection_state(session, "london", "other")


def test_links_are_those_of_the_connection_in_the_states_asked_for(any_store: Store, now: datetime) -> None:
    add(
        any_store,
        link(now, "1", "a"),
        link(now, "2", "b", state="sleeping"),
        link(now, "3", "c", connection="paris"),
        link(now, "4", "d", state="closed"),
        link(now, "5", "e", nexudus_snapshot={"Name": "Desk"}),
    )
    with any_store.read() as session:
        active = links(session, "london")
        assert [row.nexudus_id for row in active] == ["1", "5"]
        assert active[1].nexudus_snapshot == {"Name": "Desk"}
        assert [row.nexudus_id for row in links(session, "london", ("sleeping", "closed"))] == ["2", "4"]


def test_a_link_is_found_by_either_record_in_any_connection_of_the_crm(any_store: Store, now: datetime) -> None:
    add(any_store, link(now, "1", "a", connection="paris", state="sleeping"), link(now, "2", "b", crm="other"))
    with any_store.read() as session:
        assert found(session, nexudus_id="1") == "1"
        assert found(session, crm_id="a") == "1"
        assert found(session, nexudus_id="1", crm_id="a") == "1"
        assert found(session, nexudus_id="1", crm_id="b") is None
        assert found(session, nexudus_id="2") is None
        assert found(session) is None


def test_of_several_records_that_bore_one_crm_id_the_one_in_force_is_found(any_store: Store, now: datetime) -> None:
    add(
        any_store,
        link(now, "1", "a", crm_identity="monday", state="closed"),
        link(now, "2", "a", crm_identity="tuesday"),
        link(now, "3", "a", crm_identity="wednesday", state="closed"),
        link(now, "4", "b", crm_identity="monday", state="closed"),
        link(now, "5", "b", crm_identity="tuesday", state="closed"),
    )
    with any_store.read() as session:
        assert found(session, crm_id="a") == "2"
        assert found(session, crm_id="a", crm_identity="monday") == "1"
        assert found(session, crm_id="a", crm_identity="sunday") is None
        assert found(session, crm_id="b") == "5"
        assert found(session, crm_identity="tuesday") is None


def test_every_record_of_a_side_is_remembered_linked_or_not(any_store: Store, now: datetime) -> None:
    add(
        any_store,
        link(now, "1", "a", nexudus_digest="d1", crm_identity="monday", nexudus_recheck=True),
        link(now, "2", "b", state="closed"),
        link(now, "3", "c", connection="paris"),
        link(now, "4", "d", crm="other"),
        Unlinked(connection="london", side="nexudus", record_id="5", stamp="n5", digest="d5", state="refused"),
        Unlinked(connection="london", side="crm", record_id="e", stamp="ce", identity="monday", recheck=True),
        Unlinked(connection="paris", side="crm", record_id="f"),
    )
    with any_store.read() as session:
        assert remembered(session, "overplane", "london", Side.NEXUDUS).known == {
            "1": Remembered(1, "n1", "d1", True, "active", "london"),
            "2": Remembered(2, "n2", "", False, "closed", "london"),
            "3": Remembered(3, "n3", "", False, "active", "paris"),
            "5": Remembered(None, "n5", "d5", False, "refused", "london"),
        }
        assert remembered(session, "overplane", "london", Side.CRM).known == {
            "a": Remembered(1, "ca", "", False, "active", "london", "monday"),
            "b": Remembered(2, "cb", "", False, "closed", "london"),
            "c": Remembered(3, "cc", "", False, "active", "paris"),
            "e": Remembered(None, "ce", "", True, "waiting", "london", "monday"),
        }
        some = remembered(session, "overplane", "london", Side.CRM, ["c", "e", "x"])
    assert (some.known.keys(), some.alone.keys()) == ({"c", "e"}, {"e"})


def test_the_record_that_bears_an_id_now_is_the_one_remembered(any_store: Store, now: datetime) -> None:
    waiting = {"connection": "london", "side": "crm", "stamp": "new"}
    add(
        any_store,
        link(now, "1", "a", crm_identity="old", state="closed"),
        Unlinked(record_id="a", **waiting),
        link(now, "2", "b", crm_identity="new"),
        link(now, "3", "b", crm_identity="old", state="closed"),
        Unlinked(record_id="b", **waiting),
    )
    with any_store.read() as session:
        seen = remembered(session, "overplane", "london", Side.CRM).known
    assert {record: row.link_id for record, row in seen.items()} == {"a": None, "b": 2}


@pytest.mark.parametrize("state", ["active", "sleeping", "closed"])
def test_a_link_whose_id_a_younger_link_goes_by_was_replaced(state: str, any_store: Store, now: datetime) -> None:
    add(
        any_store,
        link(now, "1", "a"),
        link(now, "2", "b", connection="paris"),
        link(now, "3", "c", state="sleeping"),
        link(now, "4", "a", connection="paris", state=state, crm_identity="young"),
        link(now, "5", "b", crm_identity="young"),
        link(now, "6", "c", crm_identity="young"),
        link(now, "7", "a", crm="other"),
    )
    with any_store.read() as session:
        replaced = remembered(session, "overplane", "london", Side.CRM).replaced
    assert replaced == (set() if state == "closed" else {1})
