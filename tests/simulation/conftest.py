import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from sim_world import SimWorld


@pytest.fixture(autouse=True, scope="module")
def silence() -> Iterator[None]:
    """Thousands of cycles with faults in them have much to say, and nobody reads it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every world of a test is closed after it."""
    worlds, begin = list[SimWorld](), SimWorld.__init__

    def begun(world: SimWorld, *args: Any, **options: Any) -> None:
        worlds.append(world)
        begin(world, *args, **options)

    monkeypatch.setattr(SimWorld, "__init__", begun)
    yield
    for world in worlds:
        world.close()
