import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from structlog.testing import capture_logs
from virtual_time import MemoryStore, VirtualClock

from nexudus_sync.clock import SystemClock
from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.budget import Limiter, Limits, Unlimited, lane_of
from nexudus_sync.connectors.window import Window
from nexudus_sync.errors import LimitReached, StoreError
from nexudus_sync.store.ledger import Ledger

LIVE, RETRY, RECONCILE, BACKFILL = Priority
HOUR, DAY = 3600, 86400


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


async def call(
    budget: Limiter | Unlimited, *, write: bool = False, creation: bool = False, priority: Priority = LIVE
) -> None:
    await budget.acquire(write=write, creation=creation, priority=priority)


def most_within(moments: list[float], seconds: float) -> int:
    """The most calls that any half-open window of that length holds."""
    moments = sorted(moments)
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


# --- limits


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "10"])
def test_a_limit_that_is_no_whole_number_above_zero_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Limits(per_second=value)  # type: ignore[arg-type]


def test_a_limit_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValidationError):
        Limits(per_week=3)  # type: ignore[call-arg]


def test_logins_have_lanes_of_their_own_that_do_not_tell_the_login() -> None:
    lane = lane_of("https://crm.example/api", "sync@example.com")
    assert lane == lane_of("https://crm.example/api/", "sync@example.com")
    assert lane != lane_of("https://crm.example/api", "other@example.com")
    assert "sync" not in lane


# --- windows


def test_a_window_keeps_a_bounded_number_of_cells_and_never_counts_too_few() -> None:
    window = Window("calls", 60, 10**9, "per_minute")
    moments = [number * 0.011 for number in range(20_000)]
    for moment in moments:
        window.add(moment)
    assert len(window._own) < 1200
    for now in (219.99, 230.0, 270.0, 300.0):
        made = sum(moment > now - 60 for moment in moments)
        assert made <= 10**9 - window.room(now, 0, 10**9) <= made + 6


def test_a_window_that_others_overspent_says_when_there_is_room_again() -> None:
    window = Window("calls", 60, 3, "per_minute")
    window.learn([(1.0, 2), (2.0, 5), (3.0, 1)])
    assert window.room(10.0, 0, 10**9) == -5
    assert window.free_at(10.0, 0) == 62.0
    assert window.free_at(63.5, 0) == 63.5


# --- pacing


def test_calls_without_limits_go_at_once(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits())
        for _ in range(100):
            await call(budget)
        assert clock.seconds == 0

    clock.run(work())


def test_calls_are_paced_by_the_second_and_by_the_minute(clock: VirtualClock) -> None:
    made = []

    async def work() -> None:
        budget = limiter(clock, Limits(per_second=10, per_minute=30))
        for _ in range(90):
            await call(budget)
            made.append(clock.seconds)

    clock.run(work())
    assert made[9] == 0
    assert 1 < made[10] < 1.1
    assert most_within(made, 1) == 10
    assert most_within(made, 60) == 30
    assert 120 < made[-1] < 125


def test_only_writes_wait_for_the_writes_limit(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_minute=2))
        for _ in range(2):
            await call(budget, write=True)
        writer = asyncio.create_task(call(budget, write=True))
        await asyncio.sleep(0)
        for _ in range(5):
            await call(budget)
        assert clock.seconds == 0
        await writer
        assert 60 < clock.seconds < 61

    clock.run(work())


def test_windows_are_stretched_by_twice_what_latencies_differ_but_not_for_ever(clock: VirtualClock) -> None:
    async def pause_after(latencies: list[float]) -> float:
        budget = limiter(clock, Limits(per_second=1))
        for latency in latencies:
            budget.observe(latency)
        await call(budget)
        start = clock.seconds
        await call(budget)
        return clock.seconds - start

    assert clock.run(pause_after([0.1, 0.4])) == pytest.approx(1.6, abs=0.01)
    assert clock.run(pause_after([0.1, 60.0])) == pytest.approx(6.0, abs=0.01)
    assert clock.run(pause_after([60.0] + [0.1] * 50)) == pytest.approx(1.05, abs=0.01)


