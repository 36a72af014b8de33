"""After the sync's own write: is the record read once more in the next cycle?"""

from dataclasses import replace

import pytest
from engine_worlds import cycles
from sim_people import ANA
from sim_stories import new_card
from sim_world import SimWorld

from nexudus_sync.connectors.overplane import OverplaneConnector
from nexudus_sync.mapping import Side

CHILDREN = "/api/crm/opportunity-lost-reason-detail"


def child_reads(world: SimWorld) -> list[int]:
    """How many reads of child rows each of the next three cycles makes, beside those of lost opportunities."""
    counts = []
    for _ in range(3):
        paths: list[str] = []
        watcher = lambda request, _, paths=paths: paths.append(request.path)  # noqa: E731
        world.double(Side.CRM).watchers.append(watcher)
        cycles(world, False)
        world.double(Side.CRM).watchers.remove(watcher)
        counts.append(paths.count(CHILDREN))
    return counts


@pytest.fixture
def without_rotation(world: SimWorld) -> SimWorld:
    for connection in world.engine.connections:
        connection.rules = replace(connection.rules, children_per_cycle=0)
    return world


@pytest.mark.parametrize(("exact", "reads"), [(False, [0, 1, 0]), (True, [0, 0, 0])])
def test_child_rows_are_read_again_only_where_a_stamp_can_hide_an_edit(
    exact: bool, reads: list[int], without_rotation: SimWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    traits = replace(OverplaneConnector.traits, exact_stamps=exact)
    monkeypatch.setattr(OverplaneConnector, "traits", traits)
    card, _ = without_rotation.seeded.pairs[0]
    without_rotation.nexudus.edit(card, ANA, Name="Ana's")
    assert child_reads(without_rotation) == reads
    new_card(without_rotation, "anna")
    assert child_reads(without_rotation) == reads
