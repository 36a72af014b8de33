"""What was spent of a request budget, by this process and, through the ledger, by all that use the same login.

Why no window is ever exceeded: calls are leased before they are made, leases are taken one at a time, and the one that
takes the last call of some window sees every other call of it, for those were leased before. Of others' calls it knows
the moment to within two seconds only, and takes the latest.
"""

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.window import MOST_STRETCH, Window
from nexudus_sync.errors import LimitReached
from nexudus_sync.store.ledger import LEASE_SECONDS, Counts, Ledger, Page, fine_since

_BLOCK = 10  # calls leased at a time
_LATENCIES = 50
_LEAST_STRETCH = 0.05


class Blocked(NamedTuple):
    """There is no room: `until` is the moment (monotonic) to try again, `limit` names what is used up, or is ""."""

    until: float
    limit: str


@dataclass(slots=True)
class _Lease:
    """Calls that the ledger counts already, and that may be made until `ends` (monotonic)."""

    second: int = 0
    ends: float = float("-inf")
    left: Counts = field(default_factory=Counter)
    size: int = 0

    def covers(self, kinds: Collection[str], now: float) -> bool:
        # By kind: a low call cannot use what a high one leased, for it would not be counted as low.
        return now < self.ends and all(self.left[kind] > 0 for kind in kinds)


class Spending:
    """Spends calls, each counting as one of every kind it is of. Without a ledger it knows its own process only."""

    def __init__(self, windows: list[Window], clock: Clock, ledger: Ledger | None, lane: str, system: str) -> None:
        self._windows, self._clock, self._ledger, self._lane, self._system = windows, clock, ledger, lane, system
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._lease = _Lease()
        self._leased: dict[int, Counts] = {}
        """What this process leased, less what it gave back, by the second: the rest of the ledger is others'."""

    def observe(self, latency: float) -> None:
        """Take note of how many seconds a call took: windows are stretched by how much the last fifty differ."""
        self._latencies.append(latency)

    def spend(self, kinds: Collection[str]) -> Blocked | None:
        """Spend one call now, or say until when there is no room for it.

        Raises LimitReached when the day's customer creations are used up, StoreError when the ledger cannot be used.
        """
        now = self._clock.monotonic()
        if not self._lease.covers(kinds, now):
            blocked = self._blocked(kinds, now)
            if blocked is None and self._ledger is not None:
                blocked = self._take_lease(self._ledger, kinds)
                now = self._clock.monotonic()
                if blocked is None and not self._lease.covers(kinds, now):
                    blocked = Blocked(now, "")  # writing it down took longer than the lease lasts
            if blocked is not None:
                return blocked
        if self._ledger is not None:
            self._lease.left.subtract(kinds)
        for window in self._windows_of(kinds):
            window.add(now)
        return None

    def close(self) -> None:
        """Give back what was leased and not used. Raises StoreError when the ledger cannot be used."""
        if self._ledger is not None and self._lease.left.total() > 0:
            with self._ledger.page(self._lane, self._clock) as page:
                self._give_back(page)

    def _take_lease(self, ledger: Ledger, kinds: Collection[str]) -> Blocked | None:
        """Lease calls if the budget as all processes use it has room."""
        with ledger.page(self._lane, self._clock) as page:
            size = self._give_back(page)
            now = page.monotonic
            self._learn(page)
            blocked = self._blocked(kinds, now)
            if blocked is not None:
                return blocked
            # Writes and creations are leased one by one: there are few, and a lost lease of a day's lasts a day.
            bulk = [kind for kind in kinds if kind.endswith("calls")]
            size = min([size, *(window.room(now, self._stretch) for window in self._windows_of(bulk))])
            counts = Counter(kinds) + Counter(dict.fromkeys(bulk, size - 1))
            second = page.lease(counts)
            ends = now + second + LEASE_SECONDS - page.now
        # Only now that it is on disk: a lease that was not kept must not be used.
        self._leased.setdefault(second, Counter()).update(counts)
        self._lease = _Lease(second, ends, counts, size)
        return None

    def _give_back(self, page: Page) -> int:
        """Give back what the last lease has left; how many calls to lease next, going by how many were used."""
        lease, self._lease = self._lease, _Lease()
        page.give_back(lease.second, lease.left)
        if lease.second in self._leased:
            self._leased[lease.second].subtract(lease.left)
        return min(_BLOCK, max(1, 2 * (lease.size - lease.left["calls"])))

    def _learn(self, page: Page) -> None:
        """Take over what others spent.

        Older counts in the ledger are not by the second and hold this process's own calls too, which are dropped here.
        """
        since = fine_since(page.now)
        to_monotonic = page.monotonic - page.now
        self._leased = {second: counts for second, counts in self._leased.items() if since <= second <= page.now}
        spent = []
        for bucket in page.buckets():
            own = self._leased.get(bucket.start) if bucket.length == 1 else None
            spent.append((bucket.until + to_monotonic, bucket.counts - own if own else bucket.counts))
        for window in self._windows:
            window.forget(since + to_monotonic)
            window.learn((at, counts[window.kind]) for at, counts in spent)

    def _blocked(self, kinds: Collection[str], now: float) -> Blocked | None:
        """Which window has no room, and until when; of several the last to get some."""
        worst = Blocked(now, "")
        for window in self._windows_of(kinds):
            until = window.free_at(now, self._stretch)
            if until > now and window.kind == "creations":
                at = self._clock.now() + timedelta(seconds=until - now)
                raise LimitReached(
                    self._system,
                    f"the {window.limit} customer creations of a day are used up (limits.{window.name}); "
                    f"the next is possible at {at:%Y-%m-%d %H:%M} UTC",
                )
            worst = max(worst, Blocked(until, window.name))
        return worst if worst.until > now else None

    @property
    def _stretch(self) -> float:
        spread = max(self._latencies) - min(self._latencies) if self._latencies else 0.0
        return min(max(spread, _LEAST_STRETCH), MOST_STRETCH)

    def _windows_of(self, kinds: Collection[str]) -> list[Window]:
        return [window for window in self._windows if window.kind in kinds]
