"""A list read once and kept, for what a system seldom changes: users, stages, lists of names."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

from nexudus_sync.clock import Clock
from nexudus_sync.errors import Unavailable

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds before a name that was not found is looked for again."""


class Cached(Generic[T]):
    """Something read once and kept; who misses an entry may ask for a fresh copy. Safe for concurrent readers."""

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._lock = asyncio.Lock()
        self._kept: tuple[T, float] | None = None
        self._missed: dict[str, float] = {}
        self._stale = False

    @property
    def known(self) -> T | None:
        """What was read last, None before the first read."""
        return self._kept[0] if self._kept else None

    async def value(self) -> T:
        """What is kept, read first if it never was."""
        return await self._unless(lambda _: True)

    async def recent(self) -> T:
        """What is kept, read again if that was more than `PATIENCE` seconds ago."""
        now = self._clock.monotonic()
        return await self._unless(lambda read_at: now - read_at <= PATIENCE)

    async def fresh(self) -> T:
        """Read now."""
        return await self._unless(lambda _: False)

    async def despite(self, misses: Iterable[str]) -> T:
        """What is kept, read again if it lacks one of `misses` that was not looked for within `PATIENCE` seconds."""
        now = self._clock.monotonic()
        new = [miss for miss in misses if now - self._missed.get(miss, -PATIENCE) >= PATIENCE]
        self._missed |= dict.fromkeys(new, now)
        return await (self.fresh() if new else self.value())

    def ask_afresh(self) -> None:
        """Read it again when it is next needed; if that fails, the kept copy will do."""
        self._stale = True

    async def _unless(self, good: Callable[[float], bool]) -> T:
        """What is kept if it was read at a `good` moment of the monotonic clock, else read now."""
        async with self._lock:
            stale, self._stale = self._stale, False
            try:
                if self._kept is None or not good(self._kept[1]):
                    self._kept = await self._read_now()
                elif stale:
                    with suppress(Unavailable):
                        self._kept = await self._read_now()
            except BaseException:  # was given up, or failed: it is still to be read again
                self._stale = self._stale or stale
                raise
            return self._kept[0]

    async def _read_now(self) -> tuple[T, float]:
        read_at = self._clock.monotonic()
        return await self._read(), read_at
