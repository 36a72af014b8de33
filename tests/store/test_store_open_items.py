"""What waits about pairs is found whether few rows wait, which are looked through, or many, which are asked for."""

from datetime import datetime

import pytest

from nexudus_sync.store import Store, open_items
from nexudus_sync.store.tables import Conflict, Failure

PAIRS = [("1", "a"), ("2", "b"), ("3", ""), ("", "d")]


def keep(store: Store, now: datetime, *ids: tuple[str, str], connection: str = "london") -> None:
    with store.session() as session:
        for nexudus_id, crm_id in ids:
            named = {"connection": connection, "nexudus_id": nexudus_id, "crm_id": crm_id}
            session.add(Conflict(field="title", opened_at=now, **named))
            session.add(Failure(kind="refused", reason="no", first_at=now, last_at=now, **named))


@pytest.mark.parametrize("others", [0, 49, 60])
def test_each_pair_gets_what_names_it_and_no_other(others: int, any_store: Store, now: datetime) -> None:
    keep(any_store, now, *((f"x{number}", f"y{number}") for number in range(others)))
    keep(any_store, now, ("1", "a"), ("1", ""), ("", "b"), ("2", "other"), ("3", ""), ("", "d"))
    keep(any_store, now, ("1", "a"), connection="paris")
    with any_store.session() as session:
        found = open_items.about(session, "london", PAIRS)
        for items in (found[pair] for pair in PAIRS):
            assert [(one.nexudus_id, one.crm_id) for one in items.conflicts] == [
                (one.nexudus_id, one.crm_id) for one in items.failures
            ]
        named = {pair: sorted((one.nexudus_id, one.crm_id) for one in found[pair].conflicts) for pair in PAIRS}
    assert named == {
        ("1", "a"): [("1", ""), ("1", "a")],
        ("2", "b"): [("", "b")],
        ("3", ""): [("3", "")],
        ("", "d"): [("", "d")],
    }


@pytest.mark.parametrize("others", [0, 60])
def test_what_was_just_noted_in_the_transaction_is_found(others: int, any_store: Store, now: datetime) -> None:
    keep(any_store, now, *((f"x{number}", f"y{number}") for number in range(others)))
    with any_store.session() as session:
        session.add(Conflict(connection="london", nexudus_id="1", crm_id="a", field="title", opened_at=now))
        assert len(open_items.of_pair(session, "london", ("1", "a")).conflicts) == 1
