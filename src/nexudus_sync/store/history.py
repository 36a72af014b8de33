"""Questions about the history: what the sync wrote over."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from nexudus_sync.store.records import relatives
from nexudus_sync.store.tables import History

BY_PERSON = "person"
"""What `from_side` says of a value that a person typed in place of two others."""


def newest(session: Session, connections: Collection[str], record: str | None, limit: int) -> list[History]:
    """The newest entries of these connections, of one record or of all, the oldest of them first."""
    query = select(History).where(col(History.connection).in_(connections))
    if record is not None:
        query = query.where(or_(col(History.nexudus_id) == record, col(History.crm_id) == record))
    return list(reversed(session.exec(query.order_by(col(History.id).desc()).limit(limit)).all()))


def newest_id(session: Session) -> int:
    """The number of the newest entry, 0 where there is none."""
    return session.exec(select(History.id).order_by(col(History.id).desc())).first() or 0


def last_after(session: Session, entry: History) -> History | None:
    """The newest entry about the same field of the same pair that came after this one."""
    query = select(History).where(*_same_field(entry), col(History.id) > entry.id)
    return session.exec(query.order_by(col(History.id).desc())).first()


def last_of(session: Session, entry: History) -> History | None:
    """The newest entry about the same field of the same pair."""
    query = select(History).where(*_same_field(entry))
    return session.exec(query.order_by(col(History.id).desc()).limit(1)).first()


def written_since(session: Session, entry: History, moment: datetime) -> list[History]:
    """What came after an entry, about the same field of the same pair, and not before that moment; oldest first."""
    query = select(History).where(*_same_field(entry), col(History.at) >= moment, col(History.id) > entry.id)
    return list(session.exec(query.order_by(col(History.id))))


def _same_field(entry: History) -> tuple[ColumnElement[bool], ...]:
    return (
        col(History.connection).in_(relatives(entry.connection)),
        col(History.field) == entry.field,
        col(History.nexudus_id) == entry.nexudus_id,
        col(History.crm_id) == entry.crm_id,
    )
