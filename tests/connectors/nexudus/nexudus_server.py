"""A scripted Nexudus and the shapes its pages print, for these tests."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import httpx

from nexudus_sync import codec

NOW = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
LOGIN = "sync@example.com"
Responder = Callable[[httpx.Request], httpx.Response]


class FakeClock:
    """Time that only passes when someone waits."""

    def __init__(self) -> None:
        self.moment = NOW
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=max(0.0, seconds))


def card(record_id: int, **changes: Any) -> dict[str, Any]:
    """A whole opportunity as the pages print it."""
    return {
        "Name": f"Deal {record_id}",
        "CrmBoardColumnId": 11,
        "CrmBoardColumnName": "New lead",
        "CrmBoardColumnCrmBoardId": 1,
        "CrmBoardColumnCrmBoardBusinessId": 1001,
        "CrmBoardColumnCrmBoardBusinessCurrencyCode": "GBP",
        "CoworkerId": 501,
        "CoworkerFullName": "Zoë Ünal",
        "CoworkerCompanyName": "Ünal Ltd",
        "CoworkerEmail": "Zoe@Example.com",
        "TeamId": None,
        "ResponsibleId": 71,
        "Notes": "long\nnotes",
        "Completed": False,
        "DueDate": "2026-04-01T11:00:00Z",
        "Value": 1200,
        "Status": 1,
        "LeadSource": 1,
        "LossReason": None,
        "Position": 3,
        "Reminded": False,
        "UtmSource": "google",
        "UtmMedium": None,
        "UtmCampaign": None,
        "UtmContent": None,
        "UtmTerm": "desk",
        "Id": record_id,
        "UpdatedOn": "2026-03-01T10:00:00Z",
        "CreatedOn": f"2026-02-01T{record_id % 24:02d}:{record_id % 60:02d}:00Z",
        "UpdatedBy": "anna@example.com",
        "UniqueId": f"uid-{record_id}",
        "SystemId": None,
        "CustomFields": {"Data": [{"Name": "Budget", "Value": "9", "Type": "string", "JsonValue": None}]},
        "SomethingNew": {"kept": True},
        **changes,
    }


def stage(stage_id: int, board_id: int, name: str, position: int, **flags: Any) -> dict[str, Any]:
    """A stage with all its flags."""
    return {
        "Id": stage_id,
        "CrmBoardId": board_id,
        "Name": name,
        "Position": position,
        "CrmBoardBusinessCurrencyCode": "GBP",
        "DeleteAccount": False,
        "DeactivateAccount": False,
        "ActivateAccount": False,
        "CannedResponseId": None,
        "TaskListId": None,
        **flags,
    }


def answer(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    """A JSON answer, or a text one."""
    text = body if isinstance(body, str) else codec.dumps(body)
    return httpx.Response(status, text=text, headers=headers)


def done(record_id: int | None = None, **changes: Any) -> httpx.Response:
    """The envelope of a write that succeeded."""
    value = None if record_id is None else {"Id": record_id}
    stamps = {"UpdatedOn": "2026-03-02T12:00:00Z", "UpdatedBy": LOGIN}
    body = {"Status": 200, "Message": "done", "Value": value, "WasSuccessful": True, "Errors": None}
    return answer(body | stamps | changes)


def refused(message: str, *names: str, status: int = 400) -> httpx.Response:
    """The envelope of a write that failed validation."""
    errors = [{"AttemptedValue": None, "Message": "is a required field", "PropertyName": name} for name in names]
    return answer({"Message": message, "Value": None, "Errors": errors, "WasSuccessful": False}, status)


class Server:
    """A scripted Nexudus: lists, one record, and whatever a test puts in front with `on`."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.skew = 0.0
        self.largest = 1000
        self.requests: list[httpx.Request] = []
        self.scripted: list[tuple[str, str, Responder]] = []
        self.cards: dict[int, dict[str, Any]] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {
            "crmboards": [
                {"Id": 1, "Name": "Sales", "BusinessId": 1001, "Archived": False},
                {"Id": 2, "Name": "Old sales", "BusinessId": 1001, "Archived": True},
                {"Id": 3, "Name": "Madrid", "BusinessId": 1002, "Archived": False},
            ],
            "crmboardcolumns": [
                stage(12, 1, "Tour booked", 1),
                stage(11, 1, "New lead", 0),
                stage(13, 1, "Welcome mail", 2, CannedResponseId=9),
                stage(14, 1, "Purge", 3, DeleteAccount=True),
                stage(15, 1, "Suspend", 4, DeactivateAccount=True),
                stage(21, 2, "Ancient", 0),
                stage(31, 3, "New lead", 0, CrmBoardBusinessCurrencyCode="EUR"),
            ],
            "users": [
                {"Id": 72, "Email": "old@example.com", "Active": False, "AccessToken": "secret"},
                {"Id": 71, "Email": "Anna@example.com", "Active": True},
            ],
            "coworkers": [],
            "simpletimezones": [{"Id": 2023, "Name": "GMT Standard Time"}],
            "audittrailentries": [],
            "opportunitytypes": [{"Id": 5, "Name": "Desk"}],
            "crmopportunityhistories": [],
            "businesses": [
                {"Id": 1001, "Name": "London", "CountryId": 1220, "SimpleTimeZoneId": 2023, "CurrencyCode": "GBP"}
            ],
        }

    def on(self, method: str, path: str, *responses: httpx.Response | Exception | Responder) -> None:
        """Answer matching requests with these, in turn; the last one stays. `path` is a regular expression."""
        left = list(responses)

        def respond(request: httpx.Request) -> httpx.Response:
            now = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(now, Exception):
                raise now
            if callable(now):
                return now(request)
            return httpx.Response(now.status_code, content=now.content, headers=now.headers)

        self.scripted.insert(0, (method, path, respond))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self._respond(request)
        server_now = self.clock.moment + timedelta(seconds=self.skew)
        response.headers.setdefault("Date", format_datetime(server_now, usegmt=True))
        return response

    def _respond(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api")
        for method, pattern, respond in self.scripted:
            if method == request.method and re.fullmatch(pattern, path):
                return respond(request)
        if path == "/token":
            return answer({"access_token": "t0ken", "token_type": "bearer", "expires_in": 604799, "refresh_token": "r"})
        entity, _, one = path.split("/", 2)[2].partition("/")
        if entity == "crmopportunities":
            if one:
                found = self.cards.get(int(one))
                return answer(found) if found else answer('"Not found"', 404)
            return self.listed(request, self.select(request))
        if one:
            found = next((row for row in self.lists[entity] if row["Id"] == int(one)), None)
            return answer(found) if found else answer('"Not found"', 404)
        return self.listed(request, self.lists[entity])

    def select(self, request: httpx.Request) -> list[dict[str, Any]]:
        """The cards that the filters in use here select, by Id."""
        query = params(request)
        rows = sorted(self.cards.values(), key=lambda row: row["Id"])
        if wanted := query.get("CrmOpportunity_Id"):
            rows = [row for row in rows if row["Id"] in codec.loads(wanted)]
        if lower := query.get("from_CrmOpportunity_UpdatedOn"):
            rows = [row for row in rows if row["UpdatedOn"][:16] >= lower]
        if lower := query.get("from_CrmOpportunity_CreatedOn"):
            rows = [row for row in rows if row["CreatedOn"][:16] >= lower]
        if board := query.get("CrmOpportunity_CrmBoardColumn_CrmBoard_Id"):
            rows = [row for row in rows if row["CrmBoardColumnCrmBoardId"] == int(board)]
        if business := query.get("CrmOpportunity_CrmBoardColumn_CrmBoard_Business_Id"):
            rows = [row for row in rows if row["CrmBoardColumnCrmBoardBusinessId"] == int(business)]
        return rows

    def listed(self, request: httpx.Request, rows: list[dict[str, Any]], **changes: Any) -> httpx.Response:
        """One page of `rows` as the request asks for it."""
        query = params(request)
        size, page = min(int(query["size"]), self.largest), int(query["page"])
        shown = rows[(page - 1) * size : page * size]
        body = {
            "Records": shown,
            "CurrentPage": page,
            "CurrentPageSize": len(shown),
            "TotalItems": len(rows),
            "TotalPages": -(-len(rows) // size),
            "HasNextPage": page * size < len(rows),
        }
        return answer(body | changes)

    def calls(self, method: str, part: str) -> list[httpx.Request]:
        """The requests of that method whose path ends so."""
        return [request for request in self.requests if request.method == method and request.url.path.endswith(part)]


def params(request: httpx.Request) -> dict[str, str]:
    """A request's query."""
    return {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}


def sent(request: httpx.Request) -> dict[str, Any]:
    """A request's JSON body."""
    body: dict[str, Any] = codec.loads(request.content)
    return body
