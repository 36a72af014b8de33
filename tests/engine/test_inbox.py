"""Questions and failures: what people answer, what does not count as an answer, and what ends by itself."""

from pathlib import Path

import pytest
from engine_worlds import CITIES, at_rest, cycle_of, cycles_in_turn, kinds_of_failures, link_of_card, move_card
from sim_desks import BEN
from sim_people import ANA
from sim_stories import CREATE, born_in_crm, cycle, decide, new_card, new_deal, rows
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Failure


def test_an_answer_that_cannot_be_written_opens_the_question_again(rested: SimWorld) -> None:
    """A person takes a stage of the CRM that Nexudus does not have: they see why, and take the other one."""
    world = rested
    card, deal = born_in_crm(world)
    board = world.seeded.places.london.board_id
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, "Tour booked"))
    world.crm.move(deal, "Prospecting", BEN)
    cycle(world)
    decide(world, "sales_stage", Side.CRM)
    for _ in range(2):
        cycle(world, after=900.0)
        (question,) = rows(world, Conflict)
        assert (question.state, question.take, question.crm) == ("open", None, "Prospecting")
        assert [(one.kind, one.field) for one in rows(world, Failure, state="open")] == [("unmapped", "sales_stage")]
    before = len(world.readings[Side.NEXUDUS])
    cycle(world, after=900.0)
    assert not [seen for seen in world.readings[Side.NEXUDUS][before:] if seen.path.endswith(f"/{card}")]
    decide(world, "sales_stage", Side.NEXUDUS)
    cycle(world)
    assert world.crm.record(deal)["sales_stage"] == "Tour booked"
    assert [one.state for one in rows(world, Conflict)] == ["closed"]
    assert rows(world, Failure, state="open") == []


def test_a_question_is_not_answered_by_what_else_changes(rested: SimWorld) -> None:
    """Both rename it within a second: a person is asked, and neither Ana's note nor a neighbour's move decides."""
    world = rested
    card, deal = born_in_crm(world)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.crm.edit(deal, BEN, title="Ben's")
    cycle(world)
    at = {key: world.nexudus.record(card)[key] for key in ("CrmBoardColumnId", "Position")}
    for change in (lambda: world.nexudus.edit(card, ANA, Notes="Called"), lambda: new_card(world, "carla", **at)):
        change()
        for _ in range(2):
            cycle(world, after=600.0)
        assert (world.nexudus.record(card)["Name"], world.crm.record(deal)["title"]) == ("Ana's", "Ben's")
        assert [(one.field, one.state) for one in rows(world, Conflict)] == [("title", "open")]
    world.nexudus.edit(card, ANA, Name="Ana's later")
    cycle(world)
    assert world.crm.record(deal)["title"] == "Ana's later"
    assert [one.state for one in rows(world, Conflict)] == ["closed"]


def test_what_the_server_itself_moved_last_is_not_the_newest(rested: SimWorld) -> None:
    """Both rename it, Ben later; then a neighbour takes the card's place, which moves the card's stamp as well."""
    world = rested
    card, deal = born_in_crm(world)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.clock.seconds += 30
    world.crm.edit(deal, BEN, title="Ben's")
    world.clock.seconds += 10
    at = {key: world.nexudus.record(card)[key] for key in ("CrmBoardColumnId", "Position")}
    new_card(world, "carla", **at)
    cycle(world)
    assert (world.nexudus.record(card)["Name"], world.crm.record(deal)["title"]) == ("Ana's", "Ben's")
    assert [(one.field, one.state) for one in rows(world, Conflict)] == [("title", "open")]


