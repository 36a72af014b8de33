"""Reading a listing of opportunities whole and checking that it was: offset paging alone promises nothing.

Rows are asked for by Id. Then an edit moves no row and an insertion only repeats some; a deletion between two pages
makes one slip through, which shows in a total that shrinks. Where order or totals do not hold, all is read again. A
deletion made up for by an insertion between the same two pages goes unseen: the next full reading is the net for it.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import structlog

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
    """What one reading has shown so far. `ascending` is None until a page of two rows told: `dir` cannot be trusted."""

    seen: set[int] = field(default_factory=set)
    ascending: bool | None = None
    last_id: int | None = None
    last_created: datetime | None = None
    first_total: int | None = None
    window_total: int | None = None
    unread: int = 0
    pages: int = 0
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
        return "the total shrank" if total is not None and before is not None and total < before else ""

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

    `complete`: no row of it was without an Id. `sure`: it needed no second reading that showed the same.
    """

    rows: list[Record]
    total: int | None
    last: bool
    complete: bool = True
    sure: bool = True


async def read(
    api: NexudusApi, system: str, where: Filters, priority: Priority = Priority.LIVE
) -> AsyncGenerator[Batch]:
    """All partial rows that `where` selects; some come twice when the list had to be read again.

    A total that does not fit, or is not given, is made up for by a second reading that shows the same rows.
    Raises Unavailable when `TRIES` readings did not hold.
    """
    proof, before = _Proof(), None
    for attempt in range(1, TRIES + 1):
        before, proof = proof.seen if proof.short else None, _Proof()
        async with aclosing(_pages(api, system, where, proof, priority)) as pages:
            async for listing in pages:
                sure = proof.accept(listing)
                held = sure or (proof.short and proof.seen == before)
                last = held and not listing.has_next
                yield Batch(listing.rows, listing.total, last, not proof.unread, sure)
                if not held:
                    break
            else:
                return
        log.info("nexudus.listing_repeated", attempt=attempt, reason=proof.trouble)
    raise Unavailable(system, f"the list kept changing while it was read ({proof.trouble}); try again later")


async def _pages(
    api: NexudusApi, system: str, where: Filters, proof: _Proof, priority: Priority
) -> AsyncGenerator[Listing]:
    window, page, read = where, 1, 0
    while True:
        read += 1
        refuse_endless(read, "the list of opportunities", system)
        try:
            listing = await api.opportunities(window, page=page, size=LARGEST_PAGE, priority=priority)
        except Forbidden:
            narrower = proof.beyond(window) if page > 1 else None
            if narrower is None:
                raise
            # The records from here on are a smaller set with a total of its own.
            window, page, proof.window_total = narrower, 1, None
            continue
        yield listing
        if not listing.has_next:
            return
        page += 1
