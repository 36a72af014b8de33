import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from cli_house import CONFIG, House

from nexudus_sync.clock import SystemClock
from nexudus_sync.sandbox.world import World


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command sets up the log of the whole process, on a stream that is closed after it."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "FORCE_COLOR", "NEXUDUS_SYNC_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A configured house whose environment is empty."""
    made = House(tmp_path, {})
    made.write(CONFIG)
    return made


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Both systems behind real sockets."""
    with World(nexudus=16, crm=12, shared=8) as made:
        yield made


@pytest.fixture
def sandboxed(tmp_path: Path, world: World) -> House:
    """A house that is connected to the running world; its store is new."""
    made = House(tmp_path, world.environment())
    made.write(world.config_toml())
    return made


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two tries of a call."""

    async def sleep(self: SystemClock, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.005))

    monkeypatch.setattr(SystemClock, "sleep", sleep)
