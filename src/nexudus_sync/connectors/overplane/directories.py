"""Names behind Overplane's values: users by e-mail, sales stages by name. Read once a process, and again on a miss."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Record

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds during which a name that was just looked for in vain is not looked for again."""


class Cached(Generic[T]):
    """Something read once and kept; who misses an entry may ask for a fresh copy. Safe for readers side by side."""

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._lock = asyncio.Lock()
        self._kept: tuple[T, float] | None = None
        self._missed: dict[str, float] = {}

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

    async def _unless(self, good: Callable[[float], bool]) -> T:
        """What is kept if it was read at a `good` moment of the monotonic clock, else read now."""
        async with self._lock:
            if self._kept is None or not good(self._kept[1]):
                read_at = self._clock.monotonic()
                self._kept = (await self._read(), read_at)
            return self._kept[0]


class Names:
    """A `Directory` of names, each with what else a record may call it by. It remembers what it was asked for in vain.

    `entries` are (name, other words for it); a word that stands for two names stands for none.
    """

    def __init__(self, entries: Iterable[tuple[str, tuple[object, ...]]] = (), *, any_email: bool = False) -> None:
        self.missed: set[str] = set()
        self._any_email = any_email
        self._names: dict[str, str] = {}
        others: dict[str, set[str]] = {}
        for name, words in entries:
            self._names.setdefault(_fold(name), name)
            for word in words:
                others.setdefault(_fold(word), set()).add(name)
        self._words = {word: min(names) for word, names in others.items() if word and len(names) == 1} | self._names

    def __len__(self) -> int:
        return len(self._names)

    def name(self, raw: object) -> str | None:
        """The name a record's value stands for."""
        return self._find(self._words, _fold(raw)) if raw else None

    def raw(self, name: str) -> object | None:
        """What to write for a name: the name as the system spells it."""
        found = self._find(self._names, _fold(name))
        return name if found is None and self._any_email and "@" in name else found

    def names(self) -> tuple[str, ...]:
        """All names, in the system's order."""
        return tuple(self._names.values())

    def _find(self, among: dict[str, str], word: str) -> str | None:
        found = among.get(word)
        if found is None and word:
            self.missed.add(word)
        return found


def users(rows: list[Record]) -> Names:
    """Users by e-mail; a record may name one by id, e-mail or full name. Without users every e-mail can be written."""
    entries = [
        (email.lower(), (row.get("id"), row.get("full_name"), row.get("name")))
        for row in rows
        if (email := str(row.get("email") or "").strip())
    ]
    return Names(entries, any_email=not entries)


def stages(rows: list[Record]) -> Names:
    """Sales stages by name; a record may hold the id instead."""
    named = ((str(row.get("stage_name") or "").strip(), row.get("id")) for row in rows)
    return Names((name, (record_id,)) for name, record_id in named if name)


def _fold(word: object) -> str:
    return "" if word is None else str(word).strip().casefold()
