"""How many calls work takes, and how long that is at the configured limits: an estimate for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from nexudus_sync.connectors.base import Connector, Traits
from nexudus_sync.connectors.budget import Limits

PAGE = 100
"""Rows that one listing call brings, at least."""
SHARE = 0.7
"""The part of an hour's and a day's calls that a backfill may use."""


@dataclass(frozen=True, slots=True)
class Calls:
    """How many calls go to one system; `writes` and `creations` (of customers) are among `calls`."""

    calls: int = 0
    writes: int = 0
    creations: int = 0

    def __add__(self, other: "Calls") -> "Calls":
        return Calls(self.calls + other.calls, self.writes + other.writes, self.creations + other.creations)

    def times(self, count: int) -> "Calls":
        """The same so many times."""
        return Calls(self.calls * count, self.writes * count, self.creations * count)


def of_listing(rows: int) -> Calls:
    """Listing so many records."""
    return Calls(rows // PAGE + 1)


def of_reading(traits: Traits) -> Calls:
    """Reading one record whole."""
    return Calls(1 + bool(traits.child_keys))


def of_write(action: str, traits: Traits) -> Calls:
    """One action of a plan on the system that is written to: "create", "create-party", "update" or "delete"."""
    update = Calls(3 if traits.reads_before_write else 1, 1)
    if action == "create-party":
        return Calls(1, 1, 1)
    if action == "create":
        # finding the party, creating, and delivering what a create cannot say (a later stage, child rows)
        return Calls(2, 1) + update
    return update


def duration(spent: Calls, limits: Limits | None) -> timedelta:
    """How long the calls take at the limits, if nobody else uses the login; nothing where there are none."""
    if limits is None:
        return timedelta(0)
    rates = (
        _even(spent.calls, limits.per_second, 1),
        _even(spent.calls, limits.per_minute, 60),
        _even(spent.writes, limits.writes_per_minute, 60),
        _stepped(spent.calls, limits.per_hour, 3600, SHARE),
        _stepped(spent.calls, limits.per_day, 86400, SHARE),
        _stepped(spent.writes, limits.writes_per_day, 86400, SHARE),
        _stepped(spent.creations, limits.customer_creations_per_day, 86400),
    )
    return timedelta(seconds=max(rates))


def _even(count: int, limit: int | None, seconds: int) -> float:
    return 0.0 if limit is None else count * seconds / limit


def _stepped(count: int, limit: int | None, seconds: int, share: float = 1.0) -> float:
    """A long window lets its calls go at once and then makes the rest wait for the next one."""
    if limit is None or count == 0:
        return 0.0
    return (count - 1) // max(1, int(limit * share)) * float(seconds)


def of_actions(actions: Iterable[tuple[str, str]], connectors: Iterable[Connector]) -> dict[str, Calls]:
    """By system, the calls of the writes in a plan, given as (action, system)."""
    by_name = {connector.name: connector for connector in connectors}
    found = dict.fromkeys(by_name, Calls())
    for action, system in actions:
        if system in by_name:
            found[system] += of_write(action, by_name[system].traits)
    return found
