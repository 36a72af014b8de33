"""One HTTP/1.1 connection of the fast transport: what is sent on it, and the answer that httptools finds in what comes.

Nothing is ever sent twice. Whatever goes wrong here went wrong after the request had left, for all this end knows, and
is told by an exception of httpx that does not say otherwise (ReadError, RemoteProtocolError, ReadTimeout, …).
"""

import asyncio
import select
from collections.abc import Mapping
from typing import cast

import httptools
import httpx

LARGEST_HEAD = 100 * 1024
"""Bytes that may come without any of the body among them: the headers, what chunks are framed with, trailers."""
_ENOUGH = 256 * 1024
"""Bytes of a body that wait to be taken; then the server has to wait."""

Headers = list[tuple[bytes, bytes]]


class Wire(asyncio.Protocol):
    """Carries one exchange at a time; `idle_since` is when the last one ended, by the loop's clock."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0
        self._late: type[httpx.TimeoutException] = httpx.ReadTimeout
        self._congested = self._paused = self._lost = False
        self._begin("")
        self.rest()

    def _begin(self, method: str) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._bodiless = method in {"HEAD", "CONNECT"}
        self.status, self.headers = 0, Headers()
        self.complete = self.keeps = False
        self._error: Exception | None = None
        self._parts: list[bytes] = []
        self._waiting_bytes = self._unframed = 0

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came. What nobody asked for must never become the answer to the next request."""
        if self._parser is None or self.complete:
            self.abort()
            return
        self._unframed += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(httpx.RemoteProtocolError(f"an answer that is not HTTP/1.1: {error}"))
        if self._unframed > LARGEST_HEAD and not self.complete:
            self._end(httpx.RemoteProtocolError(f"headers of more than {LARGEST_HEAD >> 10} KiB"))
        if self._waiting_bytes > _ENOUGH and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The server has said all: that ends a body whose length it did not tell, and nothing else."""
        framed = any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self.headers)
        self._lost = True
        if self.status and not framed and self._error is None:
            self.complete = True
        self._end(httpx.RemoteProtocolError("the server closed the connection before its answer was complete"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more can come."""
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
        self._end(httpx.ReadError(str(exc)) if exc else httpx.RemoteProtocolError("the connection was closed"))

    def pause_writing(self) -> None:
        """The server does not read as fast as it is written to."""
        self._congested = True

    def resume_writing(self) -> None:
        """It caught up."""
        self._congested = False
        self._wake()

    # what the parser calls; after the end of the answer, for what follows it in the same bytes

    def on_message_begin(self) -> None:
        """The first byte of an answer; a second one in the same bytes was not asked for."""
        self.keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; those that follow the body are nobody's."""
        if not self.status:
            self.headers.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        """All headers are there; those of an interim answer are forgotten."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200 and not self.status:
            self.headers.clear()
        elif not self.status:
            self.status, self.keeps = status, self._parser.should_keep_alive()
            self.complete = self._bodiless

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        if self.complete:
            return
        self._unframed = 0
        self._waiting_bytes += len(part)
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The answer is complete, unless it was an interim one."""
        self.complete = self.status > 0

    # what the transport calls

    def usable(self, now: float, longest: float) -> bool:
        """May a request be sent on it? Not after `longest` idle seconds, nor when the server closed it meanwhile."""
        fresh = self.keeps and not self._lost and now - self.idle_since < longest
        return fresh and not self.transport.is_closing() and not _readable(self.transport)

    async def ask(self, method: str, message: bytes, times: Mapping[str, float | None]) -> None:
        """Send a request, once, and wait for the headers of its answer.

        Raises ConnectError when the connection is lost before the first byte, then what httpx raises after sending.
        """
        if self._lost or self.transport.is_closing():
            raise httpx.ConnectError("the server closed the connection at once")
        self._begin(method)
        self.transport.write(message)
        while self._congested and not self.status:
            await self._wait(times.get("write"), httpx.WriteTimeout)
        while not self.status:
            await self._wait(times.get("read"), httpx.ReadTimeout)
        if self._congested:
            self.keeps = False  # answered before it had read everything

    async def more(self, seconds: float | None) -> bytes:
        """The next part of the body, b"" at its end. Raises as `ask` does."""
        while not self._parts:
            if self.complete:
                return b""
            await self._wait(seconds, httpx.ReadTimeout)
        return self.take()

    def take(self) -> bytes:
        """What has come of the body."""
        parts, self._parts, self._waiting_bytes = self._parts, [], 0
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        return b"".join(parts)

    def rest(self) -> None:
        """The exchange is over, and its answer was complete."""
        self._parser, self.idle_since = None, self._loop.time()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.keeps = False
        self.transport.abort()

    # waiting

    def _end(self, error: Exception) -> None:
        """Nothing more will come; `error` says why, unless the answer was complete or something went wrong before."""
        self.keeps = False
        if not self.complete and self._error is None:
            self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, seconds: float | None, late: type[httpx.TimeoutException]) -> None:
        """Until something happened. One timer serves many waits: most end long before, and a timer costs more."""
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        self._late, self._until = late, float("inf")
        if seconds is not None:
            self._until = self._loop.time() + seconds
            if self._timer is not None and self._timer.when() > self._until:
                self._timer.cancel()
                self._timer = None
            if self._timer is None:
                self._timer = self._loop.call_at(self._until, self._ring)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done() or self._until == float("inf"):
            return
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._ring)
        else:
            self._waiter.set_exception(self._late("the server did not go on in time"))


def _readable(transport: asyncio.Transport) -> bool:
    """Is there something that the loop has not seen yet, as the end of a connection that the server closed?"""
    if not hasattr(select, "poll"):  # Windows, where the loop itself reads ahead
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
