"""What a cycle costs, counted on the wire, with Overplane; `test_e2e_economy_erpnext.py` has ERPNext's costs."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import ceil

import pytest
from e2e_desks import overplane_only
from e2e_office import ANA, BEN, CARDS, Counted, Office

from nexudus_sandbox.nexudus import NEXUDUS_WINDOWS
from nexudus_sync.engine.startup.assemble import Engine
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Link

pytestmark = overplane_only
PAIRS = 36
PAGE = 25
STAGES = "/api/crm/crmboardcolumns"
DIRECTORIES = (
    "/api/crm/crmboards",
    STAGES,
    "/api/sys/users",
    "/api/sys/businesses/{id}",
    "/api/core/user",
    "/api/crm/sales-stage",
)
DEALS, REASON_ROWS = "/api/crm/opportunity", "/api/crm/opportunity-lost-reason-detail"
Cost = dict[Side, Counter[str]]
Pair = tuple[int, str]
Change = dict[str, object]


class Meter:
    """A daemon's process, and what its cycles cost."""

    def __init__(self, office: Office, engine: Engine) -> None:
        self.office, self.engine = office, engine

    async def cost(self) -> Cost:
        """The calls of the next cycle."""
        counted = Counted(self.office)
        assert (await self.office.cycle(self.engine, one_shot=False)).finished
        return {side: counted.calls(side) for side in Side}

    async def beyond_idle(self, cycles: int = 1) -> Cost:
        """The calls of the next cycles that an idle cycle does not make, child rows read in rotation left out."""
        total: Cost = {side: Counter() for side in Side}
        for _ in range(cycles):
            cost = await self.cost()
            cost[Side.NEXUDUS] -= Counter({f"GET {CARDS}": 1})
            cost[Side.CRM] -= self.idle_crm()
            for side in Side:
                total[side] += cost[side]
        return total

    def idle_crm(self) -> Counter[str]:
        """What an idle cycle asks of the CRM."""
        return Counter({f"GET {DEALS}": self.pages(), f"GET {REASON_ROWS}": min(10, self.lost())})

    def pages(self) -> int:
        """How many pages the CRM's list has."""
        return ceil(len(self.office.deals.records()) / PAGE)

    def lost(self) -> int:
        """How many linked opportunities are lost: their child rows can change without a trace."""
        return sum(link.is_lost for link in self.office.rows(Link))


@asynccontextmanager
async def running(office: Office) -> AsyncIterator[Meter]:
    """A process with nothing to do, past the cycle in which it read its directories."""
    async with office.process() as engine:
        meter = Meter(office, engine)
        for _ in range(5):
            if not any((await meter.beyond_idle()).values()):
                break
        yield meter


@pytest.fixture(scope="module", autouse=True)
def small_pages(office: Office) -> None:
    """More than one page."""
    office.deals.options.max_limit = PAGE


async def test_an_idle_cycle_is_one_nexudus_list_and_the_crms_pages_and_at_most_ten_child_reads(
    office: Office,
) -> None:
    async with running(office) as meter:
        for _ in range(3):
            cost = await meter.cost()
            assert cost[Side.NEXUDUS] == {f"GET {CARDS}": 1}
            assert cost[Side.CRM] == meter.idle_crm()
        assert meter.pages() == 3


async def test_child_rows_of_many_lost_opportunities_are_read_ten_a_cycle_in_rotation(office: Office) -> None:
    seeded = office.world.seeded
    others = set(office.links().values()) - {deal for _, deal in [*seeded.equal, *seeded.different]}
    for deal in sorted(others):
        office.deals.edit(deal, BEN, status="Lost")
    await office.quiet()
    async with running(office) as meter:
        lost = meter.lost()
        assert lost > 10
        read: set[str] = set()
        for _ in range(ceil(lost / 10)):
            counted = Counted(office)
            assert (await meter.cost())[Side.CRM][f"GET {REASON_ROWS}"] == 10
            read |= {entry.query["parent_id"] for entry in counted.entries(Side.CRM) if entry.path == REASON_ROWS}
        assert len(read) == lost


@pytest.mark.parametrize(
    "change",
    [{"Name": "Renamed"}, {"Value": 1234}, {"DueDate": "2026-09-01T12:00:00Z"}, {"UtmSource": "x", "Name": "y"}],
)
async def test_a_changed_card_costs_one_get_and_one_crm_write(office: Office, pair: Pair, change: Change) -> None:
    async with running(office) as meter:
        office.cards.edit(pair[0], ANA, **change)
        cost = await meter.beyond_idle()
        assert cost[Side.NEXUDUS] == {f"GET {CARDS}/{{id}}": 1}
        assert cost[Side.CRM] == {f"PATCH {DEALS}/{{id}}": 1}


