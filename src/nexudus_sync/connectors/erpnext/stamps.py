"""Moments as Frappe writes them: without an offset, in the site's own zone, to the microsecond; pure.

Facts from frappe (utils/data.py now_datetime). When daylight saving ends, an hour of such stamps comes twice.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nexudus_sync.clock import written

_HOUR = timedelta(hours=1)
_HOURS = 3
"""No change of the clocks reaches further back than that."""


def moment(raw: object, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The aware UTC moment of a stamp; None for other text. Of two possible moments the later one in the past."""
    local = _local(raw)
    if local is None:
        return None
    later = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return later if later <= now else earliest(raw, zone)


def earliest(raw: object, zone: ZoneInfo) -> datetime | None:
    """The aware UTC moment of a stamp, the first of two possible ones; None for other text."""
    local = _local(raw)
    return None if local is None else local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def text(at: datetime, zone: ZoneInfo) -> str:
    """A moment as the site would stamp it."""
    return at.astimezone(zone).replace(tzinfo=None).isoformat(" ", "microseconds")


def bound(since: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A stamp that is not above any given from `since` to `now`: where the clocks went back between, an hour lower."""
    candidates = [since + hours * _HOUR for hours in range(_HOURS + 1)]
    offsets = [at.astimezone(zone).utcoffset() or timedelta(0) for at in (*candidates, now) if since <= at <= now]
    lowest = min(offsets, default=since.astimezone(zone).utcoffset() or timedelta(0))
    return (since.astimezone(UTC) + lowest).replace(tzinfo=None).isoformat(" ", "microseconds")


def _local(raw: object) -> datetime | None:
    found = written(raw)
    return None if found is None or found.tzinfo is not None else found
