"""A double behind a real HTTP/1.1 server on loopback."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from nexudus_sandbox.double import Double
from nexudus_sandbox.faults import Faults, exchange
from nexudus_sandbox.wire import Request, Response, parse_query

HOST = "127.0.0.1"


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept alive from request to request."""

    protocol_version = "HTTP/1.1"
    # An answer leaves in one piece at once: Nagle's algorithm would hold half of it back for 40 ms.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: "_Server"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): text for name, text in self.headers.items()}
        request = Request(self.command, unquote(parts.path), parse_query(parts.query), headers, body)
        outcome = exchange(self.server.double, self.server.faults, request)
        if outcome.seconds:
            self.server.closing.wait(outcome.seconds)
        if outcome.response is None or self.server.closing.is_set():
            self.close_connection = True
            return
        self._send(outcome.response)

    def _send(self, response: Response) -> None:
        self.send_response_only(response.status)
        for name, text in response.headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  the base class looks for these

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
        """Say nothing: the double keeps its own log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, double: Double, faults: Faults | None, port: int) -> None:
        self.double, self.faults = double, faults
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is not an error of the server."""

    def hang_up(self) -> None:
        """End every connection, also those that wait for a next request."""
        self.closing.set()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Served:
    """A running server; `url` is its address without a path. A context manager."""

    def __init__(self, double: Double, faults: Faults | None = None, port: int = 0) -> None:
        self.double, self.faults = double, faults
        self._server = _Server(double, faults, port)
        self.port: int = self._server.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and give the port back; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.hang_up()
            self._server.server_close()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(double: Double, faults: Faults | None = None, port: int = 0) -> Served:
    """Serve a double on loopback, on a free port unless one is named. Raises OSError when the port is taken."""
    return Served(double, faults, port)
