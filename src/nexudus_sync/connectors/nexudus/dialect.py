"""How Nexudus authenticates, throttles and complains (pages "Authentication", "Rate limits" and each operation's 400).

401 is a bad token or a missing role, its body does not say which; 409 and 429 are both throttling; a call answered with
500 may have been done.
"""

import base64
import re
from collections.abc import Mapping
from datetime import timedelta

from nexudus_sync import codec
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.http import UNSAID, Answer, Http, retry_after
from nexudus_sync.connectors.nexudus import envelope, totp
from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.errors import (
    AuthenticationFailed,
    ConnectorError,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    Refused,
    RoleMissing,
    Unavailable,
)

ENTITIES = {
    "crmopportunities": "CrmOpportunity",
    "crmboards": "CrmBoard",
    "crmboardcolumns": "CrmBoardColumn",
    "crmopportunityhistories": "CrmOpportunityHistory",
    "opportunitytypes": "OpportunityType",
    "coworkers": "Coworker",
    "users": "User",
    "businesses": "Business",
    "simpletimezones": "SimpleTimeZone",
    "audittrailentries": "AuditTrailEntry",
}
"""The entity behind each path; roles are named after it ("CrmOpportunity-Edit")."""

_RIGHTS = {"POST": "Create", "PUT": "Edit", "DELETE": "Delete"}
_FRESH = 5.0


class Forbidden(RoleMissing):
    """403: for a listing's deep page as well as for a missing right, so a scan may go on another way."""


class NexudusDialect:
    """What `Http` must know of Nexudus, for one login. The token is kept in memory and renewed when it expires."""

    def __init__(self, system: str, settings: NexudusSettings, clock: Clock) -> None:
        self.system = system
        self._settings = settings
        self._clock = clock
        self._token: str | None = None
        self._token_at = 0.0
        self._accepted = False

    def throttled(self, answer: Answer) -> float | None:
        """Seconds to wait: 409 and 429 by `Retry-After` or "Wait N seconds" (also decimal), 503 by `Retry-After`."""
        if answer.status not in (409, 429, 503):
            return None
        asked = retry_after(answer)
        if answer.status == 503:
            return None if asked == UNSAID else asked
        told = re.search(r"wait\s+(\d+(?:\.\d+)?)", answer.text, re.IGNORECASE)
        return float(told[1]) if asked == UNSAID and told else asked

    def error(self, answer: Answer) -> ConnectorError | None:
        """The error an answer stands for, None for a success."""
        if answer.status < 500 and answer.status != 401:
            self._accepted = True
        if answer.status < 300:
            return self._failed_softly(answer)
        record = _record_id(answer.path)
        said = envelope.parse(answer.text)
        message, keys = (said.message, said.keys) if said else (_words(answer.text), frozenset[str]())
        if answer.status in (401, 403):
            return self._no_right(answer, message, record)
        if _is_creation_limit(answer, message):
            return self._creation_limit(message)
        if answer.status == 404:
            return self._missing(answer, record)
        if _says_nothing(answer.status, keys):
            return self._unclear(answer, f"answered {answer.status} ({message or 'no message'})", record)
        return Refused(self.system, f"refused: {message or answer.status}", record, keys)

    async def headers(self, http: Http) -> Mapping[str, str]:
        """`Authorization`, logging in first if need be. Raises AuthenticationFailed, Unavailable."""
        if self._settings.auth == "basic":
            pair = f"{self._settings.username}:{self._settings.password.get_secret_value()}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        if self._token is None:
            await self.renew(http)
        return {"Authorization": f"Bearer {self._token}"}

    async def renew(self, http: Http) -> bool:
        """Log in again after a 401; False for Basic. A token just received is kept: it cannot have expired yet."""
        if self._settings.auth == "basic":
            return False
        if self._token is None or self._clock.monotonic() - self._token_at > _FRESH:
            self._token = await self._log_in(http)
            self._token_at = self._clock.monotonic()
        return True

    async def _log_in(self, http: Http) -> str:
        form = {
            "grant_type": "password",
            "username": self._settings.username,
            "password": self._settings.password.get_secret_value(),
        }
        if self._settings.totp_secret is not None:
            # The code must be the one of the server's half minute, not of ours.
            server_now = self._clock.now() + timedelta(seconds=http.offset or 0.0)
            form["totp"] = totp.code(self._settings.totp_secret.get_secret_value(), server_now)
        answer = await http.raw("POST", "/token", data=form)
        body = _object(answer.text)
        if answer.status in (400, 401, 403):
            raise self._login_refused(answer.status, body.get("error_description") or body.get("error"))
        token = body.get("access_token")
        if answer.status != 200 or not isinstance(token, str) or not _can_be_sent(token):
            raise Unavailable(self.system, f"the login answered {answer.status} without a token; check base_url")
        return token

    def _login_refused(self, status: int, told: object) -> AuthenticationFailed:
        """A wrong address is refused as well, but not in the words of a login."""
        refused = f"the login of {self._settings.username} was refused"
        if isinstance(told, str) and told:  # anything else is not an answer from Nexudus
            return AuthenticationFailed(self.system, f"{refused} ({envelope.one_line(told)}); check the password")
        return AuthenticationFailed(
            self.system, f"{refused} ({status}, no reason given): check base_url; if it is right, check the password"
        )

    def _failed_softly(self, answer: Answer) -> ConnectorError | None:
        """A 200 may say that it failed; one to a write that says nothing readable leaves the outcome open."""
        if answer.method == "GET" and '"WasSuccessful"' not in answer.text:
            return None
        said = envelope.parse(answer.text)
        record = _record_id(answer.path)
        if said is None:
            return None if answer.method == "GET" else self._unclear(answer, "answered without an envelope", record)
        if said.ok:
            return None
        if _is_creation_limit(answer, said.message):
            return self._creation_limit(said.message)
        return Refused(self.system, f"refused: {said.message or 'no reason given'}", record, said.keys)

    def _no_right(self, answer: Answer, message: str, record: str | None) -> ConnectorError:
        if answer.status == 403 and _is_creation_limit(answer, message):
            return self._creation_limit(message)
        if answer.status == 401 and not self._accepted and self._settings.auth == "basic":
            return self._login_refused(answer.status, None)
        needed = f"{self._settings.username} lacks the role {role(answer.method, answer.path)}"
        kind = Forbidden if answer.status == 403 else RoleMissing
        told = f": {message}" if message else ""
        return kind(self.system, f"{needed} ({answer.status}{told}); give it in Nexudus", record, said=message)

    def _missing(self, answer: Answer, record: str | None) -> ConnectorError:
        """A 404 in HTML is a proxy's or a wrong address's, and proves nothing about the record."""
        if answer.text.lstrip().startswith("<"):
            return self._unclear(answer, "answered 404 with a web page; check base_url", record)
        return NotFound(self.system, "not found", record)

    def _unclear(self, answer: Answer, message: str, record: str | None) -> ConnectorError:
        kind = Unavailable if answer.method == "GET" else OutcomeUnknown
        return kind(self.system, f"{answer.method} {answer.path} {message}", record)

    def _creation_limit(self, message: str) -> LimitReached:
        return LimitReached(
            self.system,
            f"no customer can be created now ({message}): the daily limit is used up, or Coworker-Create is missing",
        )


