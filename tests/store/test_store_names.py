"""What people know pairs and lone records by."""

from datetime import datetime

from nexudus_sync.store import Store, names
from nexudus_sync.store.ask import over
from nexudus_sync.store.names import Name
from nexudus_sync.store.tables import Link, Unlinked


def link(now: datetime, nexudus_id: str, crm_id: str, **values: str) -> Link:
    return Link(crm="c", connection="london", nexudus_id=nexudus_id, crm_id=crm_id, created_at=now, **values)


def test_a_pair_goes_by_its_title_and_customer(any_store: Store, now: datetime) -> None:
    with any_store.session() as session:
        session.add(link(now, "1", "a", title="Desk", customer="Ann", crm_changed_by="ben@example.com"))
        session.add(link(now, "2", "b"))
        session.add(Unlinked(connection="london", side="nexudus", record_id="3", title="Room", email="eve@example.com"))
        session.add(Unlinked(connection="london", side="crm", record_id="d", customer="Dan"))
    with any_store.read() as session:
        asked = [("1", "a"), ("2", "b"), ("3", ""), ("", "d"), ("9", "z"), ("", "y")]
        assert names.names(over(session), asked) == {
            ("1", "a"): Name("Desk", "Ann", "", "ben@example.com"),
            ("2", "b"): Name(),
            ("3", ""): Name("Room", "eve@example.com"),
            ("", "d"): Name("", "Dan"),
        }


def test_a_record_alone_that_has_a_counterpart_by_now_goes_by_the_pairs_name(any_store: Store, now: datetime) -> None:
    with any_store.session() as session:
        session.add(link(now, "1", "a", title="Desk"))
    with any_store.read() as session:
        found = names.names(over(session), [("1", ""), ("", "a")])
    assert found == {("1", ""): Name("Desk"), ("", "a"): Name("Desk")}


def test_any_number_of_pairs_may_be_asked_about(any_store: Store, now: datetime) -> None:
    with any_store.session() as session:
        session.add_all(link(now, str(number), f"c{number}", title=f"T{number}") for number in range(450))
    with any_store.read() as session:
        found = names.names(over(session), ((str(number), f"c{number}") for number in range(450)))
    assert [found[str(number), f"c{number}"].title for number in range(450)] == [f"T{number}" for number in range(450)]
