import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from nexudus_sync.mapping import Context, Lens, Table, Unmapped, Unreadable
from nexudus_sync.mapping.kinds import expect

Making = Callable[[str], Lens]
PLAIN = Context()


@pytest.mark.parametrize("kind", ["text", "number", "decimal", "boolean", "day", "datetime", "stage", "user"])
@pytest.mark.parametrize("raw", [None, "", " \t\n"])
def test_null_missing_empty_and_white_space_are_one_blank(lens: Making, kind: str, raw: Any) -> None:
    made = lens(f'type = "{kind}"')
    assert made.read(raw, PLAIN) is None
    assert made.get({}, PLAIN) is None
    assert made.write(None, "something", PLAIN) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  Meeting\rroom\r\nfor 8\r", "Meeting\nroom\nfor 8"),
        ("Cafe\u0301", "Caf\u00e9"),
        (7, "7"),
        (Decimal("1.50"), "1.50"),
    ],
)
def test_text_is_read_clean(lens: Making, raw: Any, expected: str) -> None:
    assert lens("").read(raw, PLAIN) == expected


@pytest.mark.parametrize("raw", [True, [], {"a": 1}, 1.5])
def test_what_is_no_text_is_unreadable_and_named(lens: Making, raw: Any) -> None:
    with pytest.raises(Unreadable, match=re.escape(f"Nexudus has {raw!r} in V, which is not text")):
        lens("").read(raw, PLAIN)


def test_a_long_unreadable_value_is_shown_shortened(lens: Making) -> None:
    with pytest.raises(Unreadable, match=r"^Nexudus has \['x{57}'… in V, which is not text$"):
        lens("").read(["x" * 57], PLAIN)


def test_an_unreadable_value_of_sixty_characters_is_shown_whole(lens: Making) -> None:
    with pytest.raises(Unreadable, match=r"^Nexudus has \['x{56}'\] in V, which is not text$"):
        lens("").read(["x" * 56], PLAIN)


def test_text_at_a_path_with_a_list_is_written_as_the_list_has_it(lens: Making) -> None:
    context = Context(directories={"V": Table((("PRO", "Prospecting"), ("Cafe\u0301", "Cafe\u0301")))})
    made = lens("")
    assert made.write("prospecting", None, context) == "PRO"
    assert made.read("PRO", context) == "Prospecting"
    assert made.write("caf\u00e9", None, context) == "Cafe\u0301"
    assert made.read("not in the list", context) == "not in the list"


class Growing:
    """A list that makes what it lacks, as ERPNext's may."""

    def name(self, raw: object) -> str | None:
        return None

    def raw(self, name: str) -> object | None:
        return name.upper()

    def names(self) -> tuple[str, ...]:
        return ()


def test_a_name_that_a_list_takes_without_showing_it_is_written_as_it_takes_it(lens: Making) -> None:
    assert lens("").write("Newsletter", None, Context(directories={"V": Growing()})) == "NEWSLETTER"


def test_a_name_the_list_lacks_is_refused_with_the_line_that_would_help(lens: Making) -> None:
    context = Context(directories={"V": Table((("p", "Prospecting"), ("q", "Qualification")))})
    with pytest.raises(Unmapped) as caught:
        lens("").write("Qualified", None, context)
    assert str(caught.value) == (
        "Nexudus has no value 'Qualified' for V; add it there, or to n.toml: fields.x.values a line like "
        'Qualification = ["Qualification", "Qualified"]'
    )


@pytest.mark.parametrize(
    ("raw", "digits", "expected"),
    [
        (10, 2, "10.00"),
        (Decimal("1234.5"), 2, "1234.50"),
        (Decimal("0.005"), 2, "0.01"),
        (Decimal("-0.005"), 2, "-0.01"),
        (" 99.90 ", 2, "99.90"),
        (Decimal("1500.50"), 0, "1501"),
        (Decimal("1.2345"), 3, "1.235"),
        (Decimal("1E+3"), 2, "1000.00"),
        (10**30 - 1, 3, f"{10**30 - 1}.000"),
    ],
)
def test_an_amount_is_read_in_the_currencys_minor_unit(lens: Making, raw: Any, digits: int, expected: str) -> None:
    read = lens('type = "decimal"').read(raw, Context(digits=digits))
    assert (str(read), type(read)) == (expected, Decimal)


@pytest.mark.parametrize("raw", [0, Decimal("0.00"), "0", Decimal("0.004"), Decimal("-0")])
def test_an_amount_of_zero_is_blank_unless_the_file_says_otherwise(lens: Making, raw: Any) -> None:
    assert lens('type = "decimal"').read(raw, PLAIN) is None
    assert lens('type = "decimal"\nzero_is_blank = false').read(raw, PLAIN) == 0


def test_an_amount_is_written_as_a_number_with_the_currencys_digits(lens: Making) -> None:
    written = lens('type = "decimal"').write(Decimal("12.345"), None, PLAIN)
    assert (str(written), type(written)) == ("12.35", Decimal)