def test_a_pause_holds_everybody_back_and_the_longest_counts(clock: VirtualClock) -> None:
    async def work(budget: Limiter | Unlimited) -> float:
        start = clock.seconds
        budget.pause(7)
        budget.pause(3)
        await asyncio.gather(call(budget), call(budget, write=True, priority=BACKFILL))
        return clock.seconds - start

    assert clock.run(work(limiter(clock, Limits(per_second=1000)))) == pytest.approx(7)
    assert clock.run(work(Unlimited(clock))) == pytest.approx(7)


def test_a_pause_that_comes_while_calls_wait_holds_them_back_too(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_second=1))
        await call(budget)
        waiting = asyncio.create_task(call(budget))
        await asyncio.sleep(0.5)
        budget.pause(20)
        await waiting
        assert clock.seconds == pytest.approx(20.5)

    clock.run(work())


def test_unlimited_lets_everything_through(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = Unlimited(clock)
        budget.observe(3.0)
        for _ in range(1000):
            await call(budget, write=True, creation=True, priority=BACKFILL)
        budget.close()
        assert clock.seconds == 0

    clock.run(work())


async def test_unlimited_takes_the_machine_s_clock_when_it_gets_none() -> None:
    budget = Unlimited()
    assert isinstance(budget._clock, SystemClock)
    await call(budget)


def test_a_cancelled_call_leaves_the_queue_and_the_others_go_on(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_minute=1))
        await call(budget)
        first, second = asyncio.create_task(call(budget)), asyncio.create_task(call(budget))
        await asyncio.sleep(1)
        first.cancel()
        await second
        assert first.cancelled()
        assert 60 < clock.seconds < 61
        last = asyncio.create_task(call(budget))
        await asyncio.sleep(1)
        last.cancel()
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(work())


def test_a_call_cancelled_in_the_moment_of_its_turn_costs_the_next_one_nothing(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_minute=1))
        await call(budget)
        first = asyncio.create_task(call(budget))
        await asyncio.sleep(1)
        first.cancel()
        await call(budget)  # serves the queue while the cancelled call still stands in it
        assert first.cancelled()
        assert 60 < clock.seconds < 61

    clock.run(work())


# --- the day's limits


def test_a_creation_beyond_the_day_s_limit_fails_at_once_and_says_when_the_next_is_possible(
    clock: VirtualClock, store: MemoryStore
) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(customer_creations_per_day=2), store)
        for _ in range(2):
            await call(budget, write=True, creation=True)
        with pytest.raises(LimitReached, match=r"Nexudus: the 2 customer creations .* 2026-03-02 12:00 UTC"):
            await call(budget, write=True, creation=True)
        assert clock.seconds == 0
        await call(budget, write=True)
        # Another process learns it from the ledger, and one that started before learns it as well.
        with pytest.raises(LimitReached):
            await call(limiter(clock, Limits(customer_creations_per_day=2), store), write=True, creation=True)
        await asyncio.sleep(DAY + HOUR + 60)  # by then counts are kept by the hour
        await call(budget, write=True, creation=True)

    clock.run(work())


def test_a_used_up_day_is_waited_for_and_the_log_says_so_once(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(writes_per_day=1))
        await call(budget, write=True)
        await asyncio.gather(call(budget, write=True), asyncio.sleep(5), call(budget))

    with capture_logs() as logs:
        clock.run(work())
    assert clock.seconds == pytest.approx(DAY, rel=0.01)
    assert [(line["event"], line["limit"], line["priority"]) for line in logs] == [
        ("budget.waiting", "writes_per_day", "LIVE")
    ]
    assert logs[0]["seconds"] == pytest.approx(DAY, abs=1)


# --- priorities


