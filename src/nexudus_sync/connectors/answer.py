"""One answer from a server, and what its headers say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from nexudus_sync import codec
from nexudus_sync.connectors.offset import http_date
from nexudus_sync.errors import Unavailable

UNSAID = -1.0
"""What `Dialect.throttled` returns for a throttled answer that does not say how long to wait."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, its body already read. `path` is the one asked for, without the query."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    text: str
    system: str = "the system"
    mangled: bool = False
    """The body is not UTF-8: `text` may be quoted in an error, but never written back."""

    def json(self) -> Any:
        """The parsed body. Raises Unavailable when it is not JSON. JSON is always UTF-8, whatever its label says."""
        try:
            if not self.mangled:
                return codec.loads(self.text)
        except ValueError:
            pass
        raise Unavailable(self.system, f"{self.says()} with {self._looks_like()}; try again later")

    def says(self) -> str:
        """The request and the status of its answer, as the beginning of an error's text."""
        return f"{self.method} {self.path} was answered {self.status}"

    def _looks_like(self) -> str:
        text = self.text.lstrip()
        if not text:
            return "an empty body"
        if self.mangled:
            return "text that is not UTF-8"
        return "HTML instead of JSON" if text.startswith("<") else "JSON that is broken or cut off"


def retry_after(answer: Answer) -> float:
    """Seconds that `Retry-After` asks to wait (a number, or a date that is counted from the answer's own `Date`).

    UNSAID when it is missing or cannot be read.
    """
    said = (answer.headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", said, re.ASCII):
        return float(said)
    until, date = http_date(said), http_date(answer.headers.get("Date"))
    return UNSAID if until is None or date is None else max(0.0, (until - date).total_seconds())


def decoded(content: bytes) -> tuple[str, bool]:
    """The text of a body, and whether its encoding had to be guessed."""
    try:
        return content.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return content.decode(errors="replace"), True


def span(seconds: float) -> str:
    """A length of time in words, for people."""
    days = seconds / 86400
    if days > 366:  # also one without end
        return "for more than a year"
    return f"{round(seconds / 3600)} hours" if days < 2 else f"{round(days)} days"


_NAMING = re.compile(r"[\d@]")
_VERSION = re.compile(r"v\d+")


def template(path: str) -> str:
    """The path with each part that looks like a record's name replaced by {id}; "v2" names a version of the API."""
    parts = path.partition("?")[0].split("/")
    parts = [unquote(part) for part in parts] if "%" in path else parts
    return "/".join(["{id}" if _NAMING.search(part) and not _VERSION.fullmatch(part) else part for part in parts])
