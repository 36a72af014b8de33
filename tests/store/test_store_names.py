"""What people know pairs and lone records by."""

from datetime import datetime

from nexudus_sync.store import Store, names
from nexudus_sync.store.ask import over
from nexudus_sync.store.names import Name
from nexudus_sync.store.tables import ConnectionState, Link, Unlinked


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
        assert names.names(over(session), [("london", *pair) for pair in asked]) == {
            ("london", "1", "a"): Name("Desk", "Ann", "", "ben@example.com"),
            ("london", "2", "b"): Name(),
            ("london", "3", ""): Name("Room", "eve@example.com"),
            ("london", "", "d"): Name("", "Dan"),
        }


def test_a_name_is_that_of_the_rows_own_crm(any_store: Store, now: datetime) -> None:
    with any_store.session() as session:
        session.add_all(
            ConnectionState(name=name, crm=crm) for name, crm in (("a/x", "a/c"), ("b/x", "b/c"), ("b/y", "b/c"))
        )
        session.add(Link(crm="a/c", connection="a/x", nexudus_id="1", crm_id="c", created_at=now, title="Of A"))
        session.add(Link(crm="b/c", connection="b/y", nexudus_id="1", crm_id="c", created_at=now, title="Of B"))
        session.add(Unlinked(connection="a/x", side="crm", record_id="d", customer="Ann of A"))
        session.add(Unlinked(connection="b/x", side="crm", record_id="d", customer="Ben of B"))
    asked = [
        ("a/x", "1", "c"),
        ("b/x", "1", "c"),
        ("b/y", "", "d"),
        ("c/x", "1", "c"),
        ("a/x", "1", ""),
        ("b/x", "", "c"),
    ]
    with any_store.read() as session:
        found = names.names(over(session), asked)
    assert found == {
        ("a/x", "1", "c"): Name("Of A"),
        ("b/x", "1", "c"): Name("Of B"),  # moved there from another connection to the same CRM
        ("b/y", "", "d"): Name("", "Ben of B"),
        ("a/x", "1", ""): Name("Of A"),
        ("b/x", "", "c"): Name("Of B"),
    }


def test_a_record_alone_that_has_a_counterpart_by_now_goes_by_the_pairs_name(any_store: Store, now: datetime) -> None:
    with any_store.session() as session:
        session.add(link(now, "1", "a", title="Desk"))
    with any_store.read() as session:
        found = names.names(over(session), [("london", "1", ""), ("london", "", "a")])
    assert found == {("london", "1", ""): Name("Desk"), ("london", "", "a"): Name("Desk")}


def test_any_number_of_pairs_may_be_asked_about(any_store: Store, now: datetime) -> None:
    with any_store.session() as session:
        session.add_all(link(now, str(number), f"c{number}", title=f"T{number}") for number in range(450))
    with any_store.read() as session:
        found = names.names(over(session), (("london", str(number), f"c{number}") for number in range(450)))
    assert [found["london", str(number), f"c{number}"].title for number in range(450)] == [
        f"T{number}" for number in range(450)
    ]