def test_of_those_that_wait_the_higher_priority_goes_first_and_equals_in_turn(clock: VirtualClock) -> None:
    order: list[tuple[Priority, int]] = []

    async def one(budget: Limiter, priority: Priority, number: int) -> None:
        await call(budget, priority=priority)
        order.append((priority, number))

    async def work() -> None:
        budget = limiter(clock, Limits(per_second=1))
        await call(budget)
        wanted = [(priority, number) for number in range(3) for priority in (BACKFILL, RETRY, RECONCILE, LIVE)]
        await asyncio.gather(*(one(budget, *want) for want in wanted))

    clock.run(work())
    assert order == sorted(order)


def test_a_late_live_call_overtakes_a_backfill_that_waits_for_long(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_hour=10))
        for _ in range(7):
            await call(budget, priority=BACKFILL)
        waiting = asyncio.create_task(call(budget, priority=BACKFILL))
        await asyncio.sleep(60)
        for _ in range(3):
            await call(budget)
        assert clock.seconds == pytest.approx(60)
        await waiting
        assert HOUR < clock.seconds < HOUR + 60

    clock.run(work())


@pytest.mark.parametrize("with_ledger", [False, True])
def test_a_reconcile_uses_at_most_seventy_percent_of_hour_and_day(
    clock: VirtualClock, store: MemoryStore, with_ledger: bool
) -> None:
    low: list[float] = []
    writes: list[float] = []

    async def work() -> None:
        limits = Limits(per_hour=100, writes_per_day=200)
        for _ in range(3):  # a restart must not make room for more
            budget = limiter(clock, limits, store if with_ledger else None)
            for number in range(50):
                write = number % 3 == 0
                await call(budget, write=write, priority=RECONCILE)
                low.append(clock.seconds)
                writes.extend([clock.seconds] * write)
            if not with_ledger:
                return

    clock.run(work())
    assert most_within(low, HOUR) <= 70
    assert most_within(writes, DAY) <= 140
    assert clock.seconds < 3 * HOUR


HOURLY = Limits(per_hour=300)


async def backfill(clock: VirtualClock, budget: Limiter, made: list[float], until: float) -> None:
    """Call as often as may be."""
    while clock.seconds < until:
        await call(budget, priority=BACKFILL)
        made.append(clock.seconds)


def in_hours(moments: list[float], hours: int) -> list[int]:
    """How many there are in each of the first hours."""
    return [sum(hour * HOUR <= moment < (hour + 1) * HOUR for moment in moments) for hour in range(hours)]


@pytest.mark.parametrize("with_ledger", [False, True])
def test_a_backfill_uses_what_nobody_else_wants(clock: VirtualClock, store: MemoryStore, with_ledger: bool) -> None:
    made: list[float] = []

    async def work() -> None:
        budget = limiter(clock, HOURLY, store if with_ledger else None)
        with suppress(TimeoutError):
            await asyncio.wait_for(backfill(clock, budget, made, 4 * HOUR), 4 * HOUR)

    clock.run(work())
    assert most_within(made, HOUR) <= 300
    assert all(count >= 285 for count in in_hours(made, 4)), in_hours(made, 4)


def waits_beside(low: Priority, at_once: int, every: float, store: MemoryStore | None) -> tuple[list[float], int]:
    """How long each live call of three hours waits beside one that calls as often as may be, and how often that is."""
    clock = VirtualClock()
    waited: list[float] = []
    made = [0]

    async def others(budget: Limiter) -> None:
        while True:
            await call(budget, priority=low)
            made[0] += 1

    async def work() -> None:
        budget = limiter(clock, HOURLY, store)
        beside = asyncio.create_task(others(budget))
        while clock.seconds < 3 * HOUR:
            began = clock.seconds
            for _ in range(at_once):
                asked = clock.seconds
                await call(budget)
                waited.append(clock.seconds - asked)
            await asyncio.sleep(began + every - clock.seconds)
        beside.cancel()

    clock.run(work())
    return waited, made[0]


