"""A saved plan is an allow-list: what it does not have is left for later, whatever the cycle would do of itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_worlds import ask, at_rest, cycle_of, failures_of, link_of_card
from sim_people import ANA
from sim_stories import links, new_card, new_deal, rows
from sim_world import SimWorld

from nexudus_sync.engine.actions import Action, Allowed, refuse_unplanned
from nexudus_sync.errors import NotPlanned
from nexudus_sync.store.tables import Decision, Journal


def copy_of_card(**fields: Any) -> Action:
    return Action("london", "create", "overplane", "17", "", fields)


def update(system: str = "overplane", nexudus_id: str = "17", crm_id: str = "deal", **fields: Any) -> Action:
    return Action("london", "update", system, nexudus_id, crm_id, fields)


def said(new: str) -> dict[str, Any]:
    return {"old": None, "new": new}


def permits(action: Action) -> bool:
    """After a planned copy of card 17 was permitted."""
    allowed = Allowed([copy_of_card(title=said("Desk"), sales_stage=said("Tour"))])
    assert allowed.permits(copy_of_card(title=said("Desk"), sales_stage=said("Tour")))
    found = allowed.permits(action)
    assert found == (action.key not in allowed.skipped)
    return found


def test_what_the_create_could_not_carry_follows_the_copy() -> None:
    assert permits(update(sales_stage=said("Tour")))


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(update(amount=said("7")), id="a field that the copy does not have"),
        pytest.param(update(sales_stage=said("Tour"), amount=said("7")), id="that and another"),
        pytest.param(update("nexudus", sales_stage=said("Tour")), id="a write back to the source"),
        pytest.param(update(nexudus_id="18", sales_stage=said("Tour")), id="another record"),
        pytest.param(Action("london", "delete", "overplane", "17", "deal", {}), id="a deletion"),
    ],
)
def test_nothing_else_follows_the_copy(action: Action) -> None:
    assert not permits(action)


def test_nothing_follows_a_copy_that_was_not_made() -> None:
    allowed = Allowed([copy_of_card(sales_stage=said("Tour"))])
    assert not allowed.permits(update(sales_stage=said("Tour")))
    assert allowed.left() == [copy_of_card(sales_stage=said("Tour"))]


def test_without_a_plan_all_is_done() -> None:
    refuse_unplanned(None, update())
    with pytest.raises(NotPlanned):
        refuse_unplanned(Allowed([]), update())


@contextmanager
def only(world: SimWorld, *actions: Action) -> Iterator[Allowed]:
    """Cycles that carry out a plan of these actions."""
    connection = world.engine.connections[0]
    connection.allowed = Allowed(actions)
    yield connection.allowed
    connection.allowed = None


def nothing_waits(world: SimWorld) -> bool:
    return failures_of(world) == [] and not rows(world, Journal, state="planned")


def test_an_unplanned_deletion_waits_and_is_no_failure(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    card, deal = world.seeded.pairs[0]
    world.nexudus.delete(card, ANA)
    with only(world) as allowed:
        cycle_of(world, reconcile=True)
        assert [one.action for one in allowed.skipped.values()] == ["delete"]
    assert deal in world.crm.records()
    assert nothing_waits(world)
    cycle_of(world, reconcile=True)
    assert deal not in world.crm.records()


def test_a_planned_deletion_is_carried_out(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    card, deal = world.seeded.pairs[0]
    world.nexudus.delete(card, ANA)
    with only(world, Action("london", "delete", world.engine.connections[0].crm, str(card), deal, {})) as allowed:
        cycle_of(world, reconcile=True)
        assert (allowed.left(), allowed.skipped) == ([], {})
    assert deal not in world.crm.records()


def test_an_unplanned_edit_waits_and_is_no_failure(rested: SimWorld) -> None:
    card, deal = rested.seeded.pairs[0]
    rested.nexudus.edit(card, ANA, Name="Ana's")
    with only(rested):
        cycle_of(rested)
    assert rested.crm.record(deal)["title"] != "Ana's"
    assert nothing_waits(rested)
    cycle_of(rested)
    assert rested.crm.record(deal)["title"] == "Ana's"


def test_records_that_a_person_pairs_wait_for_a_cycle_without_the_plan(rested: SimWorld) -> None:
    card, deal = new_card(rested, "anna"), new_deal(rested, "zora")
    ask(rested, "link", nexudus_id=str(card), crm_id=deal)
    with only(rested) as allowed:
        cycle_of(rested)
        assert ("london", "link", "", str(card), deal) in allowed.skipped
    assert str(card) not in {one.nexudus_id for one in links(rested)}
    assert [one.outcome for one in rows(rested, Decision)] == [None]
    cycle_of(rested)
    assert link_of_card(rested, card).crm_id == deal
