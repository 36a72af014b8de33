"""Cycles with ERPNext: both systems in memory, with the engine between them."""

import random
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlmodel import select

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.faults import Faults
from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.seed import Seeded, seed
from nexudus_sandbox.seed.places import SYNC_USER, USERS
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync.config import load
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.assemble import Engine, assemble
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure, Link, Unlinked
from small_office import Clock

pytestmark = pytest.mark.asyncio(loop_scope="module")
MARIA, TOM = USERS[0][0], USERS[1][0]
CONFIG = """
[store]
url = "sqlite:///state.db"
[nexudus]
base_url = "https://nexudus.example.com/api"
username = "sync@example.com"
password = "${PASSWORD}"
[crm.erp]
connector = "erpnext"
base_url = "https://erp.example.com"
api_key = "sync"
api_secret = "${SECRET}"
[[connection]]
name = "london"
crm = "erp"
scope = { business_id = 1001 }
company = "Example Corp"
"""


class Office:
    """Both systems, seeded, and an engine."""

    def __init__(self, folder: Path, version: int) -> None:
        self.clock, self.faults = Clock(), Faults()
        self.nexudus = NexudusDouble(self.clock.now, seed=1)
        self.erpnext = ERPNextDouble(
            self.clock.now,
            version=version,  # type: ignore[arg-type]
            company="Example Corp",
            currency="GBP",
            time_zone="Europe/London",
            offset=3.0,
        )
        self.seeded: Seeded = seed(self.nexudus, self.erpnext, nexudus=10, crm=8, shared=4)
        self.nexudus.set_windows(())
        self.nexudus.add_account(SYNC_USER, "password")
        (folder / "config.toml").write_text(CONFIG)
        settings = load(folder / "config.toml", {"PASSWORD": "password", "SECRET": "sync-secret"})
        transports = {
            "nexudus": DoubleTransport(self.nexudus, clock=self.clock, latency=lambda: 0.02),
            "erp": DoubleTransport(self.erpnext, self.faults, clock=self.clock, latency=lambda: 0.02),
        }
        self.engine: Engine = assemble(settings, clock=self.clock, rng=random.Random(1), transports=transports)

    async def cycle(self, **options: Any) -> Report:
        """A minute later, one cycle."""
        self.clock.turn(60)
        return await run_cycle(self.engine.connections[0], Options(**options))

    def links(self) -> dict[int, str]:
        with self.engine.store.read() as session:
            return {int(link.nexudus_id): link.crm_id for link in session.exec(select(Link))}

    def failures(self) -> set[tuple[str, str]]:
        with self.engine.store.read() as session:
            return {(one.kind, one.field) for one in session.exec(select(Failure)) if one.state == "open"}

    def refused(self) -> int:
        with self.engine.store.read() as session:
            return len([one for one in session.exec(select(Unlinked)) if one.state == "refused"])

    def ours(self) -> list[str]:
        return [name for name, row in self.erpnext.records().items() if row["company"] == "Example Corp"]

    async def agree(self, card: int, name: str, *fields: str) -> dict[str, Any]:
        """What both sides say, where they say the same."""
        connection, said = self.engine.connections[0], {}
        ids = {Side.NEXUDUS: str(card), Side.CRM: name}
        found = {side: await connection.connector(side).fetch(ids[side]) for side in Side}
        contexts = {side: await connection.context(side, found[side]) for side in Side}
        for field in map(connection.mapping.field, fields):
            nexudus, crm = (field.get(side, found[side], contexts[side]) for side in Side)
            assert field.same(nexudus, crm), (field.name, nexudus, crm)
            said[field.name] = crm
        return said


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[15, 16])
async def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """After a first run. One for all tests: each leaves both sides in agreement."""
    office = Office(tmp_path_factory.mktemp("office"), request.param)
    await office.engine.start()
    await office.cycle()
    await office.cycle()
    yield office
    await office.engine.aclose()


async def test_a_first_run_doubles_nothing_and_the_next_writes_nothing(office: Office) -> None:
    links = office.links()
    assert len(links) == 10 + 8 - 4
    assert len(set(links.values())) == len(links)
    assert set(links.values()) == set(office.ours())
    assert {card: links[card] for card, _ in office.seeded.pairs} == dict(office.seeded.pairs)
    assert office.refused() == 0
    before = len(office.erpnext.changes), len(office.nexudus.changes)
    for _ in range(2):
        assert not (await office.cycle()).writes
    assert not (await office.cycle(reconcile=True)).writes
    assert (len(office.erpnext.changes), len(office.nexudus.changes)) == before


async def test_an_idle_poll_is_one_call_and_a_changed_document_one_read(office: Office) -> None:
    office.clock.turn(3600)
    await office.cycle()
    office.erpnext.log.clear()
    await office.cycle()
    assert [entry.path for entry in office.erpnext.log] == ["/api/resource/Opportunity"]
    _, name = office.seeded.equal[0]
    office.erpnext.edit(name, TOM, title="Changed")
    office.erpnext.log.clear()
    await office.cycle()
    assert [entry.path for entry in office.erpnext.log] == [
        "/api/resource/Opportunity",
        f"/api/resource/Opportunity/{name}",
    ]


