"""Reading a whole list that moves while it is read.

Lists are ordered by creation, newest first, and paged by offset (page "List all opportunitys"): a creation meanwhile
repeats rows, a deletion makes the next page skip some. So a sweep is believed only when every page named one total and
that many ids were seen; else it is done again. The largest `limit` is documented nowhere: it is found out and kept.

Pages are asked for ahead, in whatever order the server comes to them, but none before the first one was answered. Then
the test holds as before: a record can only slip by where pages move towards the front between two answers, which needs
a deletion; with the total unchanged, a creation has made up for it, and the page behind the first of the moved ones
repeats a row. What has to be read again is read page by page.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.ahead import Ahead
from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.connectors.overplane.api import Listing, Resource
from nexudus_sync.connectors.page_size import PageSize
from nexudus_sync.connectors.rows import refuse_endless
from nexudus_sync.errors import Refused

ATTEMPTS = 4
SMALLEST = 20
"""The documented default of `limit`: no server can refuse it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a sweep.

    `asked_at` is when its call was made, by our clock, and `began` by the monotonic one; `complete` is None but on the
    last, empty one. `unread` counts rows without an id; `sure` on the last: the totals said so, and it was not read
    twice to know. `stuck`: there are said to be more, and nothing new came.
    """

    rows: list[Record]
    total: int | None
    asked_at: datetime
    began: float
    complete: bool | None = None
    unread: int = 0
    sure: bool = True
    stuck: bool = False


class Sweeper:
    """Reads lists page by page. `size` is lowered to what the server honours.

    `ahead` is how many pages may be asked for at the same time.
    """

    def __init__(self, clock: Clock, size: PageSize) -> None:
        self._clock, self._size = clock, size
        self.ahead = 1

    async def sweep(self, resource: Resource, priority: Priority = Priority.LIVE) -> AsyncGenerator[Stretch]:
        """Every object of a list. Rows may come twice, the later one is the newer.

        The last stretch says whether none was missed: a single page without a total cannot have missed any, and what
        two sweeps in a row show alike is believed where the total is an estimate, or there is none.
        """
        total: int | None = None
        before: set[str] | None = None
        for attempt in range(ATTEMPTS):
            seen: set[str] = set()
            totals: list[int | None] = []
            unread, stuck = 0, False
            ahead = 1 if attempt else self.ahead
            async with aclosing(self.pages(resource, priority, ahead=ahead, seen=seen)) as pages:
                async for stretch in pages:
                    unread, stuck = unread + stretch.unread, stretch.stuck
                    totals.append(total := stretch.total)
                    yield stretch
            exact = set(totals) == {len(seen) + unread}
            if exact or totals == [None] or (seen == before and not stuck):
                # a row without an id may be any record's
                yield self._last(total, complete=not unread, sure=exact or totals == [None])
                return
            before = seen
        yield self._last(total, complete=False, sure=False)

    def _last(self, total: int | None, *, complete: bool, sure: bool) -> Stretch:
        return Stretch([], total, self._clock.now(), self._clock.monotonic(), complete=complete, sure=sure)

    async def rows(self, resource: Resource, priority: Priority = Priority.LIVE) -> list[Record]:
        """Every object of a list, each once, as it was read last."""
        found: dict[str, Record] = {}
        async for stretch in self.sweep(resource, priority):
            found |= {str(row["id"]): row for row in stretch.rows}
        return list(found.values())

    async def pages(
        self, resource: Resource, priority: Priority = Priority.LIVE, *, ahead: int = 1, seen: set[str] | None = None
    ) -> AsyncGenerator[Stretch]:
        """The list from the newest on, once, without any promise. A page that repeats the former ones ends it.

        Up to `ahead` pages are asked for at the same time, as far as the total and full pages tell where they begin.
        The ids are added to `seen`.
        """
        offset, number, following = 0, 0, range(0)
        seen = set() if seen is None else seen
        async with aclosing(Ahead(lambda at: self._page(resource, at, priority), ahead, self._clock)) as pages:
            while True:
                number += 1
                refuse_endless(number, resource.path, resource.system)
                asked = await pages.page(offset, following)
                listing = asked.answer
                ids = {str(row["id"]) for row in listing.rows}
                stuck = listing.has_more and ids <= seen and not listing.unread
                seen |= ids
                yield Stretch(listing.rows, listing.total, asked.at, asked.began, unread=listing.unread, stuck=stuck)
                if stuck or not listing.has_more:
                    return
                listed = len(listing.rows) + listing.unread
                offset += listed
                full = listed == self._size.rows
                following = range(offset + listed, listing.total, listed) if full and listing.total else range(0)

    async def _page(self, resource: Resource, offset: int, priority: Priority) -> Listing:
        limit = self._size.rows
        while True:
            try:
                listing = await resource.page({"limit": str(limit), "offset": str(offset)}, priority=priority)
            except Refused:
                if limit <= SMALLEST:
                    raise
                limit = max(SMALLEST, limit // 2)
                continue
            if listing.has_more and SMALLEST <= len(listing.rows) < limit:
                limit = len(listing.rows)
            self._size.lower(limit)
            return listing
