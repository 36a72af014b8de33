"""Messages by Apprise, at a real server; an address is a secret."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import apprise
import pytest

from nexudus_sync.signals.senders import Sent, kind_of, send

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the services of Apprise import


class Inbox(BaseHTTPRequestHandler):
    """Takes JSON messages."""

    got: ClassVar[list[dict[str, Any]]] = []
    status = 200

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


class Log(logging.Handler):
    """What reaches the log of the program."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record)


@pytest.fixture
def inbox() -> Iterator[tuple[str, type[Inbox]]]:
    class Own(Inbox):
        got: ClassVar[list[dict[str, Any]]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"json://user:hunter2@127.0.0.1:{server.server_port}/hook", Own
        server.shutdown()
        thread.join()


@pytest.mark.sockets
def test_a_message_goes_to_each_address_with_title_and_body(inbox: tuple[str, type[Inbox]]) -> None:
    url, own = inbox
    assert send([url, url], "nexudus-sync: a test", "- one\n- two") == [Sent("json", True), Sent("json", True)]
    assert [(one["title"], one["message"]) for one in own.got] == [("nexudus-sync: a test", "- one\n- two")] * 2


@pytest.mark.sockets
def test_a_refusal_is_told_by_its_number_and_nothing_of_the_address(
    inbox: tuple[str, type[Inbox]],
) -> None:
    url, own = inbox
    own.status = 403
    log = Log()  # our own, for pytest's hears also what goes no further than Apprise's logger
    logging.getLogger().addHandler(log)
    try:
        (sent,) = send([url], "title", "body")
    finally:
        logging.getLogger().removeHandler(log)
    assert sent == Sent("json", False, "it was answered 403; check the address")
    assert [one for one in log.heard if one.name.startswith("apprise")] == []


def test_an_address_that_nobody_knows_does_not_keep_the_others_from_theirs() -> None:
    sent = send(["nonsense://hunter2", "hunter2", "json://"], "title", "body")
    assert [(one.kind, one.went) for one in sent] == [("nonsense", False), ("unknown", False), ("json", False)]
    assert "Apprise knows no such address" in sent[0].why
    assert "hunter2" not in str(sent)


@pytest.mark.sockets
def test_a_server_that_is_not_there_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (sent,) = send([f"json://user:hunter2@127.0.0.1:{port}"], "title", "body")
    assert sent == Sent("json", False, "it cannot be reached")


def test_a_service_that_breaks_is_told_by_its_error_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(apprise.Apprise, "notify", broken)
    assert send(["json://127.0.0.1"], "title", "body") == [Sent("json", False, "unexpected: ZeroDivisionError")]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("slack://a/b/c", "slack"),
        (" MAILTO://x", "mailto"),
        ("https://hooks.example/x", "https"),
        ("a b://c", "unknown"),
    ],
)
def test_the_kind_of_an_address_is_what_stands_before_the_colon(url: str, kind: str) -> None:
    assert kind_of(url) == kind
