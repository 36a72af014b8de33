"""A clock to turn by hand and a caller without sockets, for the tests of the doubles."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from nexudus_sandbox.double import Double
from nexudus_sandbox.nexudus import NexudusDouble, NexudusOptions
from nexudus_sandbox.overplane import OverplaneDouble, OverplaneOptions
from nexudus_sandbox.wire import Request, Response
from nexudus_sync import codec

START = datetime(2025, 6, 16, 10, 0, 30, tzinfo=UTC)
SYNC = "sync@example.com"
CARDS = "/api/crm/crmopportunities"
OPPORTUNITIES = "/api/crm/opportunity"


class HandClock:
    """Stands still unless it is turned or somebody sleeps."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds)

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Caller:
    """Sends requests to a double with the headers of one login."""

    def __init__(self, double: Double, **headers: str) -> None:
        self.double, self.headers = double, headers

    def get(self, path: str, **query: Any) -> Response:
        return self.double.handle(Request("GET", path, {name: str(v) for name, v in query.items()}, self.headers))

    def send(self, method: str, path: str, body: Any = None) -> Response:
        data = b"" if body is None else codec.dumps(body).encode()
        return self.double.handle(Request(method, path, {}, self.headers, data))

    def form(self, path: str, **fields: str) -> Response:
        headers = {"content-type": "application/x-www-form-urlencoded", **self.headers}
        return self.double.handle(Request("POST", path, {}, headers, urlencode(fields).encode()))

    def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **query).json()
        return list(answer["Records"] if "Records" in answer else answer["data"])


def basic(email: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{email}:{password}".encode()).decode()


class Office:
    """A Nexudus with one location, one board of four stages, one customer and no request budget."""

    def __init__(self, **options: Any) -> None:
        self.clock = HandClock()
        self.double = NexudusDouble(self.clock.now, options=NexudusOptions(**options), windows=())
        directory = self.double.directory
        self.business = directory.add_business("London", currency="GBP", time_zone="Europe/London")
        self.board = directory.add_board(self.business, "Sales")
        self.new = directory.add_stage(self.board, "New lead")
        self.tour = directory.add_stage(self.board, "Tour booked")
        self.won = directory.add_stage(self.board, "Won", WinOpportunity=True)
        self.lost = directory.add_stage(self.board, "Lost", LoseOpportunity=True)
        self.coworker = directory.add_coworker("ana@example.com", "Ana Núñez", self.business)
        self.user = directory.add_user("tom@example.com", "Tom O’Reilly")
        self.double.add_account(SYNC, "secret")
        self.caller = Caller(self.double, authorization=basic(SYNC, "secret"))

    def card(self, **values: Any) -> int:
        defaults = {"CrmBoardColumnId": self.new, "CoworkerId": self.coworker, "Name": "Desk"}
        return self.double.create("ana.boss@example.com", **{**defaults, **values})

    def body(self, **values: Any) -> dict[str, Any]:
        required = {"CrmBoardColumnId": self.new, "CoworkerId": self.coworker, "Status": 1, "Position": 1}
        return {**required, **values}

    def read(self, card_id: int) -> dict[str, Any]:
        return dict(self.caller.get(f"{CARDS}/{card_id}").json())


class Crm:
    """An Overplane with a token and nothing in it."""

    def __init__(self, **options: Any) -> None:
        self.clock = HandClock()
        self.double = OverplaneDouble(self.clock.now, options=OverplaneOptions(**options))
        self.double.tokens["sk_test_1"] = SYNC
        self.caller = Caller(self.double, authorization="Bearer sk_test_1")

    def opportunity(self, **values: Any) -> str:
        return self.double.create("eva@example.com", **{**REQUIRED, **values})


REQUIRED = {
    "opportunity_from": "Lead",
    "party_name": "lead_1",
    "company": "Example Corp",
    "transaction_date": "2025-06-01",
}
