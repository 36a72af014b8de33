"""A system that answers 500 for a record that does not exist."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import at_rest, cycle_of, kinds_of_failures
from sim_desks import BEN
from sim_people import ANA
from sim_stories import links
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake


def mute(folder: Path, **settings: Any) -> SimWorld:
    """A world of thirty pairs that agree, in which Nexudus answers 500 for a card that is gone."""
    world = at_rest(folder, **{"nexudus": 30, "crm": 30, "shared": 28, **settings})
    world.nexudus.options.missing_id_status = 500
    return world


def states(world: SimWorld) -> list[str]:
    """The links' states, oldest first."""
    return [link.state for link in links(world)]


@pytest.mark.parametrize("deletes", ["ignore", "propagate"])
def test_a_deleted_card_that_answers_500_is_believed_gone_by_the_sweep(deletes: str, tmp_path: Path) -> None:
    world = mute(tmp_path, deletes=deletes)
    link = links(world)[0]
    world.nexudus.delete(int(link.nexudus_id), ANA)
    assert cycle_of(world, reconcile=True).errors == []
    assert states(world)[0] == "closed"
    assert (link.crm_id in world.crm.records()) == (deletes == "ignore")


def test_a_deletion_is_believed_although_the_card_failed_before_the_sweep(tmp_path: Path) -> None:
    world = mute(tmp_path)
    link = links(world)[0]
    world.nexudus.delete(int(link.nexudus_id), ANA)
    world.crm.edit(link.crm_id, BEN, title="Ben's")
    for _ in range(3):
        cycle_of(world, one_shot=False)
    assert kinds_of_failures(world) == ["unavailable"]
    cycle_of(world, one_shot=False, reconcile=True)
    assert states(world)[0] == "closed"
    assert kinds_of_failures(world) == []


def test_many_deletions_that_answer_500_are_under_the_brake(tmp_path: Path) -> None:
    world = mute(tmp_path)
    for link in links(world)[:12]:
        world.nexudus.delete(int(link.nexudus_id), ANA)
    assert cycle_of(world, reconcile=True).brake == "mass-delete"
    assert set(states(world)) == {"active"}
    with world.store.session() as session:
        for brake in session.exec(select(Brake)):
            brake.state = "released"
    assert cycle_of(world).brake is None
    assert states(world).count("closed") == 12


def test_a_card_that_is_listed_but_cannot_be_read_costs_no_further_call(tmp_path: Path) -> None:
    world = mute(tmp_path)
    card = int(links(world)[0].nexudus_id)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.faults[Side.NEXUDUS].add("error_500_before", f"^GET .*/{card}$", times=9999)
    before = len(world.readings[Side.NEXUDUS])
    assert len(cycle_of(world, reconcile=True).errors) == 1
    reads = [one.path for one in world.readings[Side.NEXUDUS][before:]]
    assert len([path for path in reads if path.endswith("/crmopportunities")]) == 1
    assert states(world)[0] == "active"
