"""Serves the application beside the cycles, in a thread with an event loop of its own.

Whatever happens here, the sync goes on: a port that is taken, an application that cannot be made and a server that
breaks are warnings. A page that hangs holds up this thread alone.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog
import uvicorn
from starlette.types import ASGIApp

from nexudus_sync.config import WebSettings

_TICK = 1.0
_GRACE = 1
"""Seconds that open answers get to end in when the server stops."""


class _Server(uvicorn.Server):
    """Uvicorn, which looks ten times a second whether it shall end; told by `end`, this one need not."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Serve until told to end; what is done once a second is the date of the answers."""
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK)

    def end(self) -> None:
        """End, asked from another thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._ending.set)


class Page:
    """The server at work; `address` is where browsers find it. End it with `stop`."""

    def __init__(self, listening: socket.socket, app: ASGIApp, host: str) -> None:
        self.address = f"http://{host}:{listening.getsockname()[1]}/"
        self._listening, self._log = listening, structlog.get_logger("nexudus_sync.web")
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        # a daemon thread: a page that hangs does not keep the process from ending
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)
        self._thread.start()
        self._log.info("page.started", address=self.address)

    def stop(self) -> None:
        """Take no more requests, and end within seconds."""
        self._server.end()
        self._thread.join(_GRACE + 1)

    def _serve(self) -> None:
        try:
            with self._listening:
                asyncio.run(self._server.serve(sockets=[self._listening]))
        except Exception as error:
            self._log.warning("page.failed", address=self.address, error=_text(error), exc_info=error)


def start(web: WebSettings, make: Callable[[], ASGIApp]) -> Page | None:
    """Serve what `make` makes, as the settings say. None, with a warning in the log, where that cannot be done."""
    if web.off:
        return None
    log = structlog.get_logger("nexudus_sync.web")
    host = f"[{web.address}]" if ":" in web.address else web.address
    try:
        listening = _listen(web)
    except OSError as error:
        remedy = "the sync goes on without its page; free the port, or give another one in [web] port"
        log.warning("page.failed", address=f"http://{host}:{web.port}/", error=_text(error), remedy=remedy)
        return None
    try:
        return Page(listening, make(), host)
    except Exception as error:
        listening.close()
        log.warning("page.failed", error=_text(error), exc_info=error)
        return None


def _listen(web: WebSettings) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    family, _, _, _, where = socket.getaddrinfo(web.address, web.port, type=socket.SOCK_STREAM)[0]
    return socket.create_server((str(where[0]), web.port), family=family)


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # what stands in the error names the address once more
    return f"{type(error).__name__}: {error}"