def role(method: str, path: str) -> str:
    """The role that a call needs, as the operation's page names it, e.g. `CrmOpportunity-Read`."""
    parts = path.strip("/").split("/")
    entity = next((ENTITIES[part] for part in parts if part in ENTITIES), parts[-1])
    if parts[-1] == "runcommand":
        return f"{entity}-Edit"
    if method == "GET":
        return f"{entity}-{'Read' if parts[-1].isdigit() else 'List'}"
    return f"{entity}-{_RIGHTS[method]}"


def _says_nothing(status: int, keys: frozenset[str]) -> bool:
    """Does the answer leave the outcome open? A server error that names fields is a refusal of these."""
    return status < 400 or (status >= 500 and not keys)


def _is_creation_limit(answer: Answer, message: str) -> bool:
    return answer.method == "POST" and answer.path.endswith("/coworkers") and "access denied" in message.lower()


def _record_id(path: str) -> str | None:
    last = path.rstrip("/").rsplit("/", 1)[-1]
    return last if last.isdigit() else None


def _words(text: str) -> str:
    """The message for people in an answer without an envelope, if it has one."""
    body = _object(text)
    told = (body.get(key) for key in ("Message", "message", "error_description", "error"))
    return envelope.one_line(next((one for one in told if isinstance(one, str) and one.strip()), text))


def _can_be_sent(token: str) -> bool:
    """Can a header carry it? Any other token would keep every call from leaving."""
    return token.isascii() and token.isprintable() and bool(token.strip())


def _object(text: str) -> Mapping[str, object]:
    try:
        body = codec.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