async def test_edits_arrive_on_the_other_side(office: Office) -> None:
    (one, one_there), (two, two_there), (three, three_there) = office.seeded.equal[:3]
    office.nexudus.edit(one, MARIA, Name="From Nexudus", Value=Decimal("77.50"), UtmSource="NEWSLETTER")
    lost = [{"lost_reason": "Price"}, {"lost_reason": "Went silent"}]
    office.erpnext.edit(two_there, TOM, status="Lost", lost_reasons=lost, expected_closing="2026-09-01")
    office.erpnext.edit(three_there, TOM, opportunity_owner=MARIA, sales_stage="Negotiation")
    await office.cycle()
    await office.cycle()
    said = await office.agree(one, one_there, "title", "opportunity_amount", "utm_source")
    assert said == {"title": "From Nexudus", "opportunity_amount": Decimal("77.50"), "utm_source": "newsletter"}
    said = await office.agree(two, two_there, "status", "lost_reasons", "expected_closing")
    assert said["lost_reasons"] == "Price"
    said = await office.agree(three, three_there, "opportunity_owner", "sales_stage")
    assert said == {"opportunity_owner": MARIA, "sales_stage": "Negotiation"}
    assert office.erpnext.lost_reasons(two_there) == ["Price", "Went silent"]
    assert not (await office.cycle()).writes


async def test_the_sites_rendering_of_a_title_is_not_seen_by_anybody(office: Office) -> None:
    card, name = office.seeded.equal[0]
    office.erpnext.edit(name, TOM, title="A & B <x@y.z>")
    office.nexudus.edit(office.seeded.equal[1][0], MARIA, Name="C & D <c@d.e>")
    writes = [sum((await office.cycle()).writes.values()) for _ in range(3)]
    assert writes == [2, 0, 0]
    assert await office.agree(card, name, "title") == {"title": "A & B <x@y.z>"}
    assert await office.agree(*office.seeded.equal[1], "title") == {"title": "C & D <c@d.e>"}
    assert office.nexudus.record(card)["Name"] == "A & B <x@y.z>"


async def test_a_source_of_the_lead_that_cannot_be_cleared_comes_back_and_settles(office: Office) -> None:
    version = office.erpnext.site.version
    own = "utm_source" if version >= 16 else "source"
    card, name = next(
        (card, name)
        for card, name in office.links().items()
        if office.erpnext.record(name)["opportunity_from"] == "Lead" and office.erpnext.record(name)[own]
    )
    record = office.erpnext.record(name)
    office.erpnext.change("Lead", record["party_name"], TOM, **{own: "partner"})
    office.nexudus.edit(card, MARIA, UtmSource=None)
    writes = [dict((await office.cycle()).writes) for _ in range(4)]
    assert writes[0] == {"crm opportunity.update": 1}
    assert writes[1] == {"nexudus opportunity.update": 1}
    assert writes[2:] == [{}, {}]
    assert await office.agree(card, name, "utm_source") == {"utm_source": "partner"}


async def test_saves_that_change_nothing_write_nothing(office: Office) -> None:
    for _, name in office.seeded.pairs:
        office.erpnext.touch(name, TOM)
    assert not (await office.cycle()).writes
    assert not (await office.cycle()).writes


async def test_a_value_without_a_place_in_version_15_waits_in_sight(office: Office) -> None:
    shown = {field for kind, field in office.failures() if kind == "no-such-field"}
    assert shown == ({"utm_medium", "utm_content"} if office.erpnext.site.version < 16 else set())


async def test_a_missing_source_waits_under_its_name_until_somebody_adds_it(office: Office) -> None:
    card, name = office.seeded.equal[0]
    office.nexudus.edit(card, MARIA, UtmSource="Podcast", Name="Travels all the same")
    await office.cycle()
    await office.agree(card, name, "title")
    assert ("unmapped", "utm_source") in office.failures()
    if office.erpnext.site.version >= 16:
        office.erpnext.add("UTM Source", TOM, name="Podcast")
    else:
        office.erpnext.add("Lead Source", TOM, source_name="Podcast")
    await office.cycle(reconcile=True)
    assert await office.agree(card, name, "utm_source") == {"utm_source": "Podcast"}
    assert ("unmapped", "utm_source") not in office.failures()


async def test_a_reused_name_belongs_to_another_opportunity(office: Office) -> None:
    newest = max(office.ours())
    card = next(card for card, name in office.links().items() if name == newest)
    office.erpnext.delete(newest, TOM)
    lead = office.erpnext.add("Lead", TOM, lead_name="Zoe", email_id="zoe@example.com")
    again = office.erpnext.create(
        TOM, opportunity_from="Lead", party_name=lead, contact_email="zoe@example.com", title="Zoe's desk"
    )
    assert again == newest
    await office.cycle()
    await office.cycle(reconcile=True)
    assert office.nexudus.record(card)["Name"] != "Zoe's desk"
    named = [row for row in office.nexudus.records().values() if row["Name"] == "Zoe's desk"]
    assert len(named) == 1


async def test_a_create_whose_answer_is_lost_is_found_and_not_repeated(office: Office) -> None:
    business = office.seeded.places.london
    stage = office.nexudus.directory.stage_named(business.board_id, "New lead")
    cards = {}
    for kind in ("drop_after", "drop", "timeout_after", "error_500_after"):
        customer = office.nexudus.directory.add_coworker(f"{kind}@example.com", "Lo St", business.business_id)
        cards[kind] = office.nexudus.create(MARIA, Name=kind, CoworkerId=customer, CrmBoardColumnId=stage)
        office.faults.add(kind, "POST .*Opportunity$")
        await office.cycle()
    await office.cycle()
    for kind, card in cards.items():
        (name,) = [name for name, row in office.erpnext.records().items() if row["title"] == kind]
        assert office.links()[card] == name
