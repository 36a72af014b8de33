"""`mapping check` and `mapping show` work on files alone."""

from pathlib import Path

import pytest
from cli_house import CONFIG, SECOND, House
from typer.testing import CliRunner

from nexudus_sync.cli.app import app
from nexudus_sync.mapping import laws
from nexudus_sync.mapping.laws import Finding

SHIPPED = Path(__file__).parents[2] / "mappings"


def test_the_shipped_mappings_are_looked_at_where_nothing_is_configured(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.folder)
    house.config.rename(house.folder / "other.toml")
    ended = CliRunner().invoke(app, ["mapping", "check"])
    assert ended.exit_code == 0
    assert "nexudus ⇄ overplane:" in ended.stdout


def test_each_configured_connection_is_looked_at(house: House) -> None:
    house.write(CONFIG + SECOND)
    out = house.run("mapping", "check").out
    assert "london:" in out
    assert "madrid:" in out
    assert "0 failed" in out


def test_a_configuration_that_is_named_has_to_be_there(house: House) -> None:
    house.config.unlink()
    assert house.run("mapping", "check").code == 2


def test_a_broken_law_is_2_with_the_field_and_the_law(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laws, "check", lambda *_: [Finding("fail", "title", "GetPut", "writing back 'x' changes 'y'")])
    ended = house.run("mapping", "check")
    assert ended.code == 2
    assert "✗  title  written back unchanged  writing back 'x' changes 'y'" in ended.out
    assert "1 failed" in ended.out


def test_files_can_be_given_whatever_is_configured(house: House) -> None:
    ended = house.run("mapping", "check", "--crm", str(SHIPPED / "overplane.toml"))
    assert ended.code == 0
    assert "nexudus ⇄ overplane:" in ended.out
    assert house.run("mapping", "check", "--crm", str(house.folder / "none.toml")).code == 2


STAGE = '[fields.sales_stage]\npath = "{path}"\n{more}[fields.sales_stage.values]\n{lines}\n'


@pytest.mark.parametrize(
    ("nexudus", "crm", "told"),
    [
        ("", '"Qualification" = "Besichtigung"\n"Prospecting" = "New lead"', []),
        ('"Tour booked" = "Viewing"', '"Qualification" = "Viewing"\n"Prospecting" = "New lead"', []),
        ('"Tour booked" = "Viewing"\n"Won" = "Gone"', '"Qualification" = "Viewing"', ["Nexudus's 'Gone' cannot cross"]),
    ],
)
def test_only_stages_that_the_files_name_are_warned_of(house: House, nexudus: str, crm: str, told: list[str]) -> None:
    more = 'type = "stage"\nrequired = true\n'
    files = {
        "--nexudus": STAGE.format(path="CrmBoardColumnId", more=more, lines=nexudus),
        "--crm": STAGE.format(path="sales_stage", more="", lines=crm),
    }
    words = []
    for option, text in files.items():
        file = house.folder / f"{option[2:]}.toml"
        file.write_text(text.replace("[fields.sales_stage.values]\n\n", ""), encoding="utf-8")
        words += [option, str(file)]
    ended = house.run("mapping", "check", *words)
    assert ended.code == 0
    warnings = [line for line in ended.out.splitlines() if line.startswith("!")]
    assert len(warnings) == len(told)
    assert all(text in line for text, line in zip(told, warnings, strict=True))


def test_the_table_shows_both_sides_rules_and_values(house: House) -> None:
    out = house.run("mapping", "show").out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert rows["sales_stage"] == ["CrmBoardColumnId", "sales_stage", "stage", "manual"]
    assert rows["title"] == ["Name", "title", "–", "newest", "wins"]
    assert rows["notes"] == ["Notes", "–", "–", "stays"]
    assert "Open, Quotation, Replied" in out


def test_rules_that_differ_from_the_usual_are_shown(house: House) -> None:
    text = (SHIPPED / "overplane.toml").read_text(encoding="utf-8")
    one_way = text.replace('path = "title"', 'path = "title"\nsync = "from-nexudus"\non_unmapped = "skip"')
    (house.folder / "one.toml").write_text(one_way, encoding="utf-8")
    out = house.run("mapping", "show", "--crm", str(house.folder / "one.toml")).out
    assert "from-nexudus, skip" in out
