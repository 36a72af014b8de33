"""May this write still be sent? Asked right before its first byte, where several workers share the work.

Whoever works under a lease puts its permit into force for the task that does (`IN_FORCE`), and all writes of that task
need it, whichever connector makes them. Reads and logins do not: they change nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx

from nexudus_sync.errors import LeaseLost, OutcomeUnknown, SyncError

KEY = "permit"
"""The extension of a request that holds its permit."""
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""What a request ends in that was never sent."""


class Permit:
    """What allows a task's writes. `deadline`: seconds that one of them may take, from its first byte to the last read.

    `calls` counts the writes of the present step that left, or may have; `in_doubt`: a step is under way, or ended
    without it being known what became of its writes.
    """

    def __init__(self, may_send: Callable[[], bool], lost: Callable[[], LeaseLost], deadline: float) -> None:
        self._may_send, self._lost, self.deadline = may_send, lost, deadline
        self.calls = 0
        self.in_doubt = False

    def ask(self) -> None:
        """Raises LeaseLost when nothing more may be sent."""
        if not self._may_send():
            raise self._lost()

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """While a request is sent and its answer awaited. Raises LeaseLost when it was not sent, and may not be."""
        self.ask()
        self.calls += 1
        try:
            yield
        except (LeaseLost, *NEVER_LEFT):
            self.calls -= 1
            raise

    @contextmanager
    def step(self) -> Iterator[None]:
        """While one step is carried out, which may take several writes."""
        self.calls, was_in_doubt = 0, self.in_doubt
        self.in_doubt = True
        try:
            yield
        except SyncError as error:
            self.in_doubt = was_in_doubt or isinstance(error, OutcomeUnknown)
            raise
        else:
            self.in_doubt = was_in_doubt

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        """What httpx's own transport calls before it sends: it may have waited long for a connection."""
        if event.endswith("send_request_headers.started"):
            self.ask()


def _never() -> LeaseLost:
    raise AssertionError("a permit without a lease is never lost")


ANY_TIME = Permit(lambda: True, _never, float("inf"))
"""In force where nothing else is: one process has the store to itself."""
IN_FORCE: ContextVar[Permit] = ContextVar("permit", default=ANY_TIME)


def seconds_for(request: httpx.Request, longest: float) -> float:
    """Give a write its permit, if it needs one; how many of the `longest` seconds it may take."""
    permit = IN_FORCE.get()
    if permit is ANY_TIME:
        return longest
    request.extensions = {**request.extensions, KEY: permit, "trace": permit.trace}
    return min(longest, permit.deadline)