def test_a_refused_answer_opens_the_question_again_when_its_failure_is_dismissed(rested: SimWorld) -> None:
    """Otherwise it would count as answered for ever, and both records would be read in each cycle."""
    world = rested
    card, deal = born_in_crm(world)
    world.rules["lost_reasons"] = 'on_conflict = "manual"'
    world.restart()
    world.nexudus.edit(card, ANA, LossReason=10)
    world.crm.set_lost_reasons(deal, ["Price"], BEN)
    world.crm.edit(deal, BEN, phone="+44 20 1")
    cycle(world)
    world.crm.options.refuse_unknown_lost_reasons = True
    world.crm.objects.rows["opportunity-lost-reason"].clear()
    decide(world, "lost_reasons", Side.NEXUDUS)
    cycle(world)
    (failure,) = rows(world, Failure, state="open")
    assert (failure.kind, failure.field) == ("refused", "lost_reasons")
    with world.store.session() as session:
        failure.state, failure.next_attempt = "dismissed", None
        session.add(failure)
    cycle(world)
    assert [(one.field, one.state) for one in rows(world, Conflict)] == [("lost_reasons", "open")]
    before = len(world.readings[Side.NEXUDUS])
    cycle(world)
    assert not [seen for seen in world.readings[Side.NEXUDUS][before:] if seen.path.endswith(f"/{card}")]
    decide(world, "lost_reasons", Side.CRM)
    cycle(world)
    assert world.nexudus.record(card)["LossReason"] == 4
    assert [one.state for one in rows(world, Conflict)] == ["closed"]


def test_a_conflict_on_a_field_that_does_not_travel_any_more(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Value=100)
    world.crm.edit(deal, BEN, opportunity_amount=205)
    cycle(world)
    world.rules["opportunity_amount"] = 'sync = "off"'
    world.restart()
    cycle(world)
    assert [c.state for c in rows(world, Conflict)] == ["closed"]  # "resolved" for ever, the link read in each cycle


@pytest.mark.parametrize(("system", "side"), [("overplane", Side.NEXUDUS), ("erpnext", Side.CRM)])
def test_what_failed_of_a_record_is_over_when_it_is_gone(system: str, side: Side, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system=system)
    path = CREATE if side is Side.NEXUDUS else "^POST .*/crmopportunities$"
    world.faults[side.other].add("error_500_before", path, times=9)
    record = new_card(world, "anna") if side is Side.NEXUDUS else new_deal(world, "berta")
    cycle(world)
    assert kinds_of_failures(world) == ["unavailable"]
    world.faults[side.other].clear()
    world.double(side).delete(record, ANA)
    cycle(world)
    assert kinds_of_failures(world) == []


def test_a_question_is_over_when_the_record_was_linked_elsewhere(tmp_path: Path) -> None:
    world = at_rest(tmp_path, cities=CITIES)
    card = new_card(world, "anna")
    move_card(world, card, "madrid")
    for _ in range(2):
        new_deal(world, "anna", company=world.places["madrid"].company)
    cycle_of(world, "madrid")
    assert len(rows(world, Conflict, state="open", nexudus_id=str(card))) == 1
    move_card(world, card, "london")
    cycle_of(world, "london")
    move_card(world, card, "madrid")
    cycles_in_turn(world, 3)
    assert rows(world, Conflict, state="open", nexudus_id=str(card)) == []


def test_a_question_is_closed_where_its_field_does_not_travel_any_more(tmp_path: Path) -> None:
    """Both change an amount, and a person is asked; then the card moves to a connection that leaves amounts alone."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2, cities=CITIES)
    world.rules["opportunity_amount"] = 'sync = "off"'
    world.restart()
    without_amounts = world.bridge_of("madrid").mapping
    world.rules.clear()
    world.restart()
    world.bridge_of("madrid").mapping = without_amounts
    cycles_in_turn(world, 2)
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Value=100)
    world.crm.edit(deal, BEN, opportunity_amount=205)
    cycles_in_turn(world, 1)
    assert len(rows(world, Conflict, state="open")) == 1
    move_card(world, card, "madrid")
    cycles_in_turn(world, 2)
    assert link_of_card(world, card).connection == "madrid"
    assert rows(world, Conflict, state="open") == []


def test_what_failed_of_a_pair_is_out_of_sight_while_its_card_is_elsewhere(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    world.crm.move(deal, "Prospecting", BEN)
    cycle(world)
    assert [one.kind for one in rows(world, Failure, state="open")] == ["unmapped"]
    move_card(world, card, "madrid")
    cycle(world)
    assert link_of_card(world, card).state == "sleeping"
    assert rows(world, Failure, state="open") == []
    move_card(world, card, "london", "Tour booked")
    world.crm.move(deal, "Prospecting", BEN)
    cycle(world)
    assert rows(world, Failure, state="open") != [] or rows(world, Conflict, state="open") != []
