"""The lists: a table shows the newest and counts the rest, JSON has all unless a limit is given."""

import subprocess
import sys
from datetime import timedelta

import pytest
from cli_house import AT, House, conflict, failure, link

from nexudus_sync.cli import output
from nexudus_sync.store.tables import Conflict, Failure, History

LISTS = (("conflicts", "list"), ("failures", "list"), ("links", "list"), ("history",))
MANY = 260
"""More than two pages of a table."""


@pytest.fixture
def full(house: House) -> House:
    house.keep(
        *(link(n) for n in range(1, MANY + 1)),
        *(conflict(nexudus_id=str(n), base=f"b{n}") for n in range(1, MANY + 1)),
        *(failure(nexudus_id=str(n)) for n in range(1, MANY + 1)),
        *(
            History(at=AT + timedelta(minutes=n), connection="london", field="title", old="a", new="b", from_side="crm")
            for n in range(1, MANY + 1)
        ),
    )
    return house


@pytest.mark.parametrize("verb", LISTS)
def test_a_table_shows_the_newest_first_and_counts_the_rest(full: House, verb: tuple[str, ...]) -> None:
    out = full.run(*verb).out
    shown = [line.split()[0] for line in out.splitlines()[1:51]]
    assert shown == [str(n) for n in range(MANY, MANY - 50, -1)]
    assert f"{MANY - 50} more " in out
    assert "not shown; --limit N shows the newest N." in out


@pytest.mark.parametrize("verb", LISTS)
def test_a_limit_is_for_the_table_and_for_json(full: House, verb: tuple[str, ...]) -> None:
    out = full.run(*verb, "--limit", str(MANY)).out
    assert "not shown" not in out
    assert len(out.splitlines()) >= MANY + 1
    assert [one["id"] for one in full.run(*verb, "--json").json] == [str(n) for n in range(1, MANY + 1)]
    newest = full.run(*verb, "--json", "--limit", "2").json
    assert [one["id"] for one in newest] == [str(MANY - 1), str(MANY)]


def test_one_more_row_is_one(house: House) -> None:
    house.keep(link(1), link(2))
    assert "1 more link not shown" in house.run("links", "list", "--limit", "1").out
    assert "not shown" not in house.run("links", "list", "--limit", "2").out


def test_open_conflicts_come_before_resolved_ones(house: House) -> None:
    house.keep(conflict(), conflict(nexudus_id="2", state="resolved", take="crm"), conflict(nexudus_id="3"))
    lines = house.run("conflicts", "list").out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["3", "1", "2"]
    assert lines[3].endswith("resolved: the next cycle takes crm")
    out = house.run("conflicts", "list", "--limit", "2").out
    assert "1 more conflict not shown" in out


def test_the_columns_of_a_later_page_stand_under_those_of_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(n, "ab", "c") for n in range(output._PAGE)] + [(7, "longer", "d"), (8, "ab", "e")]
    output.print_table(("id", "word", "x"), iter(rows), right=("id",))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == " id  word  x"
    assert lines[200:] == ["199  ab    c", "  7  longer  d", "  8  ab    e"]


def test_a_narrow_terminal_gets_every_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    rows = [(n, "ab") for n in range(output._PAGE + 5)]
    output.print_table(("id", "word"), iter(rows))
    assert sum(line.endswith("ab") for line in capsys.readouterr().out.splitlines()) == output._PAGE + 5


OVERPLANE = 'connector = "overplane"'


@pytest.mark.processes
@pytest.mark.parametrize("other", ["", 'connector = "hubspot"\nportal_id = 12345678'])
def test_looking_loads_nothing_that_talks_to_a_system_or_a_database(full: House, other: str) -> None:
    """In a process of its own, since the tests have loaded all of it."""
    text = full.config.read_text(encoding="utf-8")
    full.write(text.replace(OVERPLANE, other or OVERPLANE))
    heavy = ("sqlalchemy", "sqlmodel", "httpx", "structlog", "asyncio", "nexudus_sync.engine", "nexudus_sync.mapping")
    looks = [("status",), ("inbox",), ("conflicts", "list", "--text", "b"), *LISTS]
    words = [*map(list, looks), *([*verb, "--json"] for verb in looks), *([*verb, "--csv"] for verb in LISTS)]
    code = f"""
import sys
from nexudus_sync.cli.app import app
for words in {words!r}:
    app(["--config", {str(full.config)!r}, *words], standalone_mode=False)
print("loaded:", [name for name in {heavy!r} if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize(("verb", "row"), [("conflicts", conflict()), ("failures", failure())])
def test_a_field_or_kind_that_nothing_has_is_answered_with_those_that_there_are(
    house: House, verb: str, row: Conflict | Failure
) -> None:
    house.keep(row)
    kinds = {"conflicts": "field", "failures": row.kind}
    out = house.run(verb, "list", "--field", "titel", "--kind", "overwriten").out
    one = verb.removesuffix("s")
    assert f"No {one} that waits has the field 'titel'; there is {row.field or 'none at all'}." in out
    assert f"No {one} that waits has the kind 'overwriten'; there is {kinds[verb]}." in out
    assert "that waits has" not in house.run(verb, "list", "--kind", kinds[verb]).out
