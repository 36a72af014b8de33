from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync import codec

HUGE = ("1e999999999", "-1E-400", "0e999999999", "1e99999999999999999999")
"""Whoever writes one of these out, or makes a whole number of it, takes all memory and does not come back."""
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
        ("-1.5E+300", Decimal("-1.5E+300")),
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


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 5000, "-" + "9" * 5000, *HUGE])
def test_a_number_that_is_none_leaves_the_rest_readable_and_is_never_written(number: str) -> None:
    rows = codec.loads(f'[{{"id": 1, "amount": {number}}}, {{"id": 2, "amount": 2.50}}]')
    assert rows[1] == {"id": 2, "amount": Decimal("2.50")}
    with pytest.raises(ValueError, match="JSON compliant"):
        codec.dumps(rows[0])


@pytest.mark.parametrize("deep", ["[" * 20_000 + "]" * 20_000, '{"a":' * 20_000 + "1" + "}" * 20_000])
def test_what_is_nested_too_deeply_leaves_the_rest_readable(deep: str) -> None:
    rows = codec.loads(f'[{{"id": 1, "notes": {deep}, "x": "]["}}, {{"id": 2}}]')
    assert (rows[0]["id"], rows[0]["x"], rows[1]) == (1, "][", {"id": 2})


@pytest.mark.parametrize("text", ["[" * 20_000, "[" * 20_000 + "]" * 10, "{" * 5000, '"' + "\\" * 5001, "NaNa", ""])
def test_what_is_no_json_is_a_value_error_however_deep(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any is good
        codec.loads(text)


PLAIN = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.text() | st.decimals(allow_infinity=False)
NESTED = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.dictionaries(st.text(), PLAIN | NESTED), st.booleans())
def test_the_fast_way_writes_what_the_slow_way_does(record: dict[str, Any], sort_keys: bool) -> None:
    """Digests in the store were made of the slow way's text: another text would look like a change of every record."""
    try:
        slow = codec._dumps(record, sort_keys=sort_keys, ensure_ascii=False)
    except ValueError:
        with pytest.raises(ValueError, match=r"compliant|finite"):
            codec.dumps(record, sort_keys=sort_keys)
    else:
        assert codec.dumps(record, sort_keys=sort_keys) == slow


@pytest.mark.parametrize(
    "text",
    [
        "\u2028",
        "\u2029",
        "\x00\x1f\x7f",
        '/\\"',
        "\b\f\n\r\t",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ],
)
def test_odd_characters_are_written_alike_both_ways(text: str) -> None:
    assert codec.dumps({"a": text}) == codec._dumps({"a": text}, sort_keys=False, ensure_ascii=False)


@given(JSON)
def test_the_fast_way_reads_what_the_slow_way_does(value: Any) -> None:
    text = codec.dumps(value)
    assert repr(codec.loads(text)) == repr(codec._loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "1" * 30,
        "-" + "9" * 25,
        "1" * 5000,
        "[1e400]",
        "[-0]",
        "-0.0",
        "1E5",
        '{"a":1,"a":2}',
        "\ufeff{}",
        '"\\ud800"',
        "[NaN]",
    ],
)
def test_odd_json_is_read_alike_both_ways(text: str) -> None:
    def told(read: Any) -> str:
        try:
            return repr(read(text))
        except ValueError:
            return "refused"

    slow = told(lambda said: codec._loads(said, parse_int=codec._number))
    assert told(codec.loads) == slow