@pytest.mark.parametrize(
    ("at_once", "every", "more"), [(1, 40.0, 0), (5, 200.0, 0), (9, 360.0, 0), (3, 600.0, 180), (1, 400.0, 180)]
)
def test_no_live_call_waits_because_of_a_backfill_while_live_calls_keep_to_their_pace(
    at_once: int, every: float, more: int
) -> None:
    """Their share is 90 an hour: one every 40 seconds, or nine at once every six minutes."""
    waited, made = waits_beside(BACKFILL, at_once, every, None)
    assert max(waited) <= 0.11  # by how much the window is stretched
    assert made >= waits_beside(RECONCILE, at_once, every, None)[1] + more


@pytest.mark.parametrize(("at_once", "every"), [(1, 43.0), (3, 600.0)])
def test_nor_do_they_where_calls_are_leased(at_once: int, every: float, store: MemoryStore) -> None:
    assert max(waits_beside(BACKFILL, at_once, every, store)[0]) == 0


def test_a_live_call_beyond_its_pace_waits_for_the_next_place_and_goes_before_the_backfill(clock: VirtualClock) -> None:
    made: list[float] = []
    live: list[float] = []

    async def work() -> None:
        budget = limiter(clock, HOURLY)
        low = asyncio.create_task(backfill(clock, budget, made, 3 * HOUR))
        await asyncio.sleep(2 * HOUR)
        for _ in range(100):
            await call(budget)
            live.append(clock.seconds)
        low.cancel()

    clock.run(work())
    assert live[8] == 2 * HOUR
    assert not [moment for moment in made if live[9] < moment <= live[-1]]


def test_beyond_its_share_a_backfill_leaves_others_as_large_a_part_of_each_minute(clock: VirtualClock) -> None:
    made: list[float] = []

    async def work() -> None:
        budget = limiter(clock, Limits(per_minute=20, per_hour=100))
        await asyncio.gather(*(call(budget, priority=BACKFILL) for _ in range(70)))
        await asyncio.sleep(HOUR - 10 - clock.seconds)
        low = asyncio.create_task(backfill(clock, budget, made, HOUR))
        await asyncio.sleep(5)
        low.cancel()

    clock.run(work())
    assert len(made) == 14


def test_a_backfill_takes_nothing_beyond_its_share_while_a_live_call_waits(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_hour=100, writes_per_minute=1))
        for _ in range(70):
            await call(budget, priority=BACKFILL)
        await asyncio.sleep(HOUR - 300)
        await call(budget, write=True)
        live = asyncio.create_task(call(budget, write=True))
        low = asyncio.create_task(call(budget, priority=BACKFILL))
        await asyncio.sleep(59)
        assert not low.done()
        await live
        await asyncio.sleep(0.1)
        assert low.done()

    clock.run(work())


def test_a_backfill_goes_on_when_the_live_call_that_waited_is_given_up(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_hour=100, writes_per_day=1))
        for _ in range(70):
            await call(budget, priority=BACKFILL)
        await asyncio.sleep(HOUR - 300)
        await call(budget, write=True)
        live = asyncio.create_task(call(budget, write=True))
        await asyncio.sleep(1)
        low = asyncio.create_task(call(budget, priority=BACKFILL))
        await asyncio.sleep(10)
        assert not low.done()
        live.cancel()
        await asyncio.sleep(0.1)
        assert low.done()

    clock.run(work())


