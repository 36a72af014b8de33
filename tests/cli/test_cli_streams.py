"""What the command line is given and where it prints: closed streams, signals, texts that would steer a terminal."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from cli_house import AT, House, conflict, failure, link

from nexudus_sync import logs, texts
from nexudus_sync.cli import desk, output
from nexudus_sync.cli.frame import Root, complain
from nexudus_sync.store.tables import Brake, Fact, History, Unlinked

STEERING = {
    "ESC": "\x1b[2J\x1b]52;c;aGk=\x07",
    "OSC 8": "\x1b]8;;http://evil.example\x1b\\click",
    "C1": "\x9b31m\x9d0;title\x9c",
    "bidi": "\u202eevil\u2066\u200f",
    "NUL": "a\x00b\x7f",
    "half an emoji": "half \ud83d",
    "unseen": "zero\u200bwidth\ufeff\U000e0041",
    "lines": "one\u2028two\x85three",
}
EMOJI = "👩‍👩‍👧 ⇄ naïve"


def clean(text: str) -> bool:
    """Does nothing in it steer a terminal?"""
    return texts.visible(text, keep="\n") == text


@pytest.mark.parametrize("text", STEERING.values(), ids=STEERING.keys())
def test_no_list_lets_a_text_steer_the_terminal(house: House, text: str) -> None:
    stored = text.encode(errors="replace").decode()  # what a text column can hold
    house.keep(
        link(),
        conflict(base=text, nexudus=[text], crm=text, reason=stored),
        failure(reason=stored),
        failure(field=stored, kind="x"),
        History(at=AT, connection="london", field="title", old=text, new=text, lost=text, from_side="crm",
                nexudus_id="101", crm_id="opp_1"),
        Brake(connection="london", name="mass-delete", evidence=stored, set_at=AT),
    )  # fmt: skip
    verbs = ("conflicts list", "conflicts show 1", "failures list", "history", "explain 101", "links list", "status",
             "brake show")  # fmt: skip
    for verb in verbs:
        ended = house.run(*verb.split())
        assert ended.code == 0, verb
        assert clean(ended.out), verb
    for verb in ("conflicts list", "failures list", "history", "links list", "status"):
        ended = house.run(*verb.split(), "--json")
        assert clean(ended.out), verb
        assert ended.json is not None
    assert json.loads(house.run("history", "--json").out)[0]["old"] == text


def test_the_head_of_a_table_does_not_steer_the_terminal_either(house: House) -> None:
    house.keep(Unlinked(connection="london", side="crm", record_id="o\u202e\x1b[2J", state="waiting"))
    ended = house.run("explain", "o\u202e\x1b[2J")
    assert (ended.code, clean(ended.out)) == (0, True)


def test_emojis_and_other_scripts_are_shown_as_they_are() -> None:
    assert output.cell(EMOJI) == EMOJI


@pytest.mark.parametrize("text", STEERING.values(), ids=STEERING.keys())
def test_no_error_line_lets_a_text_steer_the_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    complain(Root(), f"the title {text} is wrong")
    assert clean(capsys.readouterr().err)


def test_a_key_of_the_configuration_does_not_steer_the_terminal(house: House) -> None:
    house.write(house.config.read_text(encoding="utf-8") + '["a\\u001b[31m\\u202e"]\nb = 1\n')
    ended = house.run("status")
    assert ended.code == 2
    assert "\\x1b[31m\\u202e: no such key" in ended.err
    assert clean(ended.err)


def test_a_traceback_shows_neither_secrets_nor_what_steers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise ZeroDivisionError("\x1b[31m pa55word")

    monkeypatch.setattr(desk.Store, "open", stumble)
    house.environment["NEXUDUS_PASSWORD"] = "pa55word"
    house.environment |= {"NEXUDUS_USERNAME": "u", "NEXUDUS_TOTP": "A" * 16, "OVERPLANE_TOKEN": "t-1"}
    house.environment["OVERPLANE_URL"] = "http://localhost:9"
    ended = house.run("sync", before=("--debug",))
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert "\\x1b[31m ***" in ended.err
    assert "pa55word" not in ended.err


@pytest.mark.parametrize("verb", ["history", "conflicts list", "conflicts show 1", "explain 101", "failures list"])
def test_long_texts_are_cut_unless_they_are_asked_for_whole(house: House, verb: str) -> None:
    long = "long " * 200_000
    house.keep(
        link(),
        conflict(nexudus=long),
        failure(reason=long),
        History(at=AT, connection="london", field="title", old=long, new="b", from_side="crm", nexudus_id="101",
                crm_id="opp_1"),
    )  # fmt: skip
    brief = house.run(*verb.split()).out
    assert "…" in brief
    assert len(brief) < 20_000
    assert len(house.run(*verb.split(), "--full").out) > len(long)
    assert len(house.run(*verb.split()).out) == len(brief)


def test_the_log_neither_steers_nor_fills_the_terminal() -> None:
    stream = io.StringIO()
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    try:
        logs.configure("info", "console", stream)
        structlog.get_logger("nexudus_sync.x").info("told", error="\x1b[31m\u202e\x00", outcome="x" * 10**6)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before)
    assert clean(stream.getvalue().replace("\x1b[0m", ""))
    assert "\\x1b[31m\\u202e\\x00" in stream.getvalue()
    assert len(stream.getvalue()) < 2 * texts.LINE


# --- processes

MAIN = [sys.executable, "-c", "from nexudus_sync.cli import main; main()"]


def closing(*numbers: int) -> Any:
    return lambda: [os.close(number) for number in numbers]


@pytest.mark.processes
@pytest.mark.parametrize("numbers", [(1,), (0, 1), (0, 1, 2)])
def test_a_closed_stream_is_no_error_and_never_the_stores(house: House, numbers: tuple[int, ...]) -> None:
    house.keep(link())
    before = house.rows(type(link()))
    ended = (
        subprocess.run(
            [*MAIN, "--config", str(house.config), "status"], preexec_fn=closing(*numbers), stderr=subprocess.PIPE
        )
        if 2 not in numbers
        else subprocess.run([*MAIN, "--config", str(house.config), "status"], preexec_fn=closing(*numbers))
    )
    assert ended.returncode == 0
    assert ended.stderr in (None, b"")
    assert len(house.rows(type(link()))) == len(before)


@pytest.mark.processes
def test_sigterm_ends_a_verb_whose_ctrl_c_is_ignored(tmp_path: Path) -> None:
    script = (
        "import asyncio, signal\n"
        "from nexudus_sync.cli.desk import run\n"
        "async def work():\n"
        "    print('waits', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "try:\n"
        "    run(work())\n"
        "except KeyboardInterrupt:\n"
        "    raise SystemExit(130)\n"
    )
    ignoring = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, preexec_fn=ignoring) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"waits\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 130
        assert time.monotonic() - began < 5


def test_a_question_ends_at_the_first_signal() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), desk.asking():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_status_tells_which_totals_say_nothing(house: House) -> None:
    house.keep(Fact(system="overplane", key="totals", value=False), Fact(system="nexudus", key="totals", value=True))
    told = house.run("status").out
    assert "overplane does not say exactly how many records a list has" in told
    assert "nexudus does not" not in told
