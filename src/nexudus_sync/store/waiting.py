"""What waits for people in a connection, counted by kind."""

from collections import Counter
from collections.abc import Collection

from sqlmodel import Session, col, func, select

from nexudus_sync.merge import STORED_DIFFERENTLY
from nexudus_sync.store.tables import Conflict, Failure


def by_kind(session: Session, names: Collection[str]) -> Counter[tuple[str, str, str]]:
    """How many wait by connection, "conflict" or "failure", and kind; without failures that only inform."""
    conflicts = (
        select(Conflict.connection, Conflict.kind, func.count())
        .where(col(Conflict.connection).in_(names), col(Conflict.state) == "open")
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


_WAITING = (col(Failure.state) == "open", col(Failure.kind) != STORED_DIFFERENTLY)
