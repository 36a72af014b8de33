"""How many calls a run makes, and how long that takes at the configured limits and the systems' pace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from nexudus_sync.connectors.base import Connector, Traits
from nexudus_sync.connectors.budget import Limits
from nexudus_sync.mapping import Side

PAGE = 100
"""Rows that one listing call brings, at least."""
SHARE = 0.7
"""The part of an hour's and a day's calls that a backfill may use even where live changes need the rest."""
Counts = Mapping[tuple[str, Side], int]
"""How many actions of a plan go to a side: {("create", Side.CRM): 3}."""
SIDE_BY_SIDE = 2
"""Reads made at once, at best, over a long run: those of a pair are, those of a create are not."""
SAVING = 5
"""A write may take this many times as long as a read, where a system has much to do for it."""


@dataclass(frozen=True, slots=True)
class Calls:
    """How many calls go to one system; `writes` and `creations` (of customers) are among `calls`."""

    calls: int = 0
    writes: int = 0
    creations: int = 0

    def __add__(self, other: "Calls") -> "Calls":
        return Calls(self.calls + other.calls, self.writes + other.writes, self.creations + other.creations)

    def times(self, count: int) -> "Calls":
        """The same calls, N times."""
        return Calls(self.calls * count, self.writes * count, self.creations * count)


def of_listing(rows: int) -> Calls:
    """Listing N records."""
    return Calls(rows // PAGE + 1)


def of_reading(side: Side, traits: Traits) -> Calls:
    """Reading one record in full: one more call for its child rows or, in a CRM with partial listings, its party."""
    return Calls(2 if traits.child_keys or _looks_up_parties(side, traits) else 1)


def of_settling(side: Side, traits: Traits) -> Calls:
    """Looking at one linked record: where rows are whole, the listed one leaves only its child rows to read."""
    return Calls(bool(traits.child_keys)) if traits.rows_are_whole else of_reading(side, traits)


def of_write(action: str, side: Side, traits: Traits) -> Calls:
    """One action of a plan on the system that is written to: "create", "create-party", "update" or "delete"."""
    if action == "create-party":
        return Calls(1, 1, 1)
    if action == "create" and side is Side.CRM:
        # a party is looked for among customers, contacts and leads; else the new record's child rows are read
        return Calls(4 if _looks_up_parties(side, traits) else 2, 1)
    # a last look, the write, and a look at what a stage did; the one at the stage itself is too rare to count
    update = Calls(3 if traits.reads_before_write else 2, 1)
    # a card is created for a customer that was looked for, and then moved to the stage that it cannot begin in
    return Calls(2, 1) + update if action == "create" else update


def _looks_up_parties(side: Side, traits: Traits) -> bool:
    return side is Side.CRM and not traits.rows_are_whole


def of_run(
    traits: Mapping[Side, Traits], listed: Mapping[Side, int], read: Mapping[Side, int], actions: Counts
) -> dict[Side, Calls]:
    """The calls of a run, by side: `listed` rows, `read` links' records, and these actions."""
    found = {}
    for side in Side:
        found[side] = of_listing(listed[side]) + of_settling(side, traits[side]).times(read[side])
        found[side] += of_reading(side, traits[side]).times(actions.get(("create", side.other), 0))  # their origins
        for (action, to), count in actions.items():
            if to is side:
                found[side] += of_write(action, side, traits[side]).times(count)
    return found


def duration(spent: Calls, limits: Limits | None, share: float = SHARE) -> timedelta:
    """How long the calls take at the limits, if nobody else uses the login; zero without limits.

    `share` of the hour's and the day's calls is used.
    """
    if limits is None:
        return timedelta(0)
    rates = (
        _even(spent.calls, limits.per_second, 1),
        _even(spent.calls, limits.per_minute, 60),
        _even(spent.writes, limits.writes_per_minute, 60),
        _stepped(spent.calls, limits.per_hour, 3600, share),
        _stepped(spent.calls, limits.per_day, 86400, share),
        _stepped(spent.writes, limits.writes_per_day, 86400, share),
        _stepped(spent.creations, limits.customer_creations_per_day, 86400),
    )
    return timedelta(seconds=max(rates))


def _even(count: int, limit: int | None, seconds: int) -> float:
    return 0.0 if limit is None else count * seconds / limit


def _stepped(count: int, limit: int | None, seconds: int, share: float = 1.0) -> float:
    """A long window lets its calls go at once and makes the rest wait for the next window."""
    if limit is None or count == 0:
        return 0.0
    return (count - 1) // max(1, int(limit * share)) * float(seconds)


@runtime_checkable
class TellsPace(Protocol):
    """An optional part of a connector: it measures the calls it makes."""

    def latencies(self) -> Sequence[float]:
        """How many seconds each of the last answers took."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How many seconds a system takes for a call: when it is quick, and when it is slow."""

    quick: float = 0.0
    slow: float = 0.0


def pace(connector: Connector) -> Pace:
    """The pace of a connector's latest answers; zero if nothing was measured."""
    took = sorted(connector.latencies()) if isinstance(connector, TellsPace) else []
    return Pace(took[len(took) // 4], took[len(took) * 9 // 10]) if took else Pace()


def between(
    calls: Mapping[Side, Calls], limits: Mapping[Side, Limits | None], paces: Mapping[Side, Pace]
) -> tuple[timedelta, timedelta]:
    """How long the calls take at least and at most, by the limits and the systems' pace, if nobody else uses the
    logins. The two systems mostly wait for each other.
    """
    least, most = (max(duration(calls[side], limits[side], share) for side in Side) for share in (1.0, SHARE))
    quick = slow = 0.0
    for side in Side:
        reads, writes = calls[side].calls - calls[side].writes, calls[side].writes
        quick += (reads / SIDE_BY_SIDE + writes) * paces[side].quick
        slow += (reads + writes * SAVING) * paces[side].slow
    return max(least, timedelta(seconds=quick)), max(most, timedelta(seconds=slow))
