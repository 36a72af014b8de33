"""Deals that people merge, delete and restore in a CRM that knows merges, through the whole engine."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nexudus_sync.store.tables import Conflict, Link
from small_office import MARIA, TOM, SmallOffice


@pytest.fixture(params=["survivor", "not-found"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SmallOffice]:
    made = SmallOffice(tmp_path, "hubspot", shared=2)
    made.deals.options.merged_answers = request.param
    async with made.open():
        yield made


def unlinked_deal(office: SmallOffice, **values: Any) -> str:
    """A deal of another pipeline, which has no card."""
    pipeline = next(one for one in office.deals.pipelines.all if one.label == "Example Iberia")
    place = {"pipeline": pipeline.id, "dealstage": pipeline.stages[0].id}
    return str(office.deals.create(TOM, dealname="Double entry", **{**place, **values}))


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_pair_follows_its_deal_into_the_one_that_is_left(office: SmallOffice, keeps: bool) -> None:
    office.deals.options.merge_keeps_primary = keeps
    card, deal = office.pairs[0]
    other = unlinked_deal(office)
    primary, second = (other, deal) if keeps else (deal, other)
    pipeline = office.deals.record(deal)["pipeline"]
    left = office.deals.merge(primary, second, TOM)
    office.deals.edit(left, TOM, dealname="What is left", pipeline=pipeline, dealstage=_first(office, pipeline))
    office.cards.edit(card, MARIA, Notes="looked at")
    await office.settle(3, reconcile=True)
    assert office.links()[card] == left
    assert office.cards.record(card)["Name"] == "What is left"
    assert len(office.links()) == 2
    assert office.conflicts() == []


def _first(office: SmallOffice, pipeline: str) -> str:
    return str(next(one for one in office.deals.pipelines.all if one.id == pipeline).stages[0].id)


async def test_two_deals_with_cards_of_their_own_become_a_question(office: SmallOffice) -> None:
    (one, kept), (two, gone) = office.pairs
    office.deals.options.merge_keeps_primary = True
    office.deals.merge(kept, gone, TOM)
    before = office.cards.record(two)["Name"]
    for _ in range(3):
        await office.settle(1, reconcile=True)
        office.clock.turn(1200)
    assert office.links()[one] == kept
    assert office.cards.record(two)["Name"] == before
    asked = [(row.nexudus_id, row.field) for row in office.rows(Conflict, state="open")]
    assert asked == [(str(two), "record")]
    assert len(office.deals.records()) == len([row for row in office.deals.records() if row != gone])


async def test_two_deals_with_cards_that_become_a_new_one_get_no_third_card(office: SmallOffice) -> None:
    (one, kept), (two, gone) = office.pairs
    left = office.deals.merge(kept, gone, TOM)
    count = len(office.cards.records())
    report = await office.cycle()
    assert not report.created
    assert len(office.cards.records()) == count
    assert left in (office.links()[one], office.links()[two])
    await office.settle(2, reconcile=True)
    office.clock.turn(1200)
    await office.settle(2, reconcile=True)
    follower, other = (one, two) if office.links()[one] == left else (two, one)
    asked = [(row.nexudus_id, row.field) for row in office.rows(Conflict, state="open")]
    assert asked == [(str(other), "record")]
    office.cards.edit(follower, MARIA, Name="Both of them")
    await office.settle(2)
    assert office.deals.record(left)["dealname"] == "Both of them"
    assert len(office.cards.records()) == count


async def test_the_question_about_a_merged_deal_offers_only_what_can_be_done(office: SmallOffice) -> None:
    """The deal that is left has a card already, so an answer to go on with it could only be asked for again."""
    (one, kept), (two, gone) = office.pairs
    left, count = office.deals.merge(kept, gone, TOM), len(office.cards.records())
    await office.settle(2, reconcile=True)
    office.clock.turn(1200)
    await office.settle(1, reconcile=True)
    follower = one if office.links()[one] == left else two
    wanted = f"which {follower} is paired with; take nexudus to part the pair"
    for take, state in (("crm", "open"), ("nexudus", "closed")):
        (asked,) = office.rows(Conflict, field="record")
        assert wanted in asked.reason
        assert "take crm" not in asked.reason
        with office.engine.store.session() as session:
            found = session.get_one(Conflict, asked.id)
            found.state, found.take = "resolved", take
        await office.settle(2, reconcile=True)
        assert [row.state for row in office.rows(Conflict, field="record")] == [state]
    assert list(office.links()) == [follower]
    assert len(office.cards.records()) == count


async def test_a_deal_that_is_merged_before_it_has_a_card_gets_none(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    place = {key: office.deals.record(deal)[key] for key in ("pipeline", "dealstage", "contacts")}
    double = office.deals.create(TOM, dealname="Double entry", **place)
    left = office.deals.merge(deal, double, TOM)
    count = len(office.cards.records())
    await office.settle(2)
    assert office.links()[card] == left
    assert len(office.cards.records()) == count


async def test_a_deleted_deal_parts_its_pair_and_a_restored_one_does_no_harm(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.deals.delete(deal, TOM)
    await office.settle(2, reconcile=True)
    assert [link.state for link in office.rows(Link, crm_id=deal)] == ["closed"]
    office.deals.restore(deal, TOM)
    count = len(office.card_titles())
    await office.settle(2, reconcile=True)
    assert len(office.card_titles()) == count
    assert office.cards.record(card)["Name"]
