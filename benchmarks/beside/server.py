"""The doubles behind a server that is out of the way: what is measured is the client.

The doubles work out each answer, which costs a millisecond or two under one lock; a client is not to wait for that. So
this server asks the double once and keeps its answer ("frozen"): the same request is answered from memory afterwards,
byte for byte but for the `Date`, in some 30 µs. Only answers 200 to a GET are kept, so logins work as always. A write
reaches the double and would make the kept answers wrong, which is why it is counted and `peers.py` refuses to print
figures of a run that sent one. A `live` world keeps nothing: creates are counted there, not timed.

One process holds all worlds, each on two ports of loopback, and ends with the process that started it.
"""

import asyncio
import multiprocessing
import re
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import unquote, urlsplit

WIDE = 100_000_000
"""Calls a window: more than any run makes."""
LOGINS = ("/api/token",)


class Front:
    """One double's answers. `latency`: seconds each answer is held back."""

    def __init__(self, double: Any, *, live: bool) -> None:
        self.double, self.live, self.latency = double, live, 0.0
        self.calls: Counter[str] = Counter()
        self._kept: dict[tuple[str, str], tuple[bytes, bytes]] = {}

    def answer(self, method: str, target: str, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """What stands before and after the `Date` of the answer."""
        self.calls["reads" if method == "GET" else "logins" if target in LOGINS else "writes"] += 1
        kept = self._kept.get((method, target))
        if kept is None:
            kept, keep = self._ask(method, target, head, body)
            if keep and not self.live:
                self._kept[method, target] = kept
        return kept

    def warm(self, targets: list[str], headers: bytes) -> None:
        """Keep the answers to these paths already, so that the first client does not wait for the double."""
        for target in targets:
            self._kept["GET", target] = self._ask("GET", target, b"GET\r\n" + headers, b"")[0]

    def _ask(self, method: str, target: str, head: bytes, body: bytes) -> tuple[tuple[bytes, bytes], bool]:
        from nexudus_sandbox.wire import Request, parse_query

        parts = urlsplit(target)
        lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
        headers = {name.lower(): text.strip() for name, _, text in lines}
        got = self.double.handle(Request(method, unquote(parts.path), parse_query(parts.query), headers, body))
        said = "".join(f"{name}: {text}\r\n" for name, text in got.headers.items() if name.lower() != "date")
        before = f"HTTP/1.1 {got.status} \r\n{said}Content-Length: {len(got.body)}\r\nDate: "
        return (before.encode("latin-1"), b"\r\n\r\n" + got.body), method == "GET" and got.status == 200


class Wire(asyncio.Protocol):
    """One connection, kept alive, one request at a time."""

    def __init__(self, front: Front, date: Callable[[], bytes]) -> None:
        self._front, self._date, self._buffer = front, date, b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            before, after = self._front.answer(method, target, head, body)
            answer = before + self._date() + after
            if self._front.latency:
                asyncio.get_running_loop().call_later(self._front.latency, self._transport.write, answer)
            else:
                self._transport.write(answer)


class Clock:
    """The `Date` of now, written once a second."""

    def __init__(self) -> None:
        self._second, self._text = 0, b""

    def __call__(self) -> bytes:
        import time

        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode()
        return self._text


async def _listen(front: Front) -> str:
    clock = Clock()
    server = await asyncio.get_running_loop().create_server(lambda: Wire(front, clock), "127.0.0.1", 0)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _sandbox(crm: str, counts: dict[str, int]) -> Any:
    """Both doubles with data. Shared records say the same on both sides, so that a backfill has nothing to write."""
    import nexudus_sandbox.seed.plant as plant
    from nexudus_sandbox.world import Sandbox

    plant._pair = lambda deals, _number: plant._Shared("equal", *[deals.make()] * 2)  # type: ignore[assignment]
    sandbox = Sandbox(crm_name=crm, elsewhere=0, **counts)
    sandbox.nexudus.options.opportunity_limit = 100_000
    sandbox.nexudus.options.renumber = False
    sandbox.nexudus.options.customer_creations_per_day = WIDE
    sandbox.nexudus.set_windows(())
    return sandbox


def without_brakes(config: str, creates: bool) -> str:
    """The configuration with no limit that a run reaches, and no poll in the midst of one."""
    config = re.sub(r"(?m)^((?:\w+_)?per_\w+) = \d+$", rf"\1 = {WIDE}", config)
    config = config.replace('poll = "5s"', 'poll = "1h"')
    return config + ("new_company = true\n" if creates else "")


class Worlds:
    """Every world that was asked for."""

    def __init__(self) -> None:
        self._fronts: dict[str, tuple[Front, Front]] = {}

    async def open(self, name: str, crm: str, counts: dict[str, int], live: bool) -> dict[str, Any]:
        """Make a world and say how to reach it."""
        sandbox = _sandbox(crm, counts)
        fronts = self._fronts[name] = (Front(sandbox.nexudus, live=live), Front(sandbox.crm.double, live=live))
        sandbox.nexudus_url, sandbox.crm_url = [await _listen(front) for front in fronts]
        environment = sandbox.environment()
        if not live:
            import base64

            login = f"{environment['NEXUDUS_USERNAME']}:{environment['NEXUDUS_PASSWORD']}"
            basic = b"Authorization: Basic " + base64.b64encode(login.encode())
            fronts[0].warm([f"/api/crm/crmopportunities/{one}" for one in sandbox.seeded.nexudus_ids], basic)
        return {
            "config": without_brakes(sandbox.config_toml(), creates=len(set(counts.values())) > 1),
            "environment": environment,
            "base_url": f"{sandbox.nexudus_url}/api",
            "business_id": sandbox.seeded.places.london.business_id,
        }

    async def calls(self, name: str, latency: float) -> list[dict[str, int]]:
        """How many calls each double of a world had since it was last asked; the next ones take `latency` seconds."""
        counted = [dict(front.calls) for front in self._fronts[name]]
        for front in self._fronts[name]:
            front.calls.clear()
            front.latency = latency
        return counted


def serve(pipe: Connection, kind: type[Any]) -> None:
    """The server's process: answers commands, which are the methods of `kind`, until the pipe is closed."""
    asyncio.run(_serve(pipe, kind))


async def _serve(pipe: Connection, kind: type[Any]) -> None:
    served, loop = kind(), asyncio.get_running_loop()
    while True:
        readable = loop.create_future()
        loop.add_reader(pipe.fileno(), lambda: readable.done() or readable.set_result(None))  # noqa: B023
        await readable
        loop.remove_reader(pipe.fileno())
        try:
            command, *arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(await getattr(served, command)(*arguments))


class Server:
    """The server's process, from outside. A context manager; `kind` makes what is served there."""

    def __init__(self, kind: type[Any] = Worlds) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=serve, args=(far, kind), daemon=True)
        self._process.start()
        far.close()

    def ask(self, command: str, *arguments: Any) -> Any:
        """Carry out a method of what is served. Raises EOFError when the server has died."""
        self._pipe.send((command, *arguments))
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(5)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
