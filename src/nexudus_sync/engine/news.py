"""What is new since a cycle began (failures, conflicts, pairs): the log tells each once, with ids and reason."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

from nexudus_sync.store import Session, conflicts, failures, links
from nexudus_sync.store.tables import Conflict, Failure, Link

Line = tuple[str, dict[str, Any]]
"""An event's name and what it says."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the store knew before a cycle: open failures and conflicts, the newest link, and the closed links."""

    failures: Set[int | None] = frozenset()
    conflicts: Set[int | None] = frozenset()
    newest: int = 0
    closed: Set[int] = frozenset()


def look(session: Session, connection: str) -> Before:
    """What is known of a connection now."""
    newest = links.newest_id(session)
    waiting = failures.open_ids(session, connection), conflicts.open_ids(session, connection)
    return Before(*waiting, newest, links.closed_ids(session, connection))


def since(session: Session, connection: str, before: Before) -> Iterator[Line]:
    """What has come since, in the order in which it came."""
    for failure in failures.open_failures(session, [connection]):
        if failure.id in before.failures:
            continue
        told = {"id": failure.id, "kind": failure.kind, "field": failure.field, **_pair(failure)}
        yield "failure.new", {**told, "reason": failure.reason}
    for conflict in conflicts.conflicts(session, "open", connection):
        if conflict.id in before.conflicts:
            continue
        told = {"id": conflict.id, "field": conflict.field, **_pair(conflict)}
        yield "conflict.new", {**told, "reason": conflict.reason or "the two sides differ"}
    for link in links.made_after(session, before.newest, connection):
        yield "pair.new", {"id": link.id, **_pair(link)}
    for link in links.closed(session, connection):
        if link.id not in before.closed:
            yield "pair.closed", {"id": link.id, **_pair(link), "reason": link.closed_reason}


def _pair(row: Failure | Conflict | Link) -> dict[str, str]:
    return {"nexudus_id": row.nexudus_id, "crm_id": row.crm_id}
