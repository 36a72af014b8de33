"""Days and moments, written in whatever manner the record writes them."""

import re
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from nexudus_sync.mapping.context import Context
from nexudus_sync.mapping.kinds import Kind, expect
from nexudus_sync.mapping.paths import Raw, is_blank
from nexudus_sync.mapping.sides import Unmapped
from nexudus_sync.opportunity import Value

_STRAY = re.compile(r"\s*([-:.TZ+])\s*")
"""Overplane's page prints timestamps with spaces after the colons ("The Opportunity object")."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?")
_NOON = time(12)


class Moment(Kind):
    """A moment, to the second."""

    name = "datetime"
    says = datetime

    def read(self, raw: Raw, context: Context) -> Value:
        """Aware UTC; without an offset UTC is meant, without a time midnight."""
        found = _parse(self, raw)
        return found if isinstance(found, datetime) else datetime.combine(found, time(), UTC)

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """`YYYY-MM-DDTHH:MM:SSZ`."""
        return _written(expect(value, datetime))


class Day(Kind):
    """A calendar day. Where days are kept as moments (the context has a zone), the local day; the time of day stays."""

    name = "day"
    says = date

    def read(self, raw: Raw, context: Context) -> Value:
        """The day: in the zone, or as it is written where there is none."""
        found = _parse(self, raw)
        if not isinstance(found, datetime):
            return found
        if context.time_zone is None:
            return date.fromisoformat(_tidy(raw)[:10])
        try:
            return found.astimezone(context.time_zone).date()
        except OverflowError:
            raise self.unreadable(raw, "a day") from None

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The day as `YYYY-MM-DD`, or a moment on it: at the old one's local time, at noon if there was none."""
        day = expect(value, date)
        stands = None if is_blank(old) else _parse(self, old)
        if context.time_zone is None:
            return day.isoformat() + (_tidy(old)[10:] if stands is not None else "")
        at = stands.astimezone(context.time_zone).time() if isinstance(stands, datetime) else _NOON
        return _on(day, at, context.time_zone)


@lru_cache(maxsize=4096)
def _tidy(raw: str) -> str:
    return _STRAY.sub(r"\1", raw.strip().upper())


def _parse(kind: Kind, raw: Raw) -> date | datetime:
    """A day, or an aware UTC moment without fractions of a second. Raises Unreadable."""
    text = _tidy(raw) if isinstance(raw, str) else ""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        if _MOMENT.fullmatch(text):
            found = datetime.fromisoformat(text).replace(microsecond=0)
            return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise kind.unreadable(raw, "a date; write it like 2026-03-01 or 2026-03-01T09:00:00Z")


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _on(day: date, at: time, zone: ZoneInfo) -> str:
    """A moment on that local day, at that time if the clocks have it then."""
    for clock in (at, at.replace(fold=1), _NOON):
        try:
            moment = datetime.combine(day, clock, zone).astimezone(UTC)
            if moment.astimezone(zone).date() == day:
                return _written(moment)
        except OverflowError:
            break
    raise Unmapped(f"there is no {day} in {zone.key}")
