"""Leases: one holder at a time, numbers that grow, and a store that a former holder can no longer write to."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nexudus_sync.clock import SharedClock
from nexudus_sync.errors import LeaseLost, StoreError
from nexudus_sync.store import Store, facts, leases
from nexudus_sync.store.leases import DEADLINE, TTL, Lease
from nexudus_sync.store.tables import LeaseRow

CRM = "acme/erp"


class HandClock:
    """A machine's clock, moved by hand; `wall` is how far it is set apart from the others'."""

    def __init__(self) -> None:
        self.seconds, self.wall = 0.0, 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(seconds=self.seconds + self.wall)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store of each kind; the server's time is moved by hand as well."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    monkeypatch.setattr(leases, "_database_now", lambda *_: clock.now())
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ours(url: str) -> Iterator[Store]:
    with closing(Store.open(url)) as store:
        yield store


@pytest.fixture
def theirs(ours: Store, url: str) -> Iterator[Store]:
    """The same store, as another process has it."""
    with closing(Store.open(url)) as store:
        yield store


def taken(store: Store, clock: HandClock, holder: str = "a") -> Lease:
    lease = leases.take(store, clock, CRM, holder)
    assert lease is not None
    return lease


def note(store: Store, word: str) -> None:
    with store.session() as session:
        facts.keep(session, "test", {"word": word})


def noted(store: Store) -> object:
    with store.read() as session:
        return facts.values(session, "test").get("word")


def test_one_worker_at_a_time_has_the_lease_of_a_crm(ours: Store, theirs: Store, clock: HandClock) -> None:
    lease = taken(ours, clock)
    assert leases.take(theirs, clock, CRM, "b") is None
    assert leases.take(ours, clock, CRM, "a") is None
    assert leases.take(theirs, clock, "acme/other", "b") is not None
    assert (lease.epoch, lease.holder) == (1, "a")


def test_it_is_free_again_when_its_holder_ends_it(ours: Store, theirs: Store, clock: HandClock) -> None:
    taken(ours, clock).end(in_flight=False)
    assert taken(theirs, clock, "b").epoch == 2


def test_what_may_be_under_way_delays_a_successor_by_the_deadline(ours: Store, theirs: Store, clock: HandClock) -> None:
    taken(ours, clock).end(in_flight=True)
    with theirs.read() as session:
        assert leases.seconds_left(session, clock, CRM) == DEADLINE
    clock.seconds += DEADLINE
    assert leases.take(theirs, clock, CRM, "b") is None
    clock.seconds += 0.1
    assert taken(theirs, clock, "b").epoch == 2


def test_a_holder_that_is_gone_is_followed_after_the_lease_and_its_last_request(
    ours: Store, theirs: Store, clock: HandClock
) -> None:
    taken(ours, clock)
    clock.seconds += TTL + DEADLINE
    assert leases.take(theirs, clock, CRM, "b") is None
    clock.seconds += 0.1
    assert taken(theirs, clock, "b").epoch == 2


def test_a_lease_that_is_not_known_is_free(ours: Store, clock: HandClock) -> None:
    with ours.read() as session:
        assert leases.seconds_left(session, clock, CRM) == 0.0


def test_a_former_holder_stores_nothing_more(ours: Store, theirs: Store, clock: HandClock) -> None:
    fenced = ours.fenced(taken(ours, clock))
    note(fenced, "first")
    clock.seconds += TTL + DEADLINE + 1
    taken(theirs, clock, "b")
    with pytest.raises(LeaseLost, match=r"^the lease of acme/erp has ended, and another worker may work on it;"):
        note(fenced, "late")
    assert noted(ours) == "first"
    note(ours, "a person's decision")
    assert noted(fenced) == "a person's decision"


def test_nothing_is_stored_under_a_lease_that_ended(ours: Store, clock: HandClock) -> None:
    lease = taken(ours, clock)
    lease.end(in_flight=False)
    with pytest.raises(LeaseLost):
        note(ours.fenced(lease), "late")
    assert not lease.may_send()


def test_the_end_of_a_lost_lease_leaves_the_next_one_alone(ours: Store, theirs: Store, clock: HandClock) -> None:
    lease = taken(ours, clock)
    clock.seconds += TTL + DEADLINE + 1
    follower = taken(theirs, clock, "b")
    lease.end(in_flight=True)
    note(theirs.fenced(follower), "still in force")
    assert leases.take(ours, clock, CRM, "a") is None


def test_it_may_send_for_as_long_as_the_lease_lasts_by_its_own_clock(ours: Store, clock: HandClock) -> None:
    lease = taken(ours, clock)
    clock.seconds += TTL - 0.1
    assert lease.may_send()
    clock.seconds += 0.1
    assert not lease.may_send()


def test_what_is_stored_renews_it_when_a_third_of_its_time_is_over(
    ours: Store, theirs: Store, clock: HandClock
) -> None:
    lease = taken(ours, clock)
    fenced = ours.fenced(lease)
    for _ in range(12):
        clock.seconds += TTL / 2
        note(fenced, "at work")
        assert lease.may_send()
        assert leases.take(theirs, clock, CRM, "b") is None


def test_it_is_renewed_late_if_nobody_took_over(ours: Store, clock: HandClock) -> None:
    lease = taken(ours, clock)
    clock.seconds += 10 * TTL
    assert not lease.may_send()
    lease.renew()
    assert lease.may_send()


def test_a_renewal_that_is_not_due_stores_nothing(ours: Store, clock: HandClock) -> None:
    lease = taken(ours, clock)
    clock.seconds += TTL / 4
    lease.renew()
    with ours.read() as session:
        assert session.get_one(LeaseRow, CRM).until == clock.now() + timedelta(seconds=TTL - TTL / 4)


def test_a_renewal_that_was_rolled_back_does_not_count(ours: Store, clock: HandClock) -> None:
    lease = taken(ours, clock)
    clock.seconds += TTL / 2
    with pytest.raises(ZeroDivisionError), ours.fenced(lease).session():
        raise ZeroDivisionError
    clock.seconds += TTL / 2
    assert not lease.may_send()


def test_a_lease_whose_row_is_gone_is_lost(ours: Store, clock: HandClock) -> None:
    lease = taken(ours, clock)
    with ours.session() as session:
        session.delete(session.get_one(LeaseRow, CRM))
    with pytest.raises(LeaseLost):
        note(ours.fenced(lease), "late")


def test_a_lost_lease_is_an_error_of_the_store() -> None:
    assert issubclass(LeaseLost, StoreError)


def test_a_shared_clock_tells_the_time_it_learnt_and_goes_on_by_the_machines_own() -> None:
    machine = HandClock()
    clock, noon = SharedClock(machine), datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert clock.now() == machine.now()
    asked = machine.monotonic()
    machine.seconds += 2
    clock.learn(noon, asked)
    assert clock.now() == noon + timedelta(seconds=1)
    machine.seconds, machine.wall = machine.seconds + 5, 3600.0
    assert clock.now() == noon + timedelta(seconds=6)
    assert clock.monotonic() == machine.monotonic() == 7.0


# -- on a server


@pytest.fixture
def here(postgres_url: str) -> Iterator[Store]:
    with closing(Store.open(postgres_url)) as store:
        yield store


@pytest.fixture
def there(here: Store, postgres_url: str) -> Iterator[Store]:
    with closing(Store.open(postgres_url)) as store:
        yield store


def test_nobody_takes_over_in_the_middle_of_a_transaction(here: Store, there: Store, clock: HandClock) -> None:
    lease = taken(here, clock)
    with here.session() as session:
        session.get_one(LeaseRow, CRM).until = datetime(2020, 1, 1, tzinfo=UTC)
    with here.fenced(lease).session():
        assert leases.take(there, clock, CRM, "b") is None
    assert taken(there, clock, "b").epoch == 2


def test_others_are_not_kept_waiting_by_what_is_done_under_a_lease(here: Store, there: Store, clock: HandClock) -> None:
    lease = taken(here, clock)
    other = leases.take(there, clock, "acme/other", "b")
    assert other is not None
    with here.fenced(lease).session():
        note(there.fenced(other), "beside it")
        assert leases.take(there, clock, "acme/third", "b") is not None


def test_workers_learn_the_time_of_the_server(here: Store, clock: HandClock) -> None:
    shared = SharedClock(clock)
    assert leases.take(here, shared, CRM, "a") is not None
    with here.read() as session:
        until = session.get_one(LeaseRow, CRM).until
    assert until == shared.now() + timedelta(seconds=TTL)
    clock.wall = 600.0
    assert until == shared.now() + timedelta(seconds=TTL)
