"""What a cycle costs ERPNext, counted on the wire."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import unquote

import pytest
from e2e_erpnext import DOCUMENTS, ErpOffice
from e2e_office import ANA, BEN, CARDS, Counted

from nexudus_sandbox.double import Entry
from nexudus_sync.engine.startup.assemble import Engine
from nexudus_sync.mapping import Side

PAIRS = 24
LEAST = 500
"""Rows that a list call has to ask for, if it does not ask for all."""
Change = dict[str, object]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ErpOffice]:
    """One office for all tests, after its backfill; each takes pairs of its own."""
    made = ErpOffice(tmp_path_factory.mktemp("office"), nexudus=PAIRS + 6, crm=PAIRS + 4, shared=PAIRS)
    asyncio.run(made.quiet())
    yield made
    made.close()


@pytest.fixture
def pair(office: ErpOffice) -> tuple[int, str]:
    return office.free.pop()


class Meter:
    """A daemon's process, and what its polls ask of ERPNext."""

    def __init__(self, office: ErpOffice, engine: Engine) -> None:
        self.office, self.engine = office, engine

    async def poll(self, *, wait: float = 0.0) -> list[Entry]:
        """What the next poll asks of ERPNext, `wait` seconds later than usual."""
        self.office.clock.turn(wait)
        counted = Counted(self.office)
        assert (await self.office.cycle(self.engine, one_shot=False)).finished
        return counted.entries(Side.CRM)

    async def calls(self, polls: int = 1) -> Counter[str]:
        """What the next polls ask of ERPNext beside the one list each."""
        found: Counter[str] = Counter()
        for _ in range(polls):
            entries = await self.poll()
            assert (entries[0].method, entries[0].path) == ("GET", DOCUMENTS)
            found += Counter(f"{entry.method} {_place(entry.path)}" for entry in entries[1:])
        return found


def _place(path: str) -> str:
    """The path with {name} for a document's name."""
    parts = unquote(path).split("/")
    return "/".join(["", *parts[1:4], *["{name}" for _ in parts[4:]]])


@asynccontextmanager
async def running(office: ErpOffice) -> AsyncIterator[Meter]:
    """A process with nothing to do, past the polls in which it read its directories."""
    async with office.process() as engine:
        meter = Meter(office, engine)
        office.deals.touch(office.world.seeded.equal[0][1], BEN)
        for _ in range(5):
            if not await meter.calls():
                break
        yield meter


async def test_an_idle_poll_is_one_call(office: ErpOffice) -> None:
    async with running(office) as meter:
        for _ in range(3):
            (only,) = await meter.poll()
            assert (only.method, only.path) == ("GET", DOCUMENTS)


async def test_an_idle_poll_stays_one_call_for_hours_and_whoever_the_opportunities_are_with(office: ErpOffice) -> None:
    async with running(office) as meter:
        for name in (office.free.pop()[1], office.free.pop()[1]):
            office.deals.edit(name, BEN, contact_email=None)
        await meter.calls(2)
        for _ in range(12):
            assert len(await meter.poll(wait=600)) == 1


@pytest.mark.parametrize("change", [{"title": "Renamed"}, {"opportunity_amount": 77}, {"status": "Converted"}])
async def test_a_changed_opportunity_costs_one_get_though_its_stamp_is_still_now(
    office: ErpOffice, pair: tuple[int, str], change: Change
) -> None:
    async with running(office) as meter:
        seen = Counted(office)
        office.cards.watchers.append(once := Once(lambda: office.deals.edit(pair[1], BEN, **change)))
        assert await meter.calls(3) == {f"GET {DOCUMENTS}/{{name}}": 1}
        assert once.done
        assert seen.calls(Side.NEXUDUS)[f"PUT {CARDS}"] == 1


class Once:
    """Does something after the first answered request: a change in the middle of a poll."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action, self.done = action, False

    def __call__(self, *_: object) -> None:
        if not self.done:
            self.done = True
            self.action()


async def test_two_edits_within_one_second_cost_one_get_each_and_none_is_missed(
    office: ErpOffice, pair: tuple[int, str]
) -> None:
    card, name = pair
    async with running(office) as meter:
        office.deals.edit(name, BEN, title="The first")
        first = await meter.calls()
        office.deals.edit(name, BEN, title="The second")
        office.deals.edit(name, BEN, title="The third")
        assert first + await meter.calls(3) == {f"GET {DOCUMENTS}/{{name}}": 2}
    assert office.cards.record(card)["Name"] == "The third"


async def test_a_saved_opportunity_that_says_the_same_costs_one_get(office: ErpOffice, pair: tuple[int, str]) -> None:
    async with running(office) as meter:
        office.deals.touch(pair[1], BEN)
        assert await meter.calls(3) == {f"GET {DOCUMENTS}/{{name}}": 1}


async def test_a_changed_card_costs_one_get_and_one_save(office: ErpOffice, pair: tuple[int, str]) -> None:
    async with running(office) as meter:
        office.cards.edit(pair[0], ANA, Name="Renamed", LossReason=4)
        assert await meter.calls(3) == {f"GET {DOCUMENTS}/{{name}}": 1, f"PUT {DOCUMENTS}/{{name}}": 1}


async def test_opportunities_changed_on_both_sides_cost_one_get_and_one_save_each_however_slow_it_is(
    office: ErpOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [office.free.pop() for _ in range(6)]
    slow = [*office.cards.watchers, lambda *_: office.clock.turn(0.3)]
    monkeypatch.setattr(office.cards, "watchers", slow)
    async with running(office) as meter:
        for number, (card, name) in enumerate(pairs):
            office.cards.edit(card, ANA, Name=f"Card {number}")
            office.deals.edit(name, BEN, opportunity_amount=700 + number)
        expected = {f"GET {DOCUMENTS}/{{name}}": len(pairs), f"PUT {DOCUMENTS}/{{name}}": len(pairs)}
        assert await meter.calls(3) == expected


async def test_every_list_asks_for_large_pages(office: ErpOffice) -> None:
    office.new_card("Asks for all lists", "lists@example.org", stage="New lead")
    office.new_deal("Asks for all lists", "other@example.org", contact_email=None)
    counted = Counted(office)
    await office.sync(reconcile=True)
    lists = [entry for entry in counted.entries(Side.CRM) if "limit_page_length" in entry.query]
    assert len({entry.path for entry in lists}) >= 6
    probing = [entry for entry in lists if entry.query["limit_page_length"] == "1"]
    assert {entry.path for entry in probing} <= {DOCUMENTS}
    sizes = {int(entry.query["limit_page_length"]) for entry in lists if entry not in probing}
    assert all(size == 0 or size >= LEAST for size in sizes)


async def test_many_parties_are_read_in_few_calls(office: ErpOffice) -> None:
    for number in range(60):
        office.new_deal(f"Deal {number}", f"deal{number}@example.org", contact_email=None)
    counted = Counted(office)
    async with office.process() as engine:
        await office.cycle(engine, limit=0)
    leads = [entry for entry in counted.entries(Side.CRM) if entry.path == "/api/resource/Lead"]
    assert len(leads) == 1
