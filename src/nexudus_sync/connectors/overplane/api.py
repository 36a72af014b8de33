"""Overplane's endpoints: every object has the same five calls (page "The Opportunity object").

    GET /api/crm/opportunity?limit&offset    {"data": [...], "has_more", "total"}, newest created first
    GET /api/crm/opportunity/{id}            the object
    POST /api/crm/opportunity                the new object
    PATCH /api/crm/opportunity/{id}          the object; what is not sent stays as it is
    DELETE /api/crm/opportunity/{id}         {"id", "deleted": true}

Child objects are listed by `parent_id` and can be reordered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nexudus_sync.connectors.answers import expect, expect_children, expect_reply
from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.connectors.http import Answer, Http
from nexudus_sync.connectors.rows import is_id, readable, refuse_endless
from nexudus_sync.errors import OutcomeUnknown, Unavailable

_PARENT = "opportunity_id"
"""The key of a child row that names its opportunity."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list. `total` is None where the server does not say; `unread` counts rows without an id."""

    rows: list[Record]
    has_more: bool
    total: int | None
    unread: int = 0
    bare: bool = False
    """A list without an envelope around it, which says nothing of how many there are."""


class Resource:
    """One kind of object. Paths are relative to the base URL; all calls raise the `ConnectorError` tree."""

    def __init__(self, http: Http, system: str, path: str) -> None:
        self._http = http
        self._system = self.system = system
        self.path = path

    async def page(
        self,
        params: Mapping[str, str] | None = None,
        *,
        priority: Priority = Priority.LIVE,
        about: str | None = None,
    ) -> Listing:
        """One page; `about` is the record whose rows it lists. Raises Unavailable unless it is a list of objects."""
        body = await self._http.get(self.path, params, priority=priority, about=about)
        bare = isinstance(body, list)
        if bare:
            body = {"data": body, "total": len(body)}
        total = body.get("total") if isinstance(body, dict) else None
        if not isinstance(body, dict) or "data" not in body or (body["data"] is None and total):
            raise Unavailable(self._system, f"{self.path} was answered with something that is not a list")
        rows, unread = readable(body["data"], "id", self.path, self._system, is_id)
        return Listing(rows, body.get("has_more") is True, total if type(total) is int else None, unread, bare)

    async def one(self, record_id: str, *, priority: Priority = Priority.LIVE) -> Record:
        """One object. Raises NotFound, AnotherRecord."""
        body = await self._http.get(self._at(record_id), priority=priority)
        if not isinstance(body, dict) or "id" not in body:
            raise Unavailable(self._system, "answered without the record", record_id)
        expect(self._system, record_id, body["id"])
        return body

    async def create(self, body: Record, *, creation: bool = False) -> Record:
        """The new object. `creation` counts it as a customer in the budget."""
        return self._object(await self._http.send("POST", self.path, body, creation=creation))

    async def update(self, record_id: str, body: Record) -> Record:
        """The object after the fields in `body` were set."""
        return self._object(await self._http.send("PATCH", self._at(record_id), body), record_id)

    async def delete(self, record_id: str) -> None:
        """Delete it for good. Raises NotFound when it is gone already."""
        answer = await self._http.send("DELETE", self._at(record_id))
        expect_reply(self._system, record_id, _named(answer))

    def _at(self, record_id: str) -> str:
        return f"{self.path}/{quote(record_id, safe='')}"

    def _object(self, answer: Answer, record_id: str | None = None) -> Record:
        try:
            body: Any = answer.json()
        except Unavailable:
            body = None
        if not isinstance(body, dict) or "id" not in body:
            raise OutcomeUnknown(self._system, f"{answer.method} was answered without the record", record_id)
        expect_reply(self._system, body["id"] if record_id is None else record_id, body["id"])
        return body


def _named(answer: Answer) -> Any:
    """The id that a reply names; None where it names none (204)."""
    try:
        body = answer.json()
    except Unavailable:
        return None
    return body.get("id") if isinstance(body, dict) else None


class Children(Resource):
    """Objects that belong to an opportunity. There is no call for one of them: they are listed by their parent."""

    async def of(self, parent_id: str, *, priority: Priority = Priority.LIVE) -> list[Record]:
        """All rows of one opportunity, each once, however many pages they take.

        Fewer than the list says there are would be taken for deleted ones: they are believed when a second look agrees.
        Raises Unavailable where a row names no id, or two of one id differ.
        """
        rows, complete = await self._list(parent_id, priority)
        if not complete and (await self._list(parent_id, priority))[0] != rows:
            raise Unavailable(self._system, f"{self.path} lists different rows each time", parent_id)
        return rows

    async def _list(self, parent_id: str, priority: Priority) -> tuple[list[Record], bool]:
        """The rows of one opportunity, and whether their number is what the list says."""
        rows: dict[str, Record] = {}
        offset, page, listing = 0, 0, Listing([], True, None)
        while listing.has_more:
            page += 1
            refuse_endless(page, self.path, self._system)
            following = {"offset": str(offset)} if offset else {}
            listing = await self.page({"parent_id": parent_id, **following}, priority=priority, about=parent_id)
            expect_children(self._system, parent_id, listing.rows, _PARENT)
            if listing.unread:
                raise Unavailable(self._system, f"{self.path} lists a row without an id", parent_id)
            fresh = self._by_id(listing.rows, parent_id)
            if fresh.keys() <= rows.keys():
                break
            rows |= fresh
            offset += len(listing.rows)
        counted = listing.total is not None and not listing.bare
        return list(rows.values()), bool(rows) if not counted else len(rows) >= (listing.total or 0)

    async def create(self, body: Record, *, creation: bool = False) -> Record:
        """The new row. Raises AnsweredForAnother for one of another opportunity."""
        reply = await super().create(body, creation=creation)
        expect_reply(self._system, body.get(_PARENT), reply.get(_PARENT), what="record's row")
        return reply

    def _by_id(self, rows: list[Record], parent_id: str) -> dict[str, Record]:
        """The rows by id. There is no call for a row, so where two of one id differ, neither is believed."""
        found: dict[str, Record] = {}
        for row in rows:
            if row.get("id") and found.setdefault(str(row["id"]), row) != row:
                raise Unavailable(
                    self._system, f"{self.path} lists row {row['id']} twice, with different contents", parent_id
                )
        return found

    async def reorder(self, parent_id: str, ids: list[str]) -> None:
        """Put the rows of an opportunity into this order.

        The page prints the path but neither method nor body; POST with the ids in order is in keeping with the other
        calls.
        """
        await self._http.send("POST", f"{self.path}/reorder", {"parent_id": parent_id, "ids": ids})


class Api:
    """All objects a sync has to do with."""

    def __init__(self, http: Http, system: str) -> None:
        self.opportunities = Resource(http, system, "/api/crm/opportunity")
        self.items = Children(http, system, "/api/crm/opportunity-item")
        self.lost_reason_details = Children(http, system, "/api/crm/opportunity-lost-reason-detail")
        self.lost_reasons = Resource(http, system, "/api/crm/opportunity-lost-reason")
        self.sales_stages = Resource(http, system, "/api/crm/sales-stage")
        self.opportunity_types = Resource(http, system, "/api/crm/opportunity-type")
        self.campaigns = Resource(http, system, "/api/crm/campaign")
        self.leads = Resource(http, system, "/api/crm/lead")
        self.customers = Resource(http, system, "/api/crm/customer")
        self.prospects = Resource(http, system, "/api/crm/prospect")
        self.users = Resource(http, system, "/api/core/user")
