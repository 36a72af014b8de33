"""What the server makes of the values it is sent: numbers, days, moments, and text that counts as equal."""

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from nexudus_sandbox.erpnext.meta import DECIMALS, WHOLES

_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T].*)?")
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?")
_TENTH, _NINE_PLACES = Decimal("0.1"), Decimal("1e-9")
NO_DAY = "0001-01-01"
"""What a filter reads for text that is not a date."""
_LARGEST = Decimal("1e12")
"""A number column holds twelve digits before the point and nine behind it."""


@lru_cache(maxsize=100_000)
def folded(text: str) -> str:
    """Text as the database compares it: case, accents and trailing spaces do not count."""
    if text.isascii():
        return text.lower().rstrip(" ")
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return plain.casefold().rstrip(" ")


def decimal(value: Any) -> Decimal:
    """A number as the server reads it: commas are dropped, other text is 0. At least one decimal is shown."""
    try:
        number = Decimal(int(value)) if isinstance(value, bool) else Decimal(str(value or 0).replace(",", "").strip())
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite():
        number = Decimal(0)
    number = number.normalize()
    is_whole = number == number.to_integral_value() and number.adjusted() < _LARGEST.adjusted() * 2
    return number.quantize(_TENTH) if is_whole else number


def whole(value: Any) -> int:
    """A whole number as the server reads it."""
    return int(decimal(value))


def as_sent(kind: str, value: Any) -> Any:
    """A value as the document holds it after a save, before the database rounds it."""
    if kind in DECIMALS:
        return decimal(value)
    return whole(value) if kind in WHOLES else value


def as_stored(kind: str, value: Any) -> Any:
    """A value as the database holds it. Raises ValueError for no date, OverflowError for too large a number."""
    if kind in DECIMALS:
        number = decimal(value)
        if abs(number) >= _LARGEST:
            raise OverflowError(f"Out of range value: {value}")
        return decimal(number.quantize(_NINE_PLACES))
    if kind == "Date":
        return day(value) if value not in (None, "") else None
    if kind == "Datetime":
        return _stored_moment(value) if value not in (None, "") else None
    return value


def day(value: Any) -> str:
    """YYYY-MM-DD; what follows a space is cut off. Raises ValueError for what the database takes for no day."""
    match = _DAY.fullmatch(str(value))
    if match is None or "T" in str(value):
        raise ValueError(f"Incorrect date value: '{value}'")
    year, month, number = map(int, match.groups())
    try:
        return date(year, month, number).isoformat()
    except ValueError as error:
        raise ValueError(f"Incorrect date value: '{value}'") from error


def _stored_moment(value: Any) -> str:
    found = moment(str(value))
    if found is None:
        raise ValueError(f"Incorrect datetime value: '{value}'")
    return found


def moment(text: str) -> str | None:
    """`YYYY-MM-DD HH:MM:SS.ffffff`; offset and Z are ignored, the time may be left out. None for others."""
    match = _MOMENT.match(text.strip())
    if match is None:
        return None
    on, time, seconds, fraction = match.groups()
    full = f"{on} {time or '00:00'}:{seconds or '00'}.{(fraction or '').ljust(6, '0')}"
    try:
        datetime.fromisoformat(full)
    except ValueError:
        return None
    return full
