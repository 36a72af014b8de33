"""How HubSpot authenticates, throttles and complains: what the shared HTTP client has to be told.

A 404 of HubSpot's own is known by a header; without it something in front of HubSpot answered, or the path is wrong.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.answer import UNSAID
from nexudus_sync.connectors.http import Answer, Http, retry_after
from nexudus_sync.connectors.hubspot import complaint
from nexudus_sync.connectors.hubspot.complaint import Complaint
from nexudus_sync.errors import (
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    OutcomeUnknown,
    Refused,
    RoleMissing,
    Unavailable,
)

NOT_FOUND = "X-HubSpot-NotFound"
_LIMITED, _MIGRATING = 429, 477
_PASSING = (408, 418, 421, 425, 499)
_TEN_SECONDS = 10.0
_OBJECT = re.compile(r"/crm/objects/[^/]+/(?P<kind>[^/]+)/(?P<id>[^/]+)$")
_NO_IDS = frozenset({"search", "read"})
_TAKEN = "CONFLICTING_UNIQUE_VALUE"


class Exists(Refused):
    """There is one already; `existing` is its id, None where the answer does not tell."""

    existing: str | None = None


class HubSpotDialect:
    """HubSpot's part of an `Http` client. `system` is the configured name of the CRM.

    `heed` is told of each answer's headers, by path; `zone` gives the account's zone, in which its day ends.
    """

    def __init__(
        self,
        system: str,
        token: SecretStr,
        clock: Clock,
        heed: Callable[[str, Mapping[str, str]], None],
        zone: Callable[[], ZoneInfo],
    ) -> None:
        self.system = system
        self._token, self._clock, self._heed, self._zone = token, clock, heed, zone
        self._searches = 0

    async def headers(self, http: Http) -> Mapping[str, str]:
        """The bearer token; nothing is asked of the server."""
        return {"Authorization": f"Bearer {self._token.get_secret_value()}"}

    async def renew(self, http: Http) -> bool:
        """A service key is fixed: there is nothing to renew."""
        return False

    def throttled(self, answer: Answer) -> float | None:
        """Seconds to wait. HubSpot names only the window that is full; the time only while an account is moved."""
        if answer.status == _MIGRATING:
            return retry_after(answer)
        if answer.status != _LIMITED:
            return None
        said = retry_after(answer)
        policy = complaint.read(answer.text).policy
        if said != UNSAID:
            return said
        if policy == "DAILY":
            return self._until_midnight()
        if policy == "SECONDLY" or answer.path.endswith("/search"):
            self._searches += 1
            return float(min(self._searches, 10))
        return _TEN_SECONDS

    def closed(self, answer: Answer) -> str:
        """Why the account takes no calls: its day is used up, or it is moved. See `Closes`."""
        if answer.status == _MIGRATING:
            return "HubSpot is moving the account to another data centre"
        return "the account's calls for today are used up" if complaint.read(answer.text).policy == "DAILY" else ""

    def error(self, answer: Answer) -> ConnectorError | None:
        """The error an answer stands for; None for a success."""
        self._heed(answer.path, answer.headers)
        if answer.status < 400:
            self._searches = 0
            return None  # what a redirect means the client says
        said, record = complaint.read(answer.text), record_of(answer.path)
        message = said.message.replace(self._token.get_secret_value(), "***")
        if answer.status == 401:
            return self._refused_key(bool(said.category or message))
        if answer.status == 403:
            return self._no_right(answer, said, message, record)
        if answer.status == 404:
            return self._missing(answer, record)
        return self._refusal(answer, said, message, record) or self._odd(answer, message, record)

    def _refused_key(self, by_hubspot: bool) -> ConnectorError:
        # another server's refusal is not in the words of HubSpot
        address = ";" if by_hubspot else ", check base_url; if it is right,"
        problem = f"the token was not accepted{address} put a valid service key in the environment"
        return AuthenticationFailed(self.system, problem)

    def _refusal(self, answer: Answer, said: Complaint, message: str, record: str | None) -> ConnectorError | None:
        if answer.status == 409 or _TAKEN in said.codes:
            exists = Exists(self.system, _with("it exists already", message), record, said.keys)
            exists.existing = said.existing
            return exists
        if answer.status < 500 and answer.status not in _PASSING:
            told = _with(f"refused ({answer.status})", message)
            return Refused(self.system, told, record, said.keys | said.triggers)
        return None

    def _odd(self, answer: Answer, message: str, record: str | None) -> ConnectorError:
        unclear = OutcomeUnknown if _writes(answer) else Unavailable
        return unclear(self.system, _with(f"answered {answer.status}", message), record)

    def _no_right(self, answer: Answer, said: Complaint, message: str, record: str | None) -> ConnectorError:
        if said.html:
            told = f"{answer.says()} with a web page: a server in front of HubSpot forbids it"
            return Unavailable(self.system, told, record)
        if said.scopes:
            return RoleMissing(self.system, needs(said.scopes), None, said=message)
        return RoleMissing(
            self.system, _with(f"the key may not {answer.method} {answer.path}", message), record, message
        )

    def _missing(self, answer: Answer, record: str | None) -> ConnectorError:
        if any(name.lower() == NOT_FOUND.lower() for name in answer.headers):
            return NotFound(self.system, "no such record", record)
        return Unavailable(self.system, f"{answer.says()}, but not by HubSpot; check base_url and api_version", record)

    def _until_midnight(self) -> float:
        """Seconds until the account's day ends, when its daily calls are counted from zero again."""
        now = self._clock.now().astimezone(self._zone())
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return max(1.0, (midnight - now).total_seconds())


def needs(scopes: tuple[str, ...]) -> str:
    """What to do about a missing scope."""
    one = scopes[0] if len(scopes) == 1 else f"one of {', '.join(scopes)}"
    return f"the service key lacks the scope {one}; add it in HubSpot (Development, Keys, Service keys)"


def record_of(path: str) -> str | None:
    """The id of the object that a path names."""
    found = _OBJECT.search(path)
    return None if found is None or found["id"] in _NO_IDS else unquote(found["id"])


def _writes(answer: Answer) -> bool:
    return answer.method != "GET" and not answer.path.endswith(("/search", "/read"))


def _with(what: str, message: str) -> str:
    return f"{what}: {message}" if message else what
