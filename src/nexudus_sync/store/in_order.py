"""Lists of any length, read a part at a time."""

from collections.abc import Iterator
from typing import Any, TypeVar

from sqlmodel import Session
from sqlmodel.sql.expression import SelectOfScalar

T = TypeVar("T")
_PART = 500
"""Rows that are held at once."""


def in_order(session: Session, query: SelectOfScalar[T], number: Any, newest: int | None) -> Iterator[T]:
    """What the query finds, oldest first; or the `newest` N, newest first. `number` is the column that counts up.

    Each row is forgotten by the session as soon as the next is asked for.
    """
    ordered = query.order_by(number) if newest is None else query.order_by(number.desc()).limit(newest)
    for row in session.exec(ordered.execution_options(yield_per=_PART)):
        yield row
        session.expunge(row)
