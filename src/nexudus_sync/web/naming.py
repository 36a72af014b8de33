"""The names of the records on one page, asked for in one go."""

from collections.abc import Iterable

from nexudus_sync.store.ask import Ask
from nexudus_sync.store.names import Name, OfRecords, about, names

NOBODY = Name()


def names_of(ask: Ask, rows: Iterable[OfRecords]) -> dict[str, Name]:
    """The name of each row's record, by the row's key: "c5", "f2", or "h17" for a history entry."""
    shown = list(rows)
    found = names(ask, map(about, shown))
    return {key_of(one): found.get(about(one), NOBODY) for one in shown}


def key_of(row: OfRecords) -> str:
    """The row's key."""
    return str(getattr(row, "key", "") or f"h{getattr(row, 'id', 0)}")
