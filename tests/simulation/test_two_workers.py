"""Two workers on one store, perhaps on a server: one follows the other, which wakes up beside it; and both at once."""

import asyncio
from pathlib import Path

import pytest
from sim_checker import check
from sim_kinds import moments
from sim_scenario import play, troubles
from sim_stops import LeasedWorld, NotingLeases, leased_cycle
from sim_stories import cycle, new_card, new_deal
from sim_world import SimWorld

from nexudus_sync.clock import Clock
from nexudus_sync.store import Store, leases
from nexudus_sync.store.leases import Lease
from stores import on_server

Patch = pytest.MonkeyPatch
pytestmark = [pytest.mark.postgres] if on_server() else []
"""With `--store postgresql`, they are of the tier with a server."""
KINDS = ("crm opportunity.create sent", "nexudus opportunity.update sent", "after POST /api/crm/crmopportunities")


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_is_stopped_does_no_harm_when_it_wakes_up_beside_its_successor(kind: str, tmp_path: Path) -> None:
    point = next(point for point, what in moments("overplane", NotingLeases) if kind in what)
    world = LeasedWorld(tmp_path, (point,))
    try:
        play(world)
        assert world.points == []
        assert troubles(world) == ()
    finally:
        world.close()


def no_lock(patch: Patch) -> None:
    """Everybody is given the lease that is in force."""
    original, given = leases.take, dict[str, Lease]()

    def take(store: Store, clock: Clock, key: str, holder: str) -> Lease:
        found = given.get(key) or original(store, clock, key, holder)
        assert found is not None
        return given.setdefault(key, found)

    patch.setattr(leases, "take", take)


def two_at_once(world: SimWorld) -> list[str]:
    """Two workers look for something to do at the same moment; which promises are broken."""
    try:
        cycle(world)
        new_card(world, "anna")
        new_deal(world, "berta")
        first, second = world.engine, world._assemble()

        async def work() -> None:
            await asyncio.gather(leased_cycle(first, "one"), leased_cycle(second, "two"), return_exceptions=True)

        world.clock.seconds += 60
        world.clock.run(work())
        cycle(world)
        return [one.invariant for one in check(world)[0]]
    finally:
        world.close()


def test_two_workers_at_once_take_turns(tmp_path: Path) -> None:
    assert two_at_once(SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)) == []


def test_two_workers_at_once_are_seen_if_nothing_keeps_them_apart(tmp_path: Path, monkeypatch: Patch) -> None:
    no_lock(monkeypatch)
    assert "3 duplicate" in two_at_once(SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2))
