"""Tenants of a fleet in one store: offices whose records have the same ids and names."""

import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from e2e_office import Office
from sqlmodel import SQLModel, select

from nexudus_sync.config.fleet import Fleet
from nexudus_sync.config.settings import qualified
from nexudus_sync.engine.startup.assemble import Engine, assemble
from nexudus_sync.store import Store
from nexudus_sync.store.tables import ConnectionState, Fact

T = TypeVar("T", bound=SQLModel)

FLEET = '[store]\nurl = "sqlite:///state.db"\n[fleet]\nfolder = "tenants"\n'


class Tenant(Office):
    """An office that is a tenant of a fleet; its world is the same as every other tenant's at first."""

    def __init__(self, house: Path, name: str, store: Store, crm_name: str = "overplane", **given: Any) -> None:
        self.name, self._house = name, house
        folder = house / "tenants" / name
        folder.mkdir(parents=True)
        super().__init__(folder, crm_name, **given)
        self.store.close()
        self.store = store
        self.world.nexudus_url = f"http://{name}.nexudus.test"  # a location of its own, although with the same number
        self.config = re.sub(r"\[store\]\n.*\n", "", self.world.config_toml())

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Engine]:
        """A process that has read the fleet's files and logged in for this tenant."""
        (self.folder / "config.toml").write_text(self.config)
        transports = self.world.transports(self.clock)
        engine = assemble(
            Fleet.load(self._house / "fleet.toml", self.world.environment()).settings(self.name),
            clock=self.clock,
            rng=random.Random(1),
            store=self.store,
            transports={qualified(self.name, system): one for system, one in transports.items()},
        )
        try:
            await engine.start()
            yield engine
        finally:
            await engine.aclose()

    def rows(self, table: type[T], **values: Any) -> list[T]:
        """This tenant's rows with these values, oldest first."""
        return [one for one in super().rows(table, **values) if owner(one) == self.name]


@contextmanager
def fleet(house: Path, store: Store, *names: str, **given: Any) -> Iterator[list[Tenant]]:
    """These tenants in one store."""
    (house / "fleet.toml").write_text(FLEET)
    yield [Tenant(house, name, store, **given) for name in names]


def owner(row: SQLModel) -> str:
    """The tenant that a row is of."""
    return _place(row).partition("/")[0]


def _place(row: SQLModel) -> str:
    if isinstance(row, Fact):
        return row.system if "/" in row.system else row.key
    return str(row.name if isinstance(row, ConnectionState) else row.connection)  # type: ignore[attr-defined]


TOLD = {
    "link": ("connection", "crm", "nexudus_id", "crm_id", "state", "closed_reason", "title", "customer", "is_lost"),
    "unlinked": ("connection", "side", "record_id", "title", "customer", "state", "reason"),
    "journal": ("connection", "side", "kind", "nexudus_id", "crm_id", "state", "fields"),
    "conflict": ("connection", "nexudus_id", "crm_id", "field", "base", "nexudus", "crm", "state", "take", "kind"),
    "failure": ("connection", "kind", "field", "reason", "nexudus_id", "crm_id", "state", "attempts"),
    "history": ("connection", "field", "old", "new", "lost", "from_side", "nexudus_id", "crm_id"),
    "decision": ("connection", "kind", "outcome"),
    "brake": ("connection", "name", "evidence", "size", "state"),
    "connection_state": ("name", "crm", "create_since", "cycles", "mapping_digest"),
    "fact": ("system", "key"),
}
"""What each table says apart from numbers and times, which are each run's own."""


def told(store: Store, tenant: str = "") -> dict[str, list[str]]:
    """All that the store says of a tenant, with the names that it would have alone; "": of an installation alone."""
    found = {}
    with store.read() as session:
        for table, columns in TOLD.items():
            rows = session.connection().execute(select(SQLModel.metadata.tables[table])).mappings()
            texts = [repr([row[column] for column in columns]) for row in rows]
            mine = [one for one in texts if f"{tenant}/" in one] if tenant else texts
            found[table] = sorted(one.replace(f"{tenant}/", "") for one in mine) if tenant else sorted(texts)
    return found
