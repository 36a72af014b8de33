import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from cli_house import CONFIG, NO_PAGE, House

from nexudus_sandbox.world import Sandbox
from nexudus_sync.clock import SystemClock
from nexudus_sync.mapping import Mapping, laws


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


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The zone of the person at the terminal."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True, scope="session")
def laws_tried_once() -> Iterator[None]:
    """Each command checks the laws of its mapping first; of the same mapping and lists the findings are the same."""
    tried: list[tuple[Mapping, Any, Any, list[laws.Finding]]] = []
    check = laws.check

    def known(mapping: Mapping, contexts: Any = laws.EXAMPLE_CONTEXTS, compound: Any = None) -> list[laws.Finding]:
        asked = (mapping, dict(contexts), compound)
        if not any(one[:3] == asked for one in tried):
            tried.append((*asked, check(mapping, contexts, compound)))
        return next(one[3] for one in tried if one[:3] == asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laws, "check", known)
        yield


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A configured house whose environment is empty."""
    made = House(tmp_path, {})
    made.write(CONFIG)
    return made


@pytest.fixture(scope="session")
def world() -> Sandbox:
    """Both systems, called in process."""
    return Sandbox(nexudus=16, crm=12, shared=8)


@pytest.fixture
def sandboxed(tmp_path: Path, world: Sandbox) -> House:
    """A house that is connected to both systems; its store is new."""
    made = House.of(tmp_path, world)
    made.write(NO_PAGE + world.config_toml())
    return made


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two tries of a call."""

    async def sleep(self: SystemClock, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.005))

    monkeypatch.setattr(SystemClock, "sleep", sleep)
