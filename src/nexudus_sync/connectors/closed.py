"""A system that wants no calls for hours: it gets none, and the error says until when."""

from datetime import timedelta
from typing import Protocol, runtime_checkable

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.answer import Answer, span
from nexudus_sync.errors import Unavailable

LONGEST = 86_400.0
"""Seconds after which a system is asked again, however long it said."""


@runtime_checkable
class Closes(Protocol):
    """What a dialect offers besides, when its system can want no calls at all."""

    def closed(self, answer: Answer) -> str:
        """Why all calls have to wait as long as this answer says; "" if only calls like this one have to."""
        ...


class Closed:
    """Whether a system is closed just now, as its last long wait said. `dialect` may offer `Closes`."""

    def __init__(self, dialect: object, clock: Clock) -> None:
        self._dialect, self._clock = dialect, clock
        self._until, self._error = float("-inf"), Unavailable("", "")

    def refuse(self) -> None:
        """Raise Unavailable, without a call, while the system is closed."""
        left = self._until - self._clock.monotonic()
        if left > 0:
            raise Unavailable(self._error.system, self._error.message, wait=left)

    def too_long(self, answer: Answer, wait: float) -> Unavailable:
        """The error for an answer that asks to wait for hours; where that is meant for all calls, it is closed now."""
        why = self._dialect.closed(answer) if isinstance(self._dialect, Closes) else ""
        if not why:
            told = f"{answer.says()}: too many calls; it asks to wait {span(wait)}; try again after that"
            return Unavailable(answer.system, told)
        seconds = min(wait, LONGEST)
        until = self._clock.now() + timedelta(seconds=seconds)
        told = f"{why}; it asks to wait {span(wait)}, until {until:%Y-%m-%d %H:%M} UTC"
        self._until = self._clock.monotonic() + seconds
        self._error = Unavailable(answer.system, told, wait=seconds)
        return self._error
