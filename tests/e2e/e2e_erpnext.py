"""The same installation with ERPNext in the CRM's place."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from e2e_office import BEN, LATENCY, OPEN, HandClock, Office, Wire

from nexudus_sync.config import load
from nexudus_sync.engine.assemble import Engine, assemble
from nexudus_sync.mapping import Side
from nexudus_sync.sandbox.double import Double, Entry
from nexudus_sync.sandbox.world import World
from nexudus_sync.store import Store
from nexudus_sync.store.tables import Failure

DOCUMENTS = "/api/resource/Opportunity"


class ErpOffice(Office):
    """An `Office` whose CRM is ERPNext."""

    def __init__(self, folder: Path, *, nexudus: int = 12, crm: int = 10, shared: int = 5, seed: int = 7) -> None:
        self.folder, self.clock = folder, HandClock()
        self.store = Store.open("sqlite:///state.db", base_dir=folder)
        self.world = World(self.clock.now, crm_name="erpnext", nexudus=nexudus, crm=crm, shared=shared, seed=seed)
        for double in (self.world.nexudus, self.world.erpnext):
            double.watchers.append(lambda *_: self.clock.turn(LATENCY))
        self.config = self.world.config_toml()
        self.free = [pair for pair in self.world.seeded.equal if self.deals.record(pair[1])["status"] in OPEN]

    @property
    def deals(self) -> Any:
        """The ERPNext double."""
        return self.world.erpnext

    def double(self, side: Side) -> Double:
        """The double of a side."""
        return self.world.nexudus if side is Side.NEXUDUS else self.world.erpnext

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Engine]:
        """A process that has read the configuration and logged in."""
        path = self.folder / "config.toml"
        path.write_text(self.config)
        settings = load(path, self.world.environment())
        wires = {name: Wire(self.clock) for name in ("nexudus", "erpnext")}
        engine = assemble(settings, clock=self.clock, rng=random.Random(1), store=self.store, transports=wires)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.aclose()

    def new_deal(self, title: str, email: str | None, **values: Any) -> str:
        """A person adds an opportunity of London's company, with a lead of its own."""
        lead = self.deals.add("Lead", BEN, lead_name=f"Person of {title}", email_id=email)
        usual = {"opportunity_from": "Lead", "party_name": lead, "company": "Example Corp", "contact_email": email}
        return str(self.deals.create(BEN, title=title, **{**usual, **values}))

    def demote(self, *roles: str) -> None:
        """The sync's own user has these roles and no other from now on."""
        users = self.deals.users
        users["sync@example.com"] = replace(users["sync@example.com"], roles=frozenset(roles))

    def failure_of(self, card: int, field: str) -> Failure | None:
        """What is open about a field of a card."""
        found = self.rows(Failure, nexudus_id=str(card), field=field, state="open")
        assert len(found) <= 1
        return found[0] if found else None


def saves(entries: list[Entry]) -> list[str]:
    """What was asked that could have changed something, without ids."""
    return [f"{entry.method} {entry.status}" for entry in entries if entry.method != "GET"]
