"""What waits for people about pairs of records: their open conflicts and failures, asked for many pairs at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import String, bindparam, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from nexudus_sync.store.tables import Conflict, Failure

AT_ONCE = 500
"""Pairs in one statement."""


@dataclass(slots=True)
class OpenItems:
    """What waits about one pair: conflicts that are not closed, and failures that are not solved."""

    conflicts: list[Conflict] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.conflicts or self.failures)


def _unsettled(table: type[Any], settled: str) -> SelectOfScalar[Any]:
    """The rows that name one of the records and are not in the state `settled`.

    Made once for each table: building it takes many times as long as running it.
    """
    named = or_(
        col(table.nexudus_id).in_(bindparam("nexudus_ids", type_=String, expanding=True)),
        col(table.crm_id).in_(bindparam("crm_ids", type_=String, expanding=True)),
    )
    return select(table).where(col(table.state) != settled, col(table.connection) == bindparam("connection"), named)


_CONFLICTS, _FAILURES = _unsettled(Conflict, "closed"), _unsettled(Failure, "solved")


def about(session: Session, connection: str, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], OpenItems]:
    """What waits about each of these pairs (Nexudus's id first), each with an entry.

    A row is about a pair if it names both records, or one of them and no other: rows written while a record was
    unlinked name one side only. One that names another record as well is about another pair: some CRMs give a deleted
    record's name to a new one.
    """
    found = {pair: OpenItems() for pair in pairs}
    ids = list(found)
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        params = {
            "connection": connection,
            "nexudus_ids": [one for one, _ in some],
            "crm_ids": [one for _, one in some],
        }
        conflicts, failures = (session.exec(query, params=params).all() for query in (_CONFLICTS, _FAILURES))
        if conflicts or failures:
            _share_out(conflicts, failures, found, some)
    return found


def _share_out(
    conflicts: Iterable[Conflict],
    failures: Iterable[Failure],
    found: dict[tuple[str, str], OpenItems],
    pairs: Iterable[tuple[str, str]],
) -> None:
    """Give each row to the pairs that it is about."""
    by_card, by_record = dict[str, list[tuple[str, str]]](), dict[str, list[tuple[str, str]]]()
    for pair in pairs:
        by_card.setdefault(pair[0], []).append(pair)
        by_record.setdefault(pair[1], []).append(pair)

    def pairs_of(row: Conflict | Failure) -> list[tuple[str, str]]:
        if not row.nexudus_id:
            return by_record.get(row.crm_id, [])
        return [pair for pair in by_card.get(row.nexudus_id, []) if row.crm_id in ("", pair[1])]

    for conflict in conflicts:
        for pair in pairs_of(conflict):
            found[pair].conflicts.append(conflict)
    for failure in failures:
        for pair in pairs_of(failure):
            found[pair].failures.append(failure)


def of_pair(session: Session, connection: str, pair: tuple[str, str]) -> OpenItems:
    """What waits about one pair."""
    return about(session, connection, [pair])[pair]
