"""How many rows to ask for at once: what the configuration says, or the fewer that the server turned out to honour."""

from datetime import timedelta
from typing import Any

from nexudus_sync.clock import Clock, moment
from nexudus_sync.store import Store
from nexudus_sync.store.tables import Fact

KEY = "page size"
"""The key under which the store remembers what was found out."""
HOLDS = timedelta(days=7)
"""How long that holds: servers change, and what made one refuse a page may have been something else."""


class PageSize:
    """The size of a page of one system's lists.

    `wanted` is the configured one. What was found out is kept in the store, so that the next process need not have
    pages refused to know it; with `store` None only for this one.
    """

    def __init__(self, system: str, wanted: int, store: Store | None, clock: Clock) -> None:
        self._system, self._wanted, self._store, self._clock = system, wanted, store, clock
        self._rows: int | None = None

    @property
    def rows(self) -> int:
        """How many rows to ask for."""
        if self._rows is None:
            self._rows = self._remembered()
        return self._rows

    def lower(self, rows: int) -> None:
        """A page of so many rows was honoured. More than is known says nothing new: another page may know better."""
        if rows >= self.rows:
            return
        self._rows = rows
        if self._store is not None:
            value = {"wanted": self._wanted, "rows": rows, "at": self._clock.now().isoformat()}
            with self._store.session() as session:
                session.merge(Fact(system=self._system, key=KEY, value=value))

    def _remembered(self) -> int:
        if self._store is None:
            return self._wanted
        with self._store.read() as session:
            fact = session.get(Fact, (self._system, KEY))
        known: dict[str, Any] = {} if fact is None else fact.value
        at = moment(known.get("at"))
        if known.get("wanted") != self._wanted or at is None or abs(self._clock.now() - at) > HOLDS:
            return self._wanted
        return min(self._wanted, int(known["rows"]))
