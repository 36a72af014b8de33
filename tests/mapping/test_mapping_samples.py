from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest

from nexudus_sync.mapping import Context, Lens, Table
from nexudus_sync.mapping.samples import EXAMPLE_STAGES, EXAMPLE_USERS, example_context, raws

Making = Callable[[str], Lens]
PLAIN = Context()
BLANKS = [None, "", " \t"]


@pytest.mark.parametrize(
    ("kind", "awkward"),
    [
        ("text", ["two\r\nlines\rthree", "straße", 7]),
        ("link", ["two\r\nlines\rthree", "straße", 7]),
        ("number", [10**15, "12", Decimal("3.0")]),
        ("decimal", [Decimal("0.005"), Decimal("-3.10"), "99.90"]),
        ("boolean", [True, 0, "False"]),
    ],
)
def test_the_awkward_values_of_its_own_type_and_the_blanks_are_tried(lens: Making, kind: str, awkward: object) -> None:
    tried = raws(lens(f'type = "{kind}"'), PLAIN)
    assert tried[:3] == BLANKS
    assert isinstance(awkward, list)
    assert [raw for raw in awkward if raw in tried[3:]] == awkward


@pytest.mark.parametrize("kind", ["day", "datetime"])
def test_every_day_of_two_years_is_tried_alone_and_with_a_time(lens: Making, kind: str) -> None:
    tried = [raw for raw in raws(lens(f'type = "{kind}"'), PLAIN)[3:] if str(raw)[:4] in {"2024", "2025"}]
    days = [(date(2024, 1, 1) + timedelta(days=offset)).isoformat() for offset in range(731)]
    assert [raw for raw in tried if len(raw) == 10] == days
    assert [raw[:10] for raw in tried if "T" in raw] == days
    assert {raw[10:] for raw in tried} >= {"T23:59:59Z", "T00:30:00Z", "T12:00:00+05:30", "T02:15:00"}


def test_a_table_is_tried_whole_its_numbers_in_both_spellings(lens: Making) -> None:
    made = lens('[fields.x.values]\n1 = "Open"\n"In talks" = "Quotation"\n-2 = "Gone"')
    assert raws(made, PLAIN) == [*BLANKS, "1", 1, "In talks", "-2"]


def test_a_list_is_tried_whole_beside_the_table(lens: Making) -> None:
    listed = Context(directories={"stage": Table(((101, "New"), (102, "Won")))})
    assert raws(lens('type = "stage"'), listed) == [*BLANKS, 101, 102]
    assert raws(lens('type = "stage"\n[fields.x.values]\nNew = "Open"'), listed) == [*BLANKS, "New", 101, 102]


def test_each_text_is_tried_as_the_only_row_and_as_the_first_of_several_out_of_order(lens: Making) -> None:
    made = lens('type = "rows"\nkey = "why"\n[fields.x.values]\n1 = "Price"')
    tried = raws(made, PLAIN)
    assert tried[:4] == [*BLANKS, []]
    assert tried[4:6] == tried[6:8]
    assert tried[4:6] == [
        [{"id": "r1", "idx": 1, "why": "1"}],
        [
            {"id": "r9", "created_at": "2024-01-02T09:00:00Z", "why": "Later"},
            {"id": "r2", "idx": 2, "why": "Other", "note": None},
            {"id": "r1", "idx": 1, "why": "1"},
        ],
    ]
    assert [{"id": "r1", "idx": 1, "why": "straße"}] in tried


def test_rows_of_a_list_are_tried_by_the_lists_names(lens: Making) -> None:
    context = Context(directories={"V": Table((("need", "Need"), (7, "Price")))})
    tried = raws(lens('type = "rows"\nkey = "why"'), context)
    assert [rows[0]["why"] for rows in tried[4:8:2]] == ["need", "7"]


@pytest.mark.parametrize(("kind", "names"), [("stage", EXAMPLE_STAGES), ("user", EXAMPLE_USERS)])
def test_made_up_names_stand_in_for_a_list_that_is_not_at_hand_behind_the_tables_own(
    lens: Making, kind: str, names: tuple[str, ...]
) -> None:
    other = Table(((1, "one"),))
    made = lens(f'type = "{kind}"\n[fields.x.values]\nMine = "Open"\n"{names[1]}" = "Won"')
    directory = made.kind.directory(example_context(made, Context(digits=3, directories={"V": other})))
    assert directory is not None
    assert directory.names() == ("Mine", names[1], names[0], *names[2:])
    assert (directory.raw("Mine"), directory.raw(names[0])) == (101, 103)
    context = example_context(made, Context(digits=3, directories={"V": other}))
    assert (context.digits, context.directories["V"]) == (3, other)


def test_made_up_names_stand_alone_where_there_is_no_table(lens: Making) -> None:
    directory = example_context(lens('type = "stage"'), PLAIN).directories["stage"]
    assert directory.names() == EXAMPLE_STAGES


def test_a_list_that_is_at_hand_or_not_needed_stays(lens: Making) -> None:
    listed = Context(directories={"stage": Table(((1, "New"),))})
    assert example_context(lens('type = "stage"'), listed) is listed
    assert example_context(lens(""), PLAIN) is PLAIN
