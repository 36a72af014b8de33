from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync import codec

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("7", 7),
        ("1.10", Decimal("1.10")),
        ("1e3", Decimal("1E+3")),
        ('"café"', "café"),
        ('{"b":1,"a":[true,"\\u00e9"]}', {"b": 1, "a": [True, "é"]}),
        (b'"caf\xc3\xa9"', "café"),
    ],
)
def test_json_is_read_with_money_as_decimals(text: str | bytes, value: Any) -> None:
    assert codec.loads(text) == value
    assert type(codec.loads(text)) is type(value)


def test_a_decimal_keeps_the_digits_it_has() -> None:
    assert str(codec.loads("1.10")) == "1.10"
    assert codec.dumps({"a": Decimal("1.10"), "b": Decimal(5)}) == '{"a":1.10,"b":5}'


def test_text_is_written_as_it_is_and_without_needless_space() -> None:
    assert codec.dumps({"name": "Zoë ₤", "list": [1, None, True]}) == '{"name":"Zoë ₤","list":[1,null,true]}'


def test_the_order_of_keys_is_kept_unless_sorting_is_asked_for() -> None:
    record = {"b": 1, "a": {"d": 2, "c": 3}}
    assert list(codec.loads('{"b":1,"a":2}')) == ["b", "a"]
    assert codec.dumps(record) == '{"b":1,"a":{"d":2,"c":3}}'
    assert codec.dumps(record, sort_keys=True) == '{"a":{"c":3,"d":2},"b":1}'


@pytest.mark.parametrize("text", ["", "<html></html>", '{"a":', '{"a":1} x', b"\xff"])
def test_what_is_not_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        codec.loads(text)


@settings(deadline=None)
@given(JSON)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert codec.loads(codec.dumps(value)) == value
