"""How far a server's clock is ahead of ours, from the `Date` of its answers."""

from collections import deque
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from nexudus_sync.clock import moment

_KEPT = 20


class ClockOffset:
    """An estimate from the last 20 answers.

    `Date` is cut to the second, and was taken at some moment between sending and receiving. So each answer says that
    the offset lies between `Date - received` and `Date + 1 s - sent`; what all of them allow soon is a narrow range.
    """

    def __init__(self) -> None:
        self._bounds: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    @property
    def seconds(self) -> float | None:
        """Seconds the server is ahead: the middle of what the answers allow; None before the first."""
        if not self._bounds:
            return None
        return (max(low for low, _ in self._bounds) + min(high for _, high in self._bounds)) / 2

    def learn(self, date: str | None, sent: datetime, received: datetime) -> None:
        """Take in an answer's `Date` header; one that is missing or unreadable teaches nothing.

        `sent` and `received` are moments of our clock.
        """
        told = http_date(date)
        if told is None:
            return
        low, high = (told - received).total_seconds(), (told - sent).total_seconds() + 1
        # No offset fits both this answer and the older ones: one of the clocks was set, so the older ones are void.
        if any(low > other_high or high < other_low for other_low, other_high in self._bounds):
            self._bounds.clear()
        self._bounds.append((low, high))


def against_ours(seconds: float) -> str:
    """How a server's clock compares with ours, in words."""
    ahead = round(seconds)
    if ahead == 0:
        return "the server's clock is in step with ours"
    return f"the server's clock is {ahead:+d} s from ours; its times are corrected by that"


@lru_cache(maxsize=_KEPT)  # many answers of one second name the same
def http_date(text: str | None) -> datetime | None:
    """The moment an HTTP date names, aware UTC; None when it is missing or unreadable."""
    try:
        found = parsedate_to_datetime(text or "").isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):  # as the nonsense of a header has it
        return None
    return moment(found)
