"""An event loop in virtual time: it jumps to its next timer instead of waiting, so a day of polling takes a moment."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)


class Deadlock(Exception):
    """Everything waits and nothing will ever happen."""


class _Jumping(selectors.SelectSelector):
    jump: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise Deadlock
            self.jump(timeout)
        return ready


@dataclass(slots=True)
class _Time:
    seconds: float = 0.0


class SimClock:
    """The clock of a simulated world. Time goes on from one `run` to the next.

    One made `beside` another has a loop of its own in the same time.
    """

    def __init__(self, beside: "SimClock | None" = None) -> None:
        self._time = _Time() if beside is None else beside._time
        selector = _Jumping()
        selector.jump = self._jump
        self._loop = asyncio.SelectorEventLoop(selector)
        self._loop.time = self.monotonic  # type: ignore[method-assign]

    @property
    def seconds(self) -> float:
        """Since the world began."""
        return self._time.seconds

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._time.seconds = seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end in virtual time; what else was under way ends too. Raises Deadlock and what the work does."""
        try:
            return self._loop.run_until_complete(work)
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def close(self) -> None:
        """The end of this world's time."""
        self._loop.close()

    def _jump(self, seconds: float) -> None:
        self.seconds += seconds