async def test_a_write_to_the_crm_is_followed_by_one_child_read_as_its_stamp_names_no_author(
    office: Office, pair: Pair
) -> None:
    async with running(office) as meter:
        office.cards.edit(pair[0], ANA, Name="Renamed")
        await meter.cost()
        later = await meter.beyond_idle(cycles=3)
        assert later == {Side.NEXUDUS: Counter(), Side.CRM: Counter({f"GET {REASON_ROWS}": 1})}


async def test_a_changed_card_that_changes_no_mapped_field_costs_one_get(office: Office, pair: Pair) -> None:
    async with running(office) as meter:
        office.cards.edit(pair[0], ANA, Notes="Called again", UtmTerm="desk")
        cost = await meter.beyond_idle(cycles=3)
        assert cost == {Side.NEXUDUS: Counter({f"GET {CARDS}/{{id}}": 1}), Side.CRM: Counter()}


async def test_a_changed_loss_reason_reads_the_opportunity_once_with_its_rows(office: Office, pair: Pair) -> None:
    async with running(office) as meter:
        office.cards.edit(pair[0], ANA, LossReason=4)
        cost = await meter.beyond_idle()
        assert cost[Side.NEXUDUS] == {f"GET {CARDS}/{{id}}": 1}
        reads = {call: count for call, count in cost[Side.CRM].items() if call.startswith("GET")}
        assert reads == {f"GET {DEALS}/{{id}}": 1, f"GET {REASON_ROWS}": 1}
        assert sum(cost[Side.CRM].values()) == 3


@pytest.mark.parametrize(
    "change", [{"title": "Renamed"}, {"opportunity_amount": 77}, {"utm_source": "a", "title": "b"}]
)
async def test_a_changed_crm_record_costs_one_get_and_one_put(office: Office, pair: Pair, change: Change) -> None:
    async with running(office) as meter:
        office.deals.edit(pair[1], BEN, **change)
        cost = await meter.beyond_idle(cycles=3)
        assert cost[Side.NEXUDUS] == {f"GET {CARDS}/{{id}}": 1, f"PUT {CARDS}": 1}
        assert cost[Side.CRM] == {f"GET {REASON_ROWS}": 1}


@pytest.mark.parametrize("key", ["status", "sales_stage"])
async def test_a_stage_or_status_write_is_verified_by_one_get_more_and_a_stage_looked_at_before(
    office: Office, pair: Pair, key: str
) -> None:
    now = office.deals.record(pair[1])[key]
    later = {"status": "Converted", "sales_stage": "Negotiation" if now != "Negotiation" else "Tour booked"}
    async with running(office) as meter:
        office.deals.edit(pair[1], BEN, **{key: later[key]})
        cost = await meter.beyond_idle()
        before = {f"GET {STAGES}/{{id}}": 1} if key == "sales_stage" else {}
        assert cost[Side.NEXUDUS] == {f"GET {CARDS}/{{id}}": 2, f"PUT {CARDS}": 1, **before}


async def test_ten_changed_records_cost_ten_times_one(office: Office) -> None:
    linked = sorted(office.links().items())[:10]
    async with running(office) as meter:
        for one, _ in linked[:5]:
            office.cards.edit(int(one), ANA, Name=f"Card {one}")
        for one, deal in linked[5:]:
            office.deals.edit(deal, BEN, title=f"Deal {one}")
        cost = await meter.beyond_idle()
        assert cost[Side.NEXUDUS] == {f"GET {CARDS}/{{id}}": 10, f"PUT {CARDS}": 5}
        assert cost[Side.CRM][f"PATCH {DEALS}/{{id}}"] == 5
        assert cost[Side.CRM][f"GET {DEALS}/{{id}}"] <= 5


async def test_directories_are_read_once_a_process_however_many_records_ask(office: Office) -> None:
    owners = list(office.world.seeded.places.owners.values())
    async with office.process() as engine:
        counted = Counted(office)
        for number, (one, deal) in enumerate(sorted(office.links().items())[:10]):
            office.cards.edit(int(one), ANA, ResponsibleId=owners[number % len(owners)])
            office.deals.edit(deal, BEN, sales_stage="Negotiation")
        for _ in range(3):
            await office.cycle(engine)
        read = counted.calls(Side.NEXUDUS) + counted.calls(Side.CRM)
    assert {path: read[f"GET {path}"] for path in DIRECTORIES} == dict.fromkeys(DIRECTORIES, 1)


