"""Renamed records: the CRM gave a record another id, or gave its id to another record."""

from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlmodel import Session, col

from nexudus_sync.mapping import Side
from nexudus_sync.store.records import family
from nexudus_sync.store.tables import Conflict, Failure, History, Journal, Link

SPEAKING_OF_PAIRS = (Conflict, Failure, History, Journal)
_NOTED: dict[Any, Any] = {
    Conflict: col(Conflict.opened_at),
    Failure: col(Failure.first_at),
    History: col(History.at),
    Journal: col(Journal.planned_at),
}
"""When a row of each table was noted."""


def rename(session: Session, link: Link, name: str) -> None:
    """Let the link, and all rows about its pair, go by the new id of the CRM's record.

    Rows about the record from before it was linked come along, and so do given-up creates, which name what they made.
    Later rows are about another record, which has the old id now. The rows may belong to any connection to the CRM,
    since a card may have moved from one to another.
    """
    old, link.crm_id = link.crm_id, name
    session.add(link)
    tables: tuple[Any, ...] = SPEAKING_OF_PAIRS
    for table in tables:
        alone: ColumnElement[bool] = col(table.nexudus_id) == ""
        if table is Journal:
            alone = or_(alone, (col(Journal.state) == "dropped") & (col(Journal.side) == Side.NEXUDUS))
        own = or_(col(table.nexudus_id) == link.nexudus_id, alone & (_NOTED[table] <= link.created_at))
        same = (col(table.connection).in_(family(link.crm)), col(table.crm_id) == old, own)
        session.execute(update(table).where(*same).values(crm_id=name))
