"""Edits that fall between our GET and our PUT: a reconcile finds the lost value, which can be brought back."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lost_edits import cycle_soon, shown, world_with_a_lost_edit
from sim_desks import BEN
from sim_people import ANA
from sim_world import ENVIRONMENT, SimWorld
from sqlmodel import select

from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sandbox.wire import Request, Response
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Fact, History, Link


def test_a_lost_edit_of_a_card_that_was_deleted_since(tmp_path: Path) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    world.nexudus.delete(int(link.nexudus_id), ANA)
    died = 0
    for _ in range(5):
        try:
            cycle_soon(world, reconcile=True)
        except Exception:
            died += 1
    assert died == 0  # 5


def test_a_value_lost_in_the_gap_is_shown_by_a_reconcile(tmp_path: Path) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    cycle_soon(world, reconcile=True)
    (conflict,) = shown(world)
    assert (conflict.field, conflict.nexudus_id, conflict.nexudus) == ("opportunity_amount", link.nexudus_id, "4321.00")
    assert str(conflict.reason).startswith("overwritten")
    assert str(conflict.reason).endswith(f" UTC; Nexudus has no lock; {ANA} had written it")
    with world.store.read() as session:
        assert any(entry.lost == "4321.00" for entry in session.exec(select(History)))
    world.close()


def test_it_is_shown_once_and_survives_further_cycles(tmp_path: Path) -> None:
    world, _ = world_with_a_lost_edit(tmp_path)
    for _ in range(3):
        cycle_soon(world, reconcile=True)
    assert len(shown(world)) == 1
    world.close()


def test_taking_it_brings_it_back_to_both_sides(tmp_path: Path) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    cycle_soon(world, reconcile=True)
    with world.store.session() as session:
        conflict = session.exec(select(Conflict).where(Conflict.field == "opportunity_amount")).one()
        conflict.state, conflict.take = "resolved", Side.NEXUDUS.value
        session.add(conflict)
    cycle_soon(world)
    assert world.nexudus.record(int(link.nexudus_id))["Value"] == 4321
    assert world.crm.record(link.crm_id)["opportunity_amount"] == 4321
    assert shown(world) == []
    world.close()


def test_an_answer_is_for_the_value_shown(tmp_path: Path) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    cycle_soon(world, reconcile=True)
    with world.store.session() as session:
        conflict = session.exec(select(Conflict).where(Conflict.field == "opportunity_amount")).one()
        conflict.state, conflict.take = "resolved", Side.NEXUDUS.value
        session.add(conflict)
    world.crm.edit(link.crm_id, BEN, opportunity_amount=99)
    cycle_soon(world)
    cycle_soon(world)
    assert world.nexudus.record(int(link.nexudus_id))["Value"] == 99
    assert world.crm.record(link.crm_id)["opportunity_amount"] == 99
    (asked,) = shown(world)
    assert (asked.nexudus, asked.crm) == ("4321.00", "99.00")
    world.close()


def test_without_the_role_to_read_the_trail_a_reconcile_does_the_rest(tmp_path: Path) -> None:
    world, _ = world_with_a_lost_edit(tmp_path)
    entities = ("CrmOpportunity", "CrmBoard", "CrmBoardColumn", "User", "Business", "Coworker")
    verbs = ("List", "Read", "Create", "Edit", "Delete")
    roles = frozenset(f"{entity}-{verb}" for entity in entities for verb in verbs)
    world.nexudus.add_account(SYNC_USER, ENVIRONMENT["PASSWORD"], roles=roles)
    world.restart()
    report = cycle_soon(world, reconcile=True)
    assert report.finished
    assert shown(world) == []
    world.close()


def test_a_reconcile_noted_under_a_clock_that_was_ahead_hides_nothing(tmp_path: Path) -> None:
    world, _ = world_with_a_lost_edit(tmp_path)
    ahead = (world.clock.now() + timedelta(days=400)).isoformat()
    with world.store.session() as session:
        session.add(Fact(system="nexudus", key="trail london", value={"until": ahead, "number": 0, "unread": []}))
    cycle_soon(world, reconcile=True)
    assert [conflict.field for conflict in shown(world)] == ["opportunity_amount"]
    world.close()


def test_a_server_that_numbers_from_lower_on_hides_nothing(tmp_path: Path) -> None:
    world, _ = world_with_a_lost_edit(tmp_path)
    read = (world.clock.now() - timedelta(hours=2)).isoformat()
    with world.store.session() as session:
        session.add(Fact(system="nexudus", key="trail london", value={"until": read, "number": 10**9, "unread": []}))
    cycle_soon(world, reconcile=True)
    assert [conflict.field for conflict in shown(world)] == ["opportunity_amount"]
    cycle_soon(world, reconcile=True)
    assert len(shown(world)) == 1
    world.close()


def test_it_does_not_replace_a_question_about_newer_values(tmp_path: Path) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    world.nexudus.edit(int(link.nexudus_id), ANA, Value=300)
    world.crm.edit(link.crm_id, BEN, opportunity_amount=400)
    cycle_soon(world)
    cycle_soon(world, reconcile=True)
    with world.store.read() as session:
        (asked,) = session.exec(select(Conflict).where(Conflict.state == "open"))
        assert (asked.nexudus, asked.crm, asked.reason) == ("300.00", "400.00", None)
        assert any(entry.lost == "4321.00" for entry in session.exec(select(History)))
    world.close()


def rested(folder: Path) -> tuple[SimWorld, Link]:
    """A world at rest, and one of its pairs."""
    world = SimWorld(5, folder, nexudus=4, crm=3, shared=2)
    cycle_soon(world), cycle_soon(world)
    with world.store.read() as session:
        link = next(link for link in session.exec(select(Link)) if int(link.nexudus_id) in world.seeded.nexudus_ids)
    return world, link


@pytest.mark.parametrize(
    ("field", "theirs", "ours"),
    [
        ("opportunity_amount", {"Value": Decimal("100.50")}, {"opportunity_amount": Decimal("205.25")}),
        ("expected_closing", {"DueDate": "2027-01-05T12:00:00Z"}, {"expected_closing": "2027-02-06"}),
        ("title", {"Name": "12.50"}, {"title": "true"}),
    ],
)
def test_what_a_resolution_replaces_was_not_overwritten_unseen(
    field: str, theirs: dict[str, Any], ours: dict[str, Any], tmp_path: Path
) -> None:
    """Both edit it, a person takes the CRM's value: the write knew what it replaced, however the trail spells that."""
    world, link = rested(tmp_path)
    world.nexudus.edit(int(link.nexudus_id), ANA, **theirs)
    world.crm.edit(link.crm_id, BEN, **ours)
    cycle_soon(world)
    with world.store.session() as session:
        for conflict in session.exec(select(Conflict).where(Conflict.field == field, Conflict.state == "open")):
            conflict.state, conflict.take = "resolved", Side.CRM.value
            session.add(conflict)
    cycle_soon(world), cycle_soon(world, reconcile=True)
    assert shown(world) == []
    world.close()


