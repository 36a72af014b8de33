"""Lists as a server may send them: null for an empty list, rows that are not records, and endless pages."""

from collections.abc import Callable
from typing import Any

import structlog

from nexudus_sync.connectors.base import Record
from nexudus_sync.errors import Unavailable, storable

MOST_PAGES = 2000
"""Pages of one list: a hundred thousand records of a server that gives fifty at a time."""

log = structlog.get_logger()


def readable(raw: Any, key: str, what: str, system: str, fits: Callable[[object], bool]) -> tuple[list[Record], int]:
    """The rows that name their record, and the number of other rows, which must not hide the rest.

    `key` holds the id, which `fits`; None in place of the rows is an empty list. Raises Unavailable for anything but a
    list, and for a list of things without that key.
    """
    listed = [] if raw is None else raw
    named = [row for row in listed if isinstance(row, dict) and key in row] if isinstance(listed, list) else []
    rows = [row for row in named if fits(row[key])]
    if listed != [] and not named:
        raise Unavailable(system, f"{what} was answered with something that is not a list")
    unread = len(listed) - len(rows)
    if unread:
        log.warning("list.unread", system=system, list=what, rows=unread)
    return rows, unread


def is_id(value: object) -> bool:
    """Can it be the id of a record: a text that can be stored, or a whole number?"""
    return type(value) is int or (isinstance(value, str) and bool(value.strip()) and storable(value) == value)


def refuse_endless(page: int, what: str, system: str) -> None:
    """Raise Unavailable at a page number beyond that of any real list."""
    if page > MOST_PAGES:
        raise Unavailable(
            system, f"{what} does not end: {MOST_PAGES:,} pages were read, and the server says there are more"
        )
