"""Texts of others, made fit to be shown: nothing in them may steer a terminal, or fill it."""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import timedelta
from difflib import get_close_matches

CELL, LINE = 500, 2000
"""Characters that a cell of a table and a line are cut to."""
WHOLE: ContextVar[bool] = ContextVar("whole", default=False)
"""Did somebody ask for long texts whole?"""

_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls: escape sequences begin with one of either range
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, or turning text round
    "\ud800-\udfff"  # halves of characters, which no stream can write
    "\U000e0000-\U000e007f]"
)
"""All but the two joiners, which emojis and several scripts are made with."""


def visible(text: str, keep: str = "") -> str:
    """The text with what cannot be seen written out, like \\x1b; the characters of `keep` stay."""
    return _STEERING.sub(lambda found: found[0] if found[0] in keep else _written(found[0]), text)


def in_json(text: str) -> str:
    """JSON that says the same, with what cannot be seen escaped in JSON's own way."""
    return _STEERING.sub(lambda found: _units(found[0]), text)


def cut(text: str, most: int) -> str:
    """The text, or its beginning; whole where that was asked for."""
    return text if len(text) <= most or WHOLE.get() else f"{text[: most - 1]}…"


def nearest(word: str, known: Iterable[str]) -> str:
    """What to do about a word nobody knows: the nearest known one, else all of them."""
    names = list(known)
    near = get_close_matches(word, names)
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(names)}"


def _written(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _units(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def plural(count: int, one: str, many: str = "") -> str:
    """`1 conflict`, `2 conflicts`; with a comma between thousands."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def pair_of(nexudus_id: str, crm_id: str) -> str:
    """Both ids of a pair; a question mark where a side has no record yet."""
    return f"{nexudus_id or '?'} ⇄ {crm_id or '?'}"


def lasting(span: timedelta) -> str:
    """A length of time in words, in the largest unit of which there are at least two: `90 minutes`, `3 hours`."""
    seconds = max(0, int(span.total_seconds()))
    for length, one in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * length:
            return plural(seconds // length, one)
    return plural(seconds, "second")
