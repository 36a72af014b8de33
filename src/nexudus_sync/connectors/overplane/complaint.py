"""What an error answer says. Overplane documents no shape for it, so any JSON, text or HTML is survived."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nexudus_sync import codec

_TEXTS = ("message", "error", "detail", "details", "msg", "title", "reason", "description")
_NAMES = ("field", "fieldname", "param", "parameter", "loc")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Complaint:
    """`message` is one line, "" when nothing readable was said; `keys` are the fields named as such; `html`: a page."""

    message: str
    keys: frozenset[str] = frozenset()
    html: bool = False


def read(text: str) -> Complaint:
    """Read the body of an error answer."""
    try:
        body = codec.loads(text)
    except ValueError:
        html = text.lstrip().startswith("<")
        return Complaint("" if html else _line([text]), html=html)
    try:
        return Complaint(_line(_messages(body)), frozenset(_keys(body)))
    except RecursionError:  # texts within texts without end
        return Complaint("")


def _line(messages: Iterator[str] | list[str]) -> str:
    line = "; ".join(dict.fromkeys(" ".join(message.split()) for message in messages if message.strip()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _messages(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _messages(item)
    elif isinstance(node, dict):
        for key in _TEXTS:
            yield from _messages(node.get(key))
        errors = node.get("errors")
        if isinstance(errors, dict):
            for field, said in errors.items():
                yield from (f"{field}: {message}" for message in _messages(said))
        else:
            yield from _messages(errors)


def _keys(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _keys(item)
    elif isinstance(node, dict):
        for name in _NAMES:
            yield from _last_text(node.get(name))
        errors = node.get("errors")
        if isinstance(errors, dict):
            yield from errors
        for key in (*_TEXTS, "errors"):
            yield from _keys(node.get(key))


def _last_text(named: Any) -> Iterator[str]:
    """The field itself: `"title"`, `"body.title"` or `["body", "title"]`."""
    if isinstance(named, list):
        named = next((part for part in reversed(named) if isinstance(part, str)), None)
    if isinstance(named, str) and named:
        yield named.rsplit(".", 1)[-1]
