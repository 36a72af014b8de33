"""Answers that come back otherwise than the double gave them, in one world and in one process."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sim_world import SimWorld

from nexudus_sync import codec
from nexudus_sync.mapping import Side


@dataclass(frozen=True)
class Instead:
    """An answer without which the double never hears of the request; None: it does."""

    answer: Callable[[httpx.Request], httpx.Response | None]


Twist = Instead | Callable[[httpx.Request, httpx.Response], httpx.Response | None]
"""What becomes of an answer; None: it stays as it is."""


class Twisted(httpx.AsyncBaseTransport):
    """A transport behind which every twist whose pattern fits "METHOD path" has its turn."""

    def __init__(self, inner: httpx.AsyncBaseTransport, twists: list[tuple[str, Twist]]) -> None:
        self._inner, self._twists = inner, twists

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fitting = [one for pattern, one in self._twists if re.search(pattern, f"{request.method} {request.url.path}")]
        for twist in fitting:
            if isinstance(twist, Instead) and (refused := twist.answer(request)) is not None:
                return refused
        response = await self._inner.handle_async_request(request)
        for twist in fitting:
            response = (None if isinstance(twist, Instead) else twist(request, response)) or response
        return response


class TwistedWorld(SimWorld):
    """A world whose `twists` of a side can be changed at any time."""

    def __init__(self, folder: Path, system: str = "overplane") -> None:
        self.twists: dict[Side, list[tuple[str, Twist]]] = {side: [] for side in Side}
        super().__init__(11, folder, nexudus=4, crm=4, shared=2, system=system)

    def transport(self, side: Side) -> httpx.AsyncBaseTransport:
        return Twisted(super().transport(side), self.twists[side])


def instead(status: int, content: Any = None, holding: str = "", **headers: str) -> Instead:
    """A refusal: nothing is done. `holding`: only of requests whose body has that text."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = codec.dumps(content).encode()

    def answer(request: httpx.Request) -> httpx.Response | None:
        fits = holding.encode() in request.content
        return httpx.Response(status, content=body, headers=named) if fits else None

    return Instead(answer)


def rows_of(body: Any) -> list[dict[str, Any]]:
    """The records in an answer: the rows of a list, or the one there is."""
    if not isinstance(body, dict):
        return []
    inner = body.get("Records", body.get("data", body))
    return [row for row in (inner if isinstance(inner, list) else [inner]) if isinstance(row, dict)]


def record(record_id: object, **changes: object) -> Twist:
    """One record says something else wherever it is answered. A text that begins with ! is put in unquoted."""

    def twist(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        try:
            body = codec.loads(response.content)
        except ValueError:
            return None
        found = [row for row in rows_of(body) if str(row.get("Id", row.get("id", row.get("name")))) == str(record_id)]
        if not found:
            return None
        for row in found:
            row.update(changes)
        text = re.sub(r'"!([^"]*)"', r"\1", codec.dumps(body))
        return httpx.Response(response.status_code, content=text.encode(), headers={"Date": response.headers["Date"]})

    return twist
