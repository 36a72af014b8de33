"""A person types a third value for a conflict: both sides get it, the history has one line, and undo asks again."""

from decimal import Decimal
from typing import Any

import pytest
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, rows
from sim_world import SimWorld
from sqlmodel import col, select

from nexudus_sync.mapping import Side
from nexudus_sync.store import conflicts
from nexudus_sync.store.tables import Conflict, Decision, Failure, History


def say_value(world: SimWorld, value: Any, by: str = "sofia") -> None:
    """What `deciding.conflicts.say_value` leaves behind."""
    with world.store.session() as session:
        for one in session.exec(select(Conflict).where(col(Conflict.state) == "open")):
            one.state, one.take, one.value = "resolved", conflicts.THIRD_VALUE, value
            one.decided_by, one.decided_at = by, world.clock.now()


def both_rename(world: SimWorld) -> tuple[int, str]:
    card, deal = born_in_crm(world)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.crm.edit(deal, BEN, title="Ben's")
    cycle(world)
    return card, deal


def titles(world: SimWorld, card: int, deal: str) -> tuple[str, str]:
    return world.nexudus.record(card)["Name"], world.crm.record(deal)["title"]


def test_both_sides_get_the_value_and_one_line_keeps_what_they_said(rested: SimWorld) -> None:
    card, deal = both_rename(rested)
    say_value(rested, "Everybody's")
    cycle(rested)
    assert titles(rested, card, deal) == ("Everybody's", "Everybody's")
    assert [one.state for one in rows(rested, Conflict)] == ["closed"]
    (entry,) = rows(rested, History, field="title", nexudus_id=str(card))
    assert (entry.old, entry.lost, entry.new, entry.from_side) == ("Ana's", "Ben's", "Everybody's", "person")
    assert entry.decided_by == "sofia"
    before = len(rested.nexudus.log), len(rested.crm.log)
    cycle(rested)
    writes = [one for one in (*rested.nexudus.log[before[0] :], *rested.crm.log[before[1] :]) if one.method != "GET"]
    assert writes == []


def test_the_same_question_answered_alike_a_second_time_has_a_line_of_its_own(rested: SimWorld) -> None:
    card, deal = both_rename(rested)
    for _ in range(2):
        say_value(rested, "Everybody's")
        cycle(rested), cycle(rested)
        assert titles(rested, card, deal) == ("Everybody's", "Everybody's")
        rested.nexudus.edit(card, ANA, Name="Ana's")
        rested.crm.edit(deal, BEN, title="Ben's")
        cycle(rested)
    entries = rows(rested, History, field="title", nexudus_id=str(card), from_side="person")
    assert [(one.old, one.lost, one.new) for one in entries] == [("Ana's", "Ben's", "Everybody's")] * 2


def test_one_side_says_the_value_already(rested: SimWorld) -> None:
    card, deal = both_rename(rested)
    say_value(rested, "Ben's")
    cycle(rested)
    assert titles(rested, card, deal) == ("Ben's", "Ben's")
    assert [one.state for one in rows(rested, Conflict)] == ["closed"]


def test_the_answer_is_not_for_a_later_edit(rested: SimWorld) -> None:
    card, deal = both_rename(rested)
    say_value(rested, "Everybody's")
    rested.crm.edit(deal, BEN, title="Ben's later")
    cycle(rested)
    assert titles(rested, card, deal) == ("Ben's later", "Ben's later")
    assert [one.state for one in rows(rested, Conflict)] == ["closed"]
    assert "person" not in {one.from_side for one in rows(rested, History)}


