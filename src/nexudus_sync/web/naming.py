"""The names of the records on one page, asked for in one go."""

from collections.abc import Iterable
from typing import Protocol

from nexudus_sync.store.ask import Ask
from nexudus_sync.store.names import Name, names

NOBODY = Name()


class About(Protocol):
    """A row about a pair of records, or about one without a counterpart."""

    @property
    def connection(self) -> str:
        """The connection's name."""

    @property
    def nexudus_id(self) -> str:
        """The card's id, "" for none."""

    @property
    def crm_id(self) -> str:
        """The CRM's id, "" for none."""


def names_of(ask: Ask, rows: Iterable[About]) -> dict[str, Name]:
    """The name of each row's record, by the row's key: "c5", "f2", or "h17" for a history entry."""
    about = list(rows)
    found = names(ask, [(one.nexudus_id, one.crm_id) for one in about])
    return {key_of(one): found.get((one.nexudus_id, one.crm_id), NOBODY) for one in about}


def key_of(row: About) -> str:
    """The row's key."""
    return str(getattr(row, "key", "") or f"h{getattr(row, 'id', 0)}")
