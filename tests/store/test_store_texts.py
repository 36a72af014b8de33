"""Texts of any kind: each kind of store keeps, orders and finds them in the same way."""

from datetime import datetime
from typing import Any

import pytest
from sqlmodel import select

from nexudus_sync.store import Store, inbox, lists, past, search
from nexudus_sync.store.ask import Ask, over
from nexudus_sync.store.only import Only
from nexudus_sync.store.tables import Conflict, ConnectionState, Failure, History, Link, Unlinked

TITLES = ["École", "école", "ECOLE", "ecole", "Straße", "STRASSE", "100%", "1000", "a_b", "axb", "İ", "it's", 'a "b"']
NEEDLES = ["École", "école", "ECOLE", "ecole", "col", "straße", "STRASSE", "0%", "_", "İ", "i", "'", '"', ":text", "%s"]


@pytest.fixture
def filled(any_store: Store, now: datetime) -> Store:
    """One of everything that is searched, for each of the titles."""
    with any_store.session() as session:
        session.add(ConnectionState(name="london", crm="erp"))
        for number, title in enumerate(TITLES):
            ids = {"connection": "london", "nexudus_id": str(number), "crm_id": f"C{number}"}
            session.add(Link(crm="erp", title=title, customer=title[::-1], created_at=now, **ids))
            session.add(Unlinked(connection="london", side="crm", record_id=title, title=title))
            session.add(History(at=now, field=title, old=title, new=None, from_side="crm", **ids))
            session.add(Conflict(field=title, nexudus=title, crm=1, opened_at=now, **ids))
            session.add(Failure(kind="refused", reason=title, field=title, first_at=now, last_at=now, **ids))
    return any_store


def found(ask: Ask, needle: str) -> dict[str, Any]:
    """What each of the searches finds, by the title that it was made with."""
    only = Only(text=needle)
    return {
        "records": [one.title for one in search.records(ask, ("london",), needle, 50)],
        "history": [one.field for one in past.page(ask, past.Filter(("london",), text=needle))],
        "inbox": [(one.what, one.field) for one in inbox.page(ask, inbox.Filter(("london",), text=needle))],
        "conflicts": [one.field for one in lists.conflicts(ask, ["london"], only=only).oldest_first()],
        "failures": [one.field for one in lists.failures(ask, ["london"], only=only).oldest_first()],
    }


def folded(text: str) -> str:
    """With ASCII's letters in lower case, and no others."""
    return "".join(char.lower() if char.isascii() else char for char in text)


@pytest.mark.parametrize("needle", NEEDLES)
def test_a_text_is_found_whatever_the_case_of_its_ascii_letters(filled: Store, needle: str) -> None:
    with filled.read() as session:
        told = found(over(session), needle)
    linked = [one for one in TITLES if folded(needle) in folded(one)]
    assert {one for one in told["records"] if one in linked} == set(linked)
    values = [one for one in reversed(TITLES) if folded(needle) in folded(one).replace('"', '\\"')]
    assert [one for one in told["history"] if one in values] == values
    assert set(linked) <= set(told["failures"])
    assert set(linked) <= set(told["conflicts"])
    assert {("failure", one) for one in linked} <= set(told["inbox"])


def test_lists_are_in_the_order_of_the_bytes(filled: Store) -> None:
    with filled.read() as session:
        assert past.fields(over(session), ("london",)) == sorted(TITLES, key=str.encode)
        assert lists.waits_with(over(session), "failure", "field", ["london"]) == sorted(TITLES, key=str.encode)
        assert list(session.exec(select(Link.title).order_by(Link.title))) == sorted(TITLES, key=str.encode)


@pytest.mark.parametrize(
    "text", ["a\0b", "\0", "\U0010fffe", "😀", "x" * 3_000_000, " trailing ", "\r\n\t", "$1 %s :a"]
)
def test_a_text_is_kept_as_it_is(any_store: Store, text: str) -> None:
    with any_store.session() as session:
        session.add(Unlinked(connection="london", side="crm", record_id="1", title=text, reason=text))
    with any_store.read() as session:
        assert session.exec(select(Unlinked).where(Unlinked.reason == text)).one().title == text
        assert [row[0] for row in over(session)("SELECT title FROM unlinked WHERE title = :text", {"text": text})] == [
            text
        ]
