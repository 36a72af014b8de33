"""Conflicts: fields on which the two sides disagree and a person decides."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import update
from sqlmodel import Session, col, select

from nexudus_sync import codec
from nexudus_sync.errors import storable
from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.concerning import conflicts_about, naming
from nexudus_sync.store.tables import Conflict, ConflictKind, Link

RECORD = "record"
"""The field name of a question about a record as a whole."""
THIRD_VALUE = "value"
"""What `take` says of a conflict for which a person typed a third value."""


def open_conflict(
    session: Session,
    *,
    connection: str,
    nexudus_id: str,
    crm_id: str,
    field: str,
    base: Any,
    nexudus: Any,
    crm: Any,
    now: datetime,
    link_id: int | None = None,
    kind: ConflictKind = ConflictKind.FIELD,
    side: Side | None = None,
    edits: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> Conflict:
    """Show a conflict, or bring the one already shown for the same records and field up to date.

    Values are what `codec` can write. A resolution is for the values shown: if either has changed, the conflict is open
    again; else it stays resolved.
    """
    key: dict[str, Any] = {"connection": connection, "nexudus_id": nexudus_id, "crm_id": crm_id, "field": field}
    query = select(Conflict).filter_by(**key).where(col(Conflict.state) != "closed")
    conflict = session.exec(query).first()
    if conflict is None:
        conflict = Conflict(**key, opened_at=now)
    elif [_stored(nexudus), _stored(crm)] != [_stored(conflict.nexudus), _stored(conflict.crm)]:
        ask_again(conflict)
    conflict.base, conflict.nexudus, conflict.crm = base, nexudus, crm
    conflict.link_id, conflict.reason = link_id, None if reason is None else storable(reason)
    conflict.kind, conflict.side, conflict.edits = kind, "" if side is None else side.value, dict(edits or {})
    session.add(conflict)
    return conflict


def ask_again(conflict: Conflict) -> None:
    """Open an answered question again."""
    conflict.state, conflict.take, conflict.value = "open", None, None
    conflict.decided_by, conflict.decided_at = "", None


def unclosed(session: Session, connection: str, nexudus_id: str, crm_id: str) -> list[Conflict]:
    """The conflicts about a pair, open or resolved: those that name no other record."""
    return conflicts_about(session, connection, [(nexudus_id, crm_id)])[nexudus_id, crm_id]


def close_conflicts(
    session: Session,
    connection: str,
    nexudus_id: str,
    crm_id: str,
    *,
    now: datetime,
    fields: Collection[str] | None = None,
) -> int:
    """Close the conflicts about a pair, open or resolved, on these fields (None: all). Returns how many there were."""
    about = unclosed(session, connection, nexudus_id, crm_id)
    named = [one for one in about if fields is None or one.field in fields]
    return close(named, now)


def close(about: Iterable[Conflict], now: datetime) -> int:
    """Close these conflicts; returns how many there were."""
    closed = list(about)
    for conflict in closed:
        conflict.state, conflict.closed_at = "closed", now
    return len(closed)


def conflicts(
    session: Session, state: Literal["open", "resolved", "closed"] = "open", connection: str | None = None
) -> list[Conflict]:
    """The conflicts in a state, of one connection or of all, oldest first."""
    query = select(Conflict).where(col(Conflict.state) == state)
    if connection is not None:
        query = query.where(col(Conflict.connection) == connection)
    return list(session.exec(query.order_by(col(Conflict.id))))


def about_records(session: Session, connections: Collection[str], record_ids: Collection[str]) -> list[Conflict]:
    """The conflicts of these connections that name one of these records, closed ones too, oldest first."""
    return list(session.exec(naming(Conflict, connections, record_ids)))


def open_about_card(session: Session, nexudus_id: str) -> Conflict | None:
    """An open conflict that names this card."""
    query = select(Conflict).where(col(Conflict.nexudus_id) == nexudus_id, col(Conflict.state) == "open")
    return session.exec(query).first()


def about_overwritten(session: Session, connection: str, state: Literal["open", "resolved"]) -> list[Conflict]:
    """The questions in that state about values that our writes overwrote unseen."""
    query = select(Conflict).where(
        col(Conflict.connection) == connection,
        col(Conflict.state) == state,
        col(Conflict.kind) == ConflictKind.OVERWRITTEN,
    )
    return list(session.exec(query))


def is_to_be_copied(session: Session, connection: str, side: Side, record_id: str) -> bool:
    """Did a person look at the candidates for a record and say that it is another one?"""
    column = col(Conflict.nexudus_id) if side is Side.NEXUDUS else col(Conflict.crm_id)
    query = select(Conflict).where(
        col(Conflict.connection) == connection,
        col(Conflict.field) == RECORD,
        col(Conflict.state) == "resolved",
        col(Conflict.take) == side.value,
        col(Conflict.link_id).is_(None),
        column == record_id,
    )
    return session.exec(query).first() is not None


def close_unmapped(session: Session, connection: str, fields: Collection[str], now: datetime) -> None:
    """Close the conflicts about all fields but these: nobody needs to decide about them any more."""
    about = (col(Conflict.connection) == connection, col(Conflict.state) != "closed")
    stale = update(Conflict).where(*about, col(Conflict.field).not_in(fields))
    session.execute(stale.values(state="closed", closed_at=now))


def open_ids(session: Session, connection: str) -> set[int | None]:
    """The ids of the conflicts that are open."""
    query = select(Conflict.id).where(col(Conflict.connection) == connection, col(Conflict.state) == "open")
    return set(session.exec(query))


def links_asked_about(session: Session, connection: str) -> set[int]:
    """The connection's links with a question about the link as a whole, open or answered."""
    about = (col(Conflict.connection) == connection, col(Conflict.field) == RECORD, col(Conflict.state) != "closed")
    return {one for one in session.exec(select(Conflict.link_id).where(*about)) if one is not None}


def about_link(session: Session, link: Link) -> list[Conflict]:
    """The questions about a link as a whole, open or answered."""
    about = (col(Conflict.link_id) == link.id, col(Conflict.field) == RECORD, col(Conflict.state) != "closed")
    return list(session.exec(select(Conflict).where(*about)))


def answer_about_link(session: Session, link: Link) -> Conflict | None:
    """A person's answer about a link as a whole that no cycle has carried out yet."""
    about = (col(Conflict.link_id) == link.id, col(Conflict.field) == RECORD, col(Conflict.state) == "resolved")
    return session.exec(select(Conflict).where(*about)).first()


def hand_over(session: Session, link: Link, connection: str) -> None:
    """Give the open questions about a link to this connection."""
    about = (col(Conflict.connection) == link.connection, col(Conflict.link_id) == link.id)
    session.execute(update(Conflict).where(*about, col(Conflict.state) != "closed").values(connection=connection))


def _stored(value: Any) -> Any:
    """The value as the store gives it back, so that a tuple equals the list it became."""
    return codec.loads(codec.dumps(value))
