"""Reading a whole list that moves while it is read.

Lists are ordered by creation, newest first, and paged by offset (page "List all opportunitys"): a creation meanwhile
repeats rows, a deletion makes the next page skip some. So a sweep is believed only when every page named one total and
that many ids were seen; else it is done again. The largest `limit` is documented nowhere: it is found out and kept.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.connectors.overplane.api import Listing, Resource
from nexudus_sync.connectors.rows import refuse_endless
from nexudus_sync.errors import Refused

ATTEMPTS = 4
SMALLEST = 20
"""The documented default of `limit`: no server can refuse it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a sweep.

    `asked_at` is when its call was made, by our clock; `complete` is None but on the last, empty one. `unread` counts
    rows without an id; `sure` on the last: the totals said so, and it was not read twice to know. `stuck`: there
    are said to be more, and nothing new came.
    """

    rows: list[Record]
    total: int | None
    asked_at: datetime
    complete: bool | None = None
    unread: int = 0
    sure: bool = True
    stuck: bool = False


class Sweeper:
    """Reads lists page by page. `limit` is the number of rows to ask for, lowered to what the server honours."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self.limit = limit

    async def sweep(self, resource: Resource, priority: Priority = Priority.LIVE) -> AsyncIterator[Stretch]:
        """Every object of a list. Rows may come twice, the later one is the newer.

        The last stretch says whether none was missed: a single page without a total cannot have missed any, and what
        two sweeps in a row show alike is believed where the total is an estimate, or there is none.
        """
        total: int | None = None
        before: set[str] | None = None
        for _ in range(ATTEMPTS):
            seen: set[str] = set()
            totals: list[int | None] = []
            unread, stuck = 0, False
            async for stretch in self.pages(resource, priority):
                seen.update(str(row["id"]) for row in stretch.rows)
                unread, stuck = unread + stretch.unread, stretch.stuck
                totals.append(total := stretch.total)
                yield stretch
            exact = set(totals) == {len(seen) + unread}
            if exact or totals == [None] or (seen == before and not stuck):
                # a row without an id may be any record's
                yield Stretch([], total, self._clock.now(), complete=not unread, sure=exact or totals == [None])
                return
            before = seen
        yield Stretch([], total, self._clock.now(), complete=False, sure=False)

    async def rows(self, resource: Resource, priority: Priority = Priority.LIVE) -> list[Record]:
        """Every object of a list, each once, as it was read last."""
        found: dict[str, Record] = {}
        async for stretch in self.sweep(resource, priority):
            found |= {str(row["id"]): row for row in stretch.rows}
        return list(found.values())

    async def pages(self, resource: Resource, priority: Priority = Priority.LIVE) -> AsyncIterator[Stretch]:
        """The list from the newest on, once, without any promise. A page that repeats the former ones ends it."""
        offset, page, seen = 0, 0, set[str]()
        while True:
            page += 1
            refuse_endless(page, resource.path, resource.system)
            asked_at = self._clock.now()
            listing = await self._page(resource, offset, priority)
            ids = {str(row["id"]) for row in listing.rows}
            stuck = listing.has_more and ids <= seen and not listing.unread
            yield Stretch(listing.rows, listing.total, asked_at, unread=listing.unread, stuck=stuck)
            if stuck or not listing.has_more:
                return
            seen |= ids
            offset += len(listing.rows) + listing.unread

    async def _page(self, resource: Resource, offset: int, priority: Priority) -> Listing:
        limit = self.limit
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
            self.limit = limit
            return listing
