"""The refusals of a Frappe server, each with its status, its type and what it says to people.

Facts from frappe (exceptions.py, model/document.py, permissions.py) and the answers two servers gave.
"""

import hashlib
from typing import Any

from nexudus_sandbox.erpnext.meta import DocType, Field

MARK = "__frappe_exc_id"
"""The key that joins a message and its refusal."""

Message = dict[str, Any]
"""One message for people, as `_server_messages` carries it."""

STATUS = {
    "AuthenticationError": 401,
    "PermissionError": 403,
    "DoesNotExistError": 404,
    "DuplicateEntryError": 409,
    "NameError": 409,
    "TooManyRequestsError": 429,
    "SessionStopped": 503,
    "QueryDeadlockError": 500,
}
"""Status of the types that are neither 417 (every other one of Frappe's own) nor 500 (Python's and the database's)."""


class FrappeError(Exception):
    """A refusal.

    `kind` is its type, `messages` what people are told, `exception` the last line of the traceback, `text` what stands
    there behind the type. `traced` is False where the server never shows a traceback; `source` names the app that
    refused; `summary` is `_error_message`.
    """

    def __init__(
        self,
        kind: str,
        text: str = "",
        messages: tuple[Message, ...] = (),
        *,
        status: int | None = None,
        path: str = "frappe.exceptions.",
        traced: bool = True,
        source: str | None = None,
        summary: str | None = None,
        exception: str | None = None,
    ) -> None:
        super().__init__(text)
        self.kind, self.text, self.messages = kind, text, messages
        self.status = status or STATUS.get(kind, 417)
        self.traced, self.source, self.summary = traced, source, summary
        self.exception = exception or f"{path}{kind}" + (f": {text}" if text else "")


def message(text: str, title: str = "Message", **more: Any) -> Message:
    """A message that only informs."""
    return {"message": text, "title": title, **more}


def thrown(kind: str, text: str, *, title: str = "Message", **more: Any) -> FrappeError:
    """A refusal with its own message in red, as `frappe.throw` makes it; a mark joins the two."""
    mark = hashlib.sha224(text.encode()).hexdigest()
    red = message(text, title, indicator="red", raise_exception=1, **{MARK: mark})
    return FrappeError(kind, text, (red,), **more)


def no_permission(user: str, doctype: str, **more: Any) -> FrappeError:
    """403: no role of the user grants this on the DocType."""
    text = (
        f"User <strong>{user}</strong> does not have doctype access via role permission for document"
        f" <strong>{doctype}</strong>"
    )
    options: dict[str, Any] = {"traced": False, "summary": f"No permission for {doctype}"} | more
    return FrappeError("PermissionError", "", (message(text),), **options)


def not_whitelisted(path: str) -> FrappeError:
    """403: the function exists, but not for this caller."""
    text = (
        "<details><summary>You are not permitted to access this resource. Login to access</summary>"
        f"Function <strong>{path}</strong> is not whitelisted.</details>"
    )
    return thrown("PermissionError", text, title="Method Not Allowed")


def not_found(doctype: str, name: str) -> FrappeError:
    """404 for a document."""
    return thrown("DoesNotExistError", f"{doctype} {name} not found")


def no_module(doctype: str) -> FrappeError:
    """500: what a read by name of an unknown DocType ends in."""
    scrubbed = doctype.lower().replace(" ", "_")
    told = f"Error: No module named 'frappe.core.doctype.{scrubbed}'"
    return FrappeError("ImportError", status=500, exception=told)


def no_such_page() -> FrappeError:
    """404 without a word."""
    return FrappeError("DoesNotExistError")


def missing(doctype: str, name: str, found: list[tuple[str, Message]]) -> FrappeError:
    """417: mandatory fields without a value; `found` holds their names and what is said of each."""
    names = ", ".join(field for field, _ in found)
    return FrappeError("MandatoryError", f"[{doctype}, {name}]: {names}", tuple(told for _, told in found))


def too_long(where: str, field: Field, value: str, limit: int) -> FrappeError:
    """417: more characters than the column holds."""
    text = (
        f"{where}: '<strong>{field.title}</strong>' ({value}) will get truncated, as max characters allowed is {limit}"
    )
    return thrown("CharacterLengthExceededError", text, title="Value too big")


def stale(version: int, doctype: str, name: str, theirs: str, ours: str, **more: Any) -> FrappeError:
    """417: somebody saved the document in between."""
    what = f"{name} ({doctype})" if version >= 16 else "Document"
    text = (
        f"Error: {what} has been modified after you have opened it ({theirs}, {ours})."
        " Please refresh to get the latest document."
    )
    return thrown("TimestampMismatchError", text, **more)


def taken(meta: DocType, name: str) -> FrappeError:
    """409: a document of that name exists."""
    text = f"('{meta.name}', '{name}', IntegrityError(1062, \"Duplicate entry '{name}' for key 'PRIMARY'\"))"
    said = message(f"{meta.name} <strong>{name}</strong> already exists", "Duplicate Name", indicator="red")
    return FrappeError("DuplicateEntryError", text, (said,))


def not_unique(meta: DocType, name: str, field: Field, value: str) -> FrappeError:
    """417: another document has this value in a unique field."""
    text = f"('{meta.name}', '{name}', IntegrityError(1062, \"Duplicate entry '{value}' for key '{field.name}'\"))"
    return FrappeError("UniqueValidationError", text, (message(f"{field.title} must be unique"),))


def bad_name() -> FrappeError:
    """409, and no duplicate: a name that no document can have."""
    return thrown("NameError", "Name cannot contain special characters like '<', '>'")


def database(version: int, code: int, text: str, kind: str = "OperationalError") -> FrappeError:
    """500: the database refused the statement."""
    path = "MySQLdb." if version >= 16 else "pymysql.err."
    return FrappeError(kind, f'({code}, "{text}")', status=500, path=path)


def python(kind: str, text: str, path: str = "") -> FrappeError:
    """500: an error nobody caught."""
    return FrappeError(kind, text, status=500, path=path)


def deadlock() -> FrappeError:
    """500, passing: the database broke a deadlock by undoing this request."""
    text = "(1213, 'Deadlock found when trying to get lock; try restarting transaction')"
    return FrappeError("QueryDeadlockError", text)
