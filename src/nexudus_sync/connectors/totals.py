"""Do a system's lists say how many records there are? Where they do not, each is read twice, and people are told."""

from typing import TYPE_CHECKING

from nexudus_sync.store.ask import Ask
from nexudus_sync.store.status import systems_with

if TYPE_CHECKING:
    from nexudus_sync.connectors.base import Check
    from nexudus_sync.store import Store

KEY = "totals"
"""The key under which the store remembers that a system's totals cannot be relied on."""
TOLD = "does not say exactly how many records a list has, so each list is read until two readings agree"


class Totals:
    """What was learnt of one system's totals; with `store` None nothing is kept."""

    def __init__(self, name: str, store: "Store | None") -> None:
        self._name, self._store = name, store
        self._known: bool | None = None

    def note(self, fits: bool) -> None:
        """A list ended: did its total fit, or had it to be read again?"""
        if self._store is None or fits == self._fits():
            return
        from nexudus_sync.store.tables import Fact

        with self._store.session() as session:
            session.merge(Fact(system=self._name, key=KEY, value=fits))
        self._known = fits

    def checks(self) -> "list[Check]":
        """What `check` says of it."""
        from nexudus_sync.connectors.base import Check

        return [] if self._fits() else [Check("totals", "warn", f"{self._name} {TOLD}")]

    def _fits(self) -> bool:
        if self._store is None:
            return True
        if self._known is None:  # asked after every list
            from nexudus_sync.store.tables import Fact

            with self._store.read() as session:
                fact = session.get(Fact, (self._name, KEY))
            self._known = fact is None or fact.value is not False
        return self._known


def systems_without_totals(ask: Ask) -> list[str]:
    """The systems of which that was learnt."""
    return systems_with(ask, KEY, known=False)
