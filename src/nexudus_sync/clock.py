"""Time as an argument: everything that reads a clock or waits does it through here, so that a run can be simulated."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_YEARS = range(2, 9999)
"""Of the first and the last year no moment is one: they stand for "never", and no reckoning with them holds."""


class Clock(Protocol):
    """A source of time and the only way to wait."""

    def now(self) -> datetime:
        """The present moment, timezone-aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds; zero or less yields once."""
        ...


def written(text: object) -> datetime | None:
    """The moment that ISO 8601 text says, without an offset as it is written; None for anything else. Never raises."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.year in _YEARS else None


def moment(text: object) -> datetime | None:
    """The aware UTC moment that ISO 8601 text says, UTC where it names no offset; None for anything else."""
    found = written(text)
    if found is None or found.tzinfo is UTC:
        return found
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, timezone-aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        await asyncio.sleep(max(0.0, seconds))

    def boottime(self) -> float:
        """Seconds since an arbitrary moment, those in which the machine was asleep included, where it counts them."""
        clock = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if clock is None else time.clock_gettime(clock)


class SharedClock:
    """A clock that tells the time of a database server, by which machines agree whose own clocks are minutes apart.

    `learn` sets it; between two lessons it goes on by the machine's monotonic clock, so a clock that is set changes
    nothing. Until the first lesson it tells the machine's own time.
    """

    def __init__(self, inner: Clock) -> None:
        self._inner = inner
        self._told: tuple[datetime, float] | None = None

    def learn(self, moment: datetime, asked: float) -> None:
        """The server says that it is `moment` (aware UTC); it was asked at `asked`, by `unstopped`."""
        answered = unstopped(self._inner)
        self._told = moment, (asked + answered) / 2

    def now(self) -> datetime:
        """The present moment, timezone-aware UTC."""
        if self._told is None:
            return self._inner.now()
        moment, at = self._told
        return moment + timedelta(seconds=unstopped(self._inner) - at)

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return self._inner.monotonic()

    def boottime(self) -> float:
        """Seconds that count sleep as well."""
        return unstopped(self._inner)

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        await self._inner.sleep(seconds)


def unstopped(clock: Clock) -> float:
    """Monotonic seconds that go on while the machine sleeps, if the clock has such."""
    counted = getattr(clock, "boottime", None)
    return clock.monotonic() if counted is None else float(counted())
