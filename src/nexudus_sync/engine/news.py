"""What waits or is paired since a cycle that did not before: the log tells each once, with ids and reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, func, select

from nexudus_sync.store.tables import Conflict, Failure, Link

Line = tuple[str, dict[str, Any]]
"""An event's name and what it says."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the store knew: the open failures and conflicts, the newest link, and the links that are closed."""

    failures: frozenset[int] = frozenset()
    conflicts: frozenset[int] = frozenset()
    newest: int = 0
    closed: frozenset[int] = field(default_factory=frozenset)


def look(session: Session, connection: str) -> Before:
    """What is known of a connection now."""
    failures = select(Failure.id).where(col(Failure.connection) == connection, col(Failure.state) == "open")
    conflicts = select(Conflict.id).where(col(Conflict.connection) == connection, col(Conflict.state) == "open")
    closed = select(Link.id).where(col(Link.connection) == connection, col(Link.state) == "closed")
    newest = session.exec(select(func.max(Link.id))).one()
    return Before(_ids(session, failures), _ids(session, conflicts), newest or 0, _ids(session, closed))


def _ids(session: Session, query: Any) -> frozenset[int]:
    return frozenset(session.exec(query))


def since(session: Session, connection: str, before: Before) -> Iterator[Line]:
    """What has come since, in the order in which it came."""
    for failure in _new(session, Failure, before.failures, connection):
        told = {"id": failure.id, "kind": failure.kind, "field": failure.field, **_pair(failure)}
        yield "failure.new", {**told, "reason": failure.reason}
    for conflict in _new(session, Conflict, before.conflicts, connection):
        told = {"id": conflict.id, "field": conflict.field, **_pair(conflict)}
        yield "conflict.new", {**told, "reason": conflict.reason or "both sides say something else"}
    mine = select(Link).where(col(Link.connection) == connection)
    for link in session.exec(mine.where(col(Link.id) > before.newest).order_by(col(Link.id))):
        yield "pair.new", {"id": link.id, **_pair(link)}
    for link in session.exec(mine.where(col(Link.state) == "closed").order_by(col(Link.id))):
        if link.id not in before.closed:
            yield "pair.closed", {"id": link.id, **_pair(link), "reason": link.closed_reason}


def _new(session: Session, table: Any, known: frozenset[int], connection: str) -> list[Any]:
    query = select(table).where(col(table.connection) == connection, col(table.state) == "open")
    return [one for one in session.exec(query.order_by(col(table.id))) if one.id not in known]


def _pair(row: Failure | Conflict | Link) -> dict[str, str]:
    return {"nexudus_id": row.nexudus_id, "crm_id": row.crm_id}
