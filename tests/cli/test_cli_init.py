"""`init` writes a configuration that works, once."""

from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from typing import Any

import pytest
from cli_house import House
from pydantic import BaseModel

from nexudus_sync import config
from nexudus_sync.cli import init
from nexudus_sync.connectors import registry
from nexudus_sync.mapping import shipped_names
from nexudus_sync.mapping.shipped import shipped

ANSWERS = ("--name", "london", "--location", "1001", "--connector", "overplane", "--company", "Example Corp")
URL = ("--crm-url", "https://crm.example.com")


@pytest.fixture
def empty(house: House) -> House:
    house.config.unlink()
    return house


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there to answer."""
    monkeypatch.setattr(init, "at_terminal", lambda: True)


def test_the_options_answer_everything(empty: House) -> None:
    ended = empty.run("init", *ANSWERS, *URL)
    assert ended.code == 0
    environ = {"NEXUDUS_USERNAME": "u", "NEXUDUS_PASSWORD": "p", "OVERPLANE_TOKEN": "t"}
    settings = config.load(empty.config, environ)
    (connection,) = settings.connections
    assert (connection.name, connection.cards.business_id, connection.company) == ("london", 1001, "Example Corp")
    assert str(settings.crms["overplane"].settings.base_url) == "https://crm.example.com"  # type: ignore[attr-defined]
    assert "NEXUDUS_PASSWORD, NEXUDUS_USERNAME, OVERPLANE_TOKEN" in ended.out
    for verb in ("check", "plan", "backfill", "run"):
        assert f"--config {empty.config} {verb}" in ended.out


def test_the_mapping_files_are_copied_beside_it_and_used(empty: House) -> None:
    empty.run("init", *ANSWERS, *URL)
    assert {path.name for path in (empty.folder / "mappings").iterdir()} == {"nexudus.toml", "overplane.toml"}
    assert empty.run("mapping", "check").code == 0
    assert config.load(empty.config, {}, secrets=False).connections[0].mapping.nexudus is not None


def test_it_asks_for_what_the_options_leave_open(empty: House, terminal: None) -> None:
    ended = empty.run("init", "--offline", "--crm-url", "", answers="paris\n1004\noverplane\n\n\n")
    assert ended.code == 0
    text = empty.config.read_text(encoding="utf-8")
    assert 'name = "paris"' in text
    assert "business_id = 1004" in text
    assert "company" not in text
    assert 'base_url = "https://api.overplane.dev"' in text


def test_an_answer_of_no_use_leaves_nothing_behind(empty: House) -> None:
    ended = empty.run("init", *ANSWERS, "--crm-url", "not an address")
    assert (ended.code, "base_url" in ended.err) == (2, True)
    assert not empty.config.exists()
    assert not [*empty.config.parent.glob("mappings/*")]


def test_a_board_may_stand_for_the_location(empty: House) -> None:
    assert empty.run("init", "--name", "x", "--board", "501", *ANSWERS[4:], *URL).code == 0
    assert "board_id = 501" in empty.config.read_text(encoding="utf-8")


def test_both_a_location_and_a_board_are_refused(empty: House) -> None:
    ended = empty.run("init", *ANSWERS, *URL, "--board", "501")
    assert ended.code == 2
    assert "has both --location and --board" in ended.err


@pytest.mark.parametrize("name", ["config.toml", "mappings/nexudus.toml", "mappings/overplane.toml"])
def test_nothing_is_overwritten(empty: House, name: str) -> None:
    (empty.folder / "mappings").mkdir()
    (empty.folder / name).write_text("mine", encoding="utf-8")
    ended = empty.run("init", *ANSWERS, *URL)
    assert ended.code == 2
    assert f"{name}: already exists and is left as it is" in ended.err
    assert (empty.folder / name).read_text(encoding="utf-8") == "mine"
    assert [path.name for path in empty.folder.rglob("*.toml")] == [name.rpartition("/")[2]]


def test_where_nobody_answers_the_option_is_named(empty: House) -> None:
    ended = empty.run("init", "--name", "london")
    assert ended.code == 2
    assert "give it as --location" in ended.err
    assert not empty.config.exists()


def test_without_a_terminal_all_options_that_it_needs_are_named(empty: House) -> None:
    ended = empty.run("init", "--company", "Example Corp")
    assert ended.code == 2
    assert "give it as --name" in ended.err
    assert "also needs --location, --connector, --crm-url" in ended.err
    assert "--company" not in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--location", "--board"])
def test_an_id_of_0_is_refused(empty: House, option: str) -> None:
    ended = empty.run("init", "--name", "london", option, "0", *ANSWERS[4:], *URL)
    assert (ended.code, option in ended.err) == (2, True)
    assert not empty.config.exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("lon\tdon\nlondon\n1001\noverplane\n\n\n", "must be one line of text"),
        ("london\n0\n1001\noverplane\n\n\n", "an id is a whole number above 0"),
        ("london\nten\n1001\noverplane\n\n\n", "an id is a whole number above 0"),
        ("london\n-5\n1001\noverplane\n\n\n", "an id is a whole number above 0"),
        ("london\n1001\nsalesfarce\noverplane\n\n\n", 'no connector is named "salesfarce"'),
        ("london\n1001\noverplane\n\ncrm\n\n", "is not a web address"),
        ("london\n1001\noverplane\n\nhttps://x.example.com?a=1\n\n", "has a part after ? or #"),
        ("london\n1001\noverplane\nEx\tample\n\n\n", "must be one line of text"),
    ],
)
def test_a_wrong_answer_is_asked_again_and_nothing_typed_before_is_lost(
    empty: House, terminal: None, wrong: str, told: str
) -> None:
    ended = empty.run("init", "--offline", answers=wrong)
    assert (ended.code, ended.err) == (0, "")
    assert told in ended.out
    (connection,) = config.load(empty.config, {}, secrets=False).connections
    assert (connection.name, connection.cards.business_id, connection.company) == ("london", 1001, None)


@pytest.mark.parametrize(
    ("option", "given", "told"),
    [
        ("--crm-url", "http://crm.example.com", "--crm-url (base_url): would send the password to crm.example.com"),
        ("--crm-url", "https://crm.exam ple.com", "--crm-url (base_url): contains a space"),
        ("--name", "a\x1b", "--name: must be one line of text"),
        ("--name", "${HOME}", "--name: ${ starts the name of an environment variable"),
        ("--company", "\udcff", "--company: must be one line of text"),
    ],
)
def test_an_option_of_no_use_is_told_before_anything_is_asked(
    empty: House, terminal: None, option: str, given: str, told: str
) -> None:
    ended = empty.run("init", option, given, answers="london\n1001\noverplane\n\n\n")
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_what_the_file_would_take_for_a_variable_is_asked_again(empty: House, terminal: None) -> None:
    ended = empty.run("init", "--offline", answers="${x\nlondon\n1001\noverplane\n${Y}\n\n\n")
    assert (ended.code, ended.out.count("Please try again")) == (0, 2)
    assert config.load(empty.config, {}, secrets=False).connections[0].name == "london"


def test_a_link_that_leads_nowhere_is_in_the_way_too(empty: House) -> None:
    empty.config.symlink_to(empty.folder / "nowhere")
    ended = empty.run("init", *ANSWERS, *URL)
    assert (ended.code, "already exists" in ended.err) == (2, True)
    assert not (empty.folder / "mappings").exists()


def test_where_one_file_cannot_be_written_none_is_left(empty: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Path.open

    def full(path: Path, *args: Any, **options: Any) -> Any:
        if path == empty.config and args == ("x",):
            raise OSError(28, "No space left on device")
        return before(path, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    ended = empty.run("init", *ANSWERS, *URL)
    assert (ended.code, "No space left" in ended.err) == (1, True)
    assert not [*empty.folder.rglob("*.toml")]


def test_a_mapping_file_that_is_there_already_is_kept_or_replaced_as_a_person_says(
    empty: House, terminal: None
) -> None:
    (empty.folder / "mappings").mkdir()
    (empty.folder / "mappings" / "overplane.toml").write_text("mine", encoding="utf-8")
    ended = empty.run("init", "--offline", answers="london\n1001\noverplane\nn\n\n\n")
    assert (ended.code, "overplane.toml is used as it is" in ended.out) == (0, True)
    assert (empty.folder / "mappings" / "overplane.toml").read_text(encoding="utf-8") == "mine"
    ended = empty.run("init", "--offline", answers="y\nn\nparis\n1001\noverplane\ny\n\n\n")
    assert (ended.code, ended.err) == (0, "")
    assert (empty.folder / "mappings" / "overplane.toml").read_text(encoding="utf-8") == shipped("overplane")
    assert config.load(empty.config, {}, secrets=False).connections[0].name == "paris"
    assert not [path.name for path in empty.folder.rglob(".*")]


def test_a_configuration_stays_unless_a_person_or_an_option_says_otherwise(empty: House, terminal: None) -> None:
    empty.write("mine")
    ended = empty.run("init", *ANSWERS, *URL, answers="n\n")
    assert (ended.code, "already exists and is left as it is" in ended.err) == (2, True)
    assert empty.config.read_text(encoding="utf-8") == "mine"
    assert empty.run("init", *ANSWERS, *URL, "--no-input", "--replace").code == 0
    assert config.load(empty.config, {}, secrets=False).connections[0].name == "london"


def test_ctrl_c_at_a_question_is_an_interruption(empty: House, terminal: None) -> None:
    ended = empty.run("init", "--offline", "--name", "london", answers="")
    assert ended.code == 130
    assert not [*empty.folder.rglob("*.toml")]


def test_an_unknown_connector_is_refused_with_the_known_ones(empty: House) -> None:
    ended = empty.run("init", "--name", "x", "--location", "1", "--connector", "salesfarce", "--company", "")
    assert ended.code == 2
    assert '"overplane"' in ended.err


def test_erpnext_is_a_choice(empty: House) -> None:
    erpnext = ("--name", "london", "--location", "1001", "--connector", "erpnext", "--company", "Example Corp")
    ended = empty.run("init", *erpnext, "--crm-url", "https://erp.example.com")
    assert ended.code == 0
    environ = {"NEXUDUS_USERNAME": "u", "NEXUDUS_PASSWORD": "p", "ERPNEXT_API_KEY": "k", "ERPNEXT_API_SECRET": "s"}
    settings = config.load(empty.config, environ)
    assert settings.crms["erpnext"].connector == "erpnext"
    assert "ERPNEXT_API_KEY, ERPNEXT_API_SECRET, NEXUDUS_PASSWORD, NEXUDUS_USERNAME" in ended.out
    assert (empty.folder / "mappings" / "erpnext.toml").read_text(encoding="utf-8") == shipped("erpnext")
    assert empty.run("mapping", "check").code == 0


class DiskSettings(BaseModel):
    """What a connector of another package needs."""

    path: Path
    user: str = "sync"


class Disk:
    """A connector of another package, as far as `init` asks."""

    Settings = DiskSettings
    mapping: str | None = '[fields.title]\npath = "name"\n'


DISK = ("--name", "london", "--location", "1001", "--connector", "disk-file", "--company", "")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("disk-file", "test_cli_init:Disk", registry.GROUP)
    entries = EntryPoints([*entry_points(group=registry.GROUP), entry])
    monkeypatch.setattr(registry, "entry_points", lambda **wanted: entries.select(**wanted))


def test_another_packages_mapping_is_written_if_it_brings_one(empty: House, installed: None) -> None:
    ended = empty.run("init", *DISK)
    assert ended.code == 0
    assert (empty.folder / "mappings" / "disk-file.toml").read_text(encoding="utf-8") == Disk.mapping
    assert 'path = "${DISK_FILE_PATH}"' in empty.config.read_text(encoding="utf-8")
    assert "DISK_FILE_PATH" in ended.out
    assert "Now write" not in ended.out


def test_else_one_line_says_which_file_to_write_and_how(
    empty: House, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "mapping", None)
    ended = empty.run("init", *DISK)
    assert ended.code == 0
    wanted = empty.folder / "mappings" / "disk-file.toml"
    (line,) = [line for line in ended.out.splitlines() if "Now write" in line]
    assert line.startswith(f'Now write {wanted}: "disk-file" comes without a mapping.')
    assert "docs/connectors.md" in line
    assert not wanted.exists()
    assert config.load(empty.config, {}, secrets=False).connections[0].mapping.crm == wanted


def test_one_that_was_written_before_is_kept_and_not_asked_for(
    empty: House, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "mapping", None)
    wanted = empty.folder / "mappings" / "disk-file.toml"
    wanted.parent.mkdir()
    wanted.write_text("mine", encoding="utf-8")
    ended = empty.run("init", *DISK)
    assert (ended.code, "Now write" in ended.out) == (0, False)
    assert wanted.read_text(encoding="utf-8") == "mine"


def test_every_connector_that_can_be_asked_for_has_a_shipped_mapping() -> None:
    assert set(registry.names()) <= set(shipped_names())
