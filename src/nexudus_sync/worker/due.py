"""What is due: pure functions of the settings, of what the store keeps, and of the time.

A poll's moments are fixed by the connection's name, so that all polls are spread evenly over their interval and no
worker has to remember when a connection was last polled.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from math import floor

from nexudus_sync.config import ConnectionSettings
from nexudus_sync.store.cluster import Rest
from nexudus_sync.store.tables import ConnectionState
from nexudus_sync.turns import reconcile_due

EARLY = 10
"""A sweep comes up to a tenth of its interval early, so that those of connections added together are spread."""


class Kind(StrEnum):
    """What a job does. The more urgent ones go first, and each kind has slots of its own."""

    POLL = "poll"
    RECONCILE = "reconcile"
    CATCH_UP = "catch-up"
    """Goes on with a poll that found more than it may do in one turn."""
    BACKFILL = "backfill"


PRIORITY = {Kind.POLL: 30, Kind.RECONCILE: 20, Kind.CATCH_UP: 10, Kind.BACKFILL: 0}


@dataclass(frozen=True, slots=True)
class Job:
    """A cycle to be run. `crm` is the qualified name of what no two cycles may work on at once."""

    connection: str
    crm: str
    kind: Kind

    @property
    def queueing_lock(self) -> str:
        """What only one waiting job may have."""
        return f"{self.connection} {self.kind}"


def phase(name: str) -> float:
    """Where in its interval a connection is polled, from 0 to less than 1: the same in every process."""
    return int.from_bytes(blake2b(name.encode(errors="replace"), digest_size=6).digest()) / (1 << 48)


def has_come(name: str, every: timedelta, since: datetime, until: datetime) -> bool:
    """Is one of the connection's moments after `since` and not after `until`?"""
    span = max(1.0, every.total_seconds())
    offset = phase(name) * span
    return floor((until.timestamp() - offset) / span) > floor((since.timestamp() - offset) / span)


def candidates(
    connections: Iterable[ConnectionSettings], since: datetime, until: datetime
) -> Iterator[ConnectionSettings]:
    """The connections whose poll has come due."""
    return (one for one in connections if has_come(one.name, one.poll, since, until))


def resting(rests: Mapping[str, Rest], systems: Iterable[str], now: datetime) -> bool:
    """Is any of these to be left alone still?"""
    return any(system in rests and now < rests[system].until for system in systems)


def kinds(one: ConnectionSettings, state: ConnectionState | None, now: datetime) -> tuple[Kind, ...]:
    """What there is to do for a connection whose poll is due. Nothing while a person has it paused."""
    if state is None or state.backfilled_at is None:
        return () if state is not None and state.paused_at is not None else (Kind.BACKFILL,)
    if state.paused_at is not None:
        return ()
    return (Kind.POLL, Kind.RECONCILE) if sweep_is_due(one, state, now) else (Kind.POLL,)


def sweep_is_due(one: ConnectionSettings, state: ConnectionState, now: datetime) -> bool:
    """Is the connection's full sweep due? It stays so until one was finished."""
    early = one.reconcile * (1 - phase(one.name) / EARLY)
    return reconcile_due(state, early, now) <= now
