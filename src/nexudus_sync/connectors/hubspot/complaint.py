"""What an error answer of HubSpot says; pure.

Its body has a category, the properties in `errors[].context` or, in older calls, only as JSON within the message. Any
part may be missing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nexudus_sync import codec

_LONGEST = 300
_WITHIN = re.compile(r"^(?P<what>[^\[]*?):?\s*(?P<json>\[.*\])\s*$", re.DOTALL)
_TRIGGER = re.compile(r"\[([a-z][a-z0-9_]*)\]")
_EXISTING = re.compile(r"Existing ID:\s*(\d+)")
_MISSING = "MISSING_CONDITIONAL_REQUIRED_PROPERTY"
_REQUIRES = re.compile(r"requires one of \[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Complaint:
    """`message` is one line for people; `keys` are the properties named, `triggers` those that demand others.

    `codes` are what is wrong with them, `existing` is the id of the record that is there already, `scopes` are those of
    which the token needs one. `html`: a page.
    """

    message: str = ""
    category: str = ""
    keys: frozenset[str] = frozenset()
    triggers: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    existing: str | None = None
    scopes: tuple[str, ...] = ()
    policy: str = ""
    html: bool = False


def read(text: str) -> Complaint:
    """Read the body of an error answer, whatever it is."""
    try:
        body = codec.loads(text)
    except (ValueError, RecursionError):
        is_page = text.lstrip().startswith("<")
        return Complaint("" if is_page else _line(text), html=is_page)
    if not isinstance(body, dict):
        return Complaint()
    message = str(body.get("message") or "")
    what, inner = _unpacked(message)
    errors = _errors(body) or inner
    return Complaint(
        _sentence(what, errors),
        str(body.get("category") or ""),
        frozenset(key for one in errors for key in _keys(one)),
        frozenset(key for one in errors for key in _triggers(one)),
        frozenset(map(_code, errors)) - {""},
        _existing(message, errors),
        tuple(_scopes(body, message)),
        str(body.get("policyName") or ""),
    )


def _errors(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in body.get("errors") or () if isinstance(one, dict)]


def _sentence(what: str, errors: list[dict[str, Any]]) -> str:
    """What is wrong, and each detail that it does not tell itself."""
    said = dict.fromkeys(_line(one.get("message")) for one in errors)
    return _line("; ".join(filter(None, [what, *(one for one in said if one not in what)])))


def _code(error: dict[str, Any]) -> str:
    return str(error.get("code") or error.get("error") or "")


def _unpacked(message: str) -> tuple[str, list[dict[str, Any]]]:
    """A message that carries its details as JSON: what it says, and those."""
    found = _WITHIN.match(message)
    if found is None:
        return message, []
    try:
        inner = codec.loads(found["json"])
    except (ValueError, RecursionError):
        return message, []
    rows = [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
    return (found["what"], rows) if rows else (message, [])


def _keys(error: dict[str, Any]) -> Iterator[str]:
    context = error.get("context")
    named = context.get("propertyName") if isinstance(context, dict) else None
    yield from (str(one) for one in named) if isinstance(named, list) else ()
    if isinstance(error.get("name"), str):
        yield error["name"]


def _triggers(error: dict[str, Any]) -> list[str]:
    """The property whose value demands another one; it stands in brackets."""
    return _TRIGGER.findall(str(error.get("message"))) if error.get("code") == _MISSING else []


def _existing(message: str, errors: list[dict[str, Any]]) -> str | None:
    found = _EXISTING.search(message)
    if found is not None:
        return found[1]
    for error in errors:
        context = error.get("context")
        ids = context.get("existingId") if isinstance(context, dict) else None
        if isinstance(ids, list) and ids:
            return str(ids[0])
    return None


def _scopes(body: dict[str, Any], message: str) -> Iterator[str]:
    """The scopes of which one is needed, by whichever of the forms the body has."""
    contexts = [body.get("context"), *(one.get("context") for one in _errors(body))]
    for context in contexts:
        named = context.get("requiredGranularScopes") if isinstance(context, dict) else None
        yield from map(str, named) if isinstance(named, list) else ()
    found = _REQUIRES.search(message)
    yield from (one.strip() for one in found[1].split(",")) if found else ()


def _line(text: object) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
