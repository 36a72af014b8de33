"""Who may call, and how often: the token, its scopes, and the windows of an app and of the account."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nexudus_sandbox.hubspot import errors
from nexudus_sandbox.hubspot.objects import Author
from nexudus_sandbox.wire import Request, Response

READ, WRITE = "read", "write"
SCOPES = frozenset(
    {f"crm.objects.{kind}.{right}" for kind in ("deals", "contacts", "companies") for right in (READ, WRITE)}
    | {"crm.objects.owners.read", "crm.schemas.deals.read", "crm.schemas.deals.write", "oauth"}
)
"""All that a key can be given."""


@dataclass(slots=True)
class Key:
    """A service key: whose it is, and what it may do."""

    author: Author
    scopes: frozenset[str] = SCOPES


@dataclass(slots=True)
class Gate:
    """Counts calls by true time. `ten_seconds` is per app, `a_second` of searches and `a_day` of the whole account.

    Calls about associations have `associations` in ten seconds; `apart`: they do not count as calls of the app besides.
    `exceeded` lists the policies that calls went against; `migrating`: seconds that the account is being moved.
    """

    now: Callable[[], datetime]
    zone: Callable[[], str]
    ten_seconds: int = 100
    a_second: int = 5
    associations: int = 100
    apart: bool = True
    a_day: int = 250_000
    keys: dict[str, Key] = field(default_factory=dict)
    exceeded: list[str] = field(default_factory=list)
    migrating: int = 0
    used_today: int = 0
    _day: str = ""
    _calls: dict[str, deque[float]] = field(default_factory=dict)

    def key(self, request: Request) -> Key | None:
        """The key that a request names."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.keys.get(token) if scheme.lower() == "bearer" else None

    def refuse(self, request: Request, key: Key) -> Response | None:
        """Count the call, or say why it is one too many."""
        if self.migrating:
            return errors.migrating(self.migrating)
        day = self.now().astimezone(ZoneInfo(self.zone())).date().isoformat()
        if day != self._day:
            self._day, self.used_today = day, 0
        policy = self._over(request, key)
        if policy:
            self.exceeded.append(policy)
            return errors.throttled(policy)
        self.used_today += 1
        return None

    def headers(self, request: Request, key: Key) -> dict[str, str]:
        """What the answer says of the windows; a search says nothing of the short one."""
        left = max(0, self.a_day - self.used_today)
        daily = {"X-HubSpot-RateLimit-Daily": str(self.a_day), "X-HubSpot-RateLimit-Daily-Remaining": str(left)}
        if _is_search(request):
            return daily
        window, most = self._windows(request, key)[0]
        return {
            **daily,
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(most),
            "X-HubSpot-RateLimit-Remaining": str(max(0, most - len(self._calls.get(window, ())))),
        }

    def _windows(self, request: Request, key: Key) -> list[tuple[str, int]]:
        """The windows of ten seconds in which a call counts, each with what it holds; the one it tells of first."""
        app = (key.author.source_id, self.ten_seconds)
        if "/associations/" not in request.path.partition("/objects/")[0]:
            return [app]
        own = (f"{key.author.source_id} associations", self.associations)
        return [own] if self.apart else [own, app]

    def _over(self, request: Request, key: Key) -> str:
        if self.used_today >= self.a_day:
            return "DAILY"
        if _is_search(request):
            return "" if self._take("search", 1.0, self.a_second) else "SECONDLY"
        room = all(self._take(window, 10.0, most) for window, most in self._windows(request, key))
        return "" if room else "TEN_SECONDLY_ROLLING"

    def _take(self, window: str, seconds: float, most: int) -> bool:
        at, calls = self.now().timestamp(), self._calls.setdefault(window, deque())
        while calls and calls[0] <= at - timedelta(seconds=seconds).total_seconds():
            calls.popleft()
        if len(calls) >= most:
            return False
        calls.append(at)
        return True


def _is_search(request: Request) -> bool:
    return request.path.endswith("/search")
