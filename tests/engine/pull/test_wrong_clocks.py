"""Moments noted while a clock was wrong hide nothing, and do not cost reads for ever."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from engine_worlds import at_rest, cycle_of
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, new_deal
from sim_world import SimWorld

from nexudus_sandbox.seed.places import WELCOME
from nexudus_sync.mapping import Side


class Skewed:
    """A machine's clock that is `ahead` of everybody's."""

    def __init__(self, clock: Any, ahead: float) -> None:
        self.clock, self.ahead = clock, ahead

    def now(self) -> Any:
        return self.clock.now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return float(self.clock.monotonic())

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


def skewed(world: SimWorld, ahead: float) -> Skewed:
    real = world.clock
    world.clock = ours = Skewed(real, ahead)  # type: ignore[assignment]
    world.restart()
    world.clock = real
    return ours


def test_a_clock_that_was_behind_is_corrected(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    ours = skewed(world, -3600.0)
    for _ in range(3):
        cycle_of(world, "london")
    ours.ahead = 0.0
    cycle_of(world, "london")
    world.clock.seconds += 600
    world.nexudus.edit(card, ANA, Name="After the step")
    for _ in range(120):
        cycle_of(world, "london")  # two hours
    assert world.crm.record(deal)["title"] == "After the step"


def test_a_failure_noted_under_a_clock_that_was_ahead(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    ours = skewed(world, 365 * 86400.0)
    world.nexudus.edit(card, ANA, Name="One")
    world.faults[Side.CRM].add("connect", f"^(PATCH|PUT) .*/{deal}$", times=99)
    cycle_of(world, "london", one_shot=False)
    world.faults[Side.CRM].clear()
    ours.ahead = 0.0
    for name in ("Two", "Three"):
        world.nexudus.edit(card, ANA, Name=name)
        for _ in range(30):
            cycle_of(world, "london", one_shot=False, after=3600.0)
    assert world.crm.record(deal)["title"] == "Three"  # "berta"


def test_a_new_record_counts_as_new_though_the_backfill_was_noted_while_the_clock_was_ahead(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    ours = skewed(world, 30 * 86400.0)
    cycle_of(world, "london")
    ours.ahead = 0.0
    world.clock.seconds += 86400
    new_deal(world, "berta", sales_stage=WELCOME)
    for _ in range(2):
        cycle_of(world, "london")
    acting = world.nexudus.directory.stage_named(world.seeded.places.london.board_id, WELCOME)
    (card,) = [card for card in world.nexudus.records().values() if card["Name"] == "berta"]
    assert card["CrmBoardColumnId"] == acting


def test_a_record_with_a_stamp_in_the_future_is_read_once(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, _ = born_in_nexudus(world)
    for table in (world.nexudus.cards.rows, world.nexudus.cards.listed):
        table[card] = {**table[card], "UpdatedOn": "2031-01-01T00:00:00Z"}
    cycle(world, after=3600)
    before = len(world.readings[Side.NEXUDUS])
    for _ in range(3):
        cycle(world, after=3600)
    assert [r.path for r in world.readings[Side.NEXUDUS][before:] if r.path.endswith(f"/{card}")] == []
