"""`demo` and `sandbox`: everything at work on made-up data."""

import signal
import threading
import tomllib
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from cli_house import House

from nexudus_sandbox.control import controlled, own_file, read
from nexudus_sandbox.world import Sandbox, World
from nexudus_sync.cli import demo, sandbox
from nexudus_sync.config import secrets

pytestmark = pytest.mark.sockets


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running sandbox leaves word in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    def world(**_: int) -> World:
        return World(nexudus=16, crm=14, shared=12)

    monkeypatch.setattr(demo, "World", world)


@pytest.mark.usefixtures("small")
def test_the_demo_shows_the_conflict_first_and_ends_in_agreement(house: House) -> None:
    ended = house.run("demo")
    assert (ended.code, ended.err) == (0, "")
    for shown in ("(two years)", "18500.00", "Lost", "Price", "9000.00", "9900.00", "--take crm"):
        assert shown in ended.out
    assert ended.out.index("1. A conflict") < ended.out.index("(two years)") < ended.out.index("The first run, before")
    assert "london: 0 writes" in ended.out.split("4. Nothing has changed")[1]
    assert len(ended.out.splitlines()) <= 28


@pytest.mark.usefixtures("small", "told_to_stop")
def test_a_demo_that_is_kept_goes_on_until_it_is_stopped(house: House) -> None:
    kept = house.folder / "kept"
    ended = house.run("demo", "--keep", str(kept))
    assert (ended.code, ended.err) == (0, "")
    assert f"Both systems keep running until Ctrl-C. In another terminal, after `cd {kept}`:" in ended.out
    assert "sandbox trigger conflict" in ended.out
    assert "its page is at http://127.0.0.1:8780/; sign in as María Núñez" in " ".join(ended.out.split())
    assert ended.out.endswith("The sandbox has stopped.\n")
    look = House(kept, {})
    assert look.run("status", "--json").json["connections"][0]["links"] > 0
    assert "9000.00" in look.run("history").out
    assert look.run("mapping", "check").code == 0


@pytest.fixture
def told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left running, and could be told what to do, is told to stop as soon as it is."""

    class Stopped:
        def wait(self) -> None:
            assert read(own_file()) is not None

    monkeypatch.setattr(demo, "until_stopped", lambda: nullcontext(Stopped()))


@pytest.mark.usefixtures("small", "told_to_stop")
@pytest.mark.parametrize("words", [("--keep",), ("--keep", "--crm", "overplane")])
def test_without_a_name_the_folder_has_a_usual_one(
    house: House, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.folder)
    assert house.run("demo", *words).code == 0
    assert (house.folder / "nexudus-sync-demo" / "config.toml").exists()


def test_the_demo_keeps_nothing_in_a_folder_that_exists(house: House) -> None:
    ended = house.run("demo", "--keep", str(house.folder))
    assert ended.code == 2
    assert "already exists" in ended.err


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("name", ["config.toml", "env.sh"])
def test_the_sandbox_overwrites_nothing(house: House, name: str) -> None:
    folder = house.folder / "mine"
    folder.mkdir()
    (folder / name).symlink_to(house.folder / "nowhere")
    ended = house.run("sandbox", "--write", str(folder))
    assert (ended.code, f"{name}: already exists" in ended.err) == (2, True)
    assert not (house.folder / "nowhere").exists()


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox is told to stop as soon as it runs."""

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            signal.raise_signal(signal.SIGTERM)
            return super().wait(timeout)

    monkeypatch.setattr(sandbox.threading, "Event", Event)


@pytest.mark.usefixtures("stopped")
def test_the_sandbox_prints_a_configuration_and_the_environment(house: House) -> None:
    before = signal.getsignal(signal.SIGTERM)
    ended = house.run("sandbox", "--cards", "3", "--deals", "2", "--shared", "1")
    assert ended.code == 0
    text = ended.out.split("# the environment")
    assert tomllib.loads(text[0])["connection"][0]["name"] == "london"
    assert "export NEXUDUS_PASSWORD=sandbox-password" in text[1]
    assert ended.out.endswith("The sandbox has stopped.\n")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.usefixtures("stopped")
def test_the_sandbox_writes_them_into_a_folder(house: House) -> None:
    folder = house.folder / "sandbox"
    run = partial(house.run, "sandbox", "--cards", "3", "--deals", "2", "--shared", "1", "--write", str(folder))
    assert run().code == 0
    assert tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    assert "export OVERPLANE_TOKEN" in Path(folder / "env.sh").read_text(encoding="utf-8")
    assert secrets.read(folder / "secrets.env")["OVERPLANE_TOKEN"]
    assert House(folder, {}).run("mapping", "check").code == 0
    assert (folder / "mappings" / "nexudus.toml").exists()
    assert not (folder / "sandbox.json").exists()  # it has stopped
    assert run().code == 2


@pytest.mark.usefixtures("stopped")
def test_the_sandbox_introduces_the_people_who_can_log_in(house: House) -> None:
    ended = house.run("sandbox", "--small")
    assert "María Núñez: maria.nunez@example.com; in Overplane: token sk_test_maria" in ended.out
    assert "nexudus-sync sandbox trigger conflict" in ended.out


def test_a_running_sandbox_is_told_what_to_do(house: House) -> None:
    office = Sandbox(nexudus=8, crm=8, shared=8)
    with controlled(office, house.folder / "sandbox.json"):
        ended = house.run("sandbox", "trigger", "conflict", "--write", str(house.folder))
        assert (ended.code, ended.err) == (0, "")
        assert "María set the amount" in ended.out
        assert "nexudus-sync conflicts list" in ended.out
        ended = house.run("sandbox", "trigger", "conflict", "--times", "99", "--write", str(house.folder))
        assert (ended.code, "start a larger sandbox" in ended.err) == (2, True)
        kept = (house.folder / "sandbox.json").read_text(encoding="utf-8")
    (house.folder / "sandbox.json").write_text(kept, encoding="utf-8")
    ended = house.run("sandbox", "trigger", "conflict", "--write", str(house.folder))
    assert (ended.code, "does not answer" in ended.err) == (1, True)


def test_without_a_sandbox_a_trigger_says_how_to_start_one(house: House) -> None:
    ended = house.run("sandbox", "trigger", "outage")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "none is running" in ended.err
    assert house.run("sandbox", "trigger", "no-such").code == 2


def test_a_sandbox_cannot_share_more_than_it_has(house: House) -> None:
    assert house.run("sandbox", "--cards", "3", "--deals", "2", "--shared", "3").code == 2