def test_a_low_priority_gets_one_call_in_fifty_though_live_calls_take_all_they_can(clock: VirtualClock) -> None:
    made: dict[Priority, int] = dict.fromkeys(Priority, 0)

    async def caller(budget: Limiter, priority: Priority) -> None:
        while clock.seconds < HOUR:
            await call(budget, priority=priority)
            made[priority] += clock.seconds < HOUR

    async def work() -> None:
        budget = limiter(clock, Limits(per_minute=60))
        await asyncio.gather(*(caller(budget, priority) for priority in Priority for _ in range(80)))

    clock.run(work())
    total = sum(made.values())
    assert total > 3400
    assert made[RETRY] == 0
    assert made[RECONCILE] == pytest.approx(total / 50, rel=0.1)
    assert made[BACKFILL] == pytest.approx(total / 50, rel=0.1)


def test_live_calls_may_use_everything(clock: VirtualClock) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_hour=100, per_day=1000))
        for _ in range(100):
            await call(budget)
        assert clock.seconds == 0

    clock.run(work())


# --- across processes


def test_a_new_process_keeps_to_what_the_killed_one_leased(clock: VirtualClock, store: MemoryStore) -> None:
    async def work() -> None:
        limits = Limits(per_hour=50)
        killed = limiter(clock, limits, store)
        for _ in range(30):
            await call(killed)
        after = limiter(clock, limits, store)
        made = 0
        while True:
            waiting = asyncio.create_task(call(after))
            await asyncio.sleep(1)
            if not waiting.done():
                break
            made += 1
        assert 10 <= made <= 20  # up to ten were leased and lost
        await waiting
        assert HOUR < clock.seconds < HOUR + 130

    clock.run(work())


def test_closing_gives_back_what_was_leased_and_not_used(clock: VirtualClock, store: MemoryStore) -> None:
    async def work() -> None:
        limits = Limits(per_hour=50)
        first = limiter(clock, limits, store)
        for _ in range(33):
            await call(first)
        first.close()
        first.close()
        second = limiter(clock, limits, store)
        for _ in range(17):
            await call(second)
        assert clock.seconds == 0

    clock.run(work())


def test_reads_are_leased_by_tens_where_there_is_room(clock: VirtualClock, store: MemoryStore) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_second=50, per_hour=5000), store)
        for _ in range(300):
            await call(budget)
            await asyncio.sleep(0.1)
        assert store.sessions < 40

    clock.run(work())


def test_a_high_call_does_not_leave_its_lease_to_low_ones(clock: VirtualClock, store: MemoryStore) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_hour=10), store)
        for _ in range(3):
            await call(budget)
        low = 0
        while low < 8:
            waiting = asyncio.create_task(call(budget, priority=BACKFILL))
            await asyncio.sleep(0.01)
            if not waiting.done():
                break
            low += 1
        assert low == 7
        waiting.cancel()

    clock.run(work())


def test_a_wall_clock_that_is_set_back_gives_nothing_back(clock: VirtualClock, store: MemoryStore) -> None:
    made = []

    async def work() -> None:
        limits = Limits(per_second=5, per_hour=20)
        budget = limiter(clock, limits, store)
        for number in range(60):
            if number in (12, 33):
                clock.wall -= timedelta(minutes=100)
                budget = limiter(clock, limits, store) if number == 33 else budget
            await call(budget)
            made.append(clock.seconds)

    clock.run(work())
    assert most_within(made, 1) <= 5
    assert most_within(made, HOUR) <= 20
    assert made[-1] < 6 * HOUR


def test_a_ledger_that_cannot_be_used_fails_the_call_and_not_the_next_one(
    clock: VirtualClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_second=1), store)

        def broken() -> None:
            raise StoreError("state.db: disk full")

        await call(budget)
        failing = asyncio.create_task(call(budget))
        await asyncio.sleep(0)
        with monkeypatch.context() as patch:
            patch.setattr(store, "session", broken)
            with pytest.raises(StoreError):
                await failing
        await call(budget)

    clock.run(work())


