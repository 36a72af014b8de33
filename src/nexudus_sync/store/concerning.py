"""What failures and conflicts share: finding the rows about given pairs of records."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import sqlalchemy
from sqlalchemy import Select, String, bindparam, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from nexudus_sync.store.parts import in_parts
from nexudus_sync.store.tables import Conflict, Failure

Pair = tuple[str, str]
"""The ids of two records, Nexudus's first; "" for the one that a record without a counterpart lacks."""
RowT = TypeVar("RowT", Conflict, Failure)
_FEW = 50
"""If no more rows wait than this, it is quicker to look at what they name than to look for so many records."""


def _unsettled(table: type[RowT], settled: str) -> SelectOfScalar[RowT]:
    named = or_(
        col(table.nexudus_id).in_(bindparam("nexudus_ids", type_=String, expanding=True)),
        col(table.crm_id).in_(bindparam("crm_ids", type_=String, expanding=True)),
    )
    return select(table).where(col(table.state) != settled, col(table.connection) == bindparam("connection"), named)


def _named(table: type[RowT], settled: str) -> Select[str, str]:
    mine = (col(table.state) != settled, col(table.connection) == bindparam("connection"))
    return sqlalchemy.select(col(table.nexudus_id), col(table.crm_id)).where(*mine).limit(_FEW + 1)


@dataclass(frozen=True, slots=True)
class _Questions(Generic[RowT]):
    """The statements about a table: the rows that name given records, and the ids that the first of all rows name."""

    rows: SelectOfScalar[RowT]
    named: Select[str, str]


# Made once for each table: building one takes many times as long as running it.
_CONFLICTS = _Questions(_unsettled(Conflict, "closed"), _named(Conflict, "closed"))
_FAILURES = _Questions(_unsettled(Failure, "solved"), _named(Failure, "solved"))


def conflicts_about(session: Session, connection: str, pairs: Iterable[Pair]) -> dict[Pair, list[Conflict]]:
    """The conflicts about each of these pairs that are not closed; see `_about`."""
    return _about(session, _CONFLICTS, connection, pairs)


def failures_about(session: Session, connection: str, pairs: Iterable[Pair]) -> dict[Pair, list[Failure]]:
    """The failures about each of these pairs that are not solved; see `_about`."""
    return _about(session, _FAILURES, connection, pairs)


def _about(
    session: Session, questions: _Questions[RowT], connection: str, pairs: Iterable[Pair]
) -> dict[Pair, list[RowT]]:
    """The rows about each of these pairs: those that name both records, or one of them and no other.

    One id is enough because a row written while a record was unlinked names one side only. A row that also names
    another record is about another pair: some CRMs give a deleted record's name to a new one. For a pair of two "":
    the rows of the connection itself.
    """
    found: dict[Pair, list[RowT]] = {pair: [] for pair in pairs}
    for some in in_parts(_perhaps_named(session, questions, connection, list(found))):
        # a "" is looked for only where it is all there is: it would find every row of records without a counterpart
        nexudus_ids = [nexudus_id for nexudus_id, crm_id in some if nexudus_id or not crm_id]
        crm_ids = [crm_id for _, crm_id in some if crm_id]
        named = {"connection": connection, "nexudus_ids": nexudus_ids, "crm_ids": crm_ids}
        rows = session.exec(questions.rows, params=named).all()
        if rows:
            _share_out(rows, some, found)
    return found


def _perhaps_named(session: Session, questions: _Questions[RowT], connection: str, pairs: list[Pair]) -> list[Pair]:
    """The pairs that rows may be about: mostly few rows wait, and then it shows at once that they name none of them."""
    waiting = session.execute(questions.named, {"connection": connection}).all()
    if len(waiting) > _FEW:
        return pairs
    cards, crm_records = {nexudus_id for nexudus_id, _ in waiting}, {crm_id for _, crm_id in waiting}
    return [pair for pair in pairs if pair[0] in cards or pair[1] in crm_records]


def _share_out(rows: Iterable[RowT], pairs: Iterable[Pair], found: dict[Pair, list[RowT]]) -> None:
    """Give each row to the pairs that it is about."""
    by_card, by_record = dict[str, list[Pair]](), dict[str, list[Pair]]()
    for pair in pairs:
        by_card.setdefault(pair[0], []).append(pair)
        by_record.setdefault(pair[1], []).append(pair)
    for row in rows:
        if row.nexudus_id:
            about = [pair for pair in by_card.get(row.nexudus_id, []) if row.crm_id in ("", pair[1])]
        else:
            about = by_record.get(row.crm_id, [])
        for pair in about:
            found[pair].append(row)


def naming(table: type[RowT], connections: Collection[str], record_ids: Collection[str]) -> SelectOfScalar[RowT]:
    """The rows of these connections that name one of these records, whatever their state, oldest first."""
    named = or_(col(table.nexudus_id).in_(record_ids), col(table.crm_id).in_(record_ids))
    return select(table).where(named, col(table.connection).in_(connections)).order_by(col(table.id))
