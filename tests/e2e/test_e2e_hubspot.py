"""What HubSpot has to do well: first runs, edits that the search shows late, the number of calls, and its limits."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nexudus_sandbox.double import Entry
from nexudus_sandbox.hubspot.pipelines import Pipeline
from nexudus_sandbox.nexudus import NexudusDouble, NexudusOptions
from nexudus_sandbox.seed import seed
from nexudus_sandbox.wire import Request
from nexudus_sync.connectors.http import template
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.rehearse.rehearse import rehearse
from nexudus_sync.errors import Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Link
from small_office import MARIA, TOM, SmallOffice


class HubOffice(SmallOffice):
    """An office whose HubSpot account has the limits of the smallest plan, and the connector its defaults."""

    def __init__(self, folder: Path, *, nexudus: int = 0, crm: int = 0, shared: int = 0) -> None:
        super().__init__(folder, "hubspot", shared=0)
        config = folder / "config.toml"
        kept = [line for line in config.read_text().splitlines() if "limits = {" not in line]
        more = "[nexudus.limits]\ncustomer_creations_per_day = 1000\n"
        config.write_text("\n".join([*kept, more]))
        self.deals.gate.ten_seconds, self.deals.gate.a_second = 100, 5
        self.engine = self._engine()
        if nexudus or crm:
            self.deals.pipelines.all.clear()
            fresh = NexudusDouble(self.clock.now, seed=3, options=NexudusOptions(customer_creations_per_day=1000))
            fresh.set_windows(())
            fresh.add_account("sync@example.com", "password")
            self.__dict__["cards"] = fresh
            self.deals.properties.of["deals"].pop("nexudus_id")
            self.seeded = seed(fresh, self.deals, nexudus=nexudus, crm=crm, shared=shared)
            self.engine = self._engine()

    @property
    def london(self) -> Pipeline:
        return next(one for one in self.deals.pipelines.all if one.label == "Example Corp")

    def seen(self, side: Side) -> int:
        return len(self._double(side).log)

    def _double(self, side: Side) -> Any:
        return self.cards if side is Side.NEXUDUS else self.deals

    def calls(self, side: Side, since: int) -> Counter[str]:
        """What was asked since then, logins left out."""
        log: list[Entry] = self._double(side).log[since:]
        return Counter(f"{one.method} {template(one.path)}" for one in log if one.path != "/api/token")


SEARCH, READ, CHANGE = (
    "POST /crm/objects/{id}/deals/search",
    "GET /crm/objects/{id}/deals/{id}",
    "PATCH /crm/objects/{id}/deals/{id}",
)
LIST, CARD = "GET /api/crm/crmopportunities", "GET /api/crm/crmopportunities/{id}"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[HubOffice]:
    """Three pairs at rest, an hour after they were made."""
    made = HubOffice(tmp_path)
    async with made.open():
        for number in range(3):
            made.card(f"person{number}@example.org", f"Desk {number}")
        await made.settle(3)
        made.clock.turn(3600)
        await made.settle(1)
        yield made


async def test_a_cycle_without_changes_is_one_list_and_one_search(office: HubOffice) -> None:
    since = {side: office.seen(side) for side in Side}
    await office.cycle()
    assert office.calls(Side.NEXUDUS, since[Side.NEXUDUS]) == {LIST: 1}
    assert office.calls(Side.CRM, since[Side.CRM]) == {SEARCH: 1}


async def test_a_changed_deal_is_read_once_more_at_most(office: HubOffice) -> None:
    deal = office.pairs[0][1]
    office.deals.edit(deal, TOM, dealname="Renamed there")
    office.clock.turn(10)
    since = office.seen(Side.CRM)
    await office.cycle()
    assert office.calls(Side.CRM, since) <= Counter({SEARCH: 1, READ: 1})
    assert "Renamed there" in office.card_titles()


async def test_a_changed_card_is_two_reads_and_one_change(office: HubOffice) -> None:
    card, deal = office.pairs[0]
    office.cards.edit(card, MARIA, Name="Renamed here")
    office.clock.turn(10)
    since = {side: office.seen(side) for side in Side}
    await office.cycle()
    assert office.calls(Side.NEXUDUS, since[Side.NEXUDUS]) == {LIST: 1, CARD: 1}
    assert office.calls(Side.CRM, since[Side.CRM]) == {SEARCH: 1, READ: 1, CHANGE: 1}
    assert office.deals.record(deal)["dealname"] == "Renamed here"
    since = {side: office.seen(side) for side in Side}
    await office.cycle()
    assert office.calls(Side.CRM, since[Side.CRM]) == {SEARCH: 1}


async def test_a_create_takes_three_calls_at_most(office: HubOffice) -> None:
    office.card("new@example.org", "New")
    office.clock.turn(10)
    since = office.seen(Side.CRM)
    await office.cycle()
    made = office.calls(Side.CRM, since)
    assert made.total() - made[SEARCH] == 3
    assert made["POST /crm/objects/{id}/deals"] == 1


async def test_an_account_that_is_moved_ends_the_cycle_at_its_first_refusal(office: HubOffice) -> None:
    for card, _ in office.pairs:
        office.cards.edit(card, MARIA, Name="Renamed here")
    office.clock.turn(10)

    def moves(request: Request, _: object) -> None:
        office.deals.gate.migrating = 7200 if request.path.endswith("/search") else office.deals.gate.migrating

    office.deals.watchers.append(moves)
    since = office.seen(Side.CRM)
    for _ in range(3):
        with pytest.raises(Unavailable, match="until 2026-03-02 1"):
            await office.cycle()
    assert [one.status for one in office.deals.log[since:]] == [200, 477]
    office.deals.watchers.remove(moves)
    office.deals.gate.migrating = 0
    office.clock.turn(7200)
    await office.settle(2)
    assert {office.deals.record(deal)["dealname"] for _, deal in office.pairs} == {"Renamed here"}


async def test_a_first_match_lists_a_hundred_deals_and_their_contacts_at_a_time(tmp_path: Path) -> None:
    office = HubOffice(tmp_path, nexudus=300, crm=300, shared=300)
    await office.engine.start()
    since = office.seen(Side.CRM)
    await rehearse(office.engine.connections[0], Options())
    made, pages = office.calls(Side.CRM, since), len(office.deals.records()) // 100 + 1
    owners = made.pop("GET /crm/owners/{id}")
    assert (made, owners) == (
        {"GET /crm/objects/{id}/deals": pages, "POST /crm/objects/{id}/contacts/batch/read": pages},
        2,
    )
    await office.engine.aclose()


async def test_a_first_run_doubles_nothing_and_comes_to_rest(tmp_path: Path) -> None:
    office = HubOffice(tmp_path, nexudus=200, crm=150, shared=60)
    await office.engine.start()
    wrote = [sum((await office.cycle()).writes.values()) for _ in range(3)]
    assert wrote[0] > 200
    assert wrote[2] == 0
    links = office.rows(Link, state="active")
    assert len({link.nexudus_id for link in links}) == len({link.crm_id for link in links}) == len(links)
    pairs = {(int(link.nexudus_id), link.crm_id) for link in links}
    assert set(office.seeded.equal) <= pairs
    emails = Counter(one.values["email"] for one in office.deals.objects.live("contacts") if one.values.get("email"))
    assert emails.most_common(1)[0][1] == 1
    for card, deal in pairs:
        customer = office.cards.directory.coworkers[office.cards.record(card)["CoworkerId"]]
        (contact,) = office.deals.record(deal)["contacts"]
        assert office.deals.objects.rows["contacts"][contact].values["email"] == customer["Email"].lower()
    plan = await rehearse(office.engine.connections[0], Options())
    assert plan.actions == []
    assert office.deals.gate.exceeded == []
    await office.engine.aclose()


async def test_edits_within_the_lag_of_the_search_all_arrive_and_none_is_reverted(tmp_path: Path) -> None:
    office = HubOffice(tmp_path, nexudus=60, crm=60, shared=60)
    await office.engine.start()
    await office.settle(3)
    asked = office.conflicts()
    office.deals.options.search_lag = 30.0
    said: dict[int, str] = {}
    for turn in range(5):
        for number, (card, deal) in enumerate(office.pairs):
            side, text = (number + turn) % 2, f"Edit {turn} of {card}"
            if side:
                office.cards.edit(card, MARIA, Name=text)
            else:
                office.deals.edit(deal, TOM, dealname=text)
            said[card] = text
        office.clock.turn(20 if turn % 2 else 1)
        await office.settle(2)
    await office.settle(4)
    for card, deal in office.pairs:
        assert (office.cards.record(card)["Name"], office.deals.record(deal)["dealname"]) == (said[card], said[card])
    assert office.conflicts() == asked
    assert office.deals.gate.exceeded == []
    await office.engine.aclose()


class CrashError(BaseException):
    """The process ends here; nothing may catch it."""


async def test_twenty_processes_that_end_in_a_first_run_with_lost_answers_double_nothing(tmp_path: Path) -> None:
    office, rng, left = HubOffice(tmp_path, nexudus=45, crm=45, shared=5), random.Random(8), 0

    def dies(request: Request, _: object) -> None:
        nonlocal left
        left -= request.method != "GET"
        if left == 0:  # it has written, and nobody hears the answer
            raise CrashError

    for double in (office.cards, office.deals):
        double.watchers.append(dies)
    for number in range(20):
        office.engine = office._engine()
        for faults in (office.card_faults, office.deal_faults):
            faults.clear()
            faults.add("drop_after", "^(POST|PUT|PATCH) .*(deals|contacts|opportunities|coworkers)$", share=0.2)
        office.clock.turn(30)
        left = rng.randint(3, 20)
        with suppress(CrashError):
            await office.engine.start()
            await run_cycle(office.engine.connections[0], Options())
        await office.engine.aclose()
        assert left == 0 or number > 10
    left = -1
    office.card_faults.clear()
    office.deal_faults.clear()
    office.engine = office._engine()
    await office.engine.start()
    found = await office.settle(6)
    assert found[-1] == {}
    assert doubled(row["nexudus_id"] for row in office.deals.records().values() if row.get("nexudus_id")) == []
    live = office.deals.objects.live("contacts")
    assert doubled(one.values["email"] for one in live if one.values.get("email")) == []
    links = office.rows(Link, state="active")
    assert len(links) == len({one.crm_id for one in links}) == len({one.nexudus_id for one in links})
    london = [row for row in office.deals.records().values() if row["pipeline"] == office.london.id]
    assert len(london) == len(links) == 85
    await office.engine.aclose()


def doubled(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]
