import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.mapping import Context, Lens, Side, Table, Unreadable, parse

Making = Callable[[str], Lens]
PLAIN = Context()
ROWS = parse('[fields.x]\npath = "rows"\ntype = "rows"\nkey = "why"', "c.toml", Side.CRM).lenses["x"]


def test_the_value_is_the_text_of_the_lowest_row_by_idx_then_creation_then_id() -> None:
    unnumbered = {"why": "no idx", "id": "0"}
    second = {"why": "second", "idx": 2, "id": "a"}
    later = {"why": "later", "idx": 1, "created_at": "2024-01-02", "id": "a"}
    higher = {"why": "higher id", "idx": 1, "creation": "2024-01-01", "name": "z"}
    first = {"why": " first ", "idx": 1, "created_at": "2024-01-01", "id": "b"}
    raw = [unnumbered, second, later, higher, first]
    assert ROWS.read(raw, PLAIN) == "first"
    assert ROWS.all(raw, PLAIN) == ("first", "higher id", "later", "second", "no idx")


@pytest.mark.parametrize("key", ["id", "name"])
def test_of_rows_alike_the_one_with_the_lowest_id_or_name_is_the_first_and_one_without_comes_before_it(
    key: str,
) -> None:
    raw = [{"why": "b", key: "B2"}, {"why": "a", key: "B1"}, {"why": "none"}]
    assert ROWS.all(raw, PLAIN) == ("none", "a", "b")


def test_a_row_without_a_time_of_creation_comes_before_those_that_have_one() -> None:
    raw = [{"why": "dated", "created_at": "2024-01-01", "id": "a"}, {"why": "undated", "id": "b"}]
    assert ROWS.all(raw, PLAIN) == ("undated", "dated")


@pytest.mark.parametrize("raw", [None, [], "", [{"id": "a"}], [{"why": None}, {"why": " "}]])
def test_no_rows_or_none_with_text_are_blank(raw: Any) -> None:
    assert ROWS.read(raw, PLAIN) is None
    assert ROWS.all(raw, PLAIN) == ()


@pytest.mark.parametrize("raw", ["Price", [1], {"why": "Price"}, 7])
def test_what_is_no_list_of_rows_is_unreadable(raw: Any) -> None:
    with pytest.raises(Unreadable, match=re.escape(f"the CRM has {raw!r} in rows, which is not a list of rows")):
        ROWS.read(raw, PLAIN)


def test_writing_changes_the_first_rows_text_and_keeps_its_id_and_all_other_rows() -> None:
    raw = [{"id": "b", "idx": 2, "why": "Need"}, {"id": "a", "idx": 1, "why": "Price", "note": 1}]
    assert ROWS.write("Timing", raw, PLAIN) == [raw[0], {"id": "a", "idx": 1, "why": "Timing", "note": 1}]
    assert raw[1]["why"] == "Price"


def test_a_row_without_text_is_passed_over_unless_no_row_has_any() -> None:
    blank, said = {"id": "a", "idx": 1, "why": None}, {"id": "b", "idx": 2, "why": "Need"}
    assert ROWS.write("Price", [blank, said], PLAIN) == [blank, {**said, "why": "Price"}]
    assert ROWS.write("Price", [blank], PLAIN) == [{**blank, "why": "Price"}]


@pytest.mark.parametrize("raw", [None, [], ""])
def test_the_first_value_becomes_a_row_without_an_id(raw: Any) -> None:
    assert ROWS.write("Price", raw, PLAIN) == [{"why": "Price"}]


def test_a_blank_leaves_no_row_as_the_next_one_would_come_back() -> None:
    assert ROWS.write(None, [{"id": "a", "why": "Price"}, {"id": "b", "why": "Need"}], PLAIN) == []


def test_rows_may_have_a_value_table_and_a_list_of_names(lens: Making) -> None:
    made = lens('type = "rows"\nkey = "why"\n[fields.x.values]\n"Too dear" = ["Price"]')
    context = Context(directories={"V": Table((("Too dear", "Too dear"), ("Need", "Need")))})
    raw = [{"why": "Too dear"}, {"why": "Need"}]
    assert made.all(raw, context) == ("Price", "Need")
    assert made.write("Price", [], context) == [{"why": "Too dear"}]
    with pytest.raises(Unreadable, match=r"'Need' is not in n\.toml: fields\.x\.values"):
        made.all(raw, PLAIN)


TEXTS = st.one_of(st.none(), st.text(max_size=5))
LISTS = st.lists(
    st.fixed_dictionaries(
        {"why": TEXTS}, optional={"idx": st.integers(0, 3), "id": st.text(max_size=2), "created_at": TEXTS}
    ),
    max_size=4,
)


@given(raw=LISTS, text=st.sampled_from(["Price", "Lost momentum", "É"]))
@settings(max_examples=100)
def test_a_reason_put_is_the_reason_got_and_the_other_rows_are_carried(raw: list[dict[str, Any]], text: str) -> None:
    after = ROWS.write(text, raw, PLAIN)
    assert ROWS.read(after, PLAIN) == text
    if raw:
        assert sum(a is not b for a, b in zip(after, raw, strict=True)) == 1