def test_undo_opens_the_conflict_again(rested: SimWorld) -> None:
    card, deal = both_rename(rested)
    say_value(rested, "Everybody's")
    cycle(rested)
    (entry,) = rows(rested, History, field="title", nexudus_id=str(card))
    with rested.store.session() as session:
        args = {"history_id": entry.id, "force": False}
        session.add(Decision(connection=entry.connection, kind="undo", args=args, asked_at=rested.clock.now()))
    for _ in range(2):
        cycle(rested)
        assert titles(rested, card, deal) == ("Ana's", "Ben's")
        assert [(one.nexudus, one.crm) for one in rows(rested, Conflict, state="open")] == [("Ana's", "Ben's")]
    assert [one.outcome for one in rows(rested, Decision)] == ["brought back"]
    rested.nexudus.edit(card, ANA, Value=100)  # so that both records are read, and not only the question
    rested.crm.edit(deal, BEN, opportunity_amount=200)
    cycle(rested)
    assert titles(rested, card, deal) == ("Ana's", "Ben's")
    assert "title" in [one.field for one in rows(rested, Conflict, state="open")]


def test_a_blank_as_the_third_value_empties_both(rested: SimWorld) -> None:
    card, deal = born_in_crm(rested)
    cycle(rested)
    rested.nexudus.edit(card, ANA, Value=100)
    rested.crm.edit(deal, BEN, opportunity_amount=200)
    cycle(rested)
    say_value(rested, None)
    cycle(rested)
    assert not rested.nexudus.record(card)["Value"]
    assert not rested.crm.record(deal)["opportunity_amount"]
    assert rows(rested, Conflict, state="open") == []


def test_money_keeps_its_digits(rested: SimWorld) -> None:
    card, deal = born_in_crm(rested)
    cycle(rested)
    rested.nexudus.edit(card, ANA, Value=100)
    rested.crm.edit(deal, BEN, opportunity_amount=200)
    cycle(rested)
    say_value(rested, "150.25")
    cycle(rested)
    assert Decimal(str(rested.nexudus.record(card)["Value"])) == Decimal("150.25")
    assert Decimal(str(rested.crm.record(deal)["opportunity_amount"])) == Decimal("150.25")


def test_money_with_more_digits_than_its_currency_is_rounded_once_for_both_sides(rested: SimWorld) -> None:
    card, deal = born_in_crm(rested)
    cycle(rested)
    rested.nexudus.edit(card, ANA, Value=100)
    rested.crm.edit(deal, BEN, opportunity_amount=200)
    cycle(rested)
    say_value(rested, "150.255")
    cycle(rested)
    cycle(rested)
    assert Decimal(str(rested.nexudus.record(card)["Value"])) == Decimal("150.26")
    assert Decimal(str(rested.crm.record(deal)["opportunity_amount"])) == Decimal("150.26")
    (entry,) = rows(rested, History, field="opportunity_amount", nexudus_id=str(card))
    assert (Decimal(entry.new), entry.from_side) == (Decimal("150.26"), "person")


def test_a_name_that_one_side_does_not_have_asks_again_and_says_why(rested: SimWorld) -> None:
    card, deal = born_in_crm(rested)
    cycle(rested)
    board = rested.seeded.places.london.board_id
    rested.nexudus.edit(card, ANA, CrmBoardColumnId=rested.nexudus.directory.stage_named(board, "Tour booked"))
    rested.crm.move(deal, "Prospecting", BEN)
    cycle(rested)
    say_value(rested, "Nowhere")
    cycle(rested)
    assert [(one.state, one.value) for one in rows(rested, Conflict)] == [("open", None)]
    assert ("unmapped", "sales_stage") in [(one.kind, one.field) for one in rows(rested, Failure, state="open")]


@pytest.mark.parametrize("side", list(Side))
def test_a_system_that_fails_between_the_two_writes_gets_the_value_later(rested: SimWorld, side: Side) -> None:
    card, deal = both_rename(rested)
    say_value(rested, "Everybody's")
    rested.faults[side].add("connect", "^(PUT|PATCH) ", times=99)
    cycle(rested)
    rested.faults[side].clear()
    for _ in range(3):
        cycle(rested, after=900.0)
    assert titles(rested, card, deal) == ("Everybody's", "Everybody's")
    assert rows(rested, Conflict, state="open") == []
    (entry,) = rows(rested, History, field="title", nexudus_id=str(card), from_side="person")
    assert (entry.old, entry.lost) == ("Ana's", "Ben's")
