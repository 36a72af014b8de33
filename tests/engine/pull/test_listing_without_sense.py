"""Rows that do not name their records, and totals that make no sense."""

from pathlib import Path

import pytest
from engine_worlds import cycle_of
from sim_twists import TwistedWorld, record
from twisted_pairs import edit, failed, pairs, titles, twisted_world

from nexudus_sync.connectors.totals import systems_without_totals
from nexudus_sync.mapping import Side
from nexudus_sync.store.ask import over


@pytest.fixture
def world(tmp_path: Path) -> TwistedWorld:
    return twisted_world(tmp_path)


@pytest.mark.parametrize("system", ["overplane", "erpnext"])
@pytest.mark.parametrize("odd_id", [None, ["x"], {}, 1.5, " ", "half \ud83d", "nul \0"], ids=repr)
def test_a_row_without_its_records_id_does_not_stop_the_others(tmp_path: Path, system: str, odd_id: object) -> None:
    """Also where it is all that a list has."""
    world = TwistedWorld(tmp_path, system)
    for _ in range(2):
        cycle_of(world, "london")
    first, second, *_ = pairs(world)
    cycle_of(world, "london", after=7200)
    key = "name" if system == "erpnext" else "id"
    world.twists[Side.CRM].append(("GET .*/[Oo]pportunity$", record(first[1], **{key: odd_id})))
    edit(world, Side.CRM, first, "Odd")
    edit(world, Side.NEXUDUS, second, "Travels")
    assert cycle_of(world, "london").exit_code == 0
    assert (titles(world, second), failed(world)) == (("Travels", "Travels"), [])
    world.twists[Side.CRM].clear()
    cycle_of(world, "london", reconcile=True)
    assert titles(world, first) == ("Odd", "Odd")


@pytest.mark.parametrize("kind", ["no_total", "wrong_total"])
def test_a_meaningless_total_is_shown_by_check_and_status(world: TwistedWorld, kind: str) -> None:
    for side in Side:
        world.faults[side].add(kind, "^GET", times=9999)
    cycle_of(world, "london", reconcile=True)
    assert cycle_of(world, "london", reconcile=True).finished
    with world.store.read() as session:
        assert "overplane" in systems_without_totals(over(session))
    world.faults[Side.CRM].clear()
    cycle_of(world, "london", reconcile=True)
    with world.store.read() as session:
        assert "overplane" not in systems_without_totals(over(session))
