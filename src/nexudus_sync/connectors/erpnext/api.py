"""The calls of the Frappe REST API that the sync needs. Facts from frappe (api/v1.py, api/v2.py, client.py).

    GET /api/resource/{DocType}?fields&filters&or_filters&order_by&limit_page_length    {"data": [...]}; 0 rows: all
    GET, PUT, DELETE /api/resource/{DocType}/{name}                                      {"data": {...}}
    POST /api/resource/{DocType}                                                         the site names it
    POST /api/v2/document/{DocType}                                                      a `name` in the body counts
    GET /api/method/{function}                                                           {"message": ...}

Version 2 lists drop unknown fields without a word, so lists are read with version 1.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nexudus_sync import codec
from nexudus_sync.connectors.answers import expect, expect_children, expect_reply
from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.connectors.http import Answer, Http
from nexudus_sync.connectors.rows import is_id, readable
from nexudus_sync.errors import OutcomeUnknown, Refused, RoleMissing, Unavailable

Filter = tuple[str, str, Any]
"""Field, operator, value. A moment is text in the site's zone; text that is not a moment matches everything."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for. `limit` 0: all there are; `any_of` are filters of which one has to hold.

    A list that joins a child table ("links.link_name") takes no `order_by`: version 15 does not say whose column it
    means, and the database refuses it as ambiguous. `NAMES` is all that a user may ask who can only choose a document
    in a form (the right "select").
    """

    fields: tuple[str, ...]
    filters: tuple[Filter, ...] = ()
    any_of: tuple[Filter, ...] = ()
    order_by: str = "creation asc, name asc"
    limit: int = 0


NAMES = Query(("name",), order_by="name asc")
"""The names of all documents."""


class Api:
    """All calls raise the `ConnectorError` tree."""

    def __init__(self, http: Http, system: str) -> None:
        self._http = http
        self._system = system

    async def rows(self, doctype: str, query: Query, priority: Priority = Priority.LIVE) -> list[Record]:
        """The documents of a list that the user may see. Raises RoleMissing."""
        return (await self.page(doctype, query, priority))[0]

    async def page(self, doctype: str, query: Query, priority: Priority = Priority.LIVE) -> tuple[list[Record], int]:
        """The documents of a list, and the number of further rows without a name. Raises RoleMissing."""
        params = {
            "fields": codec.dumps(query.fields),
            "limit_page_length": str(query.limit),
        }
        if query.order_by:
            params["order_by"] = query.order_by
        if query.filters:
            params["filters"] = codec.dumps(query.filters)
        if query.any_of:
            params["or_filters"] = codec.dumps(query.any_of)
        body = await self._http.get(_path(doctype), params, priority=priority)
        what = f"the list of {doctype}"
        if not isinstance(body, dict) or "data" not in body:
            raise Unavailable(self._system, f"{what} was answered with something that is not a list")
        if "name" in query.fields:
            return readable(body["data"], "name", what, self._system, is_id)
        return readable(body["data"], query.fields[0], what, self._system, _any)

    async def count(
        self, doctype: str, filters: tuple[Filter, ...] = (), priority: Priority = Priority.LIVE
    ) -> int | None:
        """The number of documents that the user may see; None when the site does not say."""
        params = {"doctype": doctype}
        if filters:
            params["filters"] = codec.dumps(filters)
        counted = await self.call("frappe.client.get_count", params, priority)
        if counted is not None and type(counted) is not int:
            raise Unavailable(self._system, f"the number of {doctype} was answered with something that is not a number")
        return counted

    async def one(self, doctype: str, name: str, priority: Priority = Priority.LIVE) -> Record:
        """One document with its child tables.

        Raises NotFound, AnotherRecord, and Refused for one that the user may not see.
        """
        try:
            body = await self._http.get(_path(doctype, name), priority=priority)
        except RoleMissing as error:
            # A lack of the role itself shows on the list; this one is a User Permission that hides the document.
            problem = f"the user may not see it; a User Permission may hide it ({error.message})"
            raise Refused(self._system, problem, name) from error
        document = body.get("data") if isinstance(body, dict) else None
        if not isinstance(document, dict) or "name" not in document:
            raise Unavailable(self._system, "answered without the document", name)
        expect(self._system, name, document["name"], what="document", fold=True)
        for rows in _tables(document):
            expect_children(self._system, name, rows, "parent", fold=True)
        return document

    async def call(
        self, function: str, params: dict[str, str] | None = None, priority: Priority = Priority.LIVE
    ) -> Any:
        """The answer of a function that only reads."""
        body = await self._http.get(f"/api/method/{function}", params, priority=priority)
        return body.get("message") if isinstance(body, dict) else None

    async def may(self, right: str, doctype: str) -> bool:
        """Does a role of the user grant the right ("read", "write", "create", "delete") on a DocType?"""
        params = {"doctype": doctype, "docname": "", "perm_type": right}
        told = await self.call("frappe.client.has_permission", params)
        return isinstance(told, dict) and bool(told.get("has_permission"))

    async def create(self, doctype: str, body: Record, *, creation: bool = False) -> Record:
        """The new document, named by the site. `creation` counts it as a customer in the budget."""
        return self._document(await self._http.send("POST", _path(doctype), body, creation=creation))

    async def create_named(self, doctype: str, name: str, body: Record) -> Record:
        """The new document under this name. Raises Duplicate when there is one already."""
        path = f"/api/v2/document/{quote(doctype)}"
        return self._document(await self._http.send("POST", path, {"name": name} | body), name)

    async def update(self, doctype: str, name: str, body: Record) -> Record:
        """The document after its save; a `modified` in the body is the lock. Raises Stale."""
        return self._document(await self._http.send("PUT", _path(doctype, name), body), name)

    async def delete(self, doctype: str, name: str) -> None:
        """Delete it. Raises NotFound when it is gone already, Refused when others link to it."""
        await self._http.send("DELETE", _path(doctype, name))

    def _document(self, answer: Answer, name: str | None = None) -> Record:
        try:
            body: Any = answer.json()
        except Unavailable:  # a write's success without a word (204)
            body = None
        document = body.get("data") if isinstance(body, dict) else None
        if not isinstance(document, dict) or "name" not in document:
            raise OutcomeUnknown(self._system, f"{answer.method} was answered without the document", name)
        asked = document["name"] if name is None else name
        expect_reply(self._system, asked, document["name"], what="document", fold=True)
        for row in (row for rows in _tables(document) for row in rows):
            expect_reply(self._system, asked, row.get("parent"), what="document's rows", fold=True)
        return document


def _tables(document: Record) -> list[list[Record]]:
    """The child tables of a document: lists of rows, each of which names its parent."""
    lists = [value for value in document.values() if isinstance(value, list)]
    return [[row for row in value if isinstance(row, dict)] for value in lists]


def _any(name: object) -> bool:
    return True


def _path(doctype: str, name: str | None = None) -> str:
    path = f"/api/resource/{quote(doctype)}"
    return path if name is None else f"{path}/{quote(name, safe='')}"
