"""A HubSpot account for tests, spoken to directly, and by HubSpot's own client without a socket."""

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hubspot import HubSpot
from urllib3 import HTTPResponse

from nexudus_sandbox.hubspot import HubSpotDouble, HubSpotOptions
from nexudus_sandbox.wire import Request, Response

TOKEN = "pat-na1-test"
SYNC, BEN = "sync@example.com", "ben@example.com"
RECORDINGS = Path(__file__).parents[2] / "data" / "hubspot"
DEALS = "/crm/objects/2026-03/deals"


class Time:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 8, 0, 0, 417_000, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Account:
    """A double with a key, a contact and an owner. `get`, `post` and the like speak to it as the sync."""

    def __init__(self, **options: Any) -> None:
        self.time = Time()
        self.double = HubSpotDouble(self.time.now, options=HubSpotOptions(**options))
        self.double.add_key(TOKEN, SYNC)
        self.owner = self.double.account.hire("maria.nunez@example.com", "María Núñez")
        self.kai = self.double.add("contacts", BEN, email="Kai@Example.org", firstname="Kai", lastname="Lund")

    def deal(self, **values: Any) -> str:
        usual = {"dealname": "Desks", "pipeline": "default", "dealstage": "qualifiedtobuy", "contacts": [self.kai]}
        return self.double.create(BEN, **{**usual, **values})

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Response:
        headers = {"authorization": f"Bearer {TOKEN}"}
        content = b"" if body is None else json.dumps(body).encode()
        return self.double.handle(Request(method, path, query, headers, content))

    def get(self, path: str, **query: str) -> Any:
        answer = self.call("GET", path, **query)
        assert answer.status == 200, answer.body
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        answer = self.call("POST", path, body)
        assert answer.status < 300, answer.body
        return answer.json()

    @property
    def official(self) -> HubSpot:
        """HubSpot's own client, whose requests go to the double."""
        return HubSpot(access_token=TOKEN)


class Pool:
    """Stands where urllib3's pool would be."""

    def __init__(self, double: HubSpotDouble) -> None:
        self._double = double

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **more: Any) -> HTTPResponse:
        parts, query = urlsplit(url), dict[str, str]()
        for name, value in more.get("fields") or ():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            # the client repeats a parameter where HubSpot also takes commas
            query[name] = f"{query[name]},{text}" if name in query else text
        known = {name.lower(): value for name, value in (headers or {}).items()}
        content = body.encode() if isinstance(body, str) else body or b""
        answer = self._double.handle(Request(method, unquote(parts.path), query, known, content))
        return HTTPResponse(BytesIO(answer.body), dict(answer.headers), answer.status, preload_content=True)


def recording(name: str) -> dict[str, Any]:
    """A recorded answer."""
    found: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def shape(value: Any) -> Any:
    """What an answer is like, whatever it says: keys, and the kind of each value."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
