"""Lists of any length: a table shows the newest and counts the rest; JSON has all unless it is limited."""

from collections.abc import Callable

import pytest
from cli_house import House, conflict, failure, link
from sqlmodel import SQLModel

from nexudus_sync.cli.output import LIMIT

LISTS = pytest.mark.parametrize(
    ("verb", "row", "word"),
    [
        ("conflicts", lambda number: conflict(field=f"field{number}"), "conflicts"),
        ("failures", lambda number: failure(field=f"field{number}"), "failures"),
        ("links", link, "links"),
    ],
)
Row = Callable[[int], SQLModel]


def ids(out: str) -> list[int]:
    """The first column of the lines of a table."""
    return [int(line.split()[0]) for line in out.splitlines() if line.split()[:1] and line.split()[0].isdecimal()]


@LISTS
def test_a_table_shows_the_newest_and_counts_the_rest(house: House, verb: str, row: Row, word: str) -> None:
    house.keep(*map(row, range(1, LIMIT + 13)))
    ended = house.run(verb, "list")
    assert ids(ended.out) == list(range(LIMIT + 12, 12, -1))
    assert f"… and 12 older; all {LIMIT + 12} {word}: --limit {LIMIT + 12} or --json." in ended.out


@LISTS
def test_a_limit_says_how_many_the_table_shows(house: House, verb: str, row: Row, word: str) -> None:
    house.keep(*map(row, range(1, 8)))
    assert ids(house.run(verb, "list", "--limit", "3").out) == [7, 6, 5]
    assert "older" not in house.run(verb, "list", "--limit", "7").out


@LISTS
def test_json_has_all_oldest_first_and_with_a_limit_the_newest(house: House, verb: str, row: Row, word: str) -> None:
    house.keep(*map(row, range(1, LIMIT + 13)))
    assert [int(one["id"]) for one in house.run(verb, "list", "--json").json] == list(range(1, LIMIT + 13))
    assert [one["id"] for one in house.run(verb, "list", "--json", "--limit", "2").json] == ["62", "61"]


@LISTS
def test_an_empty_list_is_one_line_and_empty_json(house: House, verb: str, row: Row, word: str) -> None:
    house.keep()
    assert len(house.run(verb, "list").out.splitlines()) == 1
    assert house.run(verb, "list", "--json").json == []


def test_an_answered_conflict_counts_in_the_table_but_not_in_json(house: House) -> None:
    house.keep(
        conflict(field="a", state="resolved", take="crm"), conflict(field="b"), conflict(field="c", state="closed")
    )
    assert ids(house.run("conflicts", "list").out) == [2, 1]
    assert "and 1 older; all 2 conflicts" in house.run("conflicts", "list", "--limit", "1").out
    assert [one["field"] for one in house.run("conflicts", "list", "--json").json] == ["b"]


@LISTS
def test_a_limit_of_nothing_is_refused_in_one_line(house: House, verb: str, row: Row, word: str) -> None:
    ended = house.run(verb, "list", "--limit", "0")
    assert ended.code == 2
    assert "--limit" in ended.err
