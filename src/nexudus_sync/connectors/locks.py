"""Locks that people hold on single records (423): each is waited for once, and not for long."""

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.answer import UNSAID, Answer, retry_after
from nexudus_sync.connectors.call import Call

LOCKED = 423
"""Somebody holds this record just now."""
_UNSAID_WAIT, _LONGEST_LOCK = 5.0, 60.0


class Locks:
    """Knows which writes have waited for a lock already and are therefore to be sent for the last time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waited: dict[tuple[str, str, str | None], float] = {}

    def wait(self, call: Call, answer: Answer) -> float | None:
        """Seconds until the lock should be gone; None if that is long, or the write waited for it a moment ago."""
        said = retry_after(answer)
        seconds = _UNSAID_WAIT if said == UNSAID else said
        if not seconds <= _LONGEST_LOCK:  # NaN too
            return None
        return seconds if not call.rests_on_read or self._is_first(call, seconds) else None

    def _is_first(self, call: Call, seconds: float) -> bool:
        """Has it not waited yet? It comes back as another call, once its record was read again."""
        now, key = self._clock.monotonic(), (call.method, call.path, call.record)
        self._waited = {one: until for one, until in self._waited.items() if until > now}
        if self._waited.pop(key, None) is not None:
            return False
        self._waited[key] = now + seconds + _LONGEST_LOCK
        return True
