"""What systems make of a text when they store it: old columns, sanitizers, tidy forms."""

import html
from collections.abc import Callable, Iterable, Mapping
from typing import Any

LIMIT = 40
"""Characters that a short column holds."""
MAKES: dict[str, Callable[[str], str]] = {
    "ascii": lambda text: text.encode("ascii", "replace").decode(),
    "cut": lambda text: text[:LIMIT],
    "escaped": lambda text: html.escape(text, quote=False),
    "lower": str.lower,
    "squashed": lambda text: " ".join(text.split()),
}


def kept(values: Mapping[str, Any], keys: Iterable[str], ways: Iterable[str]) -> dict[str, Any]:
    """The values as they are stored: the texts of `keys` go through each of the ways."""
    made = dict(values)
    for key in keys:
        for way in ways:
            if isinstance(made.get(key), str):
                made[key] = MAKES[way](made[key])
    return made
