"""Places kept for writes: `Limiter.reserve` and the write that follows it."""

import asyncio
from collections.abc import Awaitable, Iterator

import pytest
from virtual_time import MemoryStore, VirtualClock

from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.budget import Limiter, Limits, Unlimited
from nexudus_sync.store.ledger import Ledger

LIVE, RECONCILE = Priority.LIVE, Priority.RECONCILE
DAY = 86400


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.close()


def limiter(clock: VirtualClock, limits: Limits, store: MemoryStore | None = None) -> Limiter:
    return Limiter(limits, clock=clock, ledger=Ledger(store) if store else None, lane="lane", system="Nexudus")


async def read(budget: Limiter, priority: Priority = LIVE) -> None:
    await budget.acquire(write=False, creation=False, priority=priority)


async def write(budget: Limiter | Unlimited, priority: Priority = LIVE, *, creation: bool = False) -> None:
    """A write as `Http.send` makes it."""
    await budget.acquire(write=True, creation=creation, priority=priority, reserved=True)


async def login(budget: Limiter) -> None:
    """A write that no place is meant for."""
    await budget.acquire(write=True, creation=False, priority=LIVE)


async def seconds_of(clock: VirtualClock, work: Awaitable[None]) -> float:
    start = clock.seconds
    await work
    return clock.seconds - start


@pytest.mark.parametrize("with_ledger", [False, True])
def test_a_reserved_write_does_not_wait_for_the_writes_made_since(
    clock: VirtualClock, store: MemoryStore, with_ledger: bool
) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_second=10, writes_per_minute=2), store if with_ledger else None)
        await budget.reserve(priority=LIVE)
        await login(budget)
        waiting = asyncio.create_task(login(budget))
        await read(budget)
        await asyncio.sleep(0.1)
        assert await seconds_of(clock, write(budget)) == 0
        assert not waiting.done()
        await waiting
        assert 60 < clock.seconds < 64

    clock.run(work())


def test_writes_that_read_first_all_have_a_short_gap_however_short_the_budget(
    clock: VirtualClock, store: MemoryStore
) -> None:
    gaps: list[float] = []

    async def update(budget: Limiter) -> None:
        await budget.reserve(priority=LIVE)
        await read(budget)
        await asyncio.sleep(0.1)
        gaps.append(await seconds_of(clock, write(budget)))

    async def work() -> None:
        budget = limiter(clock, Limits(per_second=10, per_minute=120, writes_per_minute=6), store)
        await asyncio.gather(*(update(budget) for _ in range(30)))

    clock.run(work())
    assert len(gaps) == 30
    assert max(gaps) < 1.1
    assert 240 < clock.seconds < 270


def test_the_second_s_window_counts_a_reserved_write_when_it_is_made(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_second=2))
        await budget.reserve(priority=LIVE)
        await asyncio.sleep(0.5)
        await read(budget)
        await read(budget)
        others = asyncio.create_task(read(budget))
        await asyncio.sleep(0)
        await write(budget)
        assert 1.55 <= clock.seconds < 1.6
        assert not others.done()  # it asked earlier, but the write's place was taken before
        await others

    clock.run(work())


@pytest.mark.parametrize("with_ledger", [False, True])
def test_a_place_that_nobody_uses_lapses_after_two_seconds_and_was_never_spent(
    clock: VirtualClock, store: MemoryStore, with_ledger: bool
) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=1, writes_per_day=2), store if with_ledger else None)
        await budget.reserve(priority=LIVE)
        assert await seconds_of(clock, login(budget)) == pytest.approx(2, abs=0.01)
        await asyncio.sleep(100)
        await budget.reserve(priority=LIVE)
        await asyncio.sleep(5)
        assert await seconds_of(clock, write(budget)) == 0
        assert await seconds_of(clock, write(budget)) > DAY - 200

    clock.run(work())


def test_a_place_is_used_by_the_next_write_if_the_one_it_was_for_is_not_needed(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=1))
        await budget.reserve(priority=LIVE)
        await read(budget)
        await asyncio.sleep(1.9)
        assert await seconds_of(clock, write(budget)) == 0
        assert await seconds_of(clock, write(budget)) > 60

    clock.run(work())


