"""JSON as the systems speak it: money stays Decimal on the way in and out, and key order is kept."""

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import simplejson

_HALF = re.compile("[\ud800-\udfff]")


DEEPEST = 100
"""Tables and lists within each other; what lies deeper is cut off where it would end the parsing of all the rest."""
LARGEST = 308
"""Places before or after the point: a number with more is none, and to write it out would take all memory."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def loads(text: str | bytes) -> Any:
    """Parse JSON; numbers with a fraction become Decimal.

    A number that is none (NaN, Infinity, thousands of digits, 1e999999999) becomes a NaN, which no lens reads and
    `dumps` refuses: so one row of a list does not make the others unreadable. Raises ValueError for text that is not
    JSON (truncated, HTML, empty).
    """
    try:
        return _FAST.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):  # is not JSON, or only in part: the slow way tells
        pass
    try:
        return _loads(text)
    except simplejson.JSONDecodeError:
        raise
    except RecursionError:
        text = _shallow(text if isinstance(text, str) else text.decode())
    except ValueError as error:
        if isinstance(error, UnicodeError):
            raise
    try:
        return _loads(text, parse_int=_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _loads(text: str | bytes, **options: Any) -> Any:
    return simplejson.loads(text, parse_float=_fraction, allow_nan=True, **options)


def _fraction(digits: str) -> Decimal | float:
    try:
        found = Decimal(digits)
    except InvalidOperation:  # an exponent that no Decimal has
        return math.nan
    return found if abs(found.adjusted()) <= LARGEST else math.nan


_FAST = msgspec.json.Decoder(float_hook=_fraction)
"""Several times as fast, and of one mind with the slow way about all that it takes."""


def _number(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # Python reads no number of thousands of digits
        return math.nan


def _shallow(text: str) -> str:
    """The JSON with a NaN for whatever lies deeper than `DEEPEST`."""
    parts, depth, start = [], 0, 0
    for found in _TOKEN.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth == DEEPEST:
                parts.append(text[start : found.start()])
        elif found[0] in "]}":
            depth -= 1
            if depth == DEEPEST - 1:
                start = found.end()
                parts.append("NaN")
    return "".join([*parts, text[start:]]) if depth < DEEPEST else ""


def dumps(value: Any, *, sort_keys: bool = False) -> str:
    """Write JSON; a Decimal becomes a number with the digits it has.

    Halves of characters, which some programs leave when they cut a text, are written as they came: escaped. Raises
    ValueError for what JSON has no word for (NaN), and TypeError for what is not data.
    """
    plain = _plain(value, _SORTED if sort_keys else _AS_IT_IS)
    return _carefully(value, sort_keys=sort_keys) if plain is None else plain.decode()


def canonical(value: Any) -> bytes:
    """JSON with its keys in order, to take a fingerprint of. Raises as `dumps` does."""
    plain = _plain(value, _SORTED)
    return _carefully(value, sort_keys=True).encode() if plain is None else plain


def _plain(value: Any, encoder: msgspec.json.Encoder) -> bytes | None:
    """What the fast way writes, where the slow one would write the same; else None."""
    if type(value) is not dict or not (_PLAIN.issuperset(map(type, value.values())) or _is_plain(value)):
        return None
    try:
        plain = encoder.encode(value)
    except (UnicodeError, TypeError):  # half a character
        return None
    return None if _LINE_ENDS in plain or _PARAGRAPH_ENDS in plain else plain


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    return kind in _PLAIN or (kind is list and all(map(_is_plain, value)))


def _carefully(value: Any, *, sort_keys: bool) -> str:
    text = _dumps(value, sort_keys=sort_keys, ensure_ascii=False)
    return _dumps(value, sort_keys=sort_keys, ensure_ascii=True) if _HALF.search(text) else text


_PLAIN = frozenset({str, int, bool, type(None), Decimal})
"""The types of plain values: of these, and of tables and lists of them, the fast way writes what the slow one does."""
_AS_IT_IS = msgspec.json.Encoder(decimal_format="number")
_SORTED = msgspec.json.Encoder(decimal_format="number", order="sorted")
_LINE_ENDS, _PARAGRAPH_ENDS = "\u2028".encode(), "\u2029".encode()
"""What the slow way escapes and the fast one does not: digests of texts with these must stay as they are."""


def _dumps(value: Any, *, sort_keys: bool, ensure_ascii: bool) -> str:
    return simplejson.dumps(
        value, use_decimal=True, ensure_ascii=ensure_ascii, separators=(",", ":"), sort_keys=sort_keys
    )
