"""A loss reason that ERPNext does not have waits, whatever else happens, until it is really there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_erpnext import ErpOffice, saves
from e2e_office import ANA, BEN, Counted

from nexudus_sync.engine.startup.assemble import Engine
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure

PETS, NO_PETS = 13, "No pet policy"
REASONS = "Opportunity Lost Reason"


@pytest.fixture
async def office(tmp_path: Path) -> ErpOffice:
    """After a backfill. Nobody lost anything for want of a pet policy, and ERPNext has no such reason."""
    office = ErpOffice(tmp_path, nexudus=4, crm=4, shared=4)
    assert NO_PETS not in {reason for name in office.deals.records() for reason in office.deals.lost_reasons(name)}
    office.deals.rename(NO_PETS, "Something else", BEN, doctype=REASONS)
    await office.quiet()
    return office


@pytest.fixture(autouse=True)
def closing(office: ErpOffice) -> Iterator[None]:
    yield
    office.close()


async def poll(office: ErpOffice, engine: Engine) -> None:
    """A cycle of the daemon."""
    await office.cycle(engine, one_shot=False)


async def lose(office: ErpOffice, engine: Engine) -> tuple[int, str]:
    """A card that is lost for that reason."""
    card, name = office.free[0]
    office.cards.edit(card, ANA, Status=3, LossReason=PETS)
    await poll(office, engine)
    return card, name


def stands(office: ErpOffice, card: int, name: str, kind: str = "unmapped") -> bool:
    """Is it shown, under the name to create, with nothing lost on either side?"""
    shown = office.failure_of(card, "lost_reasons")
    assert office.cards.record(card)["LossReason"] == PETS
    assert office.deals.lost_reasons(name) == []
    return shown is not None and shown.kind == kind and NO_PETS in shown.reason


def add_reason(office: ErpOffice) -> None:
    office.deals.add(REASONS, BEN, lost_reason=NO_PETS)


def retry(office: ErpOffice, card: int) -> None:
    """As `failures retry` does it."""
    failure = office.failure_of(card, "lost_reasons")
    assert failure is not None
    failure.next_attempt = office.clock.now()
    office.keep(failure)


def solved(office: ErpOffice, card: int, name: str) -> bool:
    assert office.deals.lost_reasons(name) == [NO_PETS]
    assert office.cards.record(card)["LossReason"] == PETS
    found = office.rows(Failure, nexudus_id=str(card), field="lost_reasons")
    return bool(found) and {failure.state for failure in found} == {"solved"}


async def test_the_status_travels_and_the_reason_waits_under_the_name_to_create(office: ErpOffice) -> None:
    async with office.process() as engine:
        card, name = await lose(office, engine)
    assert office.deals.record(name)["status"] == "Lost"
    assert stands(office, card, name)


async def test_neither_other_writes_nor_reads_nor_retries_solve_it(office: ErpOffice) -> None:
    async with office.process() as engine:
        card, name = await lose(office, engine)
        for change in ({"Name": "One"}, {"Value": 555}, {"DueDate": "2026-11-01T12:00:00Z"}):
            office.cards.edit(card, ANA, **change)
            await poll(office, engine)
            assert stands(office, card, name)
        office.deals.edit(name, BEN, title="Two", order_lost_reason="a dog")
        await poll(office, engine)
        assert office.cards.record(card)["Name"] == "Two"
        assert stands(office, card, name)
        for options in ({"reconcile": True}, {"one_shot": True}):
            await office.cycle(engine, **options)
            assert stands(office, card, name)
        retry(office, card)
        await poll(office, engine)
        assert stands(office, card, name)
    await office.sync()
    assert stands(office, card, name)


@pytest.mark.parametrize("how", ["retry", "reconcile", "edit"])
async def test_it_is_solved_by_the_write_that_brings_the_reason(office: ErpOffice, how: str) -> None:
    async with office.process() as engine:
        card, name = await lose(office, engine)
        add_reason(office)
        await poll(office, engine)
        assert stands(office, card, name)
        office.clock.turn(120)
        if how == "retry":
            retry(office, card)
        elif how == "edit":
            office.cards.edit(card, ANA, Name="Touched")
        await office.cycle(engine, one_shot=False, reconcile=how == "reconcile")
        assert solved(office, card, name)
        counted = Counted(office)
        await poll(office, engine)
        assert not counted.writes()


async def test_a_reason_that_vanished_since_the_list_was_read_is_refused_and_later_solved(office: ErpOffice) -> None:
    office.deals.rename("Something else", NO_PETS, BEN, doctype=REASONS)
    async with office.process() as engine:
        office.cards.edit(office.free[1][0], ANA, Name="So that the lists are read")
        await poll(office, engine)
        office.deals.rename(NO_PETS, "Something else", BEN, doctype=REASONS)
        counted = Counted(office)
        card, name = await lose(office, engine)
        assert saves(counted.entries(Side.CRM)) == ["PUT 417", "PUT 200"]
        assert office.deals.record(name)["status"] == "Lost"
        assert stands(office, card, name, "refused")
        office.clock.turn(120)
        await office.cycle(engine, one_shot=False, reconcile=True)
        assert stands(office, card, name)  # the list was read again: now it is known to be missing
        assert office.failures_of((card, name)) == {("unmapped", "lost_reasons")}
        counted = Counted(office)
        await poll(office, engine)
        assert len(counted.entries(Side.CRM)) == 1
        add_reason(office)
        office.clock.turn(120)
        retry(office, card)
        await poll(office, engine)
        assert solved(office, card, name)


async def test_an_opportunity_that_is_created_without_its_reason_is_given_it_later(office: ErpOffice) -> None:
    card = office.new_card("Lost early", "early@example.org", Status=3, LossReason=PETS)
    await office.sync()
    name = office.links(nexudus_id=str(card))[str(card)]
    assert stands(office, card, name)
    office.cards.edit(card, ANA, Name="Lost early on")
    await office.sync()
    assert stands(office, card, name)
    add_reason(office)
    async with office.process() as engine:
        retry(office, card)
        await poll(office, engine)
    assert solved(office, card, name)
