from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from nexudus_sync.store import Store
from nexudus_sync.store.ledger import Bucket, Counts, Ledger, fine_since
from nexudus_sync.store.tables import Spent

START = datetime(2026, 3, 2, 12, 0, 5, 300_000, tzinfo=UTC)
SECOND = int(START.timestamp())
HOUR, DAY = 3600, 86400


class StillClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError

    def pass_(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


def lease(ledger: Ledger, clock: StillClock, lane: str = "lane", **counts: int) -> int:
    with ledger.page(lane, clock) as page:
        return page.lease(Counter(counts))


def buckets(ledger: Ledger, clock: StillClock, lane: str = "lane") -> list[Bucket]:
    with ledger.page(lane, clock) as page:
        return sorted(page.buckets(), key=lambda bucket: bucket.start)


def total(found: list[Bucket]) -> Counts:
    return sum((bucket.counts for bucket in found), Counter())


def rows(store: Store) -> list[tuple[str, int, int]]:
    with store.read() as session:
        return sorted((row.lane, row.length, row.start) for row in session.exec(select(Spent)).all())


def test_leases_of_one_second_add_up_and_each_kind_is_counted_apart(any_store: Store, clock: StillClock) -> None:
    ledger = Ledger(any_store)
    assert lease(ledger, clock, calls=10, low_calls=10) == SECOND
    assert lease(ledger, clock, calls=1, writes=1, creations=1) == SECOND
    lease(ledger, clock, calls=1, low_calls=1, writes=1, low_writes=1)
    (bucket,) = buckets(ledger, clock)
    assert (bucket.start, bucket.length) == (SECOND, 1)
    assert +bucket.counts == Counter(calls=12, low_calls=11, writes=2, low_writes=1, creations=1)


def test_a_lease_may_be_used_until_the_end_of_the_second_second_after_its_own(
    any_store: Store, clock: StillClock
) -> None:
    ledger = Ledger(any_store)
    lease(ledger, clock, calls=1)
    (bucket,) = buckets(ledger, clock)
    assert bucket.until == SECOND + 3


def test_lanes_know_nothing_of_each_other(any_store: Store, clock: StillClock) -> None:
    ledger = Ledger(any_store)
    lease(ledger, clock, "one", calls=3, low_calls=3)
    lease(ledger, clock, "two", calls=4)
    assert total(buckets(ledger, clock, "one")) == Counter(calls=3, low_calls=3)
    assert total(buckets(ledger, clock, "two")) == Counter(calls=4)


def test_another_process_sees_what_was_leased(on_disk: Store, clock: StillClock, tmp_path: Path) -> None:
    lease(Ledger(on_disk), clock, calls=10)
    other = Store.open("sqlite:///state.db", base_dir=tmp_path)
    assert total(buckets(Ledger(other), clock)) == Counter(calls=10)
    other.close()


def test_a_lease_is_not_kept_when_its_transaction_fails(any_store: Store, clock: StillClock) -> None:
    ledger = Ledger(any_store)

    def lease_and_fail() -> None:
        with ledger.page("lane", clock) as page:
            page.lease(Counter(calls=5))
            raise KeyError

    with pytest.raises(KeyError):
        lease_and_fail()
    assert buckets(ledger, clock) == []


def test_what_was_not_used_is_given_back_within_the_minute_and_never_more_than_was_leased(
    any_store: Store, clock: StillClock
) -> None:
    ledger = Ledger(any_store)
    second = lease(ledger, clock, calls=10, low_calls=10)
    clock.pass_(30)
    with ledger.page("lane", clock) as page:
        page.give_back(second, Counter(calls=7, low_calls=7))
        page.give_back(second - 1, Counter(calls=7))
    assert total(buckets(ledger, clock)) == Counter(calls=3, low_calls=3)
    with ledger.page("lane", clock) as page:
        page.give_back(second, Counter(calls=7))
    assert total(buckets(ledger, clock)) == Counter(low_calls=3)


def test_what_is_given_back_too_late_stays_spent(any_store: Store, clock: StillClock) -> None:
    ledger = Ledger(any_store)
    second = lease(ledger, clock, calls=10)
    clock.pass_(300)
    with ledger.page("lane", clock) as page:
        page.give_back(second, Counter(calls=10))
    assert total(buckets(ledger, clock)) == Counter(calls=10)


def test_counts_are_kept_by_the_second_then_by_the_minute_then_by_the_hour_then_not_at_all(
    any_store: Store, clock: StillClock
) -> None:
    ledger = Ledger(any_store)
    for _ in range(30):
        lease(ledger, clock, calls=2, low_calls=1)
        clock.pass_(1)
    assert len(rows(any_store)) == 60
    minute, hour = SECOND - SECOND % 60, SECOND - SECOND % HOUR
    clock.pass_(150)
    assert [(found.length, found.start) for found in buckets(ledger, clock)] == [(60, minute)]
    assert rows(any_store) == [("lane", 60, minute), ("lane:low", 60, minute)]
    clock.pass_(2 * HOUR)
    assert [(found.length, found.start) for found in buckets(ledger, clock)] == [(HOUR, hour)]
    assert total(buckets(ledger, clock)) == Counter(calls=60, low_calls=30)
    clock.pass_(DAY)
    assert buckets(ledger, clock) == []
    assert rows(any_store) == []


def test_counts_of_a_moment_to_come_are_taken_as_made_now(any_store: Store, clock: StillClock) -> None:
    ledger = Ledger(any_store)
    lease(ledger, clock, calls=5)
    clock.pass_(-30 * DAY)
    lease(ledger, clock, calls=2)
    (bucket,) = buckets(ledger, clock)
    assert (bucket.start, bucket.counts["calls"]) == (SECOND - 30 * DAY, 7)


def test_a_day_of_calls_takes_a_few_hundred_rows(any_store: Store, clock: StillClock) -> None:
    ledger = Ledger(any_store)
    for _ in range(360):
        lease(ledger, clock, calls=1, low_calls=1)
        clock.pass_(239)
    assert len(rows(any_store)) < 200


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([0.0, 0.4, 1.0, 33.0, 61.0, 700.0, 3601.0, 40_000.0]), st.integers(1, 9)), max_size=30
    )
)
def test_the_ledger_never_says_too_few_for_any_window(steps: list[tuple[float, int]]) -> None:
    clock, made = StillClock(), list[tuple[float, int]]()
    store = Store.open("sqlite://")
    ledger = Ledger(store)
    for wait, count in steps:
        clock.pass_(wait)
        lease(ledger, clock, calls=count)
        now = clock.now().timestamp()
        made.append((now, count))
        found = buckets(ledger, clock)
        for window, coarse in ((60, 3), (HOUR, 65), (DAY, HOUR + 5)):
            counted = sum(bucket.counts["calls"] for bucket in found if bucket.until > now - window)
            # A call leased at `at` may be made until almost two seconds later.
            assert counted >= sum(count for at, count in made if at + 1 > now - window)
            assert counted <= sum(count for at, count in made if at + coarse > now - window)
    store.close()


def test_counts_by_the_second_reach_back_further_than_a_minute() -> None:
    for now in range(SECOND, SECOND + 130):
        assert 70 <= now - fine_since(now) < 130
