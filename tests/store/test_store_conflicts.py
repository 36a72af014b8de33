from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import col, select

from nexudus_sync.store import Store
from nexudus_sync.store.conflicts import close_conflicts, conflicts, open_conflict
from nexudus_sync.store.tables import Conflict

LATER = timedelta(minutes=1)


def disagree(store: Store, now: datetime, nexudus: Any = "Desk", crm: Any = "Office", **more: Any) -> Conflict:
    key = {"connection": "london", "nexudus_id": "1", "crm_id": "a", "field": "title", "base": None, **more}
    with store.session() as session:
        return open_conflict(session, now=now, nexudus=nexudus, crm=crm, **key)


def resolve(store: Store, conflict: Conflict) -> None:
    with store.session() as session:
        session.add(conflict)
        conflict.state, conflict.take = "resolved", "crm"


def states(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.exec(select(Conflict.state).order_by(col(Conflict.id))))


def test_a_conflict_shown_again_is_the_same_one(any_store: Store, now: datetime) -> None:
    first = disagree(any_store, now, link_id=7, reason="both changed")
    again = disagree(any_store, now + LATER, crm="Suite", link_id=7)
    assert again.id == first.id
    assert (again.nexudus, again.crm, again.opened_at, again.reason) == ("Desk", "Suite", now, None)


@pytest.mark.parametrize("value", ["Office", Decimal("12.50"), ["Price", "Location"], ("Price", "Location"), None])
def test_a_resolution_holds_while_both_sides_say_what_was_shown(value: Any, any_store: Store, now: datetime) -> None:
    resolve(any_store, disagree(any_store, now, crm=value))
    kept = disagree(any_store, now + LATER, crm=value)
    assert (kept.state, kept.take) == ("resolved", "crm")


@pytest.mark.parametrize("moved", [{"nexudus": "Room"}, {"crm": "Room"}])
def test_a_resolution_falls_when_a_side_moved_on(moved: dict[str, str], any_store: Store, now: datetime) -> None:
    resolve(any_store, disagree(any_store, now))
    reopened = disagree(any_store, now + LATER, **moved)
    assert (reopened.state, reopened.take) == ("open", None)


def test_after_it_was_closed_the_same_disagreement_is_a_new_conflict(any_store: Store, now: datetime) -> None:
    first = disagree(any_store, now)
    with any_store.session() as session:
        assert close_conflicts(session, "london", "1", "a", now=now + LATER) == 1
    assert disagree(any_store, now + 2 * LATER).id != first.id
    assert states(any_store) == ["closed", "open"]
    with any_store.read() as session:
        assert conflicts(session, "closed")[0].closed_at == now + LATER


@pytest.mark.parametrize("other", ["connection", "field", "nexudus_id", "crm_id"])
def test_a_conflict_that_differs_in_its_key_is_another(other: str, any_store: Store, now: datetime) -> None:
    assert disagree(any_store, now).id != disagree(any_store, now, **{other: "other"}).id


def test_closing_takes_open_and_resolved_ones_that_name_either_record(any_store: Store, now: datetime) -> None:
    resolve(any_store, disagree(any_store, now))
    disagree(any_store, now, field="record", crm_id="")
    disagree(any_store, now, nexudus_id="", field="status")
    disagree(any_store, now, nexudus_id="2", crm_id="b")
    disagree(any_store, now, connection="paris")
    with any_store.session() as session:
        assert close_conflicts(session, "london", "1", "a", now=now) == 3
    assert states(any_store) == ["closed", "closed", "closed", "open", "open"]


def test_closing_leaves_what_is_asked_about_another_pair_whose_record_had_the_same_name(
    any_store: Store, now: datetime
) -> None:
    disagree(any_store, now, field="record", nexudus_id="1", crm_id="CRM-OPP-2026-00003")
    with any_store.session() as session:
        assert close_conflicts(session, "london", "2", "CRM-OPP-2026-00003", now=now) == 0
        assert close_conflicts(session, "london", "", "CRM-OPP-2026-00003", now=now) == 0
    assert states(any_store) == ["open"]


def test_closing_can_be_narrowed_to_fields(any_store: Store, now: datetime) -> None:
    disagree(any_store, now)
    disagree(any_store, now, field="status")
    with any_store.session() as session:
        assert close_conflicts(session, "london", "1", "a", now=now, fields={"status", "notes"}) == 1
        assert [row.field for row in conflicts(session)] == ["title"]


def test_conflicts_are_listed_by_state_and_connection_oldest_first(any_store: Store, now: datetime) -> None:
    disagree(any_store, now)
    disagree(any_store, now, connection="paris")
    resolve(any_store, disagree(any_store, now, field="status"))
    with any_store.read() as session:
        assert [row.connection for row in conflicts(session)] == ["london", "paris"]
        assert [row.connection for row in conflicts(session, connection="paris")] == ["paris"]
        assert [row.field for row in conflicts(session, "resolved")] == ["status"]
