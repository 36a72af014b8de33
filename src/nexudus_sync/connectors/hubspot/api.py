"""The calls to HubSpot, and what of an answer may be believed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from nexudus_sync.connectors.answers import expect_reply, same_id
from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.connectors.http import Http
from nexudus_sync.connectors.rows import is_id, readable
from nexudus_sync.errors import AnotherRecord, OutcomeUnknown, Unavailable

DEALS, CONTACTS = "deals", "contacts"
BATCH, BATCH_WITH_PAST, LINKS = 100, 50, 1000
"""The most records of one batch, with histories, and of one call about associations."""
_ABSENT = frozenset({"OBJECT_NOT_FOUND", "VALIDATION_ERROR", ""})
"""The categories of errors in a batch that say of some of its records that there are none, or may say so."""
CONTACT_LINK, COMPANY_LINK, PRIMARY_LINK = 3, 341, 5
"""The associations of a deal, as HubSpot numbers them."""


class Api:
    """HubSpot's paths of one version. `system` is the CRM's name in errors."""

    def __init__(self, http: Http, system: str, version: str) -> None:
        self._http, self.system, self._version = http, system, version

    def path(self, kind: str, *rest: str) -> str:
        """The path of an object, or of a call about its kind."""
        return "/".join([f"/crm/objects/{self._version}/{kind}", *(quote(one, safe="") for one in rest)])

    async def one(
        self, record_id: str, properties: Iterable[str], priority: Priority = Priority.LIVE, **params: str
    ) -> Record:
        """A deal with its contacts. Raises NotFound, AnotherRecord for one that it was merged into."""
        asked = {"properties": ",".join(properties), "associations": CONTACTS, **params}
        raw = await self._http.get(self.path(DEALS, record_id), asked, priority=priority)
        self._expect_object(raw, record_id)
        if "idProperty" not in params and not same_id(record_id, raw["id"]):
            raise another(self.system, record_id, raw)
        return dict(raw)

    async def page(
        self, properties: Iterable[str], after: str, limit: int, priority: Priority
    ) -> tuple[list[Record], str | None]:
        """Deals by id, with their contacts, and where the next page begins."""
        asked = {"properties": ",".join(properties), "associations": CONTACTS, "limit": str(limit), "archived": "false"}
        asked |= {"after": after} if after else {}
        raw = await self._http.get(self.path(DEALS), asked, priority=priority)
        rows = self._rows(raw, "the list of deals")
        following = ((raw.get("paging") or {}).get("next") or {}).get("after")
        return rows, None if following is None else str(following)

    async def search(
        self,
        filters: Sequence[Mapping[str, Any]],
        properties: Iterable[str],
        limit: int,
        priority: Priority,
        after: str = "0",
    ) -> list[Record]:
        """Deals that the index has, by id, behind `after`."""
        behind = {"propertyName": "hs_object_id", "operator": "GT", "value": after}
        body = {
            "filterGroups": [{"filters": [*filters, behind]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": list(properties),
            "limit": limit,
        }
        raw = await self._http.get(self.path(DEALS, "search"), body=body, priority=priority)
        return self._rows(raw, "the search for deals")

    async def count(self, filters: Sequence[Mapping[str, Any]]) -> int:
        """How many deals the index has with these values."""
        body = {"filterGroups": [{"filters": [*filters]}], "properties": [], "limit": 1}
        raw = await self._http.get(self.path(DEALS, "search"), body=body)
        self._rows(raw, "the search for deals")
        return int(raw["total"]) if isinstance(raw.get("total"), int) else 0

    async def contacts_of(self, deals: list[str], priority: Priority) -> dict[str, list[str]]:
        """The ids of the contacts of each deal."""
        found: dict[str, list[str]] = {deal: [] for deal in deals}
        path = f"/crm/associations/{self._version}/deals/contacts/batch/read"
        for batch in batches(deals, LINKS):
            raw = await self._http.get(path, body={"inputs": [{"id": one} for one in batch]}, priority=priority)
            for row in self._rows(raw, "the contacts of deals", key="from"):
                ids = [str(to["toObjectId"]) for to in row.get("to") or ()]
                found[str((row["from"] or {}).get("id"))] = list(dict.fromkeys(ids))
        return found

    async def many(
        self, kind: str, keys: list[str], properties: Iterable[str], priority: Priority, *, id_property: str = ""
    ) -> list[Record]:
        """Objects by id, or by the property of that name; what does not exist is left out."""
        found = []
        for batch in batches(keys, BATCH):
            body: Record = {"properties": list(properties), "inputs": [{"id": one} for one in batch]}
            body |= {"propertiesWithHistory": []} | ({"idProperty": id_property} if id_property else {})
            raw = await self._http.get(self.path(kind, "batch", "read"), body=body, priority=priority)
            found += self._rows(raw, kind)
        return found

    async def histories(self, deals: list[str], keys: Iterable[str], priority: Priority) -> dict[str, Record]:
        """What each property of each deal said before, newest first, by deal and property."""
        found, wanted = dict[str, Record](), list(keys)
        for batch in batches(list(dict.fromkeys(deals)), BATCH_WITH_PAST):
            body = {"properties": [], "propertiesWithHistory": wanted, "inputs": [{"id": one} for one in batch]}
            raw = await self._http.get(self.path(DEALS, "batch", "read"), body=body, priority=priority)
            for row in self._rows(raw, "the histories of deals"):
                past = row.get("propertiesWithHistory")
                found[str(row["id"])] = past if isinstance(past, dict) else {}
        return found

    async def setting(self, path: str, what: str, priority: Priority = Priority.LIVE, **params: str) -> list[Record]:
        """A whole list of settings (pipelines, properties, owners): pages follow each other by `after`."""
        rows: list[Record] = []
        after: str | None = ""
        seen = set[str]()
        while after is not None and after not in seen:
            seen.add(after)
            asked = {**params, **({"after": after} if after else {})}
            raw = await self._http.get(self._settings_path(path), asked, priority=priority)
            rows += self._rows(raw, what, key="name" if "properties" in path else "id")
            following = ((raw.get("paging") or {}).get("next") or {}).get("after")
            after = None if following is None else str(following)
        return rows

    async def try_read(self, kind: str) -> None:
        """Read one object, to see whether that is allowed."""
        await self._http.get(self.path(kind), {"limit": "1"})

    async def try_setting(self, path: str, **params: str) -> None:
        """Read one entry of a list of settings, to see whether that is allowed."""
        await self._http.get(self._settings_path(path), {**params, "limit": "1"})

    async def try_write(self, kind: str, record_id: str) -> None:
        """Change nothing of an object that does not exist, to see whether changes are allowed. Raises NotFound."""
        await self._http.send("PATCH", self.path(kind, record_id), {"properties": {}}, trial=True)

    async def account(self) -> Record:
        """The account's zone, currency and number."""
        raw = await self._http.get(self._settings_path("/account-info/{v}/details"))
        if not isinstance(raw, dict) or "portalId" not in raw:
            raise Unavailable(self.system, "the account's details were answered with something else")
        return raw

    async def make_property(self, path: str, body: Record) -> Record:
        """The definition of a new property."""
        raw = (await self._http.send("POST", self._settings_path(path), body)).json()
        if not isinstance(raw, dict) or raw.get("name") != body["name"]:
            raise OutcomeUnknown(self.system, "a new property was answered with something else; run check")
        return raw

    async def create(self, kind: str, body: Record, *, creation: bool = False) -> Record:
        """The echo of a new object: what was sent and a little more. `creation` counts it as a customer."""
        answer = await self._http.send("POST", self.path(kind), body, creation=creation)
        raw = answer.json()
        if not isinstance(raw, dict) or "id" not in raw:
            raise OutcomeUnknown(self.system, "a create was answered without the record")
        return raw

    async def update(self, record_id: str, properties: Record) -> Record:
        """The echo of a change."""
        answer = await self._http.send("PATCH", self.path(DEALS, record_id), {"properties": properties})
        raw = answer.json()
        if not isinstance(raw, dict) or "id" not in raw:
            raise OutcomeUnknown(self.system, "a change was answered without the record", record_id)
        expect_reply(self.system, record_id, raw["id"], what="deal")
        return raw

    async def delete(self, record_id: str) -> None:
        """Move a deal to the recycle bin. Raises NotFound."""
        await self._http.send("DELETE", self.path(DEALS, record_id))

    def _settings_path(self, path: str) -> str:
        return path.replace("{v}", self._version)

    def _expect_object(self, raw: Any, record_id: str) -> None:
        if not isinstance(raw, dict) or "id" not in raw or not isinstance(raw.get("properties"), dict):
            raise Unavailable(self.system, "a deal was answered with something else", record_id)

    def _rows(self, raw: Any, what: str, key: str = "id") -> list[Record]:
        listed = raw.get("results") if isinstance(raw, dict) else raw
        if not isinstance(raw, dict) or "results" not in raw:
            raise Unavailable(self.system, f"{what} was answered with something that is not a list")
        for error in raw.get("errors") or ():
            if isinstance(error, dict) and str(error.get("category") or "") not in _ABSENT:
                raise Unavailable(
                    self.system, f"{what} came only in part: {error.get('message') or 'it does not say why'}"
                )
        fits = (lambda _: True) if key == "from" else is_id
        return readable(listed, key, what, self.system, fits)[0]


def another(system: str, record_id: str, raw: Record) -> AnotherRecord:
    """The error for an answer about another deal; `survivor`: it says that the one asked for was merged into it."""
    told = str(raw["id"])
    merged = record_id in str((raw.get("properties") or {}).get("hs_merged_object_ids") or "").split(";")
    problem = f"it was merged into {told}" if merged else f"the answer is about another deal, {told}; it was ignored"
    return AnotherRecord(system, problem, record_id, told=told, survivor=told if merged else None)


def batches(ids: list[str], most: int) -> Iterator[list[str]]:
    """The ids, as many at a time as one call takes."""
    for start in range(0, len(ids), most):
        yield ids[start : start + most]
