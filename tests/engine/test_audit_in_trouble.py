"""The audit trail cannot be read now, or the card moved since: what was lost is shown later, and the rest goes on."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import CITIES, ask, at_rest, cycle_of, cycles_in_turn, many_gone, move_card
from lost_edits import shown, world_with_a_lost_edit
from sim_people import ANA
from sim_stories import born_in_crm, cycle, rows
from sqlmodel import select

from nexudus_sync.engine import audit
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, Decision, History

TRAIL = "^GET .*/sys/audittrailentries"


def test_a_trail_that_cannot_be_read_does_not_fail_the_cycle(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    world.faults[Side.NEXUDUS].add("error_500_before", TRAIL, times=9999)
    world.nexudus.edit(card, ANA, Name="Renamed")
    cycle(world)
    entry = rows(world, History, crm_id=deal)[-1]
    ask(world, "undo", history_id=entry.id)
    report = cycle_of(world, "london", reconcile=True)
    assert any("audittrail" in error for error in report.errors)
    assert rows(world, Decision)[0].done_at is not None
    assert world.crm.record(deal)["title"] == entry.old


def test_a_release_is_spent_though_the_trail_cannot_be_read(tmp_path: Path) -> None:
    world, _ = many_gone(tmp_path)
    world.faults[Side.NEXUDUS].add("error_500_before", TRAIL, times=9999)
    cycle_of(world, "london", one_shot=False)
    assert [brake.state for brake in rows(world, Brake)] == ["gone"]


def test_what_the_trail_showed_while_it_could_not_be_read_is_shown_later(tmp_path: Path) -> None:
    world, _ = world_with_a_lost_edit(tmp_path)
    world.faults[Side.NEXUDUS].add("error_500_before", TRAIL, times=9999)
    cycle(world, reconcile=True)
    world.faults[Side.NEXUDUS].clear()
    cycle(world, reconcile=True, after=86400.0)
    assert [conflict.field for conflict in shown(world)] == ["opportunity_amount"]


def test_a_value_lost_in_the_gap_is_shown_when_its_card_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, link = world_with_a_lost_edit(tmp_path)
    said = audit._values

    async def broken(*args: Any) -> Any:
        world.faults[Side.NEXUDUS].add("error_500_before", f"^GET .*/{link.nexudus_id}$", times=99)
        try:
            return await said(*args)
        finally:
            world.faults[Side.NEXUDUS].clear()

    with monkeypatch.context() as patch:
        patch.setattr(audit, "_values", broken)
        cycle(world, reconcile=True)
    assert shown(world) == []
    cycle(world, reconcile=True, after=86400.0)
    assert [conflict.field for conflict in shown(world)] == ["opportunity_amount"]


def test_a_value_lost_in_the_gap_is_shown_though_its_card_moved_since(tmp_path: Path) -> None:
    """Madrid has read the trail when the card comes to it, and it is gone from London when London reads it."""
    world, link = world_with_a_lost_edit(tmp_path, cities=CITIES)
    cycle_of(world, "madrid", reconcile=True)
    move_card(world, int(link.nexudus_id), "madrid")
    cycle_of(world, "madrid")
    cycles_in_turn(world, 2, reconcile=True)
    assert [(asked.connection, asked.nexudus) for asked in shown(world)] == [("madrid", "4321.00")]


def test_a_decision_is_not_asked_for_again_when_the_connection_is_renamed(tmp_path: Path) -> None:
    world, _ = world_with_a_lost_edit(tmp_path)
    cycle(world, reconcile=True)
    with world.store.session() as session:
        asked = session.exec(select(Conflict)).one()
        asked.state, asked.take = "resolved", Side.CRM.value
    cycle(world)
    world.places = {"west end": world.places["london"]}
    world.restart()
    cycle(world), cycle(world, reconcile=True)
    assert shown(world) == []