async def test_a_stage_that_many_cards_enter_is_looked_at_once(office: Office) -> None:
    async with running(office) as meter:
        for _, deal in sorted(office.links().items())[:6]:
            office.deals.edit(deal, BEN, sales_stage="Proposal sent")
        counted = Counted(office)
        cost = await meter.beyond_idle()
        looked_at = [entry.path for entry in counted.entries(Side.NEXUDUS) if entry.path.startswith(f"{STAGES}/")]
        assert 0 < len(set(looked_at)) == len(looked_at) < cost[Side.NEXUDUS][f"PUT {CARDS}"]


async def test_a_sweep_reads_the_boards_again(office: Office) -> None:
    async with running(office) as meter:
        counted = Counted(office)
        await office.cycle(meter.engine, reconcile=True)
        read = counted.calls(Side.NEXUDUS)
        assert {path: read[f"GET {path}"] for path in DIRECTORIES[:2]} == dict.fromkeys(DIRECTORIES[:2], 1)


async def test_directories_are_read_again_on_a_miss_and_then_know_the_new_name(office: Office, pair: Pair) -> None:
    card, deal = pair
    async with running(office) as meter:
        await meter.cost()
        office.cards.directory.add_stage(office.world.seeded.places.london.board_id, "Site visit")
        office.deals.add("sales-stage", BEN, stage_name="Site visit")
        office.cards.move(card, "Site visit", ANA)
        cost = await meter.cost()
        assert cost[Side.NEXUDUS]["GET /api/crm/crmboards"] == 1
        assert cost[Side.CRM]["GET /api/crm/sales-stage"] == 1
    assert office.deals.record(deal)["sales_stage"] == "Site visit"


async def test_listing_asks_for_the_largest_page_that_was_honoured_before(office: Office) -> None:
    counted = Counted(office)
    async with running(office) as meter:
        await meter.cost()
        asked = [entry.query for entry in counted.entries(Side.CRM) if entry.path == DEALS]
        assert {query["limit"] for query in asked} == {str(PAGE)}
        assert [int(query["offset"]) for query in asked[: meter.pages()]] == [n * PAGE for n in range(meter.pages())]
    sizes = {entry.query["size"] for entry in counted.entries(Side.NEXUDUS) if entry.path == CARDS}
    assert sizes == {"1000"}


@pytest.mark.parametrize("over", ["clamp", "refuse"])
async def test_a_server_that_refuses_large_pages_is_listed_all_the_same(
    offices: Callable[..., Office], over: str
) -> None:
    office = offices(nexudus=10, crm=30, shared=5)
    office.deals.options.max_limit, office.deals.options.over_limit = PAGE, over
    report = await office.sync()
    assert (report.listed["crm"], len(office.links())) == (54, 35)


async def test_at_the_documented_limits_no_call_is_answered_as_throttled(offices: Callable[..., Office]) -> None:
    office = offices(nexudus=40, crm=30, shared=10)
    office.cards.set_windows(NEXUDUS_WINDOWS)
    head, _, rest = office.config.partition("[nexudus.limits]")
    office.config = head + rest[rest.index("[crm.") :]
    started = office.clock.monotonic()
    counted = Counted(office)
    await office.sync()
    minutes = (office.clock.monotonic() - started) / 60
    assert not [entry for entry in office.cards.log if entry.status in (409, 429)]
    calls = len(counted.entries(Side.NEXUDUS))
    assert calls > 120
    assert minutes >= (calls - 120) / 120


async def test_a_lost_opportunity_that_waits_for_a_person_costs_no_more_than_its_child_read(
    offices: Callable[..., Office],
) -> None:
    office = offices(nexudus=12, crm=10, shared=8)
    await office.quiet()
    ((_, deal),) = office.world.seeded.different
    office.deals.edit(deal, BEN, status="Lost")
    await office.quiet()
    assert {entry[3] for entry in office.waiting(Conflict)} == {deal}
    counted = Counted(office)
    async with office.process() as engine:
        for _ in range(3):
            await office.cycle(engine)
    assert counted.calls(Side.NEXUDUS)[f"GET {CARDS}/{{id}}"] == 0
