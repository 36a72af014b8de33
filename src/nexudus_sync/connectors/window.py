"""A sliding window of a request budget: at most N calls of one kind in any S seconds."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST_STRETCH = 5.0
"""The most a window is ever stretched by, in seconds."""

_CELLS = 1000


@dataclass(slots=True)
class _Cell:
    """Calls made from `first` to `last`."""

    first: float
    last: float
    count: int


class Window:
    """What was spent of one limit: by this process, call by call, and by others, as the ledger tells.

    Moments are seconds of a monotonic clock. Counts are never too low: calls are kept together in cells of up to a
    thousandth of the window, and a cell counts whole until its last call has left. A place that is kept counts as a
    call made now. `stretch` is by how many seconds the window is to be taken longer than it is.
    """

    def __init__(self, kind: str, seconds: int, limit: int, name: str) -> None:
        self.kind, self.seconds, self.limit, self.name = kind, seconds, limit, name
        self._own: deque[_Cell] = deque()
        self._others: list[tuple[float, int]] = []
        self._kept: list[float] = []
        self._own_sum = self._others_sum = 0
        """At most so many are in the window: some may have left it."""

    def add(self, at: float) -> None:
        """Count one call of this process, made at `at`; not earlier than the call before."""
        self._own_sum += 1
        if self._own and at - self._own[-1].first <= self.seconds / _CELLS:
            self._own[-1].last = at
            self._own[-1].count += 1
        else:
            self._own.append(_Cell(at, at, 1))
            self.forget(at - self.seconds - MOST_STRETCH)

    def keep(self, until: float) -> None:
        """Keep a place for a call of this process that is still to be made; `until` is when it will have lapsed."""
        self._kept.append(until)

    def release(self, until: float) -> None:
        """The place kept until that moment is used, or not wanted any more."""
        self._kept.remove(until)

    def forget(self, before: float) -> None:
        """Drop this process's own calls made before that moment."""
        while self._own and self._own[0].last < before:
            self._own_sum -= self._own.popleft().count

    def learn(self, others: Iterable[tuple[float, int]]) -> None:
        """Replace what is known of others: (the latest moment they may have been made at, how many)."""
        self._others = [(at, count) for at, count in others if count > 0]
        self._others_sum = sum(count for _, count in self._others)

    def room(self, now: float, stretch: float, enough: int) -> int:
        """The number of calls that may still be made at `now`, or `enough` if it is more; below zero when overspent.

        Mostly there is enough however one counts, and the up to a thousand cells need not be gone through.
        """
        if self.limit - self._own_sum - self._others_sum - len(self._kept) >= enough:
            return enough
        left = self.limit - sum(count for _, count in self._leaving(now, stretch))
        return min(left, enough)

    def free_at(self, now: float, stretch: float, spare: int = 0) -> float:
        """The earliest moment for one more call that leaves `spare` places, if none is made until then."""
        over = 1 + spare - self.room(now, stretch, enough=1 + spare)
        moment = now
        for leaves, count in sorted(self._leaving(now, stretch)) if over > 0 else ():
            over -= count
            moment = leaves
            if over <= 0:
                break
        return moment

    def spared_at(self, now: float, stretch: float, pace: float, step: float) -> float:
        """The earliest moment for one more call that takes no place from others, who make `pace` calls a second.

        These calls, and those of `step` seconds at once, have to find room at every moment from then on: what is free
        must last until places come free again. `now` if at once.
        """
        free, moment = self.limit, now
        leaving = sorted(self._leaving(now, stretch))
        free -= sum(count for _, count in leaving)
        for leaves, count in leaving:
            moment = max(moment, min(leaves, leaves + step - (free - 1) / pace))
            free += count
        return moment

    def _leaving(self, now: float, stretch: float) -> Iterator[tuple[float, int]]:
        """What is in the window: when it will have left it, and how many."""
        start, length = now - self.seconds - stretch, self.seconds + stretch
        yield from ((cell.last + length, cell.count) for cell in self._own if cell.last > start)
        yield from ((at + length, count) for at, count in self._others if at > start)
        yield from ((until, 1) for until in self._kept)
