"""What the workers of a cluster share beside the connections' own rows: the last tick, and which systems rest.

Kept as facts, under names with a space, which no system can have. Moments are the database's own.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from nexudus_sync.store import facts
from nexudus_sync.store.tables import ConnectionState

_CLUSTER, _TICK, _PRUNED, _QUEUE = "the cluster", "last tick", "last pruned", "schema of the queue"
_RESTS = "resting systems"
_MANY = 500


@dataclass(frozen=True, slots=True)
class Rest:
    """A system that failed `times` in a row and is left alone `until` then."""

    times: int
    until: datetime


def server_time(session: Session) -> datetime:
    """The present moment by the database server's clock, aware UTC."""
    now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now.astimezone(UTC)


def last_tick(session: Session) -> datetime | None:
    """When it was last looked what is due; None before the first time."""
    return _moment(session, _TICK)


def ticked(session: Session, now: datetime) -> None:
    """It was looked what is due up to now."""
    facts.keep(session, _CLUSTER, {_TICK: now.isoformat()})


def last_pruned(session: Session) -> datetime | None:
    """When old rows were last deleted; None before the first time."""
    return _moment(session, _PRUNED)


def pruned(session: Session, now: datetime) -> None:
    """Old rows were deleted, or are being deleted by who says so."""
    facts.keep(session, _CLUSTER, {_PRUNED: now.isoformat()})


def _moment(session: Session, key: str) -> datetime | None:
    kept = facts.values(session, _CLUSTER).get(key)
    return None if kept is None else datetime.fromisoformat(kept)


def rests(session: Session) -> dict[str, Rest]:
    """The systems whose last cycle failed, whether or not their rest is over."""
    kept = facts.values(session, _RESTS)
    return {name: Rest(int(one["times"]), datetime.fromisoformat(one["until"])) for name, one in kept.items()}


def rest(session: Session, system: str, until: Rest) -> None:
    """Leave the system alone until then."""
    facts.keep(session, _RESTS, {system: {"times": until.times, "until": until.until.isoformat()}})


def itself(connection: str) -> str:
    """What rests when no system is to blame. It begins with the tenant, as all does by which that tenant's is found."""
    return f"{connection} itself"


def woke(session: Session, systems: Iterable[str]) -> None:
    """These systems answered again."""
    for system in systems:
        facts.forget(session, _RESTS, system)


def states(session: Session, names: Collection[str]) -> dict[str, ConnectionState]:
    """What the store keeps of these connections, by name; one that never had a cycle is left out."""
    wanted, found = list(names), dict[str, ConnectionState]()
    for start in range(0, len(wanted), _MANY):
        query = select(ConnectionState).where(col(ConnectionState.name).in_(wanted[start : start + _MANY]))
        found |= {one.name: one for one in session.exec(query)}
    return found


def queued(session: Session, locks: Collection[str]) -> set[str]:
    """Which of these queueing locks a waiting job has."""
    query = text("SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock IS NOT NULL")
    return {one for (one,) in session.execute(query)} & set(locks)


def driver(session: Session) -> Any:
    """The driver's own connection, for a library that is to do its part in the same transaction."""
    return session.connection().connection.driver_connection


def queue_schema(session: Session) -> str | None:
    """The last part of the queue's schema that was applied; None for a database without a queue."""
    kept: str | None = facts.values(session, _CLUSTER).get(_QUEUE)
    # a state that was copied here (`store copy`) tells of a queue that has stayed behind
    exists = session.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar_one() is not None
    return kept if exists else None


def apply_to_queue(session: Session, parts: Iterable[tuple[str, str]]) -> None:
    """Apply these parts of the queue's schema, each with its name and its SQL, in their order."""
    for name, sql in parts:
        if sql:
            driver(session).execute(sql, prepare=False)
        facts.keep(session, _CLUSTER, {_QUEUE: name})


def others_at_work(session: Session) -> bool:
    """Has any worker given a sign of life lately?"""
    query = text("SELECT 1 FROM procrastinate_workers WHERE last_heartbeat > now() - interval '1 minute' LIMIT 1")
    return session.execute(query).first() is not None