def test_a_place_serves_neither_a_customer_s_creation_nor_a_login(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=2, customer_creations_per_day=5))
        await login(budget)
        await budget.reserve(priority=LIVE)
        others = [asyncio.create_task(write(budget, creation=True)), asyncio.create_task(login(budget))]
        await asyncio.sleep(1)
        assert not any(other.done() for other in others)
        assert await seconds_of(clock, write(budget)) == 0
        await asyncio.gather(*others)

    clock.run(work())


def test_a_low_place_serves_a_high_write_and_a_high_place_no_low_one(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=1))
        await budget.reserve(priority=RECONCILE)
        assert await seconds_of(clock, write(budget, LIVE)) == 0
        await budget.reserve(priority=LIVE)
        # The low write has to wait until the place has lapsed.
        assert await seconds_of(clock, write(budget, RECONCILE)) == pytest.approx(2, abs=0.01)

    clock.run(work())


def test_places_taken_at_a_low_priority_count_in_its_share(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_day=10))
        for _ in range(7):
            await budget.reserve(priority=RECONCILE)
            await write(budget)
        for _ in range(3):
            await budget.reserve(priority=LIVE)
            await write(budget)
        assert clock.seconds == 0
        await budget.reserve(priority=RECONCILE)
        assert clock.seconds > DAY

    clock.run(work())


def test_of_two_places_each_is_used_once(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=2))
        await budget.reserve(priority=LIVE)
        await budget.reserve(priority=LIVE)
        assert await seconds_of(clock, write(budget)) == 0
        assert await seconds_of(clock, write(budget)) == 0
        assert await seconds_of(clock, write(budget)) > 60

    clock.run(work())


def test_a_pause_holds_back_reserving_and_reserved_writes(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=5))
        budget.pause(7)
        assert await seconds_of(clock, budget.reserve(priority=LIVE)) == pytest.approx(7)
        budget.pause(1)
        assert await seconds_of(clock, write(budget)) == pytest.approx(1)
        unlimited = Unlimited(clock)
        unlimited.pause(3)
        assert await seconds_of(clock, unlimited.reserve(priority=LIVE)) == pytest.approx(3)
        assert await seconds_of(clock, write(unlimited)) == 0

    clock.run(work())


def test_a_write_whose_place_lapses_in_a_pause_goes_as_any_other(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=1))
        await budget.reserve(priority=LIVE)
        budget.pause(10)
        waiting = asyncio.create_task(login(budget))
        await asyncio.sleep(0)
        assert await seconds_of(clock, write(budget)) == pytest.approx(10)
        await waiting
        assert 70 < clock.seconds < 71

    clock.run(work())


# --- across processes


def test_a_place_counts_for_other_processes_even_if_its_own_is_killed(clock: VirtualClock, store: MemoryStore) -> None:
    async def work() -> None:
        limits = Limits(writes_per_minute=1)
        await limiter(clock, limits, store).reserve(priority=LIVE)
        assert 60 < await seconds_of(clock, write(limiter(clock, limits, store))) < 65

    clock.run(work())


def test_closing_gives_a_place_back_to_others(clock: VirtualClock, store: MemoryStore) -> None:
    async def work() -> None:
        limits = Limits(writes_per_minute=1)
        first = limiter(clock, limits, store)
        await first.reserve(priority=RECONCILE)
        first.close()
        assert await seconds_of(clock, write(limiter(clock, limits, store), RECONCILE)) == 0

    clock.run(work())


def test_a_lapsed_place_is_given_back_to_others_with_the_next_call(clock: VirtualClock, store: MemoryStore) -> None:
    async def work() -> None:
        limits = Limits(writes_per_minute=1)
        first = limiter(clock, limits, store)
        await first.reserve(priority=LIVE)
        await asyncio.sleep(10)
        await read(first)
        assert await seconds_of(clock, write(limiter(clock, limits, store))) == 0

    clock.run(work())


def test_a_place_is_kept_no_longer_than_the_lease_it_was_slow_to_get(
    clock: VirtualClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=2), store)
        real = budget._spending._take_lease

        def take(*args: object) -> object:
            result = real(*args)  # type: ignore[arg-type]
            clock.seconds += 1.5
            return result

        monkeypatch.setattr(budget._spending, "_take_lease", take)
        await budget.reserve(priority=LIVE)
        monkeypatch.undo()
        # Taken at 0.25 s of a second, so the lease lasts 2.75 s.
        assert await seconds_of(clock, login(budget)) == 0
        assert await seconds_of(clock, login(budget)) == pytest.approx(1.25, abs=0.01)

    clock.run(work())
