"""Asking for the pages of a list before it is their turn, so that a long list does not take a wait for each page."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Generic, TypeVar

from nexudus_sync.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """An answer, and when it was asked for: `at` by our clock, `began` in seconds of the monotonic one."""

    answer: T
    at: datetime
    began: float


class Ahead(Generic[T]):
    """Pages by their address (a number, an offset), of which up to `width` are asked for at a time.

    Close it when done: what was asked for and is not wanted any more is then given up.
    """

    def __init__(self, ask: Callable[[int], Awaitable[T]], width: int, clock: Clock) -> None:
        self._ask, self._width, self._clock = ask, width, clock
        self._asked: dict[int, asyncio.Task[Asked[T]]] = {}

    async def page(self, address: int, following: Iterable[int] = ()) -> Asked[T]:
        """The page at this address. Raises what asking for it raises.

        Meanwhile those `following` are asked for too, as far as there is room; what was asked for before and is not
        among them is given up.
        """
        wanted = [address, *islice(following, self._width - 1)]
        await self._give_up(self._asked.keys() - set(wanted))
        for one in wanted:
            if one not in self._asked:
                self._asked[one] = asyncio.create_task(self._asking(one))
        return await self._asked.pop(address)

    async def aclose(self) -> None:
        """Give up what was asked for."""
        await self._give_up(list(self._asked))

    async def _asking(self, address: int) -> Asked[T]:
        at, began = self._clock.now(), self._clock.monotonic()
        return Asked(await self._ask(address), at, began)

    async def _give_up(self, addresses: Iterable[int]) -> None:
        dropped = [self._asked.pop(one) for one in addresses]
        for one in dropped:
            one.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)
