"""What does a request cost? Processor time of a GET through the sync's own client, and through bare httpx.

    python benchmarks/one_request.py [--requests 500] [--rounds 7]

A server in another process answers each request with the same 2 kB of JSON, over loopback and kept-alive connections.
The ways take turns, so that a noisy machine disturbs all of them alike; the best round of each is printed, in
milliseconds of processor time a request (of this process: the server's own is not counted).
"""

import argparse
import asyncio
import gc
import json
import logging
import multiprocessing
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import httpx

RECORD = {f"Field{number:02d}": f"value {number:02d} with a few words in it" for number in range(38)}
BODY = json.dumps({"Id": 87000001, "Price": 120.50, "UpdatedOn": "2026-11-21T00:07:00Z", **RECORD}).encode()
ANSWER = b"".join(
    (
        b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 00:07:00 GMT\r\nServer: loopback\r\n",
        b"Content-Type: application/json; charset=utf-8\r\nCache-Control: private\r\nVary: Accept-Encoding\r\n",
        b"X-Request-Id: 0123456789abcdef\r\nContent-Length: %d\r\n\r\n" % len(BODY),
        BODY,
    )
)


class Server(asyncio.Protocol):
    """Answers as soon as a request's headers are complete; knows of no bodies."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(ANSWER)


def serve(pipe: Connection) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, pipe.recv)

    asyncio.run(main())


class Dialect:
    """A system that is logged in already and means its status codes."""

    system = "loopback"

    def throttled(self, answer: Any) -> float | None:
        return None

    def error(self, answer: Any) -> None:
        return None

    async def headers(self, http: Any) -> Mapping[str, str]:
        return {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}

    async def renew(self, http: Any) -> bool:
        return False


Get = Callable[[str], Awaitable[Any]]


def ways(url: str) -> dict[str, tuple[Get, Callable[[], Awaitable[None]]]]:
    """By name: how to get a path, and how to stop."""
    from nexudus_sync.clock import SystemClock
    from nexudus_sync.connectors.budget import Unlimited
    from nexudus_sync.connectors.http import Http
    from nexudus_sync.connectors.network import Network

    bare = httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer 0123456789abcdef0123456789abcdef"})

    async def get(path: str) -> Any:
        return (await bare.get(path)).json()

    found: dict[str, tuple[Get, Callable[[], Awaitable[None]]]] = {"bare httpx": (get, bare.aclose)}
    for name, network in {"Http, httpx": Network(http="httpx"), "Http, fast": Network(http="fast")}.items():
        http = Http(url, Dialect(), clock=SystemClock(), rng=random.Random(1), budget=Unlimited(), network=network)
        found[name] = (http.get, http.aclose)
    return found


async def measure(url: str, requests: int, rounds: int) -> dict[str, float]:
    best: dict[str, float] = {}
    known = ways(url)
    for turn in range(rounds):
        for name, (get, _) in known.items():
            await get("/api/crm/opportunities/1")
            gc.collect()
            began = time.process_time()
            for number in range(requests):
                await get(f"/api/crm/opportunities/{turn}{number:06d}")
            took = (time.process_time() - began) / requests * 1000
            best[name] = min(took, best.get(name, took))
    for _, stop in known.values():
        await stop()
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    from nexudus_sync import logs

    logs.configure()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        found = asyncio.run(measure(f"http://127.0.0.1:{here.recv()}", options.requests, options.rounds))
    finally:
        here.send(None)
        server.join(5)
    for name, milliseconds in found.items():
        print(f"{name:24}{milliseconds:7.3f} ms {milliseconds / found['bare httpx']:6.2f} ×")


if __name__ == "__main__":
    main()
