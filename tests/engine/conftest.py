import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from e2e_fixtures import crm_name, office, offices, pair
from engine_worlds import at_rest
from sim_stories import cycle
from sim_world import SimWorld

from nexudus_sync.engine.pull import judge
from nexudus_sync.store import leases

__all__ = ["crm_name", "office", "offices", "pair"]


@pytest.fixture(autouse=True, scope="module")
def silence() -> Iterator[None]:
    """Cycles with faults in them have much to say, and nobody reads it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
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


@pytest.fixture
def rested(request: pytest.FixtureRequest, tmp_path: Path) -> SimWorld:
    """Four pairs after the first run, with nothing left to do."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=4, **getattr(request, "param", {}))
    for _ in range(2):
        cycle(world)
    return world


@pytest.fixture(params=["ignore", "propagate"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> SimWorld:
    """Pairs that agree, under both rules for deletions."""
    return at_rest(tmp_path, deletes=request.param)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimWorld]:
    """Worlds in which ten links are a crowd, and the sample is as small."""
    for name, value in (("CROWD", 10), ("FIRST", 6), ("MOST", 9), ("FEW", 2), ("MANY", 4), ("SLICE", 2)):
        monkeypatch.setattr(judge, name, value)

    def make(folder: Path, **settings: Any) -> SimWorld:
        return at_rest(folder, **{"nexudus": 14, "crm": 14, "shared": 14, **settings})

    return make


@pytest.fixture(autouse=True)
def server_in_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's own time would go on while the world's jumps."""
    monkeypatch.setattr(leases, "_database_now", lambda _, clock: clock.now())
