"""One budget for machines whose clocks are minutes apart: they go by the clock of the database server."""

import asyncio
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_budget import Traffic, assert_kept, limits_of, most_within, plan_of
from virtual_time import MemoryStore, VirtualClock

from nexudus_sync.clock import Clock, SharedClock
from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.budget import Limiter, Limits, lane_of
from nexudus_sync.store import Store, ledger
from nexudus_sync.store.ledger import Ledger

Plan = list[tuple[Priority, bool, int, float]]


class ClockOfMachine:
    """The time of a machine that is `off` by so many seconds; it also counts them from another moment."""

    def __init__(self, true: VirtualClock, off: float) -> None:
        self._true, self._off = true, off

    def now(self) -> datetime:
        return self._true.now() + timedelta(seconds=self._off)

    def monotonic(self) -> float:
        return self._true.monotonic() + 7 * self._off

    async def sleep(self, seconds: float) -> None:
        await self._true.sleep(seconds)


def limiter(clock: Clock, limits: Limits, store: MemoryStore, lane: str = "lane") -> Limiter:
    return Limiter(limits, clock=clock, ledger=Ledger(store), lane=lane)


def traffic_of(true: VirtualClock, limits: Limits, machines: list[tuple[float, list[Plan]]], seed: int) -> Traffic:
    """What arrives at the system when each machine's processes follow each other; half of them are killed."""
    store, traffic = MemoryStore(), Traffic(true, seed)

    async def life(clock: Clock, plans: list[Plan]) -> None:
        for plan in plans:
            budget = limiter(clock, limits, store)
            budget.observe(0.1)
            budget.observe(0.9)
            await asyncio.gather(*(traffic.caller(budget, *part) for part in plan))
            if traffic.rng.random() < 0.5:
                budget.close()

    async def work() -> None:
        await asyncio.gather(*(life(ClockOfMachine(true, off), plans) for off, plans in machines))

    true.run(work())
    store.close()
    return traffic


@settings(max_examples=15, deadline=None)
@given(
    limits=limits_of,
    machines=st.lists(
        st.tuples(st.floats(-600, 600), st.lists(plan_of, min_size=1, max_size=2)), min_size=2, max_size=4
    ),
    seed=st.integers(0, 10**6),
)
def test_no_window_is_ever_exceeded_by_machines_whose_clocks_are_apart(
    limits: Limits, machines: list[tuple[float, list[Plan]]], seed: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        true, read = VirtualClock(), ledger._read
        patch.setattr(ledger, "_read", lambda session, lane, _: read(session, lane, true))
        assert_kept(limits, traffic_of(true, limits, machines, seed).arrived)


def test_by_their_own_clocks_they_would_exceed_it() -> None:
    true, limits = VirtualClock(), Limits(per_minute=20)
    plan: Plan = [(Priority.LIVE, False, 40, 0.1)]
    arrived = traffic_of(true, limits, [(0.0, [plan]), (400.0, [plan])], 1).arrived
    assert most_within([at for at, *_ in arrived], 60) > 20


def test_the_server_says_what_time_it_is(postgres_store: Store) -> None:
    pages = []
    for off in (-600.0, 0.0, 600.0):
        true = VirtualClock()
        clock = SharedClock(ClockOfMachine(true, off))
        with Ledger(postgres_store).page("lane", clock) as page:
            page.lease(Counter(calls=1))
            pages.append(page.now)
    assert pages == sorted(pages)
    with postgres_store.read() as session:
        now: datetime = session.connection().exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    assert pages[-1] <= now.astimezone(UTC).timestamp() <= pages[0] + 600, "the time of the server, and no other"


def test_tenants_with_one_login_or_one_account_share_its_budget() -> None:
    own, shared = Limits(per_second=5), Limits(per_second=5, account="operator")
    assert lane_of("https://crm.example", "joe", own) == lane_of("https://crm.example", "joe", own)
    assert lane_of("https://crm.example", "joe", own) != lane_of("https://crm.example", "ann", own)
    assert lane_of("https://crm.example", "joe", shared) == lane_of("https://crm.example", "ann", shared)
    assert lane_of("https://crm.example", "joe", shared) != lane_of("https://other.example", "joe", shared)
    assert "operator" not in lane_of("https://crm.example", "joe", shared)


@pytest.mark.parametrize("limits", [Limits(), Limits(account="operator")])
def test_an_account_alone_limits_nothing(limits: Limits) -> None:
    assert limits.are_none
    assert not Limits(per_day=1, account="operator").are_none


def test_lanes_do_not_wait_for_each_other(postgres_url: str) -> None:
    clock = VirtualClock()
    with (
        closing(Store.open(postgres_url)) as one,
        closing(Store.open(postgres_url)) as two,
        Ledger(one).page("first", clock) as page,
        Ledger(two).page("second", clock) as other,
    ):
        assert (page.buckets(), other.buckets()) == ([], [])
