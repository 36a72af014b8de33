"""What an error answer of a Frappe server says: its type, and its messages as plain text; pure.

Facts from frappe (utils/response.py): version 1 of the API names `exc_type` and packs its messages twice in JSON, with
HTML in them; version 2 has `errors`. A proxy or the web server in front answers with a page.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nexudus_sync import codec

_MARKUP = (
    "a|b|blockquote|br|code|details|div|em|h[1-6]|hr|i|img|li|ol|p|pre|span|strong|summary|table|tbody|td|th|tr|u|ul"
)
_TAG = re.compile(rf"<(?P<ends>/?)(?P<name>{_MARKUP})(?=[\s/>])[^<>]*>", re.IGNORECASE)
"""The markup of a server's messages; whatever else stands in angles is what somebody wrote."""
_ALONE = frozenset({"br", "hr", "img"})
_BLOCKS = frozenset({"br", "p", "div", "li", "ul", "summary", "details"})
"""What stands apart from the text around it."""
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Complaint:
    """`kind` is the type of the exception ("" if none is named), `message` one line of plain text; `html`: a page."""

    kind: str
    message: str
    html: bool = False


def read(text: str) -> Complaint:
    """Read the body of an error answer, whatever it is."""
    try:
        body = codec.loads(text)
    except (ValueError, RecursionError):
        is_page = text.lstrip().startswith("<")
        return Complaint("", "" if is_page else _line([text]), html=is_page)
    if not isinstance(body, dict):
        return Complaint("", "")
    errors = body.get("errors")
    if isinstance(errors, list):
        told = [error for error in errors if isinstance(error, dict)]
        kind = next((str(error["type"]) for error in told if error.get("type")), "")
        return Complaint(kind, _line(filter(None, map(_said, told))))
    return Complaint(str(body.get("exc_type") or ""), _line(_messages(body)))


def _said(error: dict[str, Any]) -> str:
    """What one error of version 2 says: its message, or the last line of its traceback."""
    if error.get("message"):
        return str(error["message"])
    lines = str(error.get("exception") or "").strip().splitlines()
    return lines[-1].partition(": ")[2] if lines else ""


def _messages(body: dict[str, Any]) -> Iterator[str]:
    """The messages for people; where there are none, the last line of the traceback."""
    found = list(_unpacked(body.get("_server_messages")))
    if found:
        yield from found
    elif body.get("_error_message"):
        yield str(body["_error_message"])
    elif body.get("exception"):
        yield str(body["exception"]).partition(": ")[2] or str(body["exception"])
    elif isinstance(body.get("message"), str):  # so do servers in front of it say it
        yield body["message"]


def _unpacked(packed: Any) -> Iterator[str]:
    for one in _loaded(packed) if isinstance(_loaded(packed), list) else ():
        message = _loaded(one)
        text = message.get("message") if isinstance(message, dict) else message
        if text:
            yield str(text)


def _loaded(text: Any) -> Any:
    """JSON in text; anything else as it is."""
    try:
        return codec.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def plain(text: str) -> str:
    """A message without its HTML, on one line."""
    ends = Counter[str]()
    for tag in _TAG.finditer(text):
        ends[tag["name"].lower()] += -1 if tag["ends"] else 1

    def without(tag: re.Match[str]) -> str:
        name = tag["name"].lower()
        if ends[name] and name not in _ALONE:
            return tag[0]  # a server closes what it opens: this is somebody's `<b>`
        return " " if name in _BLOCKS else ""

    return " ".join(html.unescape(_TAG.sub(without, text)).split())


def _line(messages: Iterator[str] | list[str]) -> str:
    line = "; ".join(dict.fromkeys(filter(None, map(plain, messages))))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
