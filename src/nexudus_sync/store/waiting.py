"""What waits for people, counted: by kind, and what is new since they were told."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from nexudus_sync.merge import STORED_DIFFERENTLY
from nexudus_sync.store.tables import Conflict, Failure

_OPEN = col(Conflict.state) == "open"
_WAITING = (col(Failure.state) == "open", col(Failure.kind) != STORED_DIFFERENTLY)
"""Not the failures that only inform."""


@dataclass(frozen=True, slots=True)
class New:
    """What newly waits in a connection, one conflict or failure at least: how many, and when they came up."""

    connection: str
    conflicts: int
    failures: int
    oldest: datetime
    newest: datetime


def by_kind(session: Session, names: Collection[str]) -> Counter[tuple[str, str, str]]:
    """How many wait by connection, "conflict" or "failure", and kind."""
    conflicts = (
        select(Conflict.connection, Conflict.kind, func.count())
        .where(col(Conflict.connection).in_(names), _OPEN)
        .group_by(col(Conflict.connection), col(Conflict.kind))
    )
    failures = (
        select(Failure.connection, Failure.kind, func.count())
        .where(col(Failure.connection).in_(names), *_WAITING)
        .group_by(col(Failure.connection), col(Failure.kind))
    )
    found = Counter({(name, "conflict", str(kind)): count for name, kind, count in session.exec(conflicts)})
    found.update({(name, "failure", kind): count for name, kind, count in session.exec(failures)})
    return found


def new_since(session: Session, connection: str, upto: datetime | None) -> New | None:
    """What waits in a connection and came up after that moment (None: ever); None where nothing does."""
    opened, first = col(Conflict.opened_at), col(Failure.first_at)
    conflicts = select(func.count(), func.min(opened), func.max(opened)).where(
        col(Conflict.connection) == connection, _OPEN
    )
    failures = select(func.count(), func.min(first), func.max(first)).where(
        col(Failure.connection) == connection, *_WAITING
    )
    if upto is not None:
        conflicts, failures = conflicts.where(opened > upto), failures.where(first > upto)
    found = [session.exec(query).one() for query in (conflicts, failures)]
    moments = [one for _, *both in found for one in both if one is not None]
    return New(connection, found[0][0], found[1][0], min(moments), max(moments)) if moments else None
