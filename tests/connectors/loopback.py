"""A server on loopback that answers as a test says, and the sync's client in front of it over either transport."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from nexudus_sync.clock import SystemClock
from nexudus_sync.connectors.budget import Unlimited
from nexudus_sync.connectors.http import Answer, Http
from nexudus_sync.connectors.network import Network
from nexudus_sync.errors import ConnectorError, Refused

PEM = Path(__file__).with_name("loopback.pem")
"""A key, and a certificate for localhost and 127.0.0.1 that it signed itself."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + b'{"a": 1}'

Handler = Callable[["Caller"], Awaitable[None]]


class Dialect:
    system = "Loopback"

    def throttled(self, answer: Answer) -> float | None:
        return None

    def error(self, answer: Answer) -> ConnectorError | None:
        return Refused(self.system, answer.text) if 400 <= answer.status < 500 else None

    async def headers(self, http: Http) -> Mapping[str, str]:
        return {"Authorization": "Bearer tok-s3cret"}

    async def renew(self, http: Http) -> bool:
        return False


class Hurried(SystemClock):
    """Waits for nothing between two tries."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Caller:
    """One connection to the server."""

    def __init__(self, server: "Server", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer

    async def request(self) -> bytes:
        """The next request, its body too. Raises IncompleteReadError when there is none."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        whole = head + (await self.reader.readexactly(int(length[0])) if length else b"")
        self.server.requests.append(whole)
        return whole

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    def reset(self) -> None:
        self.writer.transport.abort()


class Server:
    """Lets the handlers serve one connection each, the last one all that follow; keeps what was asked."""

    def __init__(self, *handlers: Handler) -> None:
        self.handlers, self.requests, self.connections = list(handlers), list[bytes](), 0
        self.port = 0

    @property
    def written(self) -> list[bytes]:
        """The requests that are no reads."""
        return [one for one in self.requests if not one.startswith((b"GET", b"CONNECT"))]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = self.handlers[min(self.connections, len(self.handlers) - 1)]
        self.connections += 1
        try:
            await handler(Caller(self, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other end has gone
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()


def answers(*answers: bytes) -> Handler:
    """Answers one request after another on the same connection, the last answer again and again."""

    async def handle(caller: Caller) -> None:
        at = 0
        while True:
            await caller.request()
            await caller.say(answers[min(at, len(answers) - 1)])
            at += 1

    return handle


def once(*parts: bytes) -> Handler:
    """Answers one request, in parts, and closes."""

    async def handle(caller: Caller) -> None:
        await caller.request()
        await caller.say(*parts)

    return handle


@asynccontextmanager
async def serving(*handlers: Handler, encrypted: bool = False) -> AsyncIterator[Server]:
    server = Server(*handlers)
    context = None
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(PEM)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)  # the loop closes what was aborted


@asynccontextmanager
async def calling(base_url: str, network: Network) -> AsyncIterator[Http]:
    clock = Hurried()
    http = Http(base_url, Dialect(), clock=clock, rng=random.Random(1), budget=Unlimited(clock), network=network)
    try:
        yield http
    finally:
        await http.aclose()


@asynccontextmanager
async def talking(http: Literal["fast", "httpx"], *handlers: Handler) -> AsyncIterator[tuple[Server, Http]]:
    """A server, not encrypted, and the client in front of it."""
    async with serving(*handlers) as server, calling(f"http://127.0.0.1:{server.port}", Network(http=http)) as client:
        yield server, client
