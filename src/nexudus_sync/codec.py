"""JSON as the systems speak it: money stays Decimal on the way in and out, and key order is kept."""

from typing import Any

import simplejson


def loads(text: str | bytes) -> Any:
    """Parse JSON; numbers with a fraction become Decimal.

    Raises ValueError for text that is not JSON (truncated, HTML, empty).
    """
    return simplejson.loads(text, use_decimal=True)


def dumps(value: Any, *, sort_keys: bool = False) -> str:
    """Write JSON; a Decimal becomes a number with the digits it has."""
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys)
