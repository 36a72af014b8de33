"""The envelope around every answer to a write, told by its `WasSuccessful`: an opportunity has a `Value` of its own.

Pages "Create CrmOpportunity", "Update CrmOpportunity"; older reference for commands, which answer 200 on failure too.
"""

import re
from dataclasses import dataclass
from typing import Any

from nexudus_sync import codec
from nexudus_sync.connectors.nexudus import moments

LONGEST = 200
"""How many characters of a server's text an error repeats."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an answer to a write says. `keys`: the properties it complains of; `id`: the record's, None if unnamed."""

    ok: bool
    message: str
    keys: frozenset[str] = frozenset()
    id: int | None = None
    value: Any = None
    updated_on: str | None = None
    updated_by: str | None = None


def parse(text: str) -> Envelope | None:
    """The envelope in an answer's body; None when it has none (empty, HTML, or other JSON)."""
    try:
        body = codec.loads(text)
    except ValueError:
        return None
    return read(body)


def read(body: object) -> Envelope | None:
    """The envelope in a parsed body, else None."""
    if not isinstance(body, dict) or not isinstance(body.get("WasSuccessful"), bool):
        return None
    complaints = _complaints(body.get("Errors"))
    value = body.get("Value")
    new_id = value.get("Id") if isinstance(value, dict) else None
    return Envelope(
        ok=body["WasSuccessful"],
        message=one_line(body.get("Message") or _told(complaints)),
        keys=frozenset(str(error["PropertyName"]) for error in complaints if error.get("PropertyName")),
        id=new_id if isinstance(new_id, int) else None,
        value=value,
        updated_on=body.get("UpdatedOn") if moments.parse(body.get("UpdatedOn")) else None,
        updated_by=body.get("UpdatedBy") or None,
    )


def _complaints(errors: object) -> list[dict[str, object]]:
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def one_line(text: object) -> str:
    """A server's text, fit for one line of an error: no markup, no line breaks, cut to `LONGEST` characters."""
    plain = re.sub(r"<[^>]*>", " ", str(text or ""))
    line = " ".join(plain.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _told(complaints: list[dict[str, Any]]) -> str:
    return "; ".join(f"{error.get('PropertyName')}: {error.get('Message')}" for error in complaints)
