"""A connection at work under a lease: renewed meanwhile, ended with the block, and what becomes of a refused write."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sim_stories import links, new_card, new_deal, rows
from sim_world import SimWorld

from nexudus_sync.connectors.base import Connector
from nexudus_sync.connectors.permit import ANY_TIME, IN_FORCE
from nexudus_sync.engine.cycle import run_cycle
from nexudus_sync.engine.startup.leased import under
from nexudus_sync.errors import LeaseLost, StoreError
from nexudus_sync.mapping import Side
from nexudus_sync.store import leases
from nexudus_sync.store.leases import DEADLINE, TTL, Lease
from nexudus_sync.store.tables import Journal, LeaseRow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimWorld]:
    made = SimWorld(11, tmp_path, nexudus=0, crm=0, shared=0)
    yield made
    made.close()


def taken(world: SimWorld, worker: str = "one") -> Lease:
    found = leases.take(world.store, world.clock, world.connection.crm, worker)
    assert found is not None
    return found


def free_in(world: SimWorld) -> float:
    with world.store.read() as session:
        return leases.seconds_left(session, world.clock, world.connection.crm)


def cycle(world: SimWorld) -> None:
    async def work() -> None:
        await world.engine.start()
        async with under(taken(world), world.connection) as held:
            await run_cycle(held)

    world.clock.run(work())


def test_a_cycle_under_a_lease_does_its_work_and_ends_it(world: SimWorld) -> None:
    new_card(world, "anna")
    cycle(world)
    cycle(world)
    assert [link.state for link in links(world)] == ["active"]
    assert free_in(world) == 0.0
    assert taken(world).epoch == 3
    assert IN_FORCE.get() is ANY_TIME


def test_the_mapping_is_remembered_for_the_next_cycle(world: SimWorld) -> None:
    cycle(world)
    assert world.connection.mapping_known is not None


def test_it_is_renewed_while_the_cycle_waits(world: SimWorld) -> None:
    async def work() -> None:
        async with under(taken(world), world.connection):
            for _ in range(20):
                await world.clock.sleep(TTL / 2)
                assert free_in(world) > DEADLINE

    world.clock.run(work())


def test_a_database_that_is_away_for_a_moment_costs_nothing(world: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    renew, away = Lease.renew, [True] * 5

    def renewed(lease: Lease) -> None:
        if away:
            away.pop()
            raise StoreError("the server is starting up")
        renew(lease)

    monkeypatch.setattr(Lease, "renew", renewed)

    async def work() -> None:
        lease = taken(world)
        async with under(lease, world.connection):
            await world.clock.sleep(TTL * 2)
            assert lease.may_send()

    world.clock.run(work())
    assert away == []


def test_an_end_that_cannot_be_stored_comes_by_itself(world: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(lease: Lease, *, in_flight: bool) -> None:
        raise StoreError("the server is starting up")

    monkeypatch.setattr(Lease, "end", end)
    cycle(world)
    assert 0 < free_in(world) <= TTL + DEADLINE


def test_after_a_write_without_an_answer_the_next_holder_waits_for_the_deadline(world: SimWorld) -> None:
    new_card(world, "anna")
    world.faults[Side.CRM].add("drop_after", "^POST .*/crm/opportunity$", times=1)
    cycle(world)
    assert free_in(world) == pytest.approx(DEADLINE, abs=1)


def test_a_cycle_that_is_cancelled_in_a_write_leaves_it_in_doubt(world: SimWorld) -> None:
    new_card(world, "anna")
    world.faults[Side.CRM].add("slow", "^POST .*/crm/opportunity$", seconds=20.0)

    async def work() -> None:
        running = asyncio.ensure_future(_leased(world))
        await world.clock.sleep(10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    world.clock.run(work())
    assert free_in(world) == pytest.approx(DEADLINE, abs=1)
    assert [row.kind for row in rows(world, Journal, state="sent")] == ["opportunity.create"]


async def _leased(world: SimWorld) -> None:
    await world.engine.start()
    async with under(taken(world), world.connection) as held:
        await run_cycle(held)


@contextmanager
def at(world: SimWorld, kind: str, happens: Any) -> Iterator[None]:
    """Something happens right after a write of this kind was noted as sent."""

    def look() -> None:
        if rows(world, Journal, state="sent", kind=kind):
            world.store.after_commit = None
            happens()

    world.store.after_commit = look
    yield
    world.store.after_commit = None


def test_a_write_that_the_lease_did_not_allow_any_more_is_known_not_to_have_been_sent(world: SimWorld) -> None:
    new_card(world, "anna")
    before = len(world.crm.records())

    def sleep() -> None:
        world.clock.seconds += TTL + 1

    with at(world, "opportunity.create", sleep), pytest.raises(LeaseLost):
        cycle(world)
    (row,) = rows(world, Journal, kind="opportunity.create")
    assert (row.state, row.looks) == ("dropped", 0)
    assert row.outcome.startswith("not sent: the lease of overplane has ended")
    assert len(world.crm.records()) == before
    assert free_in(world) == 0.0


def test_it_is_left_to_a_successor_that_has_seen_it_as_sent(world: SimWorld) -> None:
    new_deal(world, "berta")

    def sleep() -> None:
        world.clock.seconds += TTL + DEADLINE + 1
        taken(world, "successor")

    with at(world, "opportunity.create", sleep), pytest.raises(LeaseLost):
        cycle(world)
    assert [row.state for row in rows(world, Journal, kind="opportunity.create")] == ["sent"]
    with world.store.read() as session:
        assert session.get_one(LeaseRow, "overplane").holder == "successor"


def test_a_step_of_which_a_part_was_sent_is_not_taken_for_one_that_never_was(
    world: SimWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_card(world, "anna")
    kind = type(world.connection.connector(Side.CRM))
    original = kind.perform

    async def twice(connector: Connector, step: Any, record: Any) -> Any:
        await original(connector, step, record)
        world.clock.seconds += TTL + 1
        return await original(connector, step, record)

    monkeypatch.setattr(kind, "perform", twice)
    with pytest.raises(LeaseLost):
        cycle(world)
    assert [row.state for row in rows(world, Journal)] == ["sent"]
