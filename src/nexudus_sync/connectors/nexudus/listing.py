"""Reading a listing of opportunities whole and checking that it was: offset paging alone promises nothing.

Rows are asked for by Id. Then an edit moves no row and an insertion only repeats some; a deletion between two pages
makes one slip through, which shows in a total that shrinks. Where order or totals do not hold, all is read again. A
deletion made up for by an insertion between the same two pages goes unseen: the next full reading is the net for it.

Pages are asked for ahead where the first one told how many there are and that they ascend. The server then comes to
them in any order, so the total may not even grow: else all is read again, page by page.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import ceil

import structlog

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.ahead import Ahead, Asked
from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.connectors.nexudus import moments
from nexudus_sync.connectors.nexudus.api import LARGEST_PAGE, Filters, Listing, NexudusApi
from nexudus_sync.connectors.nexudus.dialect import Forbidden
from nexudus_sync.connectors.rows import refuse_endless
from nexudus_sync.errors import Unavailable

TRIES = 4
"""How often a list is read before it counts as unreadable."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Proof:
    """What one reading has shown so far. `ascending` is None until a page of two rows told: `dir` cannot be trusted.

    `ahead`: pages were asked for before the ones in front of them were answered.
    """

    seen: set[int] = field(default_factory=set)
    ascending: bool | None = None
    last_id: int | None = None
    last_created: datetime | None = None
    first_total: int | None = None
    window_total: int | None = None
    unread: int = 0
    pages: int = 0
    ahead: bool = False
    trouble: str = ""
    short: bool = False
    """The only doubt about the reading is a total that is higher, or that is not given."""

    def accept(self, listing: Listing) -> bool:
        """Take one more page; False when it shows that the reading cannot be trusted."""
        ids = list(dict.fromkeys(int(row["Id"]) for row in listing.rows))  # one that comes twice is told apart later
        self.trouble = self._shrunk(listing.total) or self._disordered(ids) or self._stuck(ids, listing.has_next)
        self.seen.update(ids)
        self.unread += listing.unread
        self.pages += 1
        if ids:
            self.last_id = ids[-1]
            self.last_created = moments.parse(listing.rows[-1].get("CreatedOn"))
        if not self.trouble and not listing.has_next:
            self.trouble = self._incomplete()
            self.short = bool(self.trouble)
        return not self.trouble

    def _incomplete(self) -> str:
        listed = len(self.seen) + self.unread
        if self.first_total is None:
            return "the server does not say how many there are" if self.pages > 1 else ""
        return f"{listed} of {self.first_total} were listed" if listed < self.first_total else ""

    def _shrunk(self, total: int | None) -> str:
        before, self.window_total = self.window_total, total
        if self.first_total is None:
            self.first_total = total
        if total is None or before is None:
            return ""
        if self.ahead and total != before:
            return "the total changed"
        return "the total shrank" if total < before else ""

    def _disordered(self, ids: list[int]) -> str:
        if self.ascending is None and len(ids) > 1:
            self.ascending = ids[0] < ids[1]
        up = self.ascending is not False
        within = all((a < b) is up and a != b for a, b in pairwise(ids))
        joins = (
            not ids
            or self.last_id is None
            or self.ascending is None
            or ids[0] in self.seen
            or (self.last_id < ids[0]) is up
        )
        return "" if within and joins else "the rows are not in order of Id"

    def _stuck(self, ids: list[int], has_next: bool) -> str:
        return "a page repeats the one before" if has_next and self.seen.issuperset(ids) else ""

    def beyond(self, where: Filters) -> Filters | None:
        """Filters that go on from the last row by its creation, where pages this deep are refused; None if unknown."""
        if self.last_created is None:
            return None
        end = "to" if self.ascending is False else "from"
        narrowed = {**where, f"{end}_CrmOpportunity_CreatedOn": self.last_created}
        return None if narrowed == where else narrowed


@dataclass(frozen=True, slots=True)
class Batch:
    """One page of a reading; `last` on the page that ends one whose order and totals held.

    `asked_at` is when it was asked for, by our clock, and `began` by the monotonic one. `complete`: no row of it was
    without an Id. `sure`: it needed no second reading that showed the same.
    """

    rows: list[Record]
    total: int | None
    asked_at: datetime
    began: float
    last: bool
    complete: bool = True
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the listings of one login. `ahead` is how many pages may be asked for at the same time."""

    api: NexudusApi
    system: str
    clock: Clock
    ahead: int = 1


async def read(reader: Reader, where: Filters, priority: Priority = Priority.LIVE) -> AsyncGenerator[Batch]:
    """All partial rows that `where` selects; some come twice when the list had to be read again.

    A total that does not fit, or is not given, is made up for by a second reading that shows the same rows.
    Raises Unavailable when `TRIES` readings did not hold.
    """
    proof, before = _Proof(), None
    for attempt in range(1, TRIES + 1):
        before, proof = proof.seen if proof.short else None, _Proof()
        width = reader.ahead if attempt == 1 else 1
        async with aclosing(_pages(reader, where, proof, priority, width)) as pages:
            async for asked in pages:
                listing = asked.answer
                sure = proof.accept(listing)
                held = sure or (proof.short and proof.seen == before)
                last = held and not listing.has_next
                yield Batch(listing.rows, listing.total, asked.at, asked.began, last, not proof.unread, sure)
                if not held:
                    break
            else:
                return
        log.info("nexudus.listing_repeated", attempt=attempt, reason=proof.trouble)
    raise Unavailable(reader.system, f"the list kept changing while it was read ({proof.trouble}); try again later")


async def _pages(
    reader: Reader, where: Filters, proof: _Proof, priority: Priority, width: int
) -> AsyncGenerator[Asked[Listing]]:
    window, page, last, read = where, 1, 1, 0

    async def ask(number: int) -> Listing:
        return await reader.api.opportunities(window, page=number, size=LARGEST_PAGE, priority=priority)

    async with aclosing(Ahead(ask, width, reader.clock)) as pages:
        while True:
            read += 1
            refuse_endless(read, "the list of opportunities", reader.system)
            try:
                asked = await pages.page(page, range(page + 1, last + 1))
            except Forbidden:
                narrower = proof.beyond(window) if page > 1 else None
                if narrower is None:
                    raise
                # The records from here on are a smaller set with a total of its own.
                window, page, last, proof.window_total = narrower, 1, 1, None
                continue
            yield asked
            if not asked.answer.has_next:
                return
            if page == 1 and width > 1 and proof.ascending:
                last = _pages_in(asked.answer)
                proof.ahead = proof.ahead or last > 2
            page += 1


def _pages_in(first: Listing) -> int:
    """How many pages there are, as far as the first one tells."""
    return ceil((first.total or 0) / (len(first.rows) + first.unread))
