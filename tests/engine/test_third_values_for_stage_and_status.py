"""A third value for a status or a stage, where a CRM has one value for both: the answer stands, and nothing bounces."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlmodel import col, select
from stage_desks import LOST, OPEN, WON, Desks, working

from nexudus_sync.store import conflicts
from nexudus_sync.store.tables import Conflict, History
from small_office import MARIA


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Desks]:
    async for made in working(Desks(tmp_path)):
        yield made


@pytest.fixture
async def paired(tmp_path: Path) -> AsyncIterator[Desks]:
    async for made in working(Desks(tmp_path, paired=True)):
        yield made


def answer(office: Desks, **values: str) -> None:
    """What `conflicts resolve --value` leaves behind."""
    with office.engine.store.session() as session:
        for one in session.exec(select(Conflict).where(col(Conflict.state) == "open")):
            one.state, one.take, one.value = "resolved", conflicts.THIRD_VALUE, values[one.field]
            session.add(one)


async def test_won_here_and_lost_there_become_open_again(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=WON)
    office.drag_deal("Closed lost")
    await office.rest()
    answer(office, status="Open")
    await office.rest()
    assert office.says() == (OPEN, "Tour booked", "Tour booked")
    assert office.conflicts() == []


async def test_won_here_and_lost_there_become_one_of_them_by_another_word(office: Desks) -> None:
    office.cards.edit(office.card, MARIA, Status=WON)
    office.drag_deal("Closed lost")
    await office.rest()
    answer(office, status="Closed")
    await office.rest()
    assert office.says() == (LOST, "Tour booked", "Closed lost")
    assert office.conflicts() == []


async def test_two_columns_become_a_third(office: Desks) -> None:
    office.drag_card("Proposal sent")
    office.drag_deal("Negotiation")
    await office.rest()
    assert office.conflicts() == ["sales_stage"]
    answer(office, sales_stage="New lead")
    await office.rest()
    assert office.says() == (OPEN, "New lead", "New lead")
    assert office.conflicts() == []


async def test_a_stage_that_only_the_crm_has_is_asked_about_again(office: Desks) -> None:
    office.drag_card("Proposal sent")
    office.drag_deal("Negotiation")
    await office.rest()
    answer(office, sales_stage="Closed won")
    await office.rest()
    assert office.says() == (OPEN, "Proposal sent", "Negotiation")
    assert office.conflicts() == ["sales_stage"]
    assert ("unmapped", "sales_stage") in office.failures()


async def test_a_third_column_that_wins_wins_both(paired: Desks) -> None:
    paired.drag_card("Proposal sent")
    paired.drag_deal("Negotiation")
    await paired.rest()
    answer(paired, sales_stage="Won")
    await paired.rest()
    assert paired.says() == (WON, "Won", "Closed won")
    assert paired.conflicts() == []


@pytest.mark.parametrize(
    ("status", "stage"), [("Open", "Won"), ("Open", "Lost"), ("Converted", "New lead"), ("Lost", "Won")]
)
async def test_answers_that_contradict_each_other_come_to_rest_and_none_is_lost_unseen(
    paired: Desks, status: str, stage: str
) -> None:
    paired.cards.edit(paired.card, MARIA, Status=WON)
    paired.drag_card("Proposal sent")
    paired.drag_deal("Closed lost")
    await paired.rest()
    assert sorted(paired.conflicts()) == ["sales_stage", "status"]
    answer(paired, status=status, sales_stage=stage)
    await paired.rest()
    own, column, label = paired.says()
    assert own == {"Closed won": WON, "Closed lost": LOST}.get(label, OPEN)
    said = {{OPEN: "Open", WON: "Converted", LOST: "Lost"}[own], column}
    superseded = {one.lost for one in paired.rows(History)}
    for answered in (status, stage):
        assert answered in said | superseded or paired.conflicts() == ["sales_stage"]
