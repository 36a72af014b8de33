"""What stops a first run before it makes a second set of all records."""

import re
import signal
import stat
from pathlib import Path

import pytest
from cli_house import House, link

from nexudus_sandbox.world import Sandbox
from nexudus_sync.cli import sync as sync_module
from nexudus_sync.engine.match import no_pairs
from nexudus_sync.store.tables import Brake, Fact, Journal, Link


@pytest.fixture
def mistyped(sandboxed: House) -> House:
    """A house whose connection names a company with one letter too many."""
    text = sandboxed.config.read_text(encoding="utf-8")
    sandboxed.write(text.replace('company = "', 'company = "x'))
    return sandboxed


@pytest.mark.parametrize("verb", [("check",), ("plan",), ("backfill", "--yes"), ("sync",)])
def test_a_mistyped_company_stops_every_verb_and_the_names_there_are_are_told(
    mistyped: House, world: Sandbox, verb: tuple[str, ...]
) -> None:
    ended = mistyped.run(*verb)
    assert ended.code == 2
    assert 'no opportunity carries "x' in ended.err
    assert f'"{world.seeded.places.london.company}"' in ended.err
    assert "new_company = true" in ended.err
    assert mistyped.rows(Journal) == []


def test_the_line_names_file_and_key(mistyped: House) -> None:
    told = mistyped.run("sync").err
    assert re.search(r"config\.toml:[0-9]+: connection\[0\]\.company: no opportunity carries", told)


def test_a_company_that_is_to_be_new_passes(mistyped: House) -> None:
    mistyped.write(mistyped.config.read_text(encoding="utf-8") + "new_company = true\n")
    assert mistyped.run("check").code == 0
    assert mistyped.run("plan").code == 0


WRONG_SCOPES = [
    ("{ business_id = 1099 }", "", "scope: this login sees no location 1099 with a board"),
    ("{ board_id = 99 }", "", "scope: this login sees no board 99"),
    ("{ business_id = 1001 }", 'allow_stages = ["Welcome mail", "Wellcome"]', "allow_stages: no board"),
]


@pytest.mark.parametrize("verb", [("check",), ("backfill", "--yes"), ("sync",)])
@pytest.mark.parametrize(("scope", "key", "told"), WRONG_SCOPES)
def test_what_a_scope_names_and_nexudus_lacks_stops_check_and_what_writes_alike(
    sandboxed: House, verb: tuple[str, ...], scope: str, key: str, told: str
) -> None:
    text = sandboxed.config.read_text(encoding="utf-8").replace("{ business_id = 1001 }", scope)
    sandboxed.write(f"{text}{key}\n")
    ended = sandboxed.run(*verb)
    assert (ended.code, told in ended.err) == (2, True), ended.err
    assert "None" not in ended.err
    assert sandboxed.rows(Journal) == []


def test_a_stage_that_goes_missing_later_stops_both_as_well(sandboxed: House) -> None:
    sandboxed.keep(link())
    sandboxed.write(sandboxed.config.read_text(encoding="utf-8") + 'allow_stages = ["Wellcome"]\n')
    assert [sandboxed.run(*verb).code for verb in (("check",), ("sync",))] == [2, 2]


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house of which nobody is on both sides, and where two records are many."""
    monkeypatch.setattr(no_pairs, "ENOUGH", 2)
    sandbox = Sandbox(nexudus=3, crm=3, shared=0)
    house = House.of(tmp_path, sandbox)
    house.write(sandbox.config_toml())
    return house


def test_yes_on_the_command_line_is_no_answer_to_no_pairs(strangers: House) -> None:
    ended = strangers.run("backfill", "--yes")
    assert ended.code == 3
    assert "the brake no-pairs is set; nothing was written: not one of the records with e-mail addresses" in ended.out
    assert strangers.run("sync").code == 3
    assert strangers.run("brake", "release", "no-pairs").code == 0
    assert strangers.run("backfill", "--yes").code == 0


@pytest.mark.parametrize(("limit", "code", "links"), [("1", 0, 1), ("20", 0, 6), ("21", 3, 0)])
def test_a_look_at_a_few_needs_no_answer_even_where_the_brake_is_set(
    strangers: House, limit: str, code: int, links: int
) -> None:
    assert strangers.run("sync").code == 3
    assert strangers.run("backfill", "--yes", "--limit", limit).code == code
    assert len(strangers.rows(Link)) == links
    assert strangers.run("sync").code == 3


@pytest.mark.parametrize(("typed", "code", "state"), [("yes\n", 0, "gone"), ("y\n", 3, "set"), ("\n", 3, "set")])
def test_at_a_terminal_the_whole_word_is_asked_for(
    strangers: House, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, state: str
) -> None:
    monkeypatch.setattr(sync_module, "at_terminal", lambda: True)
    ended = strangers.run("sync", answers=typed)
    assert ended.code == code
    assert "Type yes to continue anyway" in ended.out
    assert [brake.state for brake in strangers.rows(Brake)] == [state]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_question_ends_at_the_first_signal(
    strangers: House, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(sync_module, "at_terminal", lambda: True)
    monkeypatch.setattr(sync_module.typer, "prompt", lambda *_, **__: (signal.raise_signal(number), "yes")[1])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests may have it ignored
    try:
        ended = strangers.run("sync")
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.code == 130
    assert "interrupted" in ended.err
    assert [brake.state for brake in strangers.rows(Brake)] == ["set"]


def test_the_report_of_the_first_run_is_kept_and_can_be_passed_on(tmp_path: Path) -> None:
    mine = Sandbox(nexudus=16, crm=12, shared=8)
    house = House.of(tmp_path, mine)
    house.write(mine.config_toml())
    ended = house.run("export")
    assert (ended.code, ended.out) == (2, "")
    assert "`nexudus-sync backfill` makes one" in ended.err
    assert house.run("backfill", "--yes").code == 0
    (kept,) = [one for one in house.rows(Fact) if one.system == "first run"]
    (told,) = house.run("export", "--json").json
    assert (kept.key, kept.value) == ("london", told)
    assert told["announced"]["creates"] == told["created"] == {"nexudus": 4, "overplane": 8}
    assert told["records"][-1] == {"what": "in this connection", "nexudus": 20, "crm": 20}
    assert len(told["customers"]) == sum(told["customers_created"].values()) == 11
    assert "london,in this connection,20,20" in house.run("export", "--csv").out.splitlines()
    assert "20 pairs linked" in house.run("export").out
    file = tmp_path / "report.csv"
    assert house.run("export", "--out", str(file)).code == 0
    assert file.read_text() == house.run("export", "--csv").out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
