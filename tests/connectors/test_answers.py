"""An answer is compared with what was asked for, as the system compares ids."""

from decimal import Decimal

import pytest

from nexudus_sync.connectors.answers import (
    expect,
    expect_children,
    expect_party,
    expect_reply,
    same_id,
    same_identity,
)
from nexudus_sync.connectors.rows import is_id, readable
from nexudus_sync.errors import AnotherRecord, AnsweredForAnother, OutcomeUnknown, Unavailable


@pytest.mark.parametrize(
    ("asked", "told", "fold", "same"),
    [
        ("7", 7, False, True),
        (7, "7", False, True),
        (7, Decimal("7.0"), False, True),
        ("7", Decimal("7.5"), False, False),
        ("7", 70, False, False),
        ("opp_A", "opp_a", False, False),
        ("CRM-OPP-1", "crm-opp-1 ", True, True),
        ("CRM-OPP-1", "CRM-OPP-10", True, False),
        ("7", None, False, False),
        ("7", [7], False, False),
    ],
)
def test_ids_are_compared_as_the_system_compares_them(asked: object, told: object, fold: bool, same: bool) -> None:
    assert same_id(asked, told, fold=fold) is same


def test_an_identity_that_is_not_known_differs_from_nothing() -> None:
    assert same_identity("", "x")
    assert same_identity("x", "")
    assert not same_identity("x", "y")


def test_another_record_is_named_with_the_one_that_was_asked_for() -> None:
    with pytest.raises(
        AnotherRecord, match=r"^nexudus 7: the answer is about another record, 8; it was ignored"
    ) as told:
        expect("nexudus", 7, 8)
    assert (told.value.record, told.value.told) == ("7", "8")
    expect("nexudus", 7, "7")


def test_a_reply_about_another_record_is_an_unknown_outcome_and_one_without_an_id_is_fine() -> None:
    with pytest.raises(OutcomeUnknown, match=r"^overplane a: the reply to a write is about another record, b; the"):
        expect_reply("overplane", "a", "b")
    expect_reply("overplane", "a", None)
    expect_reply("overplane", "a", "a")


def test_child_rows_name_the_parent_they_were_asked_for() -> None:
    expect_children("erpnext", "CRM-1", [{"parent": "crm-1"}, {"name": "of an old version"}], "parent", fold=True)
    with pytest.raises(AnotherRecord):
        expect_children("erpnext", "CRM-1", [{"parent": "CRM-1"}, {"parent": "CRM-2"}], "parent", fold=True)


def test_a_new_party_has_the_address_it_was_created_with() -> None:
    expect_party("overplane", "zoe@example.com", "Zoe@Example.com")
    expect_party("overplane", "zoe@example.com", None)
    with pytest.raises(AnsweredForAnother):
        expect_party("overplane", "zoe@example.com", "ann@example.com")


@pytest.mark.parametrize("odd_id", [None, ["x"], {}, 1.5, "", "half \ud83d"])
def test_a_list_of_one_row_without_a_usable_id_is_a_list(odd_id: object) -> None:
    assert readable([{"id": odd_id, "title": "x"}], "id", "the list", "crm", is_id) == ([], 1)


@pytest.mark.parametrize("listed", ["text", 7, {}, ["id"], [{"title": "x"}], [None]])
def test_a_list_of_other_things_is_none(listed: object) -> None:
    with pytest.raises(Unavailable, match="the list was answered with something that is not a list"):
        readable(listed, "id", "the list", "crm", is_id)