@pytest.mark.parametrize("kind", ["decimal", "number"])
@pytest.mark.parametrize("raw", [True, "much", "1,50", "NaN", "-Infinity", [], 1.5, 10**30, Decimal("1E+999999")])
def test_garbage_is_no_number(lens: Making, kind: str, raw: Any) -> None:
    with pytest.raises(Unreadable, match=re.escape(f"Nexudus has {raw!r} in V, which is not a number")):
        lens(f'type = "{kind}"').read(raw, PLAIN)


@pytest.mark.parametrize(("raw", "expected"), [(3, 3), (0, 0), (Decimal("3.0"), 3), ("-12", -12)])
def test_a_whole_number_is_read_from_any_spelling_of_it(lens: Making, raw: Any, expected: int) -> None:
    read = lens('type = "number"').read(raw, PLAIN)
    assert (read, type(read)) == (expected, int)


def test_a_fraction_is_no_whole_number(lens: Making) -> None:
    with pytest.raises(Unreadable, match=r"Nexudus has Decimal\('1.5'\) in V, which is not a whole number"):
        lens('type = "number"').read(Decimal("1.5"), PLAIN)


def test_a_whole_number_is_written_as_a_number(lens: Making) -> None:
    assert lens('type = "number"').write(4, "3", PLAIN) == 4


@pytest.mark.parametrize(
    ("raw", "expected"), [(True, True), (1, True), ("True", True), (False, False), (0, False), ("0", False)]
)
def test_a_truth_value_is_read_from_either_spelling(lens: Making, raw: Any, expected: bool) -> None:
    assert lens('type = "boolean"').read(raw, PLAIN) is expected


def test_a_truth_value_is_written_as_a_number_where_it_was_one(lens: Making) -> None:
    made = lens('type = "boolean"')
    assert made.write(True, 0, PLAIN) is not True
    assert made.write(True, 0, PLAIN) == 1
    assert made.write(True, False, PLAIN) is True
    assert made.write(False, None, PLAIN) is False


@pytest.mark.parametrize("raw", ["perhaps", 2, []])
def test_anything_else_is_no_truth_value(lens: Making, raw: Any) -> None:
    with pytest.raises(Unreadable, match=re.escape(f"Nexudus has {raw!r} in V, which is not true or false")):
        lens('type = "boolean"').read(raw, PLAIN)


def test_a_stage_is_read_and_written_by_its_name(lens: Making, nexudus: Context) -> None:
    made = lens('type = "stage"')
    assert made.read(102, nexudus) == "Tour booked"
    assert made.write("tour BOOKED", None, nexudus) == 102


def test_a_stage_is_found_however_its_accents_are_composed(lens: Making, nexudus: Context) -> None:
    made = lens('type = "stage"')
    assert made.read(103, nexudus) == "Caf\u00e9 visit"
    assert made.write("Caf\u00e9 visit", None, nexudus) == 103


@pytest.mark.parametrize("raw", [999, [], "102"])
def test_a_stage_the_board_lacks_is_unreadable(lens: Making, nexudus: Context, raw: Any) -> None:
    with pytest.raises(Unreadable, match=re.escape(f"Nexudus has {raw!r} in V, which is not a known stage")):
        lens('type = "stage"').read(raw, nexudus)


def test_a_stage_name_the_board_lacks_is_unmapped_and_says_which_line_to_add(lens: Making, nexudus: Context) -> None:
    with pytest.raises(Unmapped) as caught:
        lens('type = "stage"').write("Tour done", None, nexudus)
    assert str(caught.value) == (
        "Nexudus has no stage 'Tour done' for V; add it there, or to n.toml: fields.x.values a line like "
        '"Tour booked" = ["Tour booked", "Tour done"]'
    )


def test_without_a_list_of_stages_none_can_be_read_or_written(lens: Making) -> None:
    made = lens('type = "stage"')
    with pytest.raises(Unreadable):
        made.read(102, PLAIN)
    with pytest.raises(Unmapped, match=r'a line like "…" = \["…", "Won"\]'):
        made.write("Won", None, PLAIN)


def test_a_user_is_an_e_mail_in_lower_case(lens: Making, nexudus: Context) -> None:
    made = lens('type = "user"')
    assert made.read(7, nexudus) == "sam@example.com"
    assert made.write("sam@example.com", None, nexudus) == 7
    assert made.read(" Guest@Example.com", nexudus) == "guest@example.com"


@pytest.mark.parametrize("raw", [99, "Sam"])
def test_a_user_nobody_knows_is_unreadable(lens: Making, nexudus: Context, raw: Any) -> None:
    with pytest.raises(Unreadable, match="which is not a known user"):
        lens('type = "user"').read(raw, nexudus)


def test_a_user_or_stage_without_a_name_is_blank(lens: Making) -> None:
    context = Context(directories={"user": Table(((5, " "),)), "stage": Table(((5, ""),))})
    assert lens('type = "user"').read(5, context) is None
    assert lens('type = "stage"').read(5, context) is None


def test_a_value_of_another_type_cannot_be_said() -> None:
    with pytest.raises(Unmapped, match=r"datetime\.date\(2024, 1, 1\) is not of type str"):
        expect(date(2024, 1, 1), str)
