import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from fake_overplane import FakeClock, FakeOverplane

from nexudus_sync.connectors.overplane import OverplaneConnector, OverplaneSettings
from nexudus_sync.store import Store


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> FakeOverplane:
    return FakeOverplane(clock)


@pytest.fixture
async def connect(clock: FakeClock, server: FakeOverplane) -> AsyncIterator[Callable[..., OverplaneConnector]]:
    """Make connectors to the server, with settings of the test's own."""
    made: list[OverplaneConnector] = []

    def make(store: Store | None = None, **settings: Any) -> OverplaneConnector:
        given = OverplaneSettings.model_validate({"token": "sk_test_secret"} | settings)
        transport, rng = httpx.MockTransport(server.handle), random.Random(7)
        made.append(OverplaneConnector("crm", given, clock=clock, rng=rng, store=store, transport=transport))
        return made[-1]

    yield make
    for connector in made:
        await connector.aclose()


@pytest.fixture
def crm(connect: Callable[..., OverplaneConnector]) -> OverplaneConnector:
    return connect()


@pytest.fixture
def memory() -> Iterator[Store]:
    store = Store.open("sqlite://")
    yield store
    store.close()
