"""An account and a connector on it, in a time that tests turn."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from nexudus_sandbox.faults import Faults
from nexudus_sandbox.hubspot import HubSpotDouble, HubSpotOptions
from nexudus_sandbox.hubspot.pipelines import Pipeline
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sandbox.wire import Response
from nexudus_sync import codec
from nexudus_sync.connectors.base import Draft, Party, Record, Row, Scope
from nexudus_sync.connectors.hubspot import HubSpotConnector, HubSpotSettings

TOKEN, SYNC, BEN = "pat-na1-test", "sync@example.com", "ben@example.com"
SALES = Scope(company="Sales pipeline")


class Clock:
    """Stands still until somebody sleeps or turns it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds)

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


class Account:
    """A double with one contact, and what a test asks of the connector."""

    def __init__(self, *, settings: dict[str, Any] | None = None, key: bool = True, **options: Any) -> None:
        self.clock, self.faults = Clock(), Faults()
        self.double = HubSpotDouble(self.clock.now, options=HubSpotOptions(**options))
        self.double.add_key(TOKEN, SYNC)
        if key:
            self.double.properties.add("deals", "nexudus_id", unique=True)
        self.maria = self.double.account.hire("maria.nunez@example.com", "María Núñez")
        self.kai = self.double.add("contacts", BEN, email="kai@example.org", firstname="Kai", lastname="Lund")
        made = HubSpotSettings.model_validate({"base_url": "https://hubspot.test", "token": TOKEN, **(settings or {})})
        transport = DoubleTransport(self.double, self.faults, clock=self.clock)
        self.connector = HubSpotConnector("hubspot", made, clock=self.clock, rng=random.Random(1), transport=transport)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Account"]:
        await self.connector.start()
        try:
            yield self
        finally:
            await self.connector.aclose()

    @property
    def pipeline(self) -> Pipeline:
        return self.double.pipelines.all[0]

    def deal(self, **values: Any) -> str:
        usual = {"dealname": "Desks", "pipeline": "default", "dealstage": "qualifiedtobuy", "contacts": [self.kai]}
        return self.double.create(BEN, **{**usual, **values})

    def draft(self, key: str = "hubspot:1", **record: Any) -> Draft:
        party = Party("kai@example.org", "Kai Lund", id=self.kai, kind="Contact")
        return Draft({"dealname": "Made", "@status": "open", **record}, party, SALES, key, "GBP")

    async def rows(self, cursor: str | None = None) -> dict[str, Row]:
        return {row.id: row async for page in self.connector.scan(SALES, cursor) for row in page.rows}

    async def cursor(self) -> str:
        pages = [page async for page in self.connector.scan(SALES, None)]
        assert pages[-1].cursor is not None
        return pages[-1].cursor

    async def write(self, deal: str, **changes: Any) -> Record:
        """The connector changes a deal that it has just read."""
        before = await self.connector.fetch(deal)
        (step,) = self.connector.update_steps(before, {**before, **changes})
        return (await self.connector.perform(step, before)).record

    def asked(self, since: int = 0) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.double.log[since:]]

    def answer(self, match: str, status: int, body: Any, **headers: str) -> None:
        """The next call of this kind is answered like that."""
        text = body if isinstance(body, str) else codec.dumps(body)
        known = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.change(match, lambda _: Response(status, known, text.encode()))
