import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fake_overplane import FakeClock, FakeOverplane

from nexudus_sync.connectors.overplane import OverplaneConnector, OverplaneSettings


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

    def make(**settings: Any) -> OverplaneConnector:
        given = OverplaneSettings.model_validate({"token": "sk_test_secret"} | settings)
        transport = httpx.MockTransport(server.handle)
        made.append(OverplaneConnector("crm", given, clock=clock, rng=random.Random(7), transport=transport))
        return made[-1]

    yield make
    for connector in made:
        await connector.aclose()


@pytest.fixture
def crm(connect: Callable[..., OverplaneConnector]) -> OverplaneConnector:
    return connect()
