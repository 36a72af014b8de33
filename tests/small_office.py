"""Nexudus and a CRM in memory with few records, an engine between them, and a time that tests turn."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel, select

from nexudus_sandbox.crms import CRMS
from nexudus_sandbox.faults import Faults
from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.seed import Seeded, seed
from nexudus_sandbox.seed.places import SYNC_USER, USERS
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync.config import load
from nexudus_sync.engine.cycle import Options, run_cycle, settle_record
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.assemble import Engine, assemble
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Failure, Link

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MARIA, TOM = USERS[0][0], USERS[1][0]
_CONFIG = """
[store]
url = "sqlite:///state.db"
[nexudus]
base_url = "https://nexudus.example.com/api"
username = "{user}"
password = "${{PASSWORD}}"
{crm_table}
[[connection]]
name = "london"
crm = "{crm}"
scope = {{ business_id = 1001 }}
company = "Example Corp"
"""


class Clock:
    """Stands still until something sleeps or a test says so."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds)

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


class SmallOffice:
    """Both systems and an engine. `pairs` of records say the same from the start."""

    def __init__(self, folder: Path, crm_name: str, *, shared: int = 2, more: str = "") -> None:
        self.folder, self.clock, self.name = folder, Clock(), crm_name
        self.cards = NexudusDouble(self.clock.now, seed=1)
        crm = CRMS[crm_name](self.clock.now)
        self.deals: Any = crm.double
        self.seeded: Seeded = seed(self.cards, crm.double, nexudus=shared, crm=shared, shared=shared)
        self.cards.set_windows(())
        self.deals.throttle.windows = () if hasattr(self.deals, "throttle") else None
        self.cards.add_account(SYNC_USER, "password")
        self.card_faults, self.deal_faults = Faults(), Faults()
        table = crm.table.format(url="https://crm.example.com") + more
        (folder / "config.toml").write_text(_CONFIG.format(user=SYNC_USER, crm_table=table, crm=crm_name))
        self._environment = {"PASSWORD": "password", **crm.environment}
        self.engine = self._engine()

    def _engine(self) -> Engine:
        settings = load(self.folder / "config.toml", self._environment)
        transports = {
            "nexudus": DoubleTransport(self.cards, self.card_faults, clock=self.clock, latency=lambda: 0.01),
            self.name: DoubleTransport(self.deals, self.deal_faults, clock=self.clock, latency=lambda: 0.01),
        }
        return assemble(settings, clock=self.clock, rng=random.Random(1), transports=transports)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["SmallOffice"]:
        """After a first run."""
        await self.engine.start()
        try:
            await self.cycle()
            await self.cycle()
            yield self
        finally:
            await self.engine.aclose()

    async def cycle(self, **options: Any) -> Report:
        """A minute later, one cycle."""
        self.clock.turn(60)
        return await run_cycle(self.engine.connections[0], Options(**options))

    async def read(self, card: int) -> Report:
        """A minute later, `sync --record` of a card."""
        self.clock.turn(60)
        return await settle_record(self.engine.connections[0], Side.NEXUDUS, str(card))

    async def settle(self, cycles: int = 4, **options: Any) -> list[dict[str, int]]:
        """Some cycles; gives what each of them wrote."""
        return [dict((await self.cycle(**options)).writes) for _ in range(cycles)]

    @property
    def pairs(self) -> list[tuple[int, str]]:
        """The open pairs that say the same."""
        return [(card, deal) for card, deal in self.links().items()]

    def rows(self, table: type[SQLModel], **where: Any) -> list[Any]:
        with self.engine.store.read() as session:
            return list(session.exec(select(table).filter_by(**where)))

    def links(self) -> dict[int, str]:
        return {int(link.nexudus_id): link.crm_id for link in self.rows(Link, state="active")}

    def failures(self) -> set[tuple[str, str]]:
        return {(one.kind, one.field) for one in self.rows(Failure, state="open")}

    def conflicts(self) -> list[str]:
        return [one.field for one in self.rows(Conflict, state="open")]

    def card_titles(self) -> list[str]:
        return sorted(str(row["Name"]) for row in self.cards.records().values())

    def deal_titles(self) -> list[str]:
        return sorted(str(row["title"]) for row in self.deals.records().values())

    def customer(self, email: str, name: str = "Ana Prueba") -> int:
        return self.cards.directory.add_coworker(email, name, self.seeded.places.london.business_id)

    def card(self, email: str, title: str, **values: Any) -> int:
        """A person enters a card for a customer with this e-mail, who is made."""
        board = self.seeded.places.london.board_id
        stage = self.cards.directory.stage_named(board, "New lead")
        known = [key for key, one in self.cards.directory.coworkers.items() if one["Email"] == email]
        customer = known[0] if known else self.customer(email)
        return self.cards.create(MARIA, Name=title, CoworkerId=customer, CrmBoardColumnId=stage, **values)

    def deal(self, email: str, title: str, **values: Any) -> str:
        """A person enters an opportunity in the CRM for a lead with this e-mail."""
        if self.name == "erpnext":
            known = [row["name"] for row in self.deals.site.tables["Lead"].where("email_id", email)]
            lead = known[0] if known else self.deals.add("Lead", TOM, lead_name="Ana Prueba", email_id=email)
            more = {"sales_stage": "New lead"}
        else:
            lead = self.deals.add("lead", TOM, lead_name="Ana Prueba", email_id=email)
            more = {"sales_stage": "New lead", "transaction_date": "2026-03-02", "customer_name": "Ana Prueba"}
        values = {"contact_email": email, "company": "Example Corp", "currency": "GBP", **more, **values}
        return str(self.deals.create(TOM, opportunity_from="Lead", party_name=lead, title=title, **values))
