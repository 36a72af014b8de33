"""Stories of systems that were restored from a backup."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, links, new_card, new_deal
from sim_world import SimWorld
from test_odd_moments import at_rest
from test_trouble_stays_small import alone

from nexudus_sync.mapping import Side


@pytest.fixture(params=["ignore", "propagate"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimWorld]:
    """Pairs that agree, under both rules for deletions."""
    begun = at_rest(tmp_path, deletes=request.param)
    yield begun
    begun.close()


def backup(world: SimWorld) -> Callable[[], None]:
    """Nexudus's cards as they are now; calling it an hour later restores them."""
    cards = world.nexudus.cards
    kept = deepcopy((cards.rows, cards.listed, cards._slots, cards.next_id))

    def restore() -> None:
        world.clock.seconds += 3600
        cards.rows, cards.listed, cards._slots, cards.next_id = deepcopy(kept)

    return restore


def called(world: SimWorld) -> tuple[list[str], list[str]]:
    """The names of the two newest cards, and of the two newest opportunities."""
    cards = [world.nexudus.record(card)["Name"] for card in sorted(world.nexudus.records())]
    deals = [deal["title"] for deal in world.crm.records().values()]
    return cards[-2:], deals[-2:]


@pytest.mark.parametrize("read_alone", [False, True])
def test_a_new_card_that_bears_the_id_of_a_lost_one_is_not_that_one(read_alone: bool, world: SimWorld) -> None:
    """Else Zoe's offer would be written over Berta's, and never be copied."""
    restore = backup(world)
    card, deal = born_in_crm(world)
    restore()
    assert new_card(world, "zoe", Value=999) == card
    world.crm.edit(deal, BEN, utm_source="fair")
    if read_alone:
        assert alone(world, Side.CRM, deal).errors == [
            f"nexudus {card}: its id was given to another card, which a listing shows"
        ]
    for reconcile in (False, False, True, False):
        cycle(world, reconcile=reconcile)
    assert called(world)[1] == ["berta", "zoe"]
    assert [(link.nexudus_id, link.crm_id == deal, link.state) for link in links(world)[-2:]] == [
        (f"{card}~{links(world)[-2].id}", True, "closed"),
        (str(card), False, "active"),
    ]
    world.nexudus.edit(card, ANA, Name="Zoe's")
    cycle(world)
    assert called(world)[1] == ["berta", "Zoe's"]


@pytest.mark.parametrize("lost", [False, True])
def test_a_card_that_the_sync_creates_may_be_given_the_id_of_a_lost_one(lost: bool, world: SimWorld) -> None:
    """Else the cycle would end with an error of the store, and the next one create the card once more."""
    restore = backup(world)
    card, deal = born_in_crm(world)
    restore()
    other = new_deal(world, "zoe")
    if lost:
        world.faults[Side.NEXUDUS].add("drop_after", "^POST .*/crmopportunities$", times=1)
    before = len(world.nexudus.records())
    for reconcile in (False, False, True, False):
        cycle(world, reconcile=reconcile)
    assert len(world.nexudus.records()) == before + 1
    assert called(world)[1] == ["berta", "zoe"]
    active = [(link.nexudus_id, link.crm_id) for link in links(world) if link.state == "active"]
    assert (str(card), other) in active
    assert deal not in [crm_id for _, crm_id in active]
