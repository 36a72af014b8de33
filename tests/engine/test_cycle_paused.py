"""A paused connection does nothing, and takes up what changed meanwhile when it is resumed."""

from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, rows
from sim_world import SimWorld

from nexudus_sync.store.tables import ConnectionState, Link


def pause(world: SimWorld, *, by: str | None) -> None:
    with world.store.session() as session:
        for one in rows(world, ConnectionState):
            one.paused_at, one.paused_by = (world.clock.now(), by) if by else (None, "")
            session.merge(one)


def test_nothing_is_asked_or_written_while_paused_and_all_travels_afterwards(rested: SimWorld) -> None:
    card, deal = born_in_crm(rested)
    cycle(rested)
    pause(rested, by="sofia")
    rested.nexudus.edit(card, ANA, Name="Ana's")
    calls = len(rested.nexudus.log), len(rested.crm.log)
    cycle(rested)
    assert (len(rested.nexudus.log), len(rested.crm.log)) == calls
    rested.crm.edit(deal, BEN, opportunity_amount=7)
    pause(rested, by=None)
    cycle(rested)
    assert rested.crm.record(deal)["title"] == "Ana's"
    assert rested.nexudus.record(card)["Value"] == 7


def test_a_settled_pair_carries_the_names_that_people_know_it_by(rested: SimWorld) -> None:
    card, _ = born_in_crm(rested)
    cycle(rested)
    rested.nexudus.edit(card, ANA, Name="Ana's")
    cycle(rested)
    (link,) = rows(rested, Link, nexudus_id=str(card))
    assert link.title == "Ana's"
    assert link.customer
    assert link.nexudus_changed_by == ANA
