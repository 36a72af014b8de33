from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nexudus_sync.config import ConnectionSettings, RunSettings, Settings
from nexudus_sync.store import Store

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.passed = timedelta(0)

    def now(self) -> datetime:
        return NOON + self.passed

    def monotonic(self) -> float:
        return self.passed.total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.passed += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """On disk, for it is read from several threads."""
    made = Store.open("sqlite:///state.db", base_dir=tmp_path)
    yield made
    made.close()


@pytest.fixture
def settings() -> Settings:
    """Two connections."""
    nothing: Any = None
    names = {"london": 1001, "madrid": 1002}
    connections = (ConnectionSettings(name=name, crm="x", scope={"business_id": key}) for name, key in names.items())
    return Settings(Path("config.toml"), "sqlite://", nothing, {}, tuple(connections), nothing, RunSettings())
