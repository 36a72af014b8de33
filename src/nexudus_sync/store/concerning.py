"""What failures and conflicts share: finding the rows about a given pair of records."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Boolean, String, and_, bindparam, or_
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from nexudus_sync.store.tables import Conflict, Failure


def unsettled(table: type[Conflict] | type[Failure], settled: str) -> SelectOfScalar[Any]:
    """The rows about a pair that are not in the state `settled`; `pair_of` gives the parameters.

    Made once for each table: building it takes many times as long as running it, and it runs for every link.
    """
    nexudus, crm = bindparam("nexudus_id", type_=String), bindparam("crm_id", type_=String)
    alone = and_(col(table.nexudus_id) == "", col(table.crm_id) == "", bindparam("alone", type_=Boolean))
    ours = and_(col(table.nexudus_id) == nexudus, or_(col(table.crm_id) == "", col(table.crm_id) == crm))
    theirs = and_(col(table.crm_id) == crm, col(table.nexudus_id) == "")
    about = or_(ours, theirs, alone)
    return select(table).where(col(table.state) != settled, col(table.connection) == bindparam("connection"), about)


def pair_of(connection: str, nexudus_id: str, crm_id: str) -> dict[str, Any]:
    """Parameters of `unsettled`: rows that name both records, or one of them and no other; an id that is "" names none.

    One id is enough because a row written while a record was unlinked names one side only. A row that also names
    another record is about another pair: some CRMs give a deleted record's name to a new one. Both "": rows of the
    connection itself.
    """
    alone = not nexudus_id and not crm_id
    return {"connection": connection, "nexudus_id": nexudus_id or None, "crm_id": crm_id or None, "alone": alone}


def naming(table: type[Conflict] | type[Failure], record_ids: Collection[str]) -> SelectOfScalar[Any]:
    """The rows that name one of these records, whatever their state, oldest first."""
    named = or_(col(table.nexudus_id).in_(record_ids), col(table.crm_id).in_(record_ids))
    return select(table).where(named).order_by(col(table.id))
