"""`secrets.env`: what the environment lacks is taken from the file beside the configuration."""

from pathlib import Path

import pytest

from nexudus_sync import config
from nexudus_sync.config import secrets
from nexudus_sync.errors import ConfigError

CONFIG = """\
[nexudus]
username = "${USER_NAME}"
password = "${PASSWORD}"
[crm.overplane]
connector = "overplane"
token = "${TOKEN}"
[[connection]]
name = "london"
crm = "overplane"
scope = { business_id = 1001 }
"""
HARD = ["plain", "two words", "it's", 'say "x"', "a#b", " # led by a space", "back\\slash", "${NOT}", "tail\\", "žluť€"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "config.toml"


def keep(file: Path, text: str) -> Path:
    beside = secrets.file_of(file)
    beside.write_text(text, encoding="utf-8")
    return beside


def test_a_configuration_is_complete_with_the_file_alone(file: Path) -> None:
    keep(file, "# made by hand\nUSER_NAME=sync@example.com\nexport PASSWORD='a ${b} #c'\nTOKEN=t\n")
    found = config.load(file, {})
    assert found.nexudus.username == "sync@example.com"
    assert found.nexudus.password.get_secret_value() == "a ${b} #c"
    assert "a ${b} #c" in found.secrets()


def test_the_real_environment_goes_first_unless_it_is_empty(file: Path) -> None:
    keep(file, "USER_NAME=file\nPASSWORD=file\nTOKEN=file\n")
    found = config.load(file, {"USER_NAME": "real", "PASSWORD": ""})
    assert (found.nexudus.username, found.nexudus.password.get_secret_value()) == ("real", "file")


def test_without_it_the_line_names_both_places(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"PASSWORD.*set them before .* or in secrets\.env beside the file"):
        config.load(file, {"USER_NAME": "x"})


def test_a_file_of_another_user_is_left_to_whoever_passes_its_values_on(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = keep(file, "TOKEN=t\n")

    def refuse(_: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(secrets, "read_text", refuse)
    assert secrets.read(beside) == {}


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\nB='open\n", 2), ("A=1\n\nhunter2\n", 3), ("A='x' hunter2\n", 1), ("A=1\nhunter2 x\n", 2)]
)
def test_a_line_that_cannot_be_read_is_named_and_its_value_never_shown(file: Path, text: str, line: int) -> None:
    beside = keep(file, text)
    with pytest.raises(ConfigError) as raised:
        secrets.read(beside)
    assert f"secrets.env:{line}: is not a line like NAME=value" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_folder_in_its_place_is_told(file: Path) -> None:
    secrets.file_of(file).mkdir()
    with pytest.raises(ConfigError, match=r"secrets\.env"):
        config.load(file, {})


@pytest.mark.parametrize("value", HARD)
def test_whatever_is_written_is_read_again(file: Path, value: str) -> None:
    beside = keep(file, secrets.line("A", value) + "\nB=2\n")
    assert secrets.read(beside) == {"A": value, "B": "2"}


def test_new_values_replace_their_own_lines_and_no_others(file: Path) -> None:
    beside = keep(file, "# mine\nA=1\nB='two words'\n")
    assert secrets.replaced(beside, {"A": "new", "C": "3"}) == "# mine\nB='two words'\nA=new\nC=3\n"
    assert secrets.replaced(file.parent / "none.env", {"A": "1"}) == "A=1\n"


def test_it_is_known_whether_others_may_read_it(file: Path) -> None:
    beside = keep(file, "A=1\n")
    beside.chmod(0o600)
    assert not secrets.is_open(beside)
    beside.chmod(0o640)
    assert secrets.is_open(beside)
    assert not secrets.is_open(file.parent / "none.env")
