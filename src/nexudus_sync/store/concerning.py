"""What failures and conflicts share: finding the rows about a given pair of records."""

from typing import Any

from sqlalchemy import Boolean, and_, bindparam, or_
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from nexudus_sync.store.tables import Conflict, Failure


def unsettled(table: type[Conflict] | type[Failure], settled: str) -> SelectOfScalar[Any]:
    """The rows about a pair that are not in the state `settled`; `pair_of` gives the parameters.

    Made once for each table: building it anew takes many times as long as running it, and it runs for every link.
    """
    alone = and_(col(table.nexudus_id) == "", col(table.crm_id) == "", bindparam("alone", type_=Boolean))
    about = or_(col(table.nexudus_id) == bindparam("nexudus_id"), col(table.crm_id) == bindparam("crm_id"), alone)
    return select(table).where(col(table.state) != settled, col(table.connection) == bindparam("connection"), about)


def pair_of(connection: str, nexudus_id: str, crm_id: str) -> dict[str, Any]:
    """Parameters of `unsettled`: rows that name either of the two records; an id that is "" names none.

    Either is enough because a row written while a record was alone names one side only. Both "": rows of the
    connection itself.
    """
    alone = not nexudus_id and not crm_id
    return {"connection": connection, "nexudus_id": nexudus_id or None, "crm_id": crm_id or None, "alone": alone}
