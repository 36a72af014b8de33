"""A transport for httpx that costs a fraction of its own: HTTP/1.1 by httptools, over the loop's own streams and TLS.

It promises what the sync rests on. A request is sent once: not again on another connection when a kept one turns out to
be dead. What fails before the first byte of a request has left is a ConnectError, ConnectTimeout, PoolTimeout or
ProxyError, and nothing that fails later is any of these. It follows nothing, unpacks nothing, keeps no cookie, and
reads no environment variable.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

import httpx

from nexudus_sync.connectors.permit import KEY, Permit
from nexudus_sync.connectors.wire import Wire

_MOST = 100
"""Connections at a time."""
_KEPT, _KEPT_SECONDS = 20, 5.0
"""Idle connections, and how long they are: as long as httpx does."""
_APART = 0.25
"""Seconds until a host's next address is tried beside the one before."""

Times = Mapping[str, float | None]
_Origin = tuple[str, str, int]


class FastTransport(httpx.AsyncBaseTransport):
    """`trust` is for the servers, `proxy_trust` for a proxy that is itself reached by https."""

    def __init__(
        self, trust: ssl.SSLContext, proxy: httpx.Proxy | None = None, proxy_trust: ssl.SSLContext | None = None
    ) -> None:
        self._trust, self._proxy, self._proxy_trust = trust, proxy, proxy_trust
        self._idle: dict[_Origin, list[Wire]] = {}
        self._places = asyncio.Semaphore(_MOST)
        self._proxy_login = b""
        if proxy is not None and proxy.raw_auth is not None:
            pair = base64.b64encode(b":".join(proxy.raw_auth))
            self._proxy_login = b"Proxy-Authorization: Basic %s\r\n" % pair

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it and return the answer, whose body is still to be read.

        Raises exceptions of httpx, and LeaseLost for a write that may no longer be sent.
        """
        times: Times = request.extensions.get("timeout", {})
        permit: Permit | None = request.extensions.get(KEY)
        message = self._head(request) + await request.aread()
        late = httpx.PoolTimeout("all connections are in use")
        await (
            _within(times.get("pool"), self._places.acquire(), late)
            if self._places.locked()
            else self._places.acquire()
        )
        wire = None
        try:
            origin = _origin(request.url)
            wire = self._kept(origin) or await self._connected(origin, times)
            if permit is not None:
                permit.ask()  # once more: it may have taken long to get here
            await wire.ask(request.method, message, times)
        except BaseException:
            self._places.release()
            if wire is not None:
                wire.abort()
            raise
        answer = _Body(self, origin, wire, times.get("read"))
        return httpx.Response(wire.status, headers=wire.headers, stream=answer.at_once() or answer)

    async def aclose(self) -> None:
        """Close the idle connections."""
        for wires in self._idle.values():
            for wire in wires:
                wire.abort()
        self._idle.clear()
        loop = asyncio.get_running_loop()
        closed = loop.create_future()
        loop.call_soon(closed.set_result, None)  # behind what closes them
        await closed

    def give_back(self, origin: _Origin, wire: Wire) -> None:
        """The exchange on it is over; another one may be made if its answer was complete and says so."""
        self._places.release()
        wires = self._idle.setdefault(origin, [])
        if wire.complete and wire.keeps and len(wires) < _KEPT:
            wire.rest()
            wires.append(wire)
        else:
            wire.abort()

    def _kept(self, origin: _Origin) -> Wire | None:
        now = asyncio.get_running_loop().time()
        wires = self._idle.get(origin, [])
        while wires:
            wire = wires.pop()
            if wire.usable(now, _KEPT_SECONDS):
                return wire
            wire.abort()
        return None

    def _head(self, request: httpx.Request) -> bytes:
        """The request line and the headers. Raises LocalProtocolError for what would end a header and begin another."""
        url, forwarded = request.url, self._proxy is not None and request.url.scheme == "http"
        target = b"%s://%s%s" % (url.raw_scheme, url.netloc, url.raw_path) if forwarded else url.raw_path
        headers = request.headers.raw
        head = b"%s %s HTTP/1.1\r\n%s" % (
            request.method.encode("ascii"),
            target,
            b"".join([b"%s: %s\r\n" % header for header in headers]),
        )
        lines = len(headers) + 1
        if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
            raise httpx.LocalProtocolError("a header holds a line break")
        if b"\ntransfer-encoding:" in head.lower():
            raise httpx.LocalProtocolError("a body whose length is not known")
        return head + (self._proxy_login if forwarded else b"") + b"\r\n"

    async def _connected(self, origin: _Origin, times: Times) -> Wire:
        """A new connection, by way of the proxy if there is one. Whatever it raises, the request has not left."""
        scheme, host, port = origin
        if scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol("the address must begin with http:// or https://")
        encrypted, proxy = scheme == "https", self._proxy
        if proxy is None:
            return await self._open(host, port, self._trust if encrypted else None, times)
        _, proxy_host, proxy_port = _origin(proxy.url)
        trust = self._proxy_trust if proxy.url.scheme == "https" else None
        wire = await self._open(proxy_host, proxy_port, trust, times)
        if encrypted:
            try:
                await self._tunnel(wire, host, port, times)
            except BaseException:
                wire.abort()
                raise
        return wire

    async def _open(self, host: str, port: int, trust: ssl.SSLContext | None, times: Times) -> Wire:
        options: dict[str, Any] = {} if trust is None else {"ssl": trust, "server_hostname": host}
        connecting = asyncio.get_running_loop().create_connection(
            Wire, host, port, happy_eyeballs_delay=_APART, **options
        )
        _, wire = await self._connecting(times, connecting)
        assert isinstance(wire, Wire)
        return wire

    async def _tunnel(self, wire: Wire, host: str, port: int, times: Times) -> None:
        """Ask the proxy for a way to the server, and begin TLS on it."""
        place = b"%s:%d" % (f"[{host}]".encode() if ":" in host else host.encode(), port)
        message = b"CONNECT %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n%s\r\n" % (place, place, self._proxy_login)
        try:
            await wire.ask("CONNECT", message, times)
        except httpx.TimeoutException as error:
            raise httpx.ConnectTimeout("the proxy did not answer in time") from error
        except httpx.TransportError as error:
            raise httpx.ProxyError(str(error)) from error
        if wire.status // 100 != 2:
            raise httpx.ProxyError(f"the proxy answered {wire.status}")
        wire.rest()
        starting = asyncio.get_running_loop().start_tls(wire.transport, wire, self._trust, server_hostname=host)
        encrypted = await self._connecting(times, starting)
        if encrypted is None:
            raise httpx.ConnectError("the connection was closed while TLS began")
        wire.transport = encrypted

    async def _connecting(self, times: Times, work: Awaitable[Any]) -> Any:
        """Do what leads up to a request. Raises ConnectError and ConnectTimeout."""
        try:
            return await _within(times.get("connect"), work, httpx.ConnectTimeout("no connection in time"))
        except (OSError, ValueError) as error:  # certificate errors are both; a host that has no name in IDNA is one
            raise httpx.ConnectError(str(error)) from error


class _Body(httpx.AsyncByteStream):
    """The body of an answer, as it comes; closing it gives the connection back."""

    def __init__(self, owner: FastTransport, origin: _Origin, wire: Wire, seconds: float | None) -> None:
        self._owner, self._origin, self._wire, self._seconds = owner, origin, wire, seconds
        self._open = True

    def at_once(self) -> httpx.ByteStream | None:
        """The whole body, if it is there already; the connection is free for others then."""
        if not self._wire.complete:
            return None
        content = self._wire.take()
        self._close()
        return httpx.ByteStream(content)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while part := await self._wire.more(self._seconds):
            yield part

    async def aclose(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._owner.give_back(self._origin, self._wire)


def _origin(url: httpx.URL) -> _Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)


async def _within(seconds: float | None, work: Awaitable[Any], late: Exception) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's own, which says more
        raise late from None
