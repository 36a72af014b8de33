import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from nexudus_server import LOGIN, FakeClock, Server

from nexudus_sync.connectors.nexudus import NexudusConnector, NexudusSettings
from nexudus_sync.store import Store


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> Server:
    return Server(clock)


Make = Callable[..., NexudusConnector]


@pytest.fixture
async def make(server: Server, clock: FakeClock) -> AsyncIterator[Make]:
    made: list[NexudusConnector] = []

    def build(store: Store | None = None, **settings: Any) -> NexudusConnector:
        values = {"base_url": "https://nexudus.example/api", "username": LOGIN, "password": "pa55word"} | settings
        connector = NexudusConnector(
            "nexudus",
            NexudusSettings.model_validate(values),
            clock=clock,
            rng=random.Random(1),
            store=store,
            transport=httpx.MockTransport(server),
        )
        made.append(connector)
        return connector

    yield build
    for connector in made:
        await connector.aclose()


@pytest.fixture
def connector(make: Make) -> NexudusConnector:
    return make()
