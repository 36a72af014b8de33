"""How ERPNext authenticates, throttles and complains: what the shared HTTP client has to be told.

Facts from frappe (auth.py, exceptions.py, utils/response.py, rate_limiter.py). Nearly every refusal is a 417; the type
of the exception tells them apart. What was refused before the commit was rolled back.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from pydantic import SecretStr

from nexudus_sync.connectors.erpnext import complaint, roles
from nexudus_sync.connectors.erpnext.complaint import Complaint
from nexudus_sync.connectors.http import Answer, Http, retry_after
from nexudus_sync.errors import (
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    OutcomeUnknown,
    Refused,
    RoleMissing,
    Stale,
    Unavailable,
)

WHO_AM_I = "/api/method/frappe.auth.get_logged_user"
_HELD = "DocumentLockedError"
_COLLISIONS = frozenset({"QueryDeadlockError", "QueryTimeoutError", _HELD})
_DUPLICATE, _NOT_UNIQUE = "DuplicateEntryError", "UniqueValidationError"
"""The name is there already; another document has a value. A 409 can also be a NameError: a name that cannot be."""
_CLOSED = frozenset({"SessionStopped", "InReadOnlyMode"})
_STALE = "TimestampMismatchError"
_BAD_VALUE = re.compile(r"\((1048|1054|1264|1265|1292|1366|1406),")
"""The database's error numbers for a value that a column cannot take."""
_RIGHTS = {"GET": "read", "POST": "create", "PUT": "write", "DELETE": "delete"}
_PATH = re.compile(r"/api/(?:resource|v2/document)/(?P<doctype>[^/]+)(?:/(?P<name>.+))?")


class Collision(Unavailable):
    """Another save got in the way and this one was rolled back: it may be sent again at once.

    `held`: a job holds the document, which can last.
    """

    held = False


class Duplicate(Refused):
    """A document with this name, or with this value in a unique field, exists already. `named`: it has the name."""

    named = True


class BadLink(Refused):
    """A link names a document that does not exist (any more)."""


class ERPNextDialect:
    """ERPNext's part of an `Http` client. `system` is the configured name of the CRM."""

    def __init__(self, system: str, api_key: str, api_secret: SecretStr) -> None:
        self.system = system
        self._key, self._secret = api_key, api_secret

    async def headers(self, http: Http) -> Mapping[str, str]:
        """The token; nothing is asked of the server. Refusals are wanted in English, the language of `writer.py`."""
        return {
            "Authorization": f"token {self._key}:{self._secret.get_secret_value()}",
            "Accept-Language": "en",
        }

    async def renew(self, http: Http) -> bool:
        """A token is fixed: there is nothing to renew."""
        return False

    def throttled(self, answer: Answer) -> float | None:
        """Seconds to wait after a 429: it names the end of the site's window in `Retry-After`."""
        return retry_after(answer) if answer.status == 429 else None

    def error(self, answer: Answer) -> ConnectorError | None:
        """The error an answer stands for; None for a success."""
        if answer.status < 400:
            return None  # what a redirect means the client says
        said = complaint.read(answer.text)
        told = Complaint(said.kind, said.message.replace(self._secret.get_secret_value(), "***"), said.html)
        doctype, record = target(answer.path)
        if answer.status == 401:
            return AuthenticationFailed(
                self.system, _with("the API key and secret were not accepted; create new ones", told.message)
            )
        if answer.status == 403 and told.html:
            return Unavailable(
                self.system, f"{answer.says()} with a web page: a server in front of ERPNext forbids it", record
            )
        if answer.status == 403:
            return self._no_right(answer, doctype, record, told.message)
        return self._passing(answer, record, told) or self._refusal(answer, record, told)

    def _no_right(self, answer: Answer, doctype: str, record: str | None, message: str) -> ConnectorError:
        if answer.path == WHO_AM_I:
            # Without its header a call is a guest's, and that is a 403, never a 401.
            problem = "the site saw no login at all; check whether a proxy drops the Authorization header"
            return AuthenticationFailed(self.system, problem)
        if not doctype:
            return RoleMissing(self.system, _with(f"the user may not call {answer.path}", message))
        right = _RIGHTS.get(answer.method, "write")
        problem = _with(roles.lacking("the user", doctype, right), message)
        return RoleMissing(self.system, problem, record, said=message)

    def _passing(self, answer: Answer, record: str | None, told: Complaint) -> ConnectorError | None:
        """What another try may get over: nothing was written."""
        if told.kind == _STALE and answer.method != "POST":
            return Stale(self.system, "it was changed meanwhile", record)
        if told.kind == _STALE or told.kind in _COLLISIONS:
            # On a create it is about the prospect, which keeps a row for each of its opportunities.
            collision = Collision(self.system, _with("another save got in the way", told.message), record)
            collision.held = told.kind == _HELD
            return collision
        if told.kind in _CLOSED:
            return Unavailable(self.system, _with("the site is closed for maintenance", told.message), record)
        return None

    def _refusal(self, answer: Answer, record: str | None, told: Complaint) -> ConnectorError:
        status, message = answer.status, _with(f"refused ({told.kind or answer.status})", told.message)
        if status == 404 and told.kind == "DoesNotExistError":
            return NotFound(self.system, _with("no such record", told.message), record)
        if status == 404:
            return Unavailable(self.system, f"{answer.says()}, but not by ERPNext; check base_url", record)
        if told.kind in (_DUPLICATE, _NOT_UNIQUE):
            duplicate = Duplicate(self.system, message, record)
            duplicate.named = told.kind == _DUPLICATE
            return duplicate
        if told.kind == "LinkValidationError":
            return BadLink(self.system, message, record)
        # the numbers stand in a text that a site may keep to itself; this type it tells, and it is never anything else
        if 400 <= status < 500 or told.kind == "DataError" or _BAD_VALUE.search(told.message):
            return Refused(self.system, message, record)
        what = f"answered {status} ({told.kind})" if told.kind else f"answered {status}"
        unclear = Unavailable if answer.method == "GET" else OutcomeUnknown
        return unclear(self.system, _with(what, told.message), record)


def target(path: str) -> tuple[str, str | None]:
    """The DocType and the document a path names: "" for a function, None for a whole list."""
    found = _PATH.fullmatch(path)
    if found is None:
        return "", None
    name = found["name"]
    return unquote(found["doctype"]), unquote(name) if name else None


def _with(what: str, message: str) -> str:
    return f"{what}: {message}" if message else what
