"""The request budget on disk: how many calls were leased under one login, so that every process keeps to one budget.

A process leases calls before it makes them, and a lease is counted as spent from then on, whether it is used or not:
a process that is killed gets nothing back early. A lease may be used in the second it was taken in and in the next two,
so a count of a second says to within three seconds when its calls were made. Older counts are kept by the minute, then
by the hour.

Processes on one machine share its clock. On several machines, whose clocks may be minutes apart, the database server's
clock says what second it is: else a count of a fast clock's minute would be over, or not yet begun, for a slow one.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Float, Table, bindparam, delete, func, insert, or_, select, text, update
from sqlmodel import Session

from nexudus_sync.clock import Clock, SharedClock, SystemClock
from nexudus_sync.store.tables import Spent

LEASE_SECONDS = 3
"""How many a lease may be used in, the one it was taken in included: for two whole ones at least."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Counts by the minute must be out of every window of a minute, and so on: they would be too coarse for it.
_MARGIN = 10
_LOW = ":low"
_KEY_COLUMNS = ("lane", "length", "start")
_COLUMNS = ("calls", "writes", "creations")

# Core statements and plain lists: a page is read and written for every few calls.
_TABLE: Table = Spent.metadata.tables["spent"]
_THESE = or_(_TABLE.c.lane == bindparam("lane"), _TABLE.c.lane == bindparam("low"))
_READ = select(*_TABLE.c).where(_THESE)
# With the server's time in one request; there is a row in any case.
_ONE = select(text("1")).subquery()
_READ_BY_SERVER = select(func.extract("epoch", func.clock_timestamp()).cast(Float), *_TABLE.c).select_from(
    _ONE.outerjoin(_TABLE, _THESE)
)
_AT = [_TABLE.c[name] == bindparam(f"at_{name}") for name in _KEY_COLUMNS]
_UPDATE, _INSERT, _DELETE = update(_TABLE).where(*_AT), insert(_TABLE), delete(_TABLE).where(*_AT)

_Key = tuple[str, int, int]
"""Lane, length, start."""
Counts = Counter[str]
"""How many, by kind: "calls" (all of them), "writes", "creations"; of low priority: "low_calls", "low_writes"."""


