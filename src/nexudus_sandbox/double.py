"""What every double has: a clock of its own, a log of requests and changes, and actions that fall due later."""

import heapq
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any

from nexudus_sandbox.throttle import Throttle, Window
from nexudus_sandbox.wire import Request, Response, Router

Row = dict[str, Any]
"""One object of a double, as its API spells it. A stored row is never changed in place: a change makes a new one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request that reached the double. `at` is by the server's clock, `user` is "" when nobody logged in."""

    at: datetime
    user: str
    method: str
    path: str
    query: dict[str, str]
    body: bytes
    status: int


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed.

    `action` is "create", "update" or "delete"; a create or delete has `field` "" and holds the whole row.
    """

    at: datetime
    by: str
    kind: str
    action: str
    record_id: str
    field: str
    old: Any
    new: Any


class Double:
    """The common part of the doubles. Everything is synchronous, in memory and safe to call from several threads.

    `clock` gives true time (aware UTC); the server's own clock runs `offset` seconds ahead of it.
    """

    def __init__(
        self, clock: Callable[[], datetime], *, seed: int = 0, offset: float = 0.0, throttle: Throttle | None = None
    ) -> None:
        self.clock = clock
        self.offset = offset
        self.rng = random.Random(seed)  # noqa: S311  ids and choices of a double, nothing secret
        self.lock = threading.RLock()
        self.log: list[Entry] = []
        self.changes: list[Change] = []
        self.watchers: list[Callable[[Request, Response], None]] = []
        """Called after each answered request: a test edits here what shifts between two pages."""
        self.throttle = throttle or Throttle(())
        self.router = Router()
        self._due: list[tuple[datetime, int, Callable[[], object]]] = []
        self._sequence = count()

    def set_windows(self, windows: Sequence[Window], *, time_scale: float = 1.0) -> None:
        """Replace the request budget; counting starts again."""
        self.throttle = Throttle(windows, time_scale=time_scale, style=self.throttle.style)

    def now(self) -> datetime:
        """The server's clock, aware UTC, whole seconds."""
        return (self.clock() + timedelta(seconds=self.offset)).replace(microsecond=0)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Run `action` once `seconds` of true time have passed (at the next request or edit after that)."""
        with self.lock:
            heapq.heappush(self._due, (self.clock() + timedelta(seconds=seconds), next(self._sequence), action))

    def settle(self) -> None:
        """Run what has fallen due."""
        with self.lock:
            while self._due and self._due[0][0] <= self.clock():
                heapq.heappop(self._due)[2]()

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        with self.lock:
            self.settle()
            return self.serve(request)

    def serve(self, request: Request) -> Response:
        """Answer one request without looking at what has fallen due: for a request that itself arrives late."""
        user, response = self.answer(request)
        query, at = dict(request.query), self.now()
        self.log.append(Entry(at, user, request.method, request.path, query, request.body, response.status))
        for watcher in self.watchers:
            watcher(request, response)
        date = format_datetime(self.now(), usegmt=True)
        return Response(response.status, {**response.headers, "Date": date}, response.body)

    def answer(self, request: Request) -> tuple[str, Response]:
        """Who asked, and what the server says to it. Each double has its own."""
        raise NotImplementedError

    def changed(self, by: str, kind: str, record_id: object, before: Row | None, after: Row | None) -> None:
        """Note a change, field by field for an update."""
        at, text = self.now(), str(record_id)
        if before is None or after is None:
            action = "create" if before is None else "delete"
            self.changes.append(Change(at, by, kind, action, text, "", before, after))
            return
        self.changes.extend(
            Change(at, by, kind, "update", text, key, before.get(key), after.get(key))
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        )
