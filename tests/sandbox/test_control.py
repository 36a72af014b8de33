"""How a running sandbox is told what to do."""

from pathlib import Path

import pytest

from nexudus_sandbox.control import Control, Where, controlled, own_file, read
from nexudus_sandbox.wire import Request
from nexudus_sandbox.world import Sandbox


@pytest.fixture
def control() -> Control:
    return Control(Sandbox(nexudus=8, crm=8, shared=8), "the-key")


def ask(
    control: Control, path: str = "/trigger/conflict", body: bytes = b"{}", key: str = "the-key"
) -> tuple[int, str]:
    answer = control.handle(Request("POST", path, {}, {"authorization": f"Bearer {key}"}, body))
    return answer.status, answer.body.decode()


def test_an_order_is_carried_out_and_answered_with_what_was_done(control: Control) -> None:
    status, body = ask(control)
    assert status == 200
    assert "María set the amount" in body


@pytest.mark.parametrize("key", ["", "another", "thé-key"])
def test_nobody_without_the_key_gives_orders(control: Control, key: str) -> None:
    assert ask(control, key=key)[0] == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/trigger/no-such", b"{}", 404),
        ("/trigger/conflict", b"[]", 400),
        ("/trigger/conflict", b'{"nonsense": 1}', 400),
        ("/trigger/conflict", b'{"times": 99}', 400),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(control: Control, path: str, body: bytes, status: int) -> None:
    assert ask(control, path, body)[0] == status


@pytest.mark.sockets
def test_the_files_say_where_as_long_as_it_listens(tmp_path: Path) -> None:
    office = Sandbox(nexudus=1, crm=1, shared=1)
    file, other = tmp_path / "deep" / "sandbox.json", tmp_path / "sandbox.json"
    with controlled(office, file, other) as where:
        assert read(file) == read(other) == where
        assert file.stat().st_mode & 0o777 == 0o600
        other.write_text('{"url": "http://127.0.0.1:1", "key": "of a later one"}', encoding="utf-8")
    assert not file.exists()
    assert read(other) == Where("http://127.0.0.1:1", "of a later one")


def test_the_users_own_file_is_in_their_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert own_file() == tmp_path / "nexudus-sync" / "sandbox.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own_file() == tmp_path / ".cache" / "nexudus-sync" / "sandbox.json"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 1}', "\x00"])
def test_a_file_that_says_nothing_names_no_sandbox(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text, encoding="utf-8")
    assert read(tmp_path / "x") is None
