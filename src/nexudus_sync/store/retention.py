"""What the store lets go once it is old: the history of values, and the journal of writes that are done."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete
from sqlmodel import Session, col, select

from nexudus_sync.store.journal import CREATE
from nexudus_sync.store.lists import ASKED_BY
from nexudus_sync.store.tables import Conflict, Decision, Fact, Failure, History, Journal

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
    and what was refused. Kept as long as somebody waits for them: open questions and failures, and the entries that an
    undo is about.
    """
    left, undoing = STEP, _being_undone(session)
    for table, old in _old(cutoffs, undoing):
        if left == 0:
            break
        numbers = list(session.exec(select(table.id).where(old).order_by(col(table.id)).limit(left)))
        if numbers:
            session.execute(delete(table).where(col(table.id).in_(numbers)))
            if table is Decision:
                asked = (col(Fact.system) == ASKED_BY, col(Fact.key).in_([str(number) for number in numbers]))
                session.execute(delete(Fact).where(*asked))
            left -= len(numbers)
    return STEP - left


def _being_undone(session: Session) -> set[int]:
    """The history entries that an undo is about which no cycle has carried out yet."""
    waiting = select(Decision).where(col(Decision.kind) == "undo", col(Decision.done_at).is_(None))
    return {int(one.args["history_id"]) for one in session.exec(waiting)}


def _old(cutoffs: Cutoffs, undoing: Collection[int]) -> Iterator[tuple[Any, Any]]:
    """Each table, and which of its rows may go."""
    yield History, and_(col(History.at) < cutoffs.history, col(History.id).not_in(undoing))
    done = and_(col(Journal.state).in_(("confirmed", "dropped")), col(Journal.kind) != CREATE)
    yield Journal, and_(done, col(Journal.done_at) < cutoffs.journal)  # all alike, so that none seems the last attempt
    yield Conflict, and_(col(Conflict.state) == "closed", col(Conflict.closed_at) < cutoffs.history)
    yield Failure, and_(col(Failure.state) == "solved", col(Failure.last_at) < cutoffs.history)
    yield Decision, and_(col(Decision.done_at).is_not(None), col(Decision.done_at) < cutoffs.history)
