"""Reading opportunities in the order of their changes, page by page.

Without an order Frappe's pages overlap and skip, and offsets shift while people save. So each page begins behind the
last row of the one before, by (`modified`, `name`). `modified` is given before a save is committed: a later poll reads
back by the overlap.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from nexudus_sync.connectors.base import Page, Priority, Record, Scope
from nexudus_sync.connectors.erpnext import records, stamps
from nexudus_sync.connectors.erpnext.api import Api, Filter, Query
from nexudus_sync.connectors.erpnext.site import OPPORTUNITY, Site
from nexudus_sync.connectors.rows import refuse_endless
from nexudus_sync.errors import Unavailable

ATTEMPTS = 4
_TRUST = timedelta(hours=1)
"""How far the site's own stamps may be from the clock its `Date` header shows before a poll could miss one."""
_MISTRUST = timedelta(hours=27)
"""The same where the site's zone is not sure: no two zones are further apart."""


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists the opportunities of one site. `now` gives its clock, `overlap` how far a poll reads back."""

    api: Api
    system: str
    page_size: int
    overlap: timedelta
    now: Callable[[], datetime]

    async def scan(self, site: Site, scope: Scope, cursor: str | None, priority: Priority) -> AsyncIterator[Page]:
        """All of the scope, or what changed since the cursor, of whatever company."""
        began, since = self.now(), _since(cursor)
        if since is None:
            async for page in self._everything(site, scope, began, priority):
                yield page
            return
        low = stamps.bound(since - self.overlap, self.now() + _TRUST, site.zone)
        newest: str | None = None
        async for documents, _ in self._walk(site, (("modified", ">=", low),), priority):
            newest = self._newest(documents) or newest
            yield Page([records.row(document, site, self.now()) for document in documents])
        yield Page([], cursor=_cursor(newest, since, began, site))

    async def _everything(self, site: Site, scope: Scope, began: datetime, priority: Priority) -> AsyncIterator[Page]:
        """Every opportunity of the scope, again while their number changes under the listing.

        Each page begins behind the one before, so that nothing moves between them: a number that does not fit (version
        15 also counts what the user may not see) is not a doubt, and a missing one is not either.
        """
        company: tuple[Filter, ...] = () if scope.company is None else (("company", "=", scope.company.strip()),)
        newest: str | None = None
        total: int | None = None
        unread, held = 0, False
        for _ in range(ATTEMPTS):
            before, unread = await self.api.count(OPPORTUNITY, company, priority), 0
            async for documents, odd in self._walk(site, company, priority):
                unread += odd
                newest = self._newest(documents) or newest
                yield Page([records.row(document, site, self.now()) for document in documents], total=before)
            total = await self.api.count(OPPORTUNITY, company, priority)
            held = None in (before, total) or before == total
            if held:
                break
        yield Page([], total=total, cursor=_cursor(newest, None, began, site), complete=held and not unread)

    async def _walk(
        self, site: Site, filters: tuple[Filter, ...], priority: Priority
    ) -> AsyncIterator[tuple[list[Record], int]]:
        """The pages of one listing, each with its number of rows without a name.

        A row that is saved meanwhile moves to its end and is listed again.
        """
        fields = (*records.FIELDS, *(name for name in site.listed if name not in records.FIELDS))
        behind: tuple[Filter, ...] = ()
        from_here: tuple[Filter, ...] = ()
        for number in count(1):
            refuse_endless(number, "the list of opportunities", self.system)
            query = Query(fields, filters + from_here, behind, "modified asc, name asc", self.page_size)
            documents, odd = await self.api.page(OPPORTUNITY, query, priority)
            yield documents, odd
            if len(documents) + odd < self.page_size:
                return
            modified, name = self._place(documents)
            from_here = (("modified", ">=", modified),)
            behind = (("modified", ">", modified), ("name", ">", name))

    def _place(self, documents: list[Record]) -> tuple[str, str]:
        """Where a page ended. A filter value that is not a moment would match everything."""
        last = documents[-1] if documents else {}
        if not _is_stamped(last):
            told = f"lists {last.get('name')} with the stamp {last.get('modified')!r}, which is not a moment"
            raise Unavailable(self.system, told)
        return str(last["modified"]), str(last["name"])

    def _newest(self, documents: list[Record]) -> str | None:
        return next((str(one["modified"]) for one in reversed(documents) if _is_stamped(one)), None)


_ANY = ZoneInfo("UTC")


def _is_stamped(document: Record) -> bool:
    return stamps.earliest(document.get("modified"), _ANY) is not None


def _since(cursor: str | None) -> datetime | None:
    """The moment a cursor says; None for a listing of everything."""
    try:
        found = datetime.fromisoformat(cursor or "")
    except ValueError:
        return None
    return None if found.tzinfo is None else found


def _cursor(newest: str | None, since: datetime | None, began: datetime, site: Site) -> str:
    """Up to where all is known: the newest stamp that was listed, but never after the listing began.

    After an hour without a change (a day, where the zone is not sure) the clock moves it on, so that an old bulk edit
    is not listed for ever.
    """
    trust = _TRUST if site.zone_is_sure else _MISTRUST
    stamped = stamps.earliest(newest, site.zone) if newest else None
    known = [began - trust, *(at for at in (stamped, since) if at is not None)]
    return min(max(known), began).isoformat()
