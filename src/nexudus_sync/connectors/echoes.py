"""Masks the secrets that were sent to a system when it gives them back, so that none is kept or shown.

Some servers and proxies put the request into their error pages, in whatever spelling the page is written in, broken
into lines, or cut off in the middle of a secret.
"""

import base64
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache

from nexudus_sync.logs import MASK, is_secret

_KEPT = 16
_SHORTEST = 4
"""Shorter parts of a header say nothing and occur in any text."""
_HEAD, _LONG = 12, 20
"""A long secret that was cut off is recognised by its first N characters; a short one, often a word, only whole."""
_BREAK = r"(?:\s|\\+[nrt]|&#0*1[03];|%0[ad])*"
"""What may stand within a secret where a page is broken into lines."""


class Echoes:
    """The secrets of the latest calls, and the texts without them. `always`: headers that any call may carry."""

    def __init__(self, always: Mapping[str, str] | None = None) -> None:
        self._always = [secret for value in (always or {}).values() for secret in _parts(value)]
        self._sent: deque[str] = deque(maxlen=_KEPT)
        self._pattern: re.Pattern[str] | None = None
        self._latest: Mapping[str, str] = {}

    def sent(self, values: Mapping[str, str]) -> None:
        """Headers, or a form, that just went out: the values of those with a secret's name are to be masked."""
        if not values or values == self._latest:
            return
        self._latest = dict(values)
        for name, value in values.items():
            for secret in _parts(value) if is_secret(name) else ():
                if secret not in self._sent:
                    self._sent.append(secret)
                    self._pattern = None

    def mask(self, text: str) -> str:
        """The text with every secret replaced, however it is escaped, and the beginnings of those that were cut off."""
        secrets = [*self._always, *self._sent]
        if not secrets:
            return text
        if self._pattern is None:
            longest_first = sorted(secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(_any_spelling(_head(one)) for one in longest_first), re.IGNORECASE)
        clean, at = list[str](), 0
        while found := self._pattern.search(text, at):
            clean += [text[at : found.start()], MASK]
            at = max(found.end(), *(_end(text, found.start(), secret) for secret in secrets))
        return "".join([*clean, text[at:]])


def _parts(value: str) -> Iterator[str]:
    """A secret, and what of it would be one by itself: `Bearer TOKEN`, `token KEY:SECRET`, `Basic BASE64`."""
    yield value
    scheme, _, rest = value.partition(" ")
    if scheme.lower() not in ("basic", "bearer", "token"):
        return
    found = [rest]
    if scheme.lower() == "basic":
        with suppress(ValueError):  # which is no Basic header then
            found.append(base64.b64decode(rest).decode(errors="replace"))
    found += [part for one in found for part in [one.partition(":")[2]] if part]
    yield from (part for part in found if len(part) >= _SHORTEST)


def _head(secret: str) -> str:
    return secret[:_HEAD] if len(secret) >= _LONG else secret


def _end(text: str, start: int, secret: str) -> int:
    """Where the secret that may begin here ends, as far as it is there."""
    at = start
    for char in secret:
        found = _next(char).match(text, at)
        if found is None:
            break
        at = found.end()
    return at


@cache
def _next(char: str) -> re.Pattern[str]:
    return re.compile(_BREAK + _spelled(char), re.IGNORECASE)


def _any_spelling(secret: str) -> str:
    """A pattern for it plain, and escaped as in JSON (also in JSON within JSON), addresses and HTML."""
    return "".join(map(_spelled, secret))


def _spelled(char: str) -> str:
    code = ord(char)
    quoted = "".join(f"%{byte:02x}" for byte in char.encode(errors="surrogateescape"))
    spellings = [re.escape(char), quoted, rf"\\*\\u{code:04x}", f"&#0*{code};", f"&#x0*{code:x};"]
    if not char.isalnum():
        spellings += [rf"\\+{re.escape(char)}"]
    named = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", " ": r"\+|\s+"}.get(char)
    return f"(?:{'|'.join([*spellings, *([named] if named else [])])})"