def test_while_the_ledger_cannot_be_used_all_that_wait_fail_and_afterwards_calls_go_on(
    clock: VirtualClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_second=1), store)

        def broken() -> None:
            raise StoreError("state.db: disk full")

        await call(budget)
        waiting = [
            asyncio.create_task(call(budget)),
            asyncio.create_task(call(budget)),
            asyncio.create_task(call(budget, write=True, priority=BACKFILL)),
            asyncio.create_task(budget.reserve(priority=LIVE)),
        ]
        await asyncio.sleep(0)
        with monkeypatch.context() as patch:
            patch.setattr(store, "session", broken)
            failed = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in failed] == [StoreError] * 4
        assert clock.seconds < 2
        for _ in range(3):
            await call(budget, write=True)
        assert 3 < clock.seconds < 5

    clock.run(work())


def test_whatever_breaks_the_watch_over_the_queue_reaches_all_that_wait(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        budget = limiter(clock, Limits(per_second=1))
        await call(budget)
        waiting = [asyncio.create_task(call(budget, write=write)) for write in (False, True, True, True)]
        await asyncio.sleep(0.5)
        waiting[2].cancel()

        def broken() -> None:
            waiting[3].cancel()  # in the very moment
            raise OSError("no space left on device")

        monkeypatch.setattr(budget, "_serve", broken)
        failed = await asyncio.gather(*waiting, return_exceptions=True)
        kinds = [OSError, OSError, asyncio.CancelledError, asyncio.CancelledError]
        assert [type(error) for error in failed] == kinds
        with pytest.raises(OSError, match="no space left"):
            await call(budget)
        monkeypatch.undo()
        for _ in range(3):
            await call(budget)
        assert 3 < clock.seconds < 5

    clock.run(work())


def test_a_caller_that_waits_again_at_once_is_not_forgotten(clock: VirtualClock) -> None:
    async def impatient(budget: Limiter) -> None:
        with suppress(asyncio.CancelledError):
            await call(budget)
        await call(budget)

    async def work() -> None:
        budget = limiter(clock, Limits(per_minute=1))
        await call(budget)
        caller = asyncio.create_task(impatient(budget))
        await asyncio.sleep(1)
        caller.cancel()
        await caller
        assert 60 < clock.seconds < 61

    clock.run(work())


def test_a_lease_that_took_too_long_to_write_down_is_not_used(
    clock: VirtualClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [3.0, 0.0]

    async def work() -> None:
        budget = limiter(clock, Limits(per_hour=10), store)
        real = budget._spending._take_lease

        def take(*args: object) -> object:
            result = real(*args)  # type: ignore[arg-type]
            clock.seconds += slow.pop(0)
            return result

        monkeypatch.setattr(budget._spending, "_take_lease", take)
        await call(budget)
        assert slow == []
        assert 3 <= clock.seconds < 3.1

    clock.run(work())


# --- everything at once

plan_of = st.lists(
    st.tuples(
        st.sampled_from(list(Priority)),
        st.booleans(),
        st.integers(1, 25),
        st.sampled_from([0.0, 0.0, 0.2, 1.0, 7.0, 100.0, 3000.0]),
    ),
    min_size=1,
    max_size=6,
)
limits_of = st.builds(
    Limits,
    per_second=st.none() | st.integers(1, 8),
    per_minute=st.none() | st.integers(3, 40),
    per_hour=st.none() | st.integers(10, 120),
    per_day=st.none() | st.integers(60, 300),
    writes_per_minute=st.none() | st.integers(1, 10),
    writes_per_day=st.none() | st.integers(20, 200),
)


def assert_kept(limits: Limits, arrived: list[tuple[float, bool, Priority]]) -> None:
    """No window holds more than its limit; a call is: when it arrived, whether it was a write, its priority."""
    moments = [moment for moment, _, _ in arrived]
    writes = [moment for moment, write, _ in arrived if write]
    for limit, made, seconds in (
        (limits.per_second, moments, 1),
        (limits.per_minute, moments, 60),
        (limits.per_hour, moments, HOUR),
        (limits.per_day, moments, DAY),
        (limits.writes_per_minute, writes, 60),
        (limits.writes_per_day, writes, DAY),
    ):
        assert limit is None or most_within(made, seconds) <= limit


class Traffic:
    """Callers of budgets, and what arrives of them at the server 0.1 to 0.9 s after it was let go.

    Half of the writes are reserved and read for, and of those one in five is not made.
    """

    def __init__(self, clock: VirtualClock, seed: int) -> None:
        self.clock, self.rng = clock, random.Random(seed)
        self.arrived: list[tuple[float, bool, Priority]] = []

    async def caller(self, budget: Limiter, priority: Priority, write: bool, times: int, gap: float) -> None:
        for _ in range(times):
            reserving = write and self.rng.random() < 0.5
            if reserving:
                await budget.reserve(priority=priority)
                await self._make(budget, priority, write=False)
                await asyncio.sleep(self.rng.choice([0.0, 0.1, 0.7, 1.9, 3.0]))
            if not reserving or self.rng.random() < 0.8:
                await self._make(budget, priority, write)
            await asyncio.sleep(self.rng.uniform(0, gap))

    async def _make(self, budget: Limiter, priority: Priority, write: bool) -> None:
        await budget.acquire(write=write, creation=False, priority=priority, reserved=write)
        self.arrived.append((self.clock.seconds + self.rng.uniform(0.1, 0.9), write, priority))


@settings(max_examples=20, deadline=None)
@given(limits=limits_of, processes=st.lists(plan_of, min_size=2, max_size=4), seed=st.integers(0, 10**6))
def test_no_window_is_ever_exceeded_at_the_server_across_restarts_and_processes(
    limits: Limits, processes: list[list[tuple[Priority, bool, int, float]]], seed: int
) -> None:
    """Two processes at a time on one ledger; each is killed (or closed) and followed by another."""
    clock, store = VirtualClock(), MemoryStore()
    traffic = Traffic(clock, seed)

    async def life(plans: list[list[tuple[Priority, bool, int, float]]]) -> None:
        for plan in plans:
            budget = limiter(clock, limits, store)
            budget.observe(0.1)
            budget.observe(0.9)
            await asyncio.gather(*(traffic.caller(budget, *part) for part in plan))
            if traffic.rng.random() < 0.5:
                budget.close()

    async def work() -> None:
        await asyncio.gather(life(processes[::2]), life(processes[1::2]))

    clock.run(work())
    store.close()
    assert_kept(limits, traffic.arrived)


@settings(max_examples=40, deadline=None)
@given(
    waiting=st.lists(st.sampled_from(list(Priority)), min_size=2, max_size=40),
    per_second=st.integers(1, 5),
)
def test_whatever_waits_goes_in_order_of_priority(waiting: list[Priority], per_second: int) -> None:
    clock = VirtualClock()
    order: list[Priority] = []

    async def one(budget: Limiter, priority: Priority) -> None:
        await call(budget, priority=priority)
        order.append(priority)

    async def work() -> None:
        budget = limiter(clock, Limits(per_second=per_second))
        for _ in range(per_second):
            await call(budget)
        await asyncio.gather(*(one(budget, priority) for priority in waiting))

    clock.run(work())
    assert all(former <= later for former, later in pairwise(order))


# --- what is left


def test_what_is_left_of_each_limit_is_told_without_the_share_of_low_priorities(clock: VirtualClock) -> None:
    budget = limiter(clock, Limits(per_minute=3, per_hour=100, writes_per_day=5))

    async def work() -> None:
        for write in (False, False, True):
            await call(budget, write=write)
        assert budget.left() == {"per_minute": (0, 3), "per_hour": (97, 100), "writes_per_day": (4, 5)}
        clock.seconds += 70
        assert budget.left()["per_minute"] == (3, 3)

    clock.run(work())


def test_without_limits_nothing_is_left_of_any(clock: VirtualClock) -> None:
    assert Unlimited(clock).left() == {}