class Transactions(Protocol):
    """What the ledger needs of a store."""

    def session(self) -> AbstractContextManager[Session]:
        """One transaction that locks others out from its first statement on."""
        ...

    def scoped(self, scope: str) -> "Transactions":
        """The same, locking out others of this scope only."""
        ...


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was leased from `start` (epoch seconds) on, for `length` seconds."""

    start: int
    length: int
    counts: Counts

    @property
    def until(self) -> int:
        """The epoch second by which every call of it has been made."""
        return self.start + self.length + LEASE_SECONDS - 1


class Page:
    """The counts of one lane within one transaction, tidied up.

    `now` is the moment in epoch seconds, and the same on the monotonic clock is between `asked` and `monotonic`.
    """

    def __init__(self, session: Session, lane: str, clock: Clock) -> None:
        self._lane = lane
        # Asked only now that nobody else can write: so no count is of a later moment, unless the clock was set back.
        self.asked = clock.monotonic()
        found, self.now = _read(session, lane, clock)
        self.monotonic = clock.monotonic()
        self._counts: dict[_Key, list[int]] = {(lane, length, start): counts for lane, length, start, *counts in found}
        self._before = {key: tuple(counts) for key, counts in self._counts.items()}
        for key in self._before:
            self._tidy(*key)

    def buckets(self) -> list[Bucket]:
        """All that was leased in the last day, a little more than less."""
        found: dict[tuple[int, int], Counts] = {}
        for (lane, length, start), row in self._counts.items():
            counts = found.setdefault((start, length), Counter())
            for column, count in zip(_COLUMNS, row, strict=True):
                counts[_kind(lane, column)] += count
        return [Bucket(start, length, counts) for (start, length), counts in found.items()]

    def lease(self, counts: Counts) -> int:
        """Count a lease; the second it is counted in, which `give_back` wants to know."""
        second = int(self.now)
        self._change(second, counts)
        return second

    def give_back(self, second: int, counts: Counts) -> None:
        """Take back what was leased in that second and not used. A lease of more than a minute ago stays spent."""
        if (self._lane, 1, second) in self._counts:
            self._change(second, Counter({kind: -count for kind, count in counts.items()}))

    def write(self, session: Session) -> None:
        """Write what was changed."""
        changed = {key: row for key, row in self._counts.items() if self._before.get(key) != tuple(row)}
        gone = [_at(key) for key in self._before.keys() - self._counts.keys()]
        known = [_at(key) | _named(_COLUMNS, row) for key, row in changed.items() if key in self._before]
        new = [_named(_KEY_COLUMNS + _COLUMNS, (*key, *row)) for key, row in changed.items() if key not in self._before]
        for statement, rows in ((_DELETE, gone), (_UPDATE, known), (_INSERT, new)):
            if rows:
                session.connection().execute(statement, rows)

    def _change(self, second: int, counts: Counts) -> None:
        for kind, count in counts.items():
            lane = self._lane + _LOW if kind.startswith("low_") else self._lane
            row, column = self._row(lane, 1, second), _COLUMNS.index(kind.removeprefix("low_"))
            row[column] = max(0, row[column] + count)

    def _row(self, lane: str, length: int, start: int) -> list[int]:
        return self._counts.setdefault((lane, length, start), [0] * len(_COLUMNS))

    def _tidy(self, lane: str, length: int, start: int) -> None:
        """Merge counts into coarser ones when they are old enough, and drop them when no window sees them any more."""
        old = (lane, length, start)
        if start > self.now:  # the clock was set back: count it as made now
            length, start = 1, int(self.now)
        else:
            length = max(length, _length(start, self.now))
            start -= start % length
        gone = start + length + _DAY + _MARGIN < self.now
        if (lane, length, start) == old and not gone:
            return
        counts = self._counts.pop(old)
        if not gone:
            merged = self._row(lane, length, start)
            merged[:] = [one + more for one, more in zip(merged, counts, strict=True)]


def _read(session: Session, lane: str, clock: Clock) -> tuple[Sequence[Any], float]:
    """The rows of a lane, and the moment in epoch seconds by the clock that all share who write to them."""
    connection, named = session.connection(), {"lane": lane, "low": lane + _LOW}
    if connection.dialect.name == "sqlite" or not isinstance(clock, SystemClock | SharedClock):  # a simulated one
        return connection.execute(_READ, named).all(), clock.now().timestamp()
    found = connection.execute(_READ_BY_SERVER, named).all()
    return [row[1:] for row in found if row[1] is not None], found[0][0]


class Ledger:
    """The counts of every lane, in a store that several processes may share."""

    def __init__(self, store: Transactions) -> None:
        self._store = store
        self._views: dict[str, Transactions] = {}

    @contextmanager
    def page(self, lane: str, clock: Clock) -> Iterator[Page]:
        """The counts of a lane, alone with them; what was changed is kept when the block ends without an error.

        Raises StoreError when the store cannot be used.
        """
        view = self._views.get(lane)
        if view is None:  # lanes do not wait for each other, nor for what else is written
            view = self._views[lane] = self._store.scoped(f"budget {lane}")
        with view.session() as session:
            page = Page(session, lane, clock)
            yield page
            page.write(session)


def fine_since(now: float) -> int:
    """From this epoch second on, counts are kept by the second; before, by the minute or the hour."""
    return int(now - _MARGIN) // _MINUTE * _MINUTE - _MINUTE


def _length(start: int, now: float) -> int:
    """The length of the bucket that a count of that age belongs in."""
    if start >= fine_since(now):
        return 1
    return _MINUTE if start >= int(now - _MARGIN) // _HOUR * _HOUR - _HOUR else _HOUR


def _at(key: _Key) -> dict[str, object]:
    return _named([f"at_{name}" for name in _KEY_COLUMNS], key)


def _named(names: Sequence[str], values: Sequence[object]) -> dict[str, object]:
    return dict(zip(names, values, strict=True))


def _kind(lane: str, column: str) -> str:
    return f"low_{column}" if lane.endswith(_LOW) else column
