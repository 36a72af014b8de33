"""Listing deals: changes by the search, everything by the list.

The search stops at 10,000 results and its pages shift, so each page begins behind the last id of the one before, which
has neither problem, not even where an import gave 20,000 deals one moment. It also lags, and nobody says for how long:
a poll reads back by the overlap, a row of it is only a hint, and the list finds what it never showed.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from nexudus_sync.connectors.base import Page, Priority, Record, Row
from nexudus_sync.connectors.hubspot import records
from nexudus_sync.connectors.hubspot.account import Account
from nexudus_sync.connectors.hubspot.api import DEALS, Api, batches
from nexudus_sync.connectors.hubspot.contacts import Contacts
from nexudus_sync.connectors.rows import refuse_endless

_ROOM = 2_200
"""Characters of property names that a search can carry beside its filters; it takes 3,000 in all."""
_FULL, _SEARCHED = 100, 200
"""The rows of a page: of the list, and of the search where that is not reduced."""


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists the deals of an account. `now` gives its clock, `asked` the properties that are read."""

    api: Api
    account: Account
    contacts: Contacts
    page_size: int
    overlap: timedelta
    now: Callable[[], datetime]
    asked: Callable[[], tuple[str, ...]]

    async def scan(self, cursor: str | None, priority: Priority) -> AsyncIterator[Page]:
        """All deals, or those that changed since the cursor, of whatever pipeline."""
        began, since = self.now(), _since(cursor)
        if since is None:
            async for rows in self._everything(priority):
                yield Page([self._row(record, lagging=False) for record in rows])
            yield Page([], cursor=began.isoformat(), complete=True)
            return
        async for rows, lagging in self._changed(min(since, began) - self.overlap, priority):
            yield Page([self._row(record, lagging=lagging) for record in rows])
        yield Page([], cursor=began.isoformat())

    def _row(self, record: Record, *, lagging: bool) -> Row:
        return records.row(record, self.now(), self.account.editor(record), lagging=lagging)

    async def _everything(self, priority: Priority) -> AsyncIterator[list[Record]]:
        after: str | None = ""
        for number in count(1):
            refuse_endless(number, "the list of deals", self.api.system)
            rows, after = await self.api.page(self.asked(), after or "", self.page_size, priority)
            for row in rows:
                self.contacts.note(str(row["id"]), records.linked(row))
            yield await self.lift(rows, priority)
            if after is None:
                return

    async def _changed(self, low: datetime, priority: Priority) -> AsyncIterator[tuple[list[Record], bool]]:
        milliseconds = str(int(low.timestamp() * 1000))
        stamped = {"propertyName": records.STAMP, "operator": "GTE", "value": milliseconds}
        async for rows in self.searched([stamped], priority):
            if self._fits:
                yield await self.lift(rows, priority), True
            else:
                yield await self.lift(await self._read(rows, priority), priority), False

    async def searched(self, filters: list[dict[str, Any]], priority: Priority) -> AsyncIterator[list[Record]]:
        """What the index has, by id."""
        limit = _SEARCHED if self.page_size == _FULL else self.page_size
        asked, after = self.asked() if self._fits else (), "0"
        for number in count(1):
            refuse_endless(number, "the search for deals", self.api.system)
            rows = await self.api.search(filters, asked, limit, priority, after)
            if rows:
                yield rows
            if len(rows) < limit:
                return
            after = str(rows[-1]["id"])

    @property
    def _fits(self) -> bool:
        """Can a search name all properties?"""
        return sum(len(name) + 3 for name in self.asked()) <= _ROOM

    async def _read(self, rows: list[Record], priority: Priority) -> list[Record]:
        ids, found = [str(row["id"]) for row in rows], list[Record]()
        for batch in batches(ids, _FULL):
            found += await self.api.many(DEALS, batch, self.asked(), priority)
        return found

    async def lift(self, rows: Iterable[Record], priority: Priority, *, party: bool = True) -> list[Record]:
        """The records of rows, with their contacts; with `party` it is known afterwards who those are."""
        known = list(rows)
        await self.contacts.learn_links((str(row["id"]) for row in known), priority)
        statuses = self.account.statuses
        lifted = [records.lifted(row, self.contacts.linked(str(row["id"])), statuses) for row in known]
        if party:
            await self.contacts.learn(lifted, priority)
        return lifted


def _since(cursor: str | None) -> datetime | None:
    """The moment a cursor says; None for a listing of everything."""
    try:
        found = datetime.fromisoformat(cursor or "")
    except ValueError:
        return None
    return None if found.tzinfo is None else found