@pytest.mark.parametrize("name", ["12.50", "true", "007", "null"])
def test_a_name_that_looks_like_something_else_is_shown_when_it_is_lost(name: str, tmp_path: Path) -> None:
    world, link = rested(tmp_path)
    card, armed = int(link.nexudus_id), [True]

    def in_the_gap(request: Request, _: Response) -> None:
        if armed and request.method == "GET" and request.path.endswith(f"/crmopportunities/{card}"):
            armed.clear()
            world.nexudus.edit(card, ANA, Name=name)

    world.nexudus.watchers.append(in_the_gap)
    world.crm.edit(link.crm_id, BEN, opportunity_amount=99)
    cycle_soon(world), cycle_soon(world, reconcile=True)
    assert [(one.field, one.nexudus) for one in shown(world)] == [("title", name)]
    world.close()


@pytest.mark.parametrize("again", [4321, 777])
def test_the_question_is_over_when_somebody_wrote_the_lost_value_or_a_newer_one(again: int, tmp_path: Path) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    cycle_soon(world, reconcile=True)
    world.nexudus.edit(int(link.nexudus_id), ANA, Notes="nothing to do with it")
    cycle_soon(world)
    assert len(shown(world)) == 1
    world.crm.edit(link.crm_id, BEN, opportunity_amount=again)
    cycle_soon(world), cycle_soon(world)
    assert (shown(world), world.nexudus.record(int(link.nexudus_id))["Value"]) == ([], again)
    world.close()


def test_nobody_is_asked_about_a_value_that_was_overwritten_since(tmp_path: Path) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    world.nexudus.edit(int(link.nexudus_id), ANA, Value=777)
    cycle_soon(world), cycle_soon(world, reconcile=True)
    assert shown(world) == []
    with world.store.read() as session:
        assert any(entry.lost == "4321.00" for entry in session.exec(select(History)))
    world.close()


def test_a_question_whose_two_values_are_of_one_class_closes_at_a_reconcile(tmp_path: Path) -> None:
    """As earlier versions asked it: the same amount, once as the trail spells it."""
    world, _ = world_with_a_lost_edit(tmp_path)
    cycle_soon(world, reconcile=True)
    with world.store.session() as session:
        conflict = session.exec(select(Conflict).where(Conflict.field == "opportunity_amount")).one()
        conflict.nexudus, conflict.crm = "205.2", "205.20"
        session.add(conflict)
    cycle_soon(world, reconcile=True)
    assert shown(world) == []
    world.close()
