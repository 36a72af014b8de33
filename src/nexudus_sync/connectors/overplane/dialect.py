"""How Overplane authenticates, throttles and complains: what the shared HTTP client has to be told.

The page "The Opportunity object" documents the bearer token only; error shapes and limits are documented nowhere.
"""

from collections.abc import Mapping
from urllib.parse import unquote

from pydantic import SecretStr

from nexudus_sync.connectors.http import Answer, Http, retry_after
from nexudus_sync.connectors.overplane import complaint
from nexudus_sync.errors import (
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    OutcomeUnknown,
    Refused,
    RoleMissing,
    Unavailable,
)

_PASSING = (404, 408, 418, 421, 423, 425, 429, 499)
"""What another try may get over, or a server in between says (404: as a web page). All else below 500 is a refusal."""
_ID_AT = 4
"""Where the id stands in `/api/crm/opportunity/{id}`, split at the slashes."""


class OverplaneDialect:
    """Overplane's part of an `Http` client. `system` is the configured name of the CRM."""

    def __init__(self, system: str, token: SecretStr) -> None:
        self.system = system
        self._token = token

    async def headers(self, http: Http) -> Mapping[str, str]:
        """The bearer token; nothing is asked of the server."""
        return {"Authorization": f"Bearer {self._token.get_secret_value()}"}

    async def renew(self, http: Http) -> bool:
        """A token is fixed: there is nothing to renew."""
        return False

    def throttled(self, answer: Answer) -> float | None:
        """Seconds to wait where the answer says "later": 429 always, 409 and 503 only with `Retry-After`."""
        named = "retry-after" in {name.lower() for name in answer.headers}
        return retry_after(answer) if answer.status == 429 or (answer.status in (409, 503) and named) else None

    def error(self, answer: Answer) -> ConnectorError | None:
        """The error an answer stands for; None for a success."""
        if answer.status < 300:
            return None
        said = complaint.read(answer.text)
        message = said.message.replace(self._token.get_secret_value(), "***")
        record = record_id(answer.path)
        match answer.status:
            case 401:
                # another server's refusal is not in the words of this one
                address = "" if message else ", check base_url; if it is right,"
                problem = f"the token was not accepted{address or ';'} put a valid one in the environment"
                return AuthenticationFailed(self.system, problem)
            case 403:
                about = answer.path.removeprefix("/api/")
                problem = _with(f"the token may not {answer.method} {about}", message)
                return RoleMissing(self.system, problem, record, said=message)
            case 404 if not said.html:
                return NotFound(self.system, _with("no such record", message), record)
            case status if 400 <= status < 500 and status not in _PASSING:
                return Refused(self.system, _with(f"refused ({answer.status})", message), record, said.keys)
        return self._odd(answer, _with(f"answered {answer.status}", message), record)

    def _odd(self, answer: Answer, message: str, record: str | None) -> ConnectorError:
        """A failure of the server or of a proxy: a write may have been done, unless not even its path was found."""
        written = answer.method != "GET" and answer.status != 404
        return (OutcomeUnknown if written else Unavailable)(self.system, message, record)


def record_id(path: str) -> str | None:
    """The id a path ends in, None when it names a whole list."""
    parts = path.split("/")
    return unquote(parts[_ID_AT]) if len(parts) > _ID_AT else None


def _with(what: str, message: str) -> str:
    return f"{what}: {message}" if message else what
