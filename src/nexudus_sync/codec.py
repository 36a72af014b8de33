"""JSON as the systems speak it: money stays Decimal on the way in and out, and key order is kept."""

import re
from typing import Any

import simplejson

_HALF = re.compile("[\ud800-\udfff]")


def loads(text: str | bytes) -> Any:
    """Parse JSON; numbers with a fraction become Decimal.

    Raises ValueError for text that is not JSON (truncated, HTML, empty).
    """
    return simplejson.loads(text, use_decimal=True)


def dumps(value: Any, *, sort_keys: bool = False) -> str:
    """Write JSON; a Decimal becomes a number with the digits it has.

    Halves of characters, which some programs leave when they cut a text, are written as they came: escaped.
    """
    text = _dumps(value, sort_keys=sort_keys, ensure_ascii=False)
    return _dumps(value, sort_keys=sort_keys, ensure_ascii=True) if _HALF.search(text) else text


def _dumps(value: Any, *, sort_keys: bool, ensure_ascii: bool) -> str:
    return simplejson.dumps(
        value, use_decimal=True, ensure_ascii=ensure_ascii, separators=(",", ":"), sort_keys=sort_keys
    )
