"""How long ago something was, and when: for people, in their own zone."""

from contextvars import ContextVar
from datetime import UTC, datetime

IN_UTC: ContextVar[bool] = ContextVar("in_utc", default=False)
"""Did somebody ask for UTC?"""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_RECENT = 14 * _DAY
"""From here on a date says more than a number of days."""


def when(moment: datetime) -> str:
    """The moment to the minute: in the local zone, or in UTC and saying so."""
    if IN_UTC.get():
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def ago(moment: datetime, now: datetime | None = None) -> str:
    """`5 min ago`, `in 2 hours`; the date where that was long ago, and the moment itself where UTC was asked for."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if IN_UTC.get():
        return when(moment)
    if abs(seconds) >= _RECENT:
        return moment.astimezone().strftime("%Y-%m-%d")
    span = _span(abs(seconds))
    if not span:
        return "just now" if seconds >= 0 else "at once"
    return f"{span} ago" if seconds >= 0 else f"in {span}"


def both(moment: datetime) -> str:
    """The moment, and how long ago it was if that says more."""
    said = ago(moment)
    return when(moment) if IN_UTC.get() or said in when(moment) else f"{when(moment)}, {said}"


def _span(seconds: float) -> str:
    """A length of time in its largest whole unit; "" for less than a minute."""
    for length, one, many in ((_DAY, "day", "days"), (_HOUR, "hour", "hours"), (_MINUTE, "min", "min")):
        count = int(seconds // length)
        if count:
            return f"{count} {one if count == 1 else many}"
    return ""
