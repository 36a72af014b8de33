"""The server beside the cycles: whatever happens to it is a warning."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from nexudus_sync.config import WebSettings
from nexudus_sync.web import app, serve

pytestmark = pytest.mark.sockets

ANY_PORT = WebSettings(port=0)


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """What a hanging page waits for."""
    event = threading.Event()
    yield event
    event.set()


async def _ok(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


def routes() -> list[Route]:
    return [Route("/healthz", _ok)]


def started(make: Any) -> serve.Page:
    page = serve.start(ANY_PORT, make)
    assert page is not None
    return page


def test_it_answers_at_the_address_that_the_log_names_until_it_is_stopped() -> None:
    with capture_logs() as logs:
        page = started(lambda: app.build(routes()))
    assert [(line["event"], line["address"]) for line in logs] == [("page.started", page.address)]
    assert httpx.get(f"{page.address}healthz").text == "ok\n"
    page.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{page.address}healthz")


def test_it_listens_on_ipv6_too() -> None:
    page = serve.start(WebSettings(address="::1", port=0), lambda: app.build(routes()))
    assert page is not None
    assert page.address.startswith("http://[::1]:")
    assert httpx.get(f"{page.address}healthz").status_code == 200
    page.stop()


def test_a_port_that_is_taken_is_a_warning_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as logs:
        port = taken.getsockname()[1]
        assert serve.start(WebSettings(port=port), lambda: app.build(routes())) is None
    (line,) = logs
    assert (line["log_level"], line["event"]) == ("warning", "page.failed")
    assert line["address"] == f"http://127.0.0.1:{port}/"
    assert line["error"] == "Address already in use"
    assert "give another one in [web] port" in line["remedy"]


def test_off_is_off() -> None:
    with capture_logs() as logs:
        assert serve.start(WebSettings(off=True), lambda: app.build([])) is None
    assert logs == []


def test_an_application_that_cannot_be_made_is_a_warning() -> None:
    def make() -> Starlette:
        raise ZeroDivisionError("oh")

    with capture_logs() as logs:
        assert serve.start(ANY_PORT, make) is None
    assert [(line["log_level"], line["error"]) for line in logs] == [("warning", "ZeroDivisionError: oh")]


def test_a_page_that_breaks_is_answered_500_without_a_word_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(request: Request) -> PlainTextResponse:
        raise ZeroDivisionError("secret")

    page = started(lambda: app.build([Route("/broken", broken), *routes()]))
    answer = httpx.get(f"{page.address}broken")
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert httpx.get(f"{page.address}healthz").status_code == 200
    page.stop()


def test_a_page_that_hangs_holds_up_neither_the_caller_nor_the_end(
    monkeypatch: pytest.MonkeyPatch, hanging: threading.Event
) -> None:
    monkeypatch.setattr(serve, "_GRACE", -0.9)
    entered = threading.Event()

    async def hang(request: Request) -> PlainTextResponse:
        entered.set()
        hanging.wait()
        return PlainTextResponse("late")

    page = started(lambda: app.build([Route("/hang", hang)]))
    asking = threading.Thread(target=lambda: httpx.get(f"{page.address}hang", timeout=10))
    asking.start()
    assert entered.wait(10)
    page.stop()
    assert page._thread.is_alive()
    hanging.set()
    asking.join(10)
    page._thread.join(10)
    assert not page._thread.is_alive()
