"""What the store lets go once it is old: the history of values, and the journal of writes that are done."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from nexudus_sync.store.journal import CREATE, PENDING
from nexudus_sync.store.tables import Conflict, Decision, Failure, History, Journal, Link, Unlinked

STEP = 500
"""Rows that one step deletes at most, so that it holds the store for some milliseconds."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What is older than these moments goes: `history` is also for questions, failures and decisions that are over."""

    history: datetime
    journal: datetime


def prune(session: Session, cutoffs: Cutoffs) -> int:
    """Delete up to `STEP` old rows, the oldest first; returns how many. To be called again until there are none.

    Kept for ever: creates, by which a late copy and a connection's past are known, whatever has an unknown outcome,
    what was refused, what a pair went through in a connection that it has left, and the newest row of a table, whose
    number would be given to the next one. Kept as long as somebody waits for them: open questions and failures, the
    history of the fields that such a question is about, the entries that an undo is about, the writes beside one with
    an unknown outcome, and those of a record without a counterpart.
    """
    left, undoing = STEP, _being_undone(session)
    for table, old in _old(cutoffs, undoing):
        if left == 0:
            break
        numbers = list(session.exec(select(table.id).where(old).order_by(col(table.id)).limit(left)))
        if numbers:
            session.execute(delete(table).where(col(table.id).in_(numbers)))
            left -= len(numbers)
    return STEP - left


def _being_undone(session: Session) -> set[int]:
    """The history entries that an undo is about which no cycle has carried out yet."""
    waiting = select(Decision).where(col(Decision.kind) == "undo", col(Decision.done_at).is_(None))
    return {int(one.args["history_id"]) for one in session.exec(waiting)}


def _old(cutoffs: Cutoffs, undoing: Collection[int]) -> Iterator[tuple[Any, Any]]:
    """Each table, and which of its rows may go."""
    yield _rows(History, col(History.at) < cutoffs.history, col(History.id).not_in(undoing), ~_asked_about())
    done = (col(Journal.state).in_(("confirmed", "dropped")), col(Journal.kind) != CREATE)
    # all alike, so that none seems the last attempt
    yield _rows(Journal, *done, col(Journal.done_at) < cutoffs.journal, ~_in_doubt(), ~_alone(), ~_moved())
    yield _rows(Conflict, col(Conflict.state) == "closed", col(Conflict.closed_at) < cutoffs.history)
    yield _rows(Failure, col(Failure.state) == "solved", col(Failure.last_at) < cutoffs.history)
    yield _rows(Decision, col(Decision.done_at).is_not(None), col(Decision.done_at) < cutoffs.history)


def _rows(table: Any, *which: ColumnElement[bool]) -> tuple[Any, ColumnElement[bool]]:
    newest = select(func.max(col(table.id))).scalar_subquery()
    return table, and_(*which, col(table.id) < newest)


def _asked_about() -> ColumnElement[bool]:
    """Is a question open about the field of a history entry?"""
    return exists().where(
        col(Conflict.state) != "closed",
        col(Conflict.nexudus_id) == col(History.nexudus_id),
        col(Conflict.crm_id) == col(History.crm_id),
        col(Conflict.field) == col(History.field),
    )


def _in_doubt() -> ColumnElement[bool]:
    """Has a write to the same pair an unknown outcome? Recovery compares it with what was written before."""
    other = aliased(Journal)
    return exists().where(
        col(other.state).in_(PENDING),
        col(other.connection) == col(Journal.connection),
        col(other.nexudus_id) == col(Journal.nexudus_id),
        col(other.crm_id) == col(Journal.crm_id),
    )


def _alone() -> ColumnElement[bool]:
    """Is one of the write's records without a counterpart? What was tried for it tells whether to try again."""
    this_card = and_(col(Unlinked.side) == "nexudus", col(Unlinked.record_id) == col(Journal.nexudus_id))
    that_record = and_(col(Unlinked.side) == "crm", col(Unlinked.record_id) == col(Journal.crm_id))
    return exists().where(col(Unlinked.connection) == col(Journal.connection), or_(this_card, that_record))


def _moved() -> ColumnElement[bool]:
    """Has the write's pair gone to another connection since? By its writes it is known where it came from."""
    return exists().where(col(Link.id) == col(Journal.link_id), col(Link.connection) != col(Journal.connection))
