"""A site in memory and connectors to it, in a time that passes only when something sleeps or a test says so."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.faults import Faults
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync import codec
from nexudus_sync.connectors.base import Draft, Page, Party, Record, Scope
from nexudus_sync.connectors.erpnext import ERPNextConnector, ERPNextSettings

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DATA = Path(__file__).parents[2] / "data" / "erpnext"
ADMIN, MARIA, SYNC = "Administrator", "maria@example.com", "sync@example.com"
COMPANY, EMAIL, KEY_FIELD = "Example Coworking", "ana@example.com", "custom_nexudus_id"
SCOPE = Scope(company=COMPANY)


class Clock:
    """A clock that stands still."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


class Site:
    """An ERPNext double with a lead, reasons, a source; `connect` makes connectors to it."""

    def __init__(self, version: int, clock: Clock, **options: Any) -> None:
        self.version, self.clock = version, clock
        self.double = ERPNextDouble(clock.now, version=version, **options)  # type: ignore[arg-type]
        self.faults = Faults()
        add = self.double.add
        self.lead = add("Lead", ADMIN, lead_name="Ana Prueba", email_id=EMAIL)
        for reason in ("Price", "Timing"):
            add("Opportunity Lost Reason", ADMIN, lost_reason=reason)
        if version >= 16:
            add("UTM Source", ADMIN, name="Google")
            add("UTM Campaign", ADMIN, name="autumn")
            add("UTM Medium", ADMIN, name="cpc")
        else:
            add("Lead Source", ADMIN, source_name="Google")
            add("Campaign", ADMIN, campaign_name="autumn")

    def add_key_field(self, fieldname: str = KEY_FIELD) -> None:
        field = {"dt": "Opportunity", "fieldname": fieldname, "label": "Nexudus ID", "fieldtype": "Data", "unique": 1}
        self.double.add("Custom Field", ADMIN, insert_after="title", **field)

    def add(self, **values: Any) -> str:
        """An opportunity of the lead that Maria adds; a second passes."""
        self.clock.pass_time(1)
        of_lead = {"opportunity_from": "Lead", "party_name": self.lead, "contact_email": EMAIL}
        return self.double.create(MARIA, **{**of_lead, **values})

    def calls(self, since: int = 0) -> list[str]:
        """What was asked, without the server's address."""
        return [f"{entry.method} {entry.path.removeprefix('/api/')}" for entry in self.double.log[since:]]

    @asynccontextmanager
    async def connect(self, user: str = "sync", **settings: Any) -> AsyncIterator[ERPNextConnector]:
        """A connector that is logged in."""
        async with self.stranger(user, **settings) as connector:
            await connector.start()
            self.double.log.clear()
            yield connector

    @asynccontextmanager
    async def stranger(self, user: str = "sync", **settings: Any) -> AsyncIterator[ERPNextConnector]:
        """A connector that is not logged in yet."""
        login = {"base_url": "https://erp.example.com", "api_key": user, "api_secret": f"{user}-secret"}
        transport = DoubleTransport(self.double, self.faults, clock=self.clock)
        given = ERPNextSettings.model_validate({**login, **settings})
        connector = ERPNextConnector("erp", given, clock=self.clock, rng=random.Random(7), transport=transport)
        try:
            yield connector
        finally:
            await connector.aclose()


async def pages(connector: ERPNextConnector, cursor: str | None = None, scope: Scope = SCOPE) -> list[Page]:
    return [page async for page in connector.scan(scope, cursor)]


def ids(found: list[Page]) -> list[str]:
    return [row.id for page in found for row in page.rows]


def draft(site: Site, key: str = "nexudus:87000012", **record: Any) -> Draft:
    """What a Nexudus card of the lead would become."""
    party = Party(EMAIL, "Ana Prueba", None, "Lead", site.lead)
    return Draft({"title": "Two desks", **record}, party, SCOPE, key, "EUR", START)


def samples(version: int) -> dict[str, Record]:
    """The recorded calls of a real server, by name."""
    with (DATA / "samples" / f"v{version}.jsonl").open(encoding="utf-8") as lines:
        return {call["name"]: call for call in map(codec.loads, lines)}
