"""What the page works with: the settings, the store, the mappings, and what the running program does for it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from nexudus_sync.clock import Clock
from nexudus_sync.config import ConnectionSettings, Settings
from nexudus_sync.config.settings import SEPARATOR
from nexudus_sync.mapping import Context, Side
from nexudus_sync.mapping import Mapping as FieldMapping
from nexudus_sync.store import Store


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a cycle would do: "link", "create", "create-party", "update" or "delete".

    `system` is the one that is written to ("" for "link"); `fields` is {canonical field: {"old", "new"}}.
    """

    action: str
    system: str
    nexudus_id: str
    crm_id: str
    fields: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What the next cycle of a connection would do. `brake` stops it; `note` is a sentence about its cost."""

    steps: tuple[Step, ...]
    conflicts: int
    failures: int
    brake: str | None = None
    note: str = ""


class Hands(Protocol):
    """What the running program does for the page. Called from the page's own threads."""

    def soon(self, connection: str) -> bool:
        """Run the connection's next cycle as soon as possible; False where that cannot be asked for."""
        ...

    def next_cycle(self, connection: str) -> datetime | None:
        """When the connection's next cycle is due; None: unknown."""
        ...

    def plan(self, connection: str) -> Foreseen:
        """What the next cycle would do. Takes seconds to minutes, and calls. Raises SyncError."""
        ...


ContextOf = Callable[[str, Side, dict[str, Any]], Context]
"""(connection, side, snapshot) → the surroundings in which that snapshot is read."""


@dataclass(frozen=True)
class Desk:
    """All that the pages are made from. `mappings` are by connection; `context` tells how a snapshot is read.

    `titles` are the systems as they call themselves, by their configured names; `hands` is None where nothing runs
    beside the page.
    """

    settings: Settings
    store: Store
    clock: Clock
    mappings: Mapping[str, FieldMapping]
    context: ContextOf
    hands: Hands | None = None
    titles: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        """The names of all configured connections."""
        return list(self._by_name)

    @cached_property
    def tenants(self) -> list[str]:
        """The tenants of a fleet, broken ones included, in order; none outside of a fleet."""
        owners = {self.settings.owner(name) for name in self._by_name} | set(self.settings.broken)
        return sorted(owners - {""})

    def only(self, tenants: Collection[str]) -> "Desk":
        """The same for somebody who may see these tenants alone, or wants to."""
        return replace(self, settings=self.settings.only(tenants))

    def connection(self, name: str) -> ConnectionSettings | None:
        """The settings of the connection of that name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, ConnectionSettings]:
        return {one.name: one for one in self.settings.connections}

    def crm(self, connection: str) -> str:
        """The configured name of a connection's CRM, "" for a connection that is not configured."""
        found = self.connection(connection)
        return "" if found is None else found.crm

    def system(self, connection: str, side: Side | str) -> str:
        """How a sentence names one side of a connection."""
        if side == Side.NEXUDUS:
            return Side.NEXUDUS.word
        crm = self.crm(connection)
        return self.title(crm) if crm else Side.CRM.word

    def title(self, system: str) -> str:
        """How a system is called, by its configured name; of a tenant's, which one it is goes without saying."""
        own = system.rpartition(SEPARATOR)[2]
        return self.titles.get(system) or own[:1].upper() + own[1:]

    def link(self, connection: str, side: Side | str, record_id: str) -> str | None:
        """The address at which a browser shows a record; None where nobody said."""
        if not record_id or self.connection(connection) is None:
            return None
        nexudus, crm = self.settings.urls(connection, record_id, record_id)
        return nexudus if side == Side.NEXUDUS else crm
