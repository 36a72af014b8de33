"""One condition that failures and conflicts share: whether a row is about a given pair of records."""

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col

from nexudus_sync.store.tables import Conflict, Failure


def concerning(
    table: type[Conflict] | type[Failure], connection: str, nexudus_id: str, crm_id: str
) -> ColumnElement[bool]:
    """True for rows that name either of the two records; an id that is "" names none.

    Either is enough because a row written while a record was alone names one side only. Both "": rows of the
    connection itself.
    """
    rows = (col(table.nexudus_id), nexudus_id), (col(table.crm_id), crm_id)
    named = [column == value for column, value in rows if value]
    about = or_(*named) if named else and_(*(column == "" for column, _ in rows))
    return and_(col(table.connection) == connection, about)
