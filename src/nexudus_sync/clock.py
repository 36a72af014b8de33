"""Time as an argument: everything that reads a clock or waits does it through here, so that a run can be simulated."""

import asyncio
import time
from datetime import UTC, datetime
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
