from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nexudus_sync.store import Store

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
def memory() -> Iterator[Store]:
    store = Store.open("sqlite://")
    yield store
    store.close()


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Store]:
    store = Store.open("sqlite:///state.db", base_dir=tmp_path)
    yield store
    store.close()
