"""What was spent of a request budget, by this process and, through the ledger, by all that use the same login.

Why no window is ever exceeded: calls are leased before they are made, leases are taken one at a time, and the one that
takes the last call of some window sees every other call of it, for those were leased before. Of others' calls it knows
the moment to within three seconds only, and takes the latest.

A place kept for a write is leased as a call is and may be used for two seconds, so it is made within the three that
others take its moment to be in. This process counts it in its long windows as if it were made now, for as long as it is
kept. In a window of a second it would hold up the very read it is for: there it counts when it is made, and waits for
that if need be.
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

_BLOCK = 50  # calls leased at a time, where a second has room for as many: each lease is a commit
_LATENCIES = 50
_MINUTE = 60
_LEAST_STRETCH = 0.05
SHARE = 70
"""Percent of the long windows that low priorities may use, but for what is idle."""
_LOW = "low_"
_STEPS = 10
"""What higher priorities may make in such a part of a long window has to find room at once."""
PLACE_SECONDS = LEASE_SECONDS - 1
"""How long a place is kept: a lease lasts this long, whatever part of a second it was taken in."""


class Blocked(NamedTuple):
    """No call may be made: `until` is the moment (monotonic) to try again, `limit` names what is used up, or is ""."""

    until: float
    limit: str


@dataclass(slots=True, eq=False)
class Place:
    """Room kept for one call of these kinds, leased in `second` (epoch), until `until` (monotonic)."""

    kinds: tuple[str, ...]
    second: int
    until: float
    claimed: bool = False
    """A call waits to be made from it."""


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
        self._stretch = _LEAST_STRETCH
        self._lease = _Lease()
        self._leased: dict[int, Counts] = {}
        """What this process leased, less what it gave back, by the second: the rest of the ledger is others'."""
        self._places: list[Place] = []
        self._lapsed: list[Place] = []
        """Places that nobody used, to be given back in the ledger."""

    def observe(self, latency: float) -> None:
        """Record how many seconds a call took: windows are stretched by twice the spread of the last fifty."""
        self._latencies.append(latency)
        spread = max(self._latencies) - min(self._latencies)
        # Twice the spread seen, for the first few calls seldom show all of it.
        self._stretch = min(max(2 * spread, _LEAST_STRETCH), MOST_STRETCH)

    def spend(self, kinds: Collection[str], idle: bool = False) -> Blocked | None:
        """Spend one call now, or say when it may be made. `idle`: it may use what higher priorities leave; see `_idle`.

        Raises LimitReached when the day's customer creations are used up, StoreError when the ledger cannot be used.
        """
        blocked = self._take(kinds, idle)
        if blocked is None:
            self._made(kinds)
        return blocked

    def keep(self, kinds: tuple[str, ...], idle: bool = False) -> Blocked | None:
        """Keep a place for one call, or say when it may be kept. Raises as `spend` does."""
        blocked = self._take(kinds, idle, alone=True)
        if blocked is None:
            until = self._clock.monotonic() + PLACE_SECONDS
            if self._ledger is not None:  # writing it down may have taken long
                until = min(until, self._lease.ends)
            place = Place(kinds, self._lease.second, until)
            self._places.append(place)
            for window in self._long(kinds):
                window.keep(until)
        return blocked

    def claim(self, kinds: Collection[str]) -> Place | None:
        """A place kept for such a call, now this caller's alone; None when there is none."""
        self._let_lapse()
        for place in self._places:
            if not place.claimed and set(kinds) <= set(place.kinds):
                place.claimed = True
                return place
        return None

    def use(self, place: Place, kinds: Collection[str], idle: bool = False) -> Blocked | None:
        """Spend one call now from a place that was claimed, or as `spend` does once that has lapsed."""
        self._let_lapse()
        if place not in self._places:
            return self.spend(kinds, idle)
        blocked = self._blocked(self._short(place.kinds), self._clock.monotonic())
        if blocked is None:
            self._drop(place)
            # As what it was leased: a low place counts as low whoever uses it.
            self._made(place.kinds)
        return blocked

    def left(self) -> dict[str, tuple[int, int]]:
        """How many calls are left of each limit now, and the limit, by its name; as far as this process knows."""
        now = self._clock.monotonic()
        whole = [window for window in self._windows if not window.kind.startswith("low_")]
        return {one.name: (max(0, one.room(now, 0, enough=one.limit)), one.limit) for one in whole}

    def close(self) -> None:
        """Give back the leased calls that were not used. Raises StoreError when the ledger cannot be used."""
        self._let_lapse(until=float("inf"))
        if self._ledger is not None and (self._lapsed or self._lease.left.total() > 0):
            with self._ledger.page(self._lane, self._clock) as page:
                self._give_back(page)

    def _take(self, kinds: Collection[str], idle: bool, *, alone: bool = False) -> Blocked | None:
        """Take the room that one call needs, and no more than that if `alone`."""
        self._let_lapse()
        now = self._clock.monotonic()
        if alone or not self._lease.covers(kinds, now):
            blocked = self._blocked(self._windows_of(kinds), now, idle)
            if blocked is None and self._ledger is not None:
                blocked = self._take_lease(self._ledger, kinds, idle, alone)
                now = self._clock.monotonic()
                if blocked is None and not self._lease.covers(kinds, now):
                    blocked = Blocked(now, "")  # writing it down took longer than the lease lasts
            if blocked is not None:
                return blocked
        if self._ledger is not None:
            self._lease.left.subtract(kinds)
        return None

    def _made(self, kinds: Collection[str]) -> None:
        now = self._clock.monotonic()
        for window in self._windows_of(kinds):
            window.add(now)

    def _let_lapse(self, until: float | None = None) -> None:
        """Drop the places that were not used in time; they were never calls, so the ledger gets them back."""
        moment = self._clock.monotonic() if until is None else until
        for place in [place for place in self._places if place.until <= moment]:
            self._drop(place)
            if self._ledger is not None:
                self._lapsed.append(place)

    def _drop(self, place: Place) -> None:
        self._places.remove(place)
        for window in self._long(place.kinds):
            window.release(place.until)

    def _take_lease(self, ledger: Ledger, kinds: Collection[str], idle: bool, alone: bool) -> Blocked | None:
        """Lease calls if the budget as all processes use it has room."""
        with ledger.page(self._lane, self._clock) as page:
            size = self._give_back(page)
            now = page.monotonic
            self._learn(page)
            blocked = self._blocked(self._windows_of(kinds), now, idle)
            if blocked is not None:
                return blocked
            # Writes and creations are leased one by one: there are few, and a lost lease of a day's lasts a day.
            # Beside a place too: what is left of a lease may be spent at any moment, and so could meet it in a second.
            one_by_one = alone or bool(self._places)
            bulk = [kind for kind in kinds if kind.endswith("calls") and not one_by_one]
            size = min([size, *(window.room(now, self._stretch, size) for window in self._windows_of(bulk))])
            size = max(size, 1)  # beyond a share there is no room, but for the one call
            counts = Counter(kinds) + Counter(dict.fromkeys(bulk, size - 1))
            second = page.lease(counts)
            ends = page.asked + second + LEASE_SECONDS - page.now  # at the earliest
        # Only now that it is on disk: a lease that was not kept must not be used.
        self._leased.setdefault(second, Counter()).update(counts)
        self._lease = _Lease(second, ends, counts, size)
        return None

    def _give_back(self, page: Page) -> int:
        """Give back what the last lease has left; how many calls to lease next, going by how many were used."""
        lease, self._lease = self._lease, _Lease()
        lapsed, self._lapsed = self._lapsed, []
        unused = [(lease.second, lease.left), *((place.second, Counter(place.kinds)) for place in lapsed)]
        for second, counts in unused:
            page.give_back(second, counts)
            if second in self._leased:
                self._leased[second].subtract(counts)
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

    def _blocked(self, windows: list[Window], now: float, idle: bool = False) -> Blocked | None:
        """Which of the windows is full, and until when; of several the last to free up."""
        worst = Blocked(now, "")
        for window in windows:
            until = window.free_at(now, self._stretch)
            if until > now and idle and window.kind.startswith(_LOW):
                until = min(until, self._idle(window, windows, now))
            if until > now and window.kind == "creations":
                at = self._clock.now() + timedelta(seconds=until - now)
                raise LimitReached(
                    self._system,
                    f"the {window.limit} customer creations per day are used up (limits.{window.name}); "
                    f"the next is possible at {at:%Y-%m-%d %H:%M} UTC",
                )
            worst = max(worst, Blocked(until, window.name))
        return worst if worst.until > now else None

    def _idle(self, share: Window, windows: list[Window], now: float) -> float:
        """When a call may go beyond its share of a long window, for higher priorities leave theirs idle.

        Their calls must not wait for it: they find room at once as long as they keep to the pace of their own share,
        spread evenly, and what that is in a tenth of the window may even come at one time. Short windows, of which
        nobody has a share, keep as large a part free.
        """
        moments = [now]
        for window in windows:
            theirs = window.limit * (100 - SHARE) // 100
            if window.seconds == share.seconds and share.kind == _LOW + window.kind:
                pace = max(window.limit - share.limit, 1) / window.seconds
                moments.append(window.spared_at(now, self._stretch, pace, window.seconds / _STEPS))
            elif window.seconds <= _MINUTE:
                moments.append(window.free_at(now, self._stretch, min(theirs, window.limit - 1)))
        return max(moments)

    def _windows_of(self, kinds: Collection[str]) -> list[Window]:
        return [window for window in self._windows if window.kind in kinds]

    def _short(self, kinds: Collection[str]) -> list[Window]:
        """The windows in which a place counts when its call is made."""
        return [window for window in self._windows_of(kinds) if window.seconds <= PLACE_SECONDS]

    def _long(self, kinds: Collection[str]) -> list[Window]:
        """The windows in which a place counts for as long as it is kept."""
        return [window for window in self._windows_of(kinds) if window.seconds > PLACE_SECONDS]
