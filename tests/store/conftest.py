from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nexudus_sync.store import Store

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def quick_stores() -> None:
    """Every store here is migrated and waits for its disk, as everywhere but in tests."""


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
def memory() -> Iterator[Store]:
    store = Store.open("sqlite://")
    yield store
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store, of each kind in turn."""
    if request.param == "postgresql":
        yield request.getfixturevalue("postgres_store")
    else:
        yield request.getfixturevalue("memory")


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Store]:
    store = Store.open("sqlite:///state.db", base_dir=tmp_path)
    yield store
    store.close()
