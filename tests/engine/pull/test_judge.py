"""A mass change is judged by contents: a sample is read before anything is believed or written."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import brakes_of, cycle_of
from sim_desks import BEN
from sim_people import ANA
from sim_stories import cycle, links, new_deal, rows
from sim_world import SimWorld

from nexudus_sync.engine.cycle import settle_record
from nexudus_sync.engine.pull import judge
from nexudus_sync.engine.pull.judge import Trial
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake


def trial(moved: int, read: int, changed: int, total: int = 3000) -> Trial:
    """A judgement of which N were read, the changed ones first."""
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


def restamp(world: SimWorld, changed: int = 0) -> list[int]:
    """The vendor moves all stamps within a minute, of cards of which N were edited."""
    cards = sorted(int(link.nexudus_id) for link in links(world))
    for number, card in enumerate(cards):
        if number < changed:
            world.nexudus.edit(card, ANA, Name=f"Edited {card}")
        else:
            world.nexudus.edit(card, ANA, Notes=f"touched {card}")
    return cards


@pytest.mark.parametrize("side", list(Side))
def test_stamps_that_move_without_contents_set_no_brake(side: Side, small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    if side is Side.NEXUDUS:
        restamp(world)
    else:
        for link in links(world):
            world.crm.edit(link.crm_id, BEN, my_own_field="touched")
    assert cycle_of(world, "london").brake is None
    assert ("mass-change", "set") not in brakes_of(world)
    cycle(world), cycle(world)
    assert [state for _, state in brakes_of(world)] == ["gone"]
    assert not any(link.nexudus_recheck or link.crm_recheck for link in links(world))


def test_a_minority_of_edits_among_moved_stamps_travels(small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    cards = restamp(world, changed=3)
    cycle(world), cycle(world)
    assert ("mass-change", "set") not in brakes_of(world)
    partners = {link.nexudus_id: link.crm_id for link in links(world)}
    for card in cards[:3]:
        assert world.crm.record(partners[str(card)])["title"] == f"Edited {card}"


def test_changed_contents_set_the_brake_and_nothing_is_written_before(small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    before = world.crm.records()
    restamp(world, changed=14)
    assert cycle_of(world, "london").brake == "mass-change"
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
    assert [state for _, state in brakes_of(world)] == ["gone"]


def test_the_daemon_reads_one_slice_per_cycle_and_nothing_twice(small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    before = world.crm.records()
    restamp(world, changed=14)
    for expected in (None, "mass-change"):
        reads = len([e for e in world.nexudus.log if e.path.startswith("/api/crm/crmopportunities/")])
        assert cycle_of(world, "london", one_shot=False).brake == expected
        made = len([e for e in world.nexudus.log if e.path.startswith("/api/crm/crmopportunities/")]) - reads
        assert (made, world.crm.records()) == (2, before)
        world.restart()
    (brake,) = rows(world, Brake)
    assert (len(brake.judged["read"]), brake.state) == (4, "set")


def test_records_that_cannot_be_read_do_not_hold_up_the_verdict(
    small: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("FIRST", "MOST"):
        monkeypatch.setattr(judge, name, 100)
    world = small(tmp_path)
    cards = restamp(world, changed=2)
    world.faults[Side.NEXUDUS].add("error_500_before", f"^GET .*/({cards[5]}|{cards[6]})$", times=9999)
    assert cycle_of(world, "london").brake is None
    assert [state for _, state in brakes_of(world)] == ["passed"]
    partners = {link.nexudus_id: link.crm_id for link in links(world)}
    assert world.crm.record(partners[str(cards[0])])["title"] == f"Edited {cards[0]}"


@pytest.mark.parametrize("side", list(Side))
def test_a_record_synced_by_hand_waits_as_well_while_its_link_is_undecided(
    small: Any, tmp_path: Path, side: Side
) -> None:
    world = small(tmp_path)
    cards, before = restamp(world, changed=14), world.crm.records()
    assert cycle_of(world, "london", one_shot=False).brake is None
    (deal,) = [link.crm_id for link in links(world) if link.nexudus_id == str(cards[0])]
    record = deal if side is Side.CRM else str(cards[0])

    async def alone() -> Report:
        return await settle_record(world.connection, side, record)

    assert world.clock.run(alone()).written == 0
    assert world.crm.records() == before
    assert cycle_of(world, "london", one_shot=False).brake == "mass-change"


def test_new_records_travel_while_it_is_undecided(small: Any, tmp_path: Path) -> None:
    world = small(tmp_path)
    restamp(world, changed=14)
    deal = new_deal(world, "anna")
    assert cycle_of(world, "london", one_shot=False).brake is None
    assert [link.crm_id for link in links(world)][-1] == deal
