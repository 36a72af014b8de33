"""A server's request budget: sliding windows, scalable in time so that an hour can pass in a test."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from nexudus_sandbox.wire import Response

Style = Literal["alternate", "409", "429"]
"""How a throttled call is answered: 409 with `Retry-After`, 429 with "Wait N seconds", or the two in turn."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `calls` in any `seconds`; `writes` narrows it to POST, PUT, PATCH and DELETE."""

    calls: int
    seconds: float
    writes: bool = False


def answer_409(seconds: float) -> Response:
    """Throttled as Nexudus documents it: 409, `Retry-After` in whole seconds, empty body."""
    return Response(409, {"Retry-After": str(max(1, math.ceil(seconds)))})


def answer_429(seconds: float) -> Response:
    """Throttled as clients report it: 429 and a text that names decimal seconds."""
    return Response(429, {"Content-Type": "text/plain"}, f"Wait {seconds:.2f} seconds".encode())


class Throttle:
    """Counts calls. `time_scale` is how many real seconds a window's second lasts (0.01: an hour in 36 s)."""

    def __init__(self, windows: Sequence[Window], *, time_scale: float = 1.0, style: Style = "alternate") -> None:
        self.style = style
        self._windows = [(window, window.seconds * time_scale, deque[float]()) for window in windows]
        self._refusals = count()

    def refuse(self, at: float, *, write: bool) -> Response | None:
        """Count a call made at `at` (epoch seconds), or answer it as throttled; a refused call is not counted."""
        concerned = [(window, length, calls) for window, length, calls in self._windows if write or not window.writes]
        wait = 0.0
        for window, length, calls in concerned:
            while calls and calls[0] <= at - length:
                calls.popleft()
            if len(calls) >= window.calls:
                wait = max(wait, calls[-window.calls] + length - at)
        if wait > 0:
            return self._answer(wait)
        for _, _, calls in concerned:
            calls.append(at)
        return None

    def _answer(self, wait: float) -> Response:
        as_409 = self.style == "409" or (self.style == "alternate" and next(self._refusals) % 2 == 0)
        return answer_409(wait) if as_409 else answer_429(wait)
