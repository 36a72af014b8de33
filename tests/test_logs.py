"""The log: how a line looks, what is heard of libraries, and that no secret is ever in it."""

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from nexudus_sync import logs
from nexudus_sync.logs import Redact


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was found, whatever a test configures."""
    root, own = logging.getLogger(), logging.getLogger("nexudus_sync")
    handlers, levels = list(root.handlers), (root.level, own.level)
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def configured(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["console", "json"] = "json",  # noqa: A002
    secrets: tuple[str, ...] = (),
) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, format, stream, secrets)
    return stream


def own_log() -> Any:
    return structlog.stdlib.get_logger("nexudus_sync.test")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_carry_time_in_utc_level_event_and_values() -> None:
    stream = configured()
    own_log().info("http.call", status=200, seconds=0.25, amount=Decimal("10.50"), ids=[1, None, True])
    (line,) = lines(stream)
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo == UTC
    assert line == {
        "level": "info",
        "event": "http.call",
        "status": 200,
        "seconds": 0.25,
        "amount": "10.50",
        "ids": [1, None, True],
    }


def test_the_console_format_is_one_plain_line_where_there_is_no_terminal() -> None:
    stream = configured(format="console")
    own_log().info("cycle.done", connection="london")
    (line,) = stream.getvalue().splitlines()
    assert "cycle.done" in line
    assert "connection=london" in line
    assert "\x1b" not in line


def test_colours_are_used_on_a_terminal() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    logs.configure("info", "console", stream)
    own_log().info("cycle.done")
    assert "\x1b[" in stream.getvalue()


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    own_log().info("cycle.done")
    out, err = capsys.readouterr()
    assert out == ""
    assert "cycle.done" in err


def test_events_below_the_level_are_left_out() -> None:
    stream = configured("warning")
    own_log().info("quiet")
    own_log().warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_context_variables_are_part_of_every_event() -> None:
    stream = configured()
    with structlog.contextvars.bound_contextvars(connection="madrid"):
        own_log().info("pull.done")
    assert lines(stream)[0]["connection"] == "madrid"


def test_configuring_again_replaces_the_handler_instead_of_adding_one() -> None:
    first, second = configured(), configured()
    own_log().info("once")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


@pytest.mark.parametrize(
    "library", ["httpx", "httpcore", "apscheduler.executors", "alembic.runtime", "sqlalchemy.engine"]
)
def test_libraries_are_heard_from_warning_on_even_at_debug(library: str) -> None:
    stream = configured("debug")
    logging.getLogger(library).info("HTTP Request: GET https://example.com/?q=1")
    logging.getLogger(library).warning("slow by %d seconds", 3)
    assert [(line["level"], line["event"]) for line in lines(stream)] == [("warning", "slow by 3 seconds")]


def test_libraries_do_not_speak_below_the_level() -> None:
    stream = configured("error")
    logging.getLogger("httpx").warning("slow")
    assert stream.getvalue() == ""


def test_warnings_of_the_interpreter_are_events_too() -> None:
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # catch_warnings put the plain display back
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old habit", UserWarning, stacklevel=1)
    assert "old habit" in lines(stream)[0]["event"]


def test_a_secret_is_masked_in_the_event_in_values_in_keys_and_in_what_they_hold() -> None:
    stream = configured(secrets=("hunter2",))
    own_log().info(
        "login with hunter2",
        url="https://example.com/?p=hunter2&x=1",
        nested={"list": ["hunter2", ("a hunter2",), {"hunter2"}], "hunter2": 1},
        raw=b"hunter2\xff",
        path=Path("hunter2"),
        thing=SimpleNamespace(inner="hunter2"),
    )
    assert "hunter2" not in stream.getvalue()
    (line,) = lines(stream)
    assert line["event"] == "login with ***"
    assert line["url"] == "https://example.com/?p=***&x=1"
    assert line["nested"] == {"list": ["***", ["a ***"], ["***"]], "***": 1}


def test_a_secret_made_of_digits_is_masked_in_numbers() -> None:
    stream = configured(secrets=("123456",))
    own_log().info("login", code=123456, other=12345)
    line = lines(stream)[0]
    assert (line["code"], line["other"]) == ("***", 12345)


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_secret_is_masked_in_tracebacks(format: Literal["json", "console"]) -> None:  # noqa: A002
    stream = configured(format=format, secrets=("hunter2",))
    try:
        raise ValueError("bad password hunter2")
    except ValueError:
        own_log().exception("login.failed")
        logging.getLogger("library").exception("also %s", "hunter2")
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("ValueError: bad password ***") == 2


def test_a_stack_is_shown_when_it_is_asked_for() -> None:
    stream = configured()
    own_log().info("where", stack_info=True)
    assert "test_a_stack_is_shown" in lines(stream)[0]["stack"]


@pytest.mark.parametrize("form", ["p%40ss%20w%2Frd%22", "p%40ss+w%2Frd%22", 'p@ss w/rd\\"', 'p@ss w/rd"'])
def test_a_secret_is_masked_in_addresses_and_in_json(form: str) -> None:
    stream = configured(secrets=('p@ss w/rd"',))
    own_log().info("call", text=f"<{form}>")
    assert lines(stream)[0]["text"] == "<***>"


def test_of_two_secrets_the_longer_is_masked_first() -> None:
    stream = configured(secrets=("abc", "abcdef"))
    own_log().info("abcdef abc")
    assert lines(stream)[0]["event"] == "*** ***"


def test_secrets_that_are_short_or_begin_alike_are_masked_among_very_many() -> None:
    many = [f"secret-{number:05}" for number in range(5000)]
    redact = Redact([*many, "abc", "secr", "ü"])
    said = "secret-00042, secret-04999xabc, secre and ü; secret-5000 is none"
    assert redact(None, "", {"event": said})["event"] == "***, ***x***, ***e and ***; ***et-5000 is none"


def test_blank_secrets_mask_nothing() -> None:
    stream = configured(secrets=("", " "))
    own_log().info("a plain event")
    assert lines(stream)[0]["event"] == "a plain event"


@pytest.mark.parametrize(
    "key",
    ["authorization", "Authorization", "password", "token", "access_token", "TOTP", "client-secret", "Set-Cookie"],
)
def test_keys_that_are_secret_by_name_are_dropped(key: str) -> None:
    stream = configured()
    own_log().info("call", headers={key: "value", "Accept": "json"}, **{key: "value"})
    (line,) = lines(stream)
    assert line["headers"] == {"Accept": "json"}
    assert "value" not in stream.getvalue()


def test_keys_that_only_look_like_secret_ones_stay() -> None:
    stream = configured()
    own_log().info("call", tokens_left=5, passwordless=True)
    assert (lines(stream)[0]["tokens_left"], lines(stream)[0]["passwordless"]) == (5, True)


@given(secret=st.text(min_size=4, max_size=20).filter(str.strip), before=st.text(max_size=5), after=st.text(max_size=5))
def test_no_text_gets_a_secret_past_the_redaction(secret: str, before: str, after: str) -> None:
    redact = logs.Redact([secret])
    event = redact(None, "info", {"event": "e", "value": [{"deep": before + secret + after}]})
    assert secret not in str(event["value"][0]["deep"]).replace("***", "")


def test_the_log_says_nothing_before_it_is_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("error", "console", sys.stderr)
    own_log().warning("not this")
    assert capsys.readouterr().err == ""
