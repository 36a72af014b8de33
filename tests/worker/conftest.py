"""A fleet for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from worker_house import Cycles, House

from nexudus_sync import turns
from nexudus_sync.engine.startup import lawful


@pytest.fixture
def house(tmp_path: Path, postgres_url: str) -> Iterator[House]:
    made = House(tmp_path, postgres_url)
    yield made
    for store in made.stores:
        store.close()


@pytest.fixture(autouse=True)
def laws_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped mappings keep the laws, which takes a second to check for each of these fresh databases."""
    monkeypatch.setattr(lawful, "check", lambda mappings: None)


@pytest.fixture
def cycles(monkeypatch: pytest.MonkeyPatch) -> Cycles:
    """Stands for `run_cycle` in all workers."""
    made = Cycles()
    monkeypatch.setattr(turns, "run_cycle", made)
    return made
