"""Brakes: a mass change is judged by contents, and one cause sets one brake, which says what it is about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sim_desks import BEN
from sim_people import ANA
from sim_stories import cycle, links, new_deal, rows
from sim_world import SimWorld
from test_odd_moments import at_rest
from test_odd_moments import one as one_cycle

from nexudus_sandbox.wire import Response, json_response
from nexudus_sync.engine.cycle import settle_record
from nexudus_sync.engine.pull import judge
from nexudus_sync.engine.pull.judge import Trial
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, Failure

pytestmark = pytest.mark.usefixtures("closed")


def trial(moved: int, read: int, changed: int, total: int = 3000) -> Trial:
    """A judgement of which so many were read, the changed ones first."""
    return Trial(1, Side.NEXUDUS, list(range(moved)), total, {str(n): n < changed for n in range(read)})


@pytest.mark.parametrize(
    ("moved", "read", "changed", "verdict"),
    [
        (3000, 99, 0, "judging"),
        (3000, 99, 64, "judging"),
        (3000, 99, 65, "set"),
        (3000, 100, 35, "passed"),
        (3000, 100, 36, "judging"),
        (3000, 100, 64, "judging"),
        (3000, 100, 65, "set"),
        (3000, 400, 40, "passed"),
        (3000, 399, 64, "judging"),
        (60, 60, 50, "passed"),
        (60, 60, 51, "set"),
    ],
)
def test_the_first_hundred_decide_and_four_hundred_where_they_do_not(
    moved: int, read: int, changed: int, verdict: str
) -> None:
    assert trial(moved, read, changed, total=100 if moved == 60 else 3000).verdict == verdict


@pytest.mark.parametrize(("changed", "verdict"), [(199, "passed"), (201, "set")])
def test_the_majority_of_four_hundred_decides(changed: int, verdict: str) -> None:
    read = {str(n): n < 50 or 100 <= n < 50 + changed for n in range(400)}
    assert Trial(1, Side.NEXUDUS, list(range(3000)), 3000, read).verdict == verdict


def test_the_order_is_random_and_a_restart_keeps_it() -> None:
    one, two = trial(1000, 0, 0), trial(1000, 0, 0)
    assert list(one.left()) == list(two.left())
    assert sum(link < 500 for link in list(one.left())[:100]) in range(30, 71)
    assert set(trial(1000, 10, 0).left()) == set(range(10, 1000))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimWorld]:
    """Worlds in which ten links are a crowd, and the sample is as small."""
    for name, value in (("CROWD", 10), ("FIRST", 6), ("MOST", 9), ("FEW", 2), ("MANY", 4), ("SLICE", 2)):
        monkeypatch.setattr(judge, name, value)

    def make(folder: Path, **settings: Any) -> SimWorld:
        return at_rest(folder, **{"nexudus": 14, "crm": 14, "shared": 14, **settings})

    return make


def restamp(world: SimWorld, changed: int = 0) -> list[int]:
    """The vendor moves all stamps within a minute, of cards of which so many were edited."""
    cards = sorted(int(link.nexudus_id) for link in links(world))
    for number, card in enumerate(cards):
        if number < changed:
            world.nexudus.edit(card, ANA, Name=f"Edited {card}")
        else:
            world.nexudus.edit(card, ANA, Notes=f"touched {card}")
    return cards


def brakes(world: SimWorld) -> list[tuple[str, str]]:
    return [(one.name, one.state) for one in rows(world, Brake)]


@pytest.mark.parametrize("side", list(Side))
def test_stamps_that_move_without_contents_set_no_brake(side: Side, small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    if side is Side.NEXUDUS:
        restamp(world)
    else:
        for link in links(world):
            world.crm.edit(link.crm_id, BEN, my_own_field="touched")
    assert one_cycle(world, "london").brake is None
    assert ("mass-change", "set") not in brakes(world)
    cycle(world), cycle(world)
    assert [state for _, state in brakes(world)] == ["gone"]
    assert not any(link.nexudus_recheck or link.crm_recheck for link in links(world))


def test_a_minority_of_edits_among_moved_stamps_travels(small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    cards = restamp(world, changed=3)
    cycle(world), cycle(world)
    assert ("mass-change", "set") not in brakes(world)
    partners = {link.nexudus_id: link.crm_id for link in links(world)}
    for card in cards[:3]:
        assert world.crm.record(partners[str(card)])["title"] == f"Edited {card}"


def test_contents_that_change_set_it_and_nothing_is_written_before(small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    before = world.crm.records()
    restamp(world, changed=14)
    assert one_cycle(world, "london").brake == "mass-change"
    assert world.crm.records() == before
    (brake,) = rows(world, Brake)
    assert (brake.state, sorted(brake.links)) == ("set", sorted(link.id for link in links(world)))
    assert brake.evidence.startswith("14 of 14 linked records changed in nexudus at once")
    with world.store.session() as session:
        kept = session.get_one(Brake, brake.id)
        kept.state, kept.released_at = "released", world.clock.now()
    for _ in range(3):
        cycle(world)
    assert all(world.crm.record(link.crm_id)["title"] == f"Edited {link.nexudus_id}" for link in links(world))
    assert [state for _, state in brakes(world)] == ["gone"]


def test_the_daemon_reads_a_slice_a_cycle_and_nothing_twice(small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    before = world.crm.records()
    restamp(world, changed=14)
    for expected in (None, "mass-change"):
        reads = len([e for e in world.nexudus.log if e.path.startswith("/api/crm/crmopportunities/")])
        assert one_cycle(world, "london", one_shot=False).brake == expected
        made = len([e for e in world.nexudus.log if e.path.startswith("/api/crm/crmopportunities/")]) - reads
        assert (made, world.crm.records()) == (2, before)
        world.restart()
    (brake,) = rows(world, Brake)
    assert (len(brake.judged["read"]), brake.state) == (4, "set")


def test_records_that_cannot_be_read_keep_no_verdict_from_the_others(
    small: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("FIRST", "MOST"):
        monkeypatch.setattr(judge, name, 100)
    world = small(tmp_path)
    cards = restamp(world, changed=2)
    world.faults[Side.NEXUDUS].add("error_500_before", f"^GET .*/({cards[5]}|{cards[6]})$", times=9999)
    assert one_cycle(world, "london").brake is None
    assert [state for _, state in brakes(world)] == ["passed"]
    partners = {link.nexudus_id: link.crm_id for link in links(world)}
    assert world.crm.record(partners[str(cards[0])])["title"] == f"Edited {cards[0]}"


# -- one cause, one brake ----------------------------------------------------------------------------------------------


def emptied(world: SimWorld, side: Side) -> None:
    """A listing is empty, though the records are there."""
    nothing = {"Records": [], "TotalItems": 0, "HasNextPage": False, "TotalPages": 0}
    body = nothing if side is Side.NEXUDUS else {"data": [], "has_more": False, "total": 0}
    path = "/crmopportunities$" if side is Side.NEXUDUS else "/crm/opportunity$"

    def empty(_: Response) -> Response:
        return json_response(200, body)

    world.faults[side].change(f"^GET .*{path}", empty, times=999)


def release(world: SimWorld) -> None:
    with world.store.session() as session:
        for brake in rows(world, Brake, state="set"):
            kept = session.get_one(Brake, brake.id)
            kept.state, kept.released_at = "released", world.clock.now()


@pytest.mark.parametrize("side", list(Side))
def test_an_emptied_listing_sets_one_brake_and_is_over_when_the_records_are_back(side: Side, tmp_path: Path) -> None:
    world = at_rest(tmp_path, nexudus=16, crm=16, shared=14, deletes="propagate")
    emptied(world, side)
    assert one_cycle(world, "london", reconcile=True).brake == "empty-side"
    assert one_cycle(world, "london", reconcile=True).brake == "empty-side"
    assert brakes(world) == [("empty-side", "set")]
    world.faults[side].clear()
    release(world)
    before = (world.nexudus.records().keys(), world.crm.records().keys())
    for _ in range(2):
        assert one_cycle(world, "london").brake is None
    assert brakes(world) == [("empty-side", "gone")]
    assert (world.nexudus.records().keys(), world.crm.records().keys()) == before


def test_a_release_lasts_until_its_links_are_settled_and_says_nothing_of_others(tmp_path: Path) -> None:
    """The proof of some deletions is not to be had at first: they are let go later, without a second word."""
    world = at_rest(tmp_path, nexudus=30, crm=30, shared=28)
    deals = [link.crm_id for link in links(world)]
    for deal in deals[:13]:
        world.crm.delete(deal, BEN)
    assert one_cycle(world, "london").brake == "mass-delete"
    release(world)
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/({'|'.join(deals[:3])})$", times=999)
    assert one_cycle(world, "london").brake is None
    assert [(one.state, len(one.links)) for one in rows(world, Brake)] == [("released", 3)]
    for deal in deals[13:20]:
        world.crm.delete(deal, BEN)
    assert one_cycle(world, "london").brake is None
    world.faults[Side.CRM].clear()
    cycle(world)
    assert sum(link.state == "closed" for link in links(world)) == 20
    assert [state for _, state in brakes(world)] == ["gone"]
    assert (rows(world, Failure, state="open"), rows(world, Conflict, state="open")) == ([], [])


def test_further_links_set_a_brake_of_their_own(tmp_path: Path) -> None:
    world = at_rest(tmp_path, nexudus=40, crm=40, shared=38)
    deals = [link.crm_id for link in links(world)]
    for deal in deals[:11]:
        world.crm.delete(deal, BEN)
    assert one_cycle(world, "london").brake == "mass-delete"
    release(world)
    for deal in deals[11:22]:
        world.crm.delete(deal, BEN)
    assert one_cycle(world, "london").brake == "mass-delete"
    assert sum(link.state == "closed" for link in links(world)) == 0
    release(world)
    cycle(world)
    assert sum(link.state == "closed" for link in links(world)) == 22


@pytest.mark.parametrize("side", list(Side))
def test_a_record_that_is_asked_for_waits_as_well_while_it_is_undecided(small: Any, tmp_path: Path, side: Side) -> None:
    world = small(tmp_path)
    cards, before = restamp(world, changed=14), world.crm.records()
    assert one_cycle(world, "london", one_shot=False).brake is None
    (deal,) = [link.crm_id for link in links(world) if link.nexudus_id == str(cards[0])]
    record = deal if side is Side.CRM else str(cards[0])

    async def alone() -> Report:
        return await settle_record(world.connection, side, record)

    assert world.clock.run(alone()).written == 0
    assert world.crm.records() == before
    assert one_cycle(world, "london", one_shot=False).brake == "mass-change"


def test_new_records_travel_while_it_is_undecided(small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    restamp(world, changed=14)
    deal = new_deal(world, "anna")
    assert one_cycle(world, "london", one_shot=False).brake is None
    assert [link.crm_id for link in links(world)][-1] == deal
