"""Every operation of the Nexudus pages that this package uses: one method, one call, no decisions.

Opportunities: the pages "Search CrmOpportunities", "Get one", "Create", "Update" and the older reference (by ids,
delete, commands, enums). The other entities: their "Search …" and "Get one …" pages. Records are as `codec` reads them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from nexudus_sync.connectors.answers import expect, expect_reply
from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.connectors.http import Answer, Http
from nexudus_sync.connectors.nexudus import envelope, filters
from nexudus_sync.connectors.nexudus.envelope import Envelope
from nexudus_sync.connectors.rows import readable, refuse_endless
from nexudus_sync.errors import NotFound, Unavailable

OPPORTUNITIES = "/crm/crmopportunities"
LARGEST_PAGE = 1000
"""The largest `size` a listing honours (older reference)."""

Filters = Mapping[str, filters.Value]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a listing. `total` is `TotalItems`, None where it is not said; `unread` counts rows without an Id."""

    rows: list[Record]
    total: int | None
    has_next: bool
    unread: int = 0


class NexudusApi:
    """The calls. All may raise the `ConnectorError` tree; reads are retried inside `Http`, writes are sent once."""

    def __init__(self, http: Http, system: str) -> None:
        self._http = http
        self._system = system

    async def opportunities(
        self,
        where: Filters,
        *,
        page: int = 1,
        size: int = 25,
        order_by: str = "Id",
        direction: int = 1,
        priority: Priority = Priority.LIVE,
    ) -> Listing:
        """One page of partial rows: what they leave out is `records.NOT_LISTED`.

        Raises ValueError for a filter that the page does not have.
        """
        return await self._list(
            OPPORTUNITIES,
            "CrmOpportunity",
            where,
            page,
            size,
            order_by=order_by,
            direction=direction,
            priority=priority,
        )

    async def opportunities_by_ids(self, ids: Sequence[int], priority: Priority = Priority.LIVE) -> Listing:
        """The partial rows of those of `ids` that exist."""
        return await self.opportunities({"CrmOpportunity_Id": list(ids)}, size=max(len(ids), 25), priority=priority)

    async def opportunity(self, record_id: str | int, priority: Priority = Priority.LIVE) -> Record:
        """The whole record. Raises NotFound; a missing one may also answer 500, then Unavailable; AnotherRecord."""
        body = await self._http.get(f"{OPPORTUNITIES}/{record_id}", priority=priority)
        if body == "Not found":
            raise NotFound(self._system, "not found", str(record_id))
        if not isinstance(body, dict) or body.get("Id") is None:
            raise Unavailable(self._system, "answered without a record", str(record_id))
        expect(self._system, record_id, body["Id"])
        return body

    async def create_opportunity(self, body: Record, priority: Priority = Priority.LIVE) -> Envelope:
        """Create; `Envelope.id` is the new id."""
        return _done(await self._http.send("POST", OPPORTUNITIES, body, priority=priority))

    async def update_opportunity(self, record: Record, priority: Priority = Priority.LIVE) -> Envelope:
        """Write the whole record, `Id` in it: what is left out is cleared."""
        about = str(record.get("Id"))
        said = _done(await self._http.send("PUT", OPPORTUNITIES, record, priority=priority, about=about))
        expect_reply(self._system, record["Id"], said.id)
        return said

    async def delete_opportunity(self, record_id: str | int, priority: Priority = Priority.LIVE) -> Envelope:
        """Delete for good. Raises NotFound when it is gone already."""
        said = _done(await self._http.send("DELETE", f"{OPPORTUNITIES}/{record_id}", priority=priority))
        expect_reply(self._system, record_id, said.id)
        return said

    async def commands(self) -> list[Record]:
        """The commands that can be run on opportunities: objects with `Key`, `Name` and what they need."""
        return _records(await self._http.get(f"{OPPORTUNITIES}/commands"))

    async def run_command(self, key: str, ids: Sequence[int], parameters: Sequence[Record] = ()) -> Envelope:
        """Run one command; answers 200 even on failure, which raises Refused here."""
        body = {"Key": key, "Ids": list(ids), "Parameters": list(parameters)}
        return _done(await self._http.send("POST", f"{OPPORTUNITIES}/runcommand", body))

    async def lead_sources(self) -> list[Record]:
        """`eCrmOpportunitySource`: objects with at least `Id` and `Name`."""
        return await self._enum("eCrmOpportunitySource")

    async def loss_reasons(self) -> list[Record]:
        """`eCrmOpportunityLossReason`: objects with at least `Id` and `Name`."""
        return await self._enum("eCrmOpportunityLossReason")

    async def statuses(self) -> list[Record]:
        """`eCrmOpportunityStatus`: objects with at least `Id` and `Name`."""
        return await self._enum("eCrmOpportunityStatus")

    async def boards(self, where: Filters | None = None) -> list[Record]:
        """All boards: `Id`, `Name`, `BusinessId`, `Archived`."""
        return await self._all("/crm/crmboards", "CrmBoard", where)

    async def stages(self, where: Filters | None = None) -> list[Record]:
        """All stages, with the flags of their actions as far as the listing carries them."""
        return await self._all("/crm/crmboardcolumns", "CrmBoardColumn", where)

    async def stage(self, stage_id: int) -> Record:
        """One stage with all its flags."""
        return await self._one("/crm/crmboardcolumns", stage_id)

    async def customers(self, where: Filters) -> list[Record]:
        """All customers that `where` selects, e.g. `Coworker_Email` (exact)."""
        return await self._all("/spaces/coworkers", "Coworker", where)

    async def create_customer(self, body: Record, priority: Priority = Priority.LIVE) -> Envelope:
        """Create a customer. Raises LimitReached at about 50 a day."""
        return _done(await self._http.send("POST", "/spaces/coworkers", body, priority=priority, creation=True))

    async def users(self, where: Filters | None = None) -> list[Record]:
        """All users who can sign in to the administration: `Id`, `Email`, `FullName`, `Active`."""
        return await self._all("/sys/users", "User", where)

    async def locations(self, where: Filters | None = None) -> list[Record]:
        """All locations the login sees."""
        return await self._all("/sys/businesses", "Business", where)

    async def location(self, business_id: int) -> Record:
        """One location: `Name`, `CurrencyCode`, `CountryId`, `SimpleTimeZoneId`."""
        return await self._one("/sys/businesses", business_id)

    async def time_zones(self) -> list[Record]:
        """All time zones a location can have: `Id`, `Name` as Windows names it."""
        return await self._all("/sys/simpletimezones", "SimpleTimeZone", None)

    async def opportunity_types(self, where: Filters | None = None) -> list[Record]:
        """All opportunity types: `Id`, `Name`, `BusinessId`."""
        return await self._all("/crm/opportunitytypes", "OpportunityType", where)

    async def histories(self, where: Filters) -> list[Record]:
        """The entries of opportunities' histories that `where` selects."""
        return await self._all("/crm/crmopportunityhistories", "CrmOpportunityHistory", where)

    async def audit_entries(self, where: Filters, priority: Priority = Priority.LIVE) -> list[Record]:
        """Audit trail entries: `EntityId`, `AuditType` (1 create, 2 update, 3 delete), the values before and after."""
        return await self._all("/sys/audittrailentries", "AuditTrailEntry", where, priority)

    async def _list(
        self,
        path: str,
        entity: str,
        where: Filters,
        page: int,
        size: int,
        *,
        order_by: str = "Id",
        direction: int = 1,
        priority: Priority = Priority.LIVE,
    ) -> Listing:
        paging = {"page": str(page), "size": str(size), "orderBy": order_by, "dir": str(direction)}
        body = await self._http.get(path, {**filters.query(entity, where), **paging}, priority=priority)
        if not isinstance(body, dict) or (body.get("Records") is None and body.get("TotalItems", 1)):
            raise Unavailable(self._system, f"GET {path} answered without Records")
        rows, unread = readable(body.get("Records"), "Id", f"GET {path}", self._system, lambda one: type(one) is int)
        total = body.get("TotalItems")
        more = bool(rows or unread) and _has_next(body, page)
        return Listing(rows, total if type(total) is int else None, more, unread)

    async def _all(
        self, path: str, entity: str, where: Filters | None, priority: Priority = Priority.LIVE
    ) -> list[Record]:
        return [row async for row in self._pages(path, entity, where or {}, priority)]

    async def _pages(self, path: str, entity: str, where: Filters, priority: Priority) -> AsyncIterator[Record]:
        """Every row once, page after page; a page without a new row ends the list."""
        seen: set[int] = set()
        page = 1
        while True:
            refuse_endless(page, f"GET {path}", self._system)
            listing = await self._list(path, entity, where, page, LARGEST_PAGE, priority=priority)
            fresh = [row for row in listing.rows if row["Id"] not in seen]
            seen.update(row["Id"] for row in fresh)
            for row in fresh:
                yield row
            if not listing.has_next or not fresh:
                return
            page += 1

    async def _one(self, path: str, record_id: int) -> Record:
        body = await self._http.get(f"{path}/{record_id}")
        if not isinstance(body, dict):
            raise Unavailable(self._system, f"GET {path}/{record_id} answered without a record")
        expect(self._system, record_id, body.get("Id", record_id), what=f"record of {path}")
        return body

    async def _enum(self, name: str) -> list[Record]:
        return _records(await self._http.get("/utils/enums", {"name": name}))


def _done(answer: Answer) -> Envelope:
    """The envelope of a write that succeeded."""
    said = envelope.parse(answer.text)
    assert said is not None, "the dialect turns every other answer into an error"
    return said


def _records(body: object) -> list[Record]:
    rows = body if isinstance(body, list) else []
    return [row for row in rows if isinstance(row, dict)]


def _has_next(body: Record, page: int) -> bool:
    """`HasNextPage`, else what the page counts say; the size asked for says nothing: a smaller one may be honoured."""
    told = body.get("HasNextPage")
    if isinstance(told, bool):
        return told
    pages = body.get("TotalPages")
    return isinstance(pages, int) and page < pages
