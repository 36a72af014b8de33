"""A server that answers as the Overplane page says, small enough to bend for one test at a time."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx

NOW = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
OPPORTUNITY, REASON_ROWS = "crm/opportunity", "crm/opportunity-lost-reason-detail"
KINDS = (
    OPPORTUNITY,
    REASON_ROWS,
    "crm/opportunity-item",
    "crm/opportunity-lost-reason",
    "crm/sales-stage",
    "crm/opportunity-type",
    "crm/campaign",
    "crm/lead",
    "crm/customer",
    "crm/prospect",
    "core/user",
)


class FakeClock:
    """Time that only passes when something sleeps or a test says so."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


def spaced(moment: datetime) -> str:
    """A timestamp as the page prints it."""
    return moment.strftime("%Y-%m-%dT%H: %M: %SZ")


class FakeOverplane:
    """Tables by kind, newest first. `before` is called with each request; what it returns is the answer."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.tables: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        self.calls: list[tuple[str, str, dict[str, str], Any]] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.largest = 1000
        self.refuses_large = False
        self.skew = 0.0
        self.listed: dict[str, Any] = {}
        """What a list's answer says besides, or otherwise."""
        self.numbers = iter(range(1, 100_000))

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.skew)

    def add(self, kind: str, **fields: Any) -> dict[str, Any]:
        """A new object, by hand; the tests' records are a day old unless they say otherwise."""
        at = fields.pop("at", NOW - timedelta(days=1))
        row = {"id": f"{kind.split('/')[1]}_{next(self.numbers)}", "created_at": spaced(at), "updated_at": spaced(at)}
        self.tables[kind].insert(0, row | fields)
        return self.tables[kind][0]

    def paths(self, method: str = "GET") -> list[str]:
        return [path for called, path, _, _ in self.calls if called == method]

    def handle(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        body = json.loads(request.content) if request.content else None
        self.calls.append((request.method, request.url.path, query, body))
        answer = self.before(request) or self.answer(request, query, body)
        answer.headers.setdefault("Date", format_datetime(self.now(), usegmt=True))
        return answer

    def answer(self, request: httpx.Request, query: dict[str, str], body: Any) -> httpx.Response:
        kind, _, row_id = request.url.path.removeprefix("/api/").rpartition("/")
        if f"{kind}/{row_id}" in self.tables:
            kind, row_id = f"{kind}/{row_id}", ""
        table = self.tables[kind]
        if row_id == "reorder":
            table.sort(key=lambda row: body["ids"].index(row["id"]))
            return httpx.Response(200, json={"ok": True})
        if not row_id:
            return self.listing(table, query) if request.method == "GET" else self.create(kind, body)
        found = next((row for row in table if row["id"] == row_id), None)
        if found is None:
            return httpx.Response(404, json={"error": {"message": f"No such object: {row_id}"}})
        if request.method == "DELETE":
            table.remove(found)
            return httpx.Response(200, json={"id": row_id, "deleted": True})
        if request.method == "PATCH":
            found |= body | {"updated_at": spaced(self.now())}
        return httpx.Response(200, json=found)

    def create(self, kind: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.Response(200, json=self.add(kind, at=self.now(), **body))

    def listing(self, table: list[dict[str, Any]], query: dict[str, str]) -> httpx.Response:
        limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
        if limit > self.largest and self.refuses_large:
            return httpx.Response(422, json={"detail": [{"loc": ["query", "limit"], "msg": "too large"}]})
        rows = [row for row in table if query.get("parent_id") in (None, row.get("opportunity_id"))]
        page = rows[offset : offset + min(limit, self.largest)]
        more = offset + len(page) < len(rows)
        return httpx.Response(200, json={"data": page, "has_more": more, "total": len(rows)} | self.listed)
