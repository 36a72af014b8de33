"""A value that the CRM refuses holds back its field, not the record, and no longer than necessary."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from e2e_erpnext import DOCUMENTS, ErpOffice, saves
from e2e_office import ANA, Counted

from nexudus_sandbox.seed.places import STAGES
from nexudus_sync.connectors.base import Record, Step, Written
from nexudus_sync.engine.startup.assemble import Engine
from nexudus_sync.errors import Refused
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure, Link, Unlinked

UNHEARD = "Handshake"
REFUSED = "PUT 417"


@pytest.fixture
async def office(tmp_path: Path) -> "ErpOffice":
    """After a backfill: a user who cannot list ERPNext's stages, and a stage that only Nexudus has.

    So nothing shows beforehand that ERPNext will refuse it.
    """
    office = ErpOffice(tmp_path, nexudus=4, crm=4, shared=4)
    await office.quiet()
    office.demote("Sales User")
    add_stage(office, UNHEARD)
    return office


@pytest.fixture(autouse=True)
def closing(office: ErpOffice) -> Iterator[None]:
    yield
    office.close()


def add_stage(office: ErpOffice, name: str) -> None:
    """A stage that only Nexudus has, on the boards that the tests use."""
    directory, card = office.cards.directory, office.cards.record(office.free[0][0])
    ours = directory.stages[card["CrmBoardColumnId"]]["CrmBoardId"]
    for board in {office.world.seeded.places.london.board_id, ours}:
        directory.add_stage(board, name)


def retry(office: ErpOffice) -> None:
    """As `failures retry --all` does it."""
    for failure in office.rows(Failure, state="open"):
        failure.next_attempt = office.clock.now()
        office.keep(failure)


def another_stage(office: ErpOffice, name: str) -> str:
    """A stage that both sides know and the opportunity is not in."""
    return next(stage for stage in STAGES if stage != office.deals.record(name)["sales_stage"])


async def poll(office: ErpOffice, engine: Engine) -> None:
    """A cycle of the daemon, which keeps to the next attempts."""
    await office.cycle(engine, one_shot=False)


async def refused(office: ErpOffice) -> tuple[int, str]:
    """A pair of which the stage was refused, and the title travelled."""
    card, name = office.free[0]
    office.cards.move(card, UNHEARD, ANA)
    office.cards.edit(card, ANA, Name="Travels all the same")
    await office.sync()
    return card, name


async def test_the_record_travels_at_once_and_the_refused_field_waits_with_the_servers_reason(
    office: ErpOffice,
) -> None:
    card, name = office.free[0]
    before, counted = office.deals.record(name), Counted(office)
    office.cards.move(card, UNHEARD, ANA)
    office.cards.edit(card, ANA, Name="Travels all the same", Value=4321)
    report = await office.sync()
    assert report.writes == {"crm opportunity.update": 1}
    assert saves(counted.entries(Side.CRM)) == [REFUSED, "PUT 200"]
    after = office.deals.record(name)
    assert (after["title"], after["opportunity_amount"]) == ("Travels all the same", 4321)
    assert after["sales_stage"] == before["sales_stage"]
    assert office.failures_of((card, name)) == {("refused", "sales_stage")}
    failure = office.failure_of(card, "sales_stage")
    assert failure is not None
    assert f"Could not find Sales Stage: {UNHEARD}" in failure.reason
    assert (failure.attempts, failure.crm_id) == (1, name)


async def test_it_is_not_sent_again_with_later_writes_of_other_fields_which_do_not_solve_it(office: ErpOffice) -> None:
    card, name = await refused(office)
    failure = office.failure_of(card, "sales_stage")
    assert failure is not None
    failure.next_attempt = office.clock.now() + timedelta(hours=1)
    office.keep(failure)
    async with office.process() as engine:
        counted = Counted(office)
        for number in range(3):
            office.cards.edit(card, ANA, Name=f"Name {number}")
            await poll(office, engine)
            assert office.deals.record(name)["title"] == f"Name {number}"
        office.deals.edit(name, ANA, title="From ERPNext")
        await poll(office, engine)
        assert office.cards.record(card)["Name"] == "From ERPNext"
        assert saves(counted.entries(Side.CRM)) == ["PUT 200"] * 3
    failure = office.failure_of(card, "sales_stage")
    assert failure is not None
    assert failure.attempts == 1
    assert office.stage_of(card) == UNHEARD


async def test_another_value_is_tried_and_solves_it(office: ErpOffice) -> None:
    card, name = await refused(office)
    async with office.process() as engine:
        stage = another_stage(office, name)
        office.cards.move(card, stage, ANA)
        await poll(office, engine)
    assert office.deals.record(name)["sales_stage"] == stage
    assert office.failures_of((card, name)) == set()


async def test_another_value_that_is_refused_too_is_the_same_failure_with_the_new_reason(office: ErpOffice) -> None:
    card, name = await refused(office)
    add_stage(office, "Limbo")
    async with office.process() as engine:
        office.cards.move(card, "Limbo", ANA)
        await poll(office, engine)
    failure = office.failure_of(card, "sales_stage")
    assert failure is not None
    assert "Could not find Sales Stage: Limbo" in failure.reason
    assert failure.attempts == 2
    assert office.failures_of((card, name)) == {("refused", "sales_stage")}


async def test_a_retry_sends_it_again_and_solves_it_only_when_it_arrives(office: ErpOffice) -> None:
    card, name = await refused(office)
    async with office.process() as engine:
        counted = Counted(office)
        retry(office)
        await poll(office, engine)
        assert saves(counted.entries(Side.CRM)) == [REFUSED]
        failure = office.failure_of(card, "sales_stage")
        assert failure is not None
        assert failure.attempts == 2
        office.deals.add("Sales Stage", "Administrator", stage_name=UNHEARD)
        retry(office)
        await poll(office, engine)
    assert office.deals.record(name)["sales_stage"] == UNHEARD
    assert office.failures_of((card, name)) == set()


async def test_it_is_not_sent_again_by_itself_but_at_a_reconcile(office: ErpOffice) -> None:
    card, _ = await refused(office)
    failure = office.failure_of(card, "sales_stage")
    assert failure is not None
    assert failure.next_attempt is None
    counted = Counted(office)
    async with office.process() as engine:
        for _ in range(5):
            await poll(office, engine)
    await office.sync()
    assert saves(counted.entries(Side.CRM)) == []
    await office.sync(reconcile=True)
    assert saves(counted.entries(Side.CRM)) == [REFUSED]
    await office.sync()
    assert saves(counted.entries(Side.CRM)) == [REFUSED]


async def test_a_dismissed_one_is_not_sent_again_until_the_value_changes(office: ErpOffice) -> None:
    card, name = await refused(office)
    failure = office.failure_of(card, "sales_stage")
    assert failure is not None
    failure.state, failure.next_attempt = "dismissed", None
    office.keep(failure)
    counted = Counted(office)
    office.cards.edit(card, ANA, Name="Later")
    await office.sync(reconcile=True)
    assert saves(counted.entries(Side.CRM)) == ["PUT 200"]
    stage = another_stage(office, name)
    office.cards.move(card, stage, ANA)
    await office.sync()
    assert office.deals.record(name)["sales_stage"] == stage
    assert [one.state for one in office.rows(Failure, field="sales_stage", crm_id=name)] == ["solved"]


async def test_a_value_that_is_taken_back_solves_its_failure(office: ErpOffice) -> None:
    card, name = office.free[0]
    before = office.stage_of(card)
    await refused(office)
    office.cards.move(card, before, ANA)
    await office.sync(reconcile=True)
    assert office.failures_of((card, name)) == set()


async def test_an_opportunity_is_created_without_the_value_that_is_refused(office: ErpOffice) -> None:
    card, counted = office.new_card("Born here", "born@example.org", stage=UNHEARD), Counted(office)
    report = await office.sync()
    assert report.created == {"crm": 1}
    posts = [entry for entry in counted.entries(Side.CRM) if entry.path == DOCUMENTS and entry.method == "POST"]
    assert saves(posts) == ["POST 417", "POST 200"]
    assert not [entry for entry in counted.entries(Side.CRM) if entry.method == "PUT"]
    (link,) = office.rows(Link, nexudus_id=str(card))
    assert office.deals.record(link.crm_id)["title"] == "Born here"
    assert office.failures_of((card, link.crm_id)) == {("refused", "sales_stage")}
    office.deals.add("Sales Stage", "Administrator", stage_name=UNHEARD)
    await office.sync(reconcile=True)
    assert office.deals.record(link.crm_id)["sales_stage"] == UNHEARD
    assert office.failures_of((card, link.crm_id)) == set()


async def test_a_create_refused_for_a_required_field_is_the_records_failure(office: ErpOffice) -> None:
    mappings = office.folder / "mappings"
    mappings.mkdir()
    shipped = Path(__file__).parents[3] / "mappings" / "erpnext.toml"
    text = shipped.read_text(encoding="utf-8")
    (mappings / "erpnext.toml").write_text(
        text.replace('path = "sales_stage"', 'path = "sales_stage"\nrequired = true')
    )
    office.put("mapping", '{ crm = "mappings/erpnext.toml" }')
    card = office.new_card("Born here", "born@example.org", stage=UNHEARD)
    await office.sync()
    assert office.links(nexudus_id=str(card)) == {}
    (failure,) = office.rows(Failure, nexudus_id=str(card), state="open")
    assert (failure.kind, failure.field) == ("refused", "")
    assert UNHEARD in failure.reason
    assert len(office.rows(Unlinked, record_id=str(card))) == 1


async def test_many_values_refused_one_after_the_other_wait_and_the_rest_still_travels(
    office: ErpOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, name = office.free[0]
    office.cards.edit(
        card, ANA, Name="Travels", Value=999, UtmSource="x", UtmMedium="y", UtmCampaign="z", UtmContent="c"
    )
    office.cards.edit(card, ANA, DueDate="2026-12-01T12:00:00Z", ResponsibleId=None)
    keys = ["opportunity_amount", "utm_content", "expected_closing", "opportunity_owner", "utm_source", "utm_medium"]
    async with office.process() as engine:
        erpnext = engine.connectors["erpnext"]
        perform = erpnext.perform

        async def particular(step: Step, record: Record | None = None) -> Written:
            for key in keys:
                if key in step.keys:
                    raise Refused("erpnext", f"no {key}", step.record_id, frozenset({key, "name"}))
            return await perform(step, record)

        monkeypatch.setattr(erpnext, "perform", particular)
        await poll(office, engine)
    assert office.deals.record(name)["title"] == "Travels"
    shown = {field for kind, field in office.failures_of((card, name)) if kind == "refused"}
    assert shown >= set(keys[:3])


async def test_a_refusal_that_names_no_field_that_travels_is_the_records_failure(
    office: ErpOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, name = office.free[0]
    office.cards.edit(card, ANA, Name="Waits")

    async def never(step: Step, record: Record | None = None) -> Written:
        raise Refused("erpnext", "the customer is blocked", step.record_id, frozenset({"party_name", "status"}))

    async with office.process() as engine:
        monkeypatch.setattr(engine.connectors["erpnext"], "perform", never)
        await poll(office, engine)
    assert office.failures_of((card, name)) == {("refused", "")}
