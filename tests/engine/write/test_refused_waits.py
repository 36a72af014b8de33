"""A refused value is sent again when something has changed, and not before."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from nexudus_sandbox.wire import Request, Response, json_response
from nexudus_sync.deciding import failures
from nexudus_sync.store.failures import open_failures
from nexudus_sync.store.tables import Failure
from small_office import MARIA, TOM, SmallOffice

UNHEARD = "Handshake"


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[SmallOffice]:
    """With a sales user who may not list ERPNext's stages, so that nothing shows beforehand what it will refuse."""
    office = SmallOffice(tmp_path, "erpnext", shared=4)
    office.deals.users["sync@example.com"].roles = frozenset({"Sales User"})
    directory = office.cards.directory
    for board in {stage["CrmBoardId"] for stage in list(directory.stages.values())}:
        directory.add_stage(board, UNHEARD)
    async with office.open():
        yield office


def sent(office: SmallOffice) -> int:
    return sum(entry.method in ("PUT", "POST") for entry in office.deals.log)


def move(office: SmallOffice, count: int) -> list[str]:
    """Some cards are moved to a stage that the CRM does not have; returns their counterparts."""
    moved = office.pairs[:count]
    for card, _ in moved:
        office.cards.move(card, UNHEARD, MARIA)
    return [deal for _, deal in moved]


def retry(office: SmallOffice, *which: Failure) -> None:
    settings, now = office.engine.settings, office.clock.now()
    with office.engine.store.session() as session:
        if not which:
            found = open_failures(session, [one.name for one in settings.connections])
            failures.retry_all(session, settings, found, now=now)
        for one in which:
            failures.retry(session, settings, one.id or 0, now=now)


async def refused(office: SmallOffice, count: int) -> list[str]:
    deals = move(office, count)
    await office.cycle()
    assert office.failures() == {("refused", "sales_stage")}
    office.deals.log.clear()
    return deals


async def test_neither_the_daemon_nor_a_command_sends_it_again(office: SmallOffice) -> None:
    await refused(office, 3)
    await office.settle(2)
    await office.settle(3, one_shot=False)
    assert sent(office) == 0
    await office.cycle(reconcile=True, one_shot=False)
    assert sent(office) == 3


async def test_one_record_of_each_reason_goes_first_and_the_rest_waits_if_it_fails(office: SmallOffice) -> None:
    await refused(office, 3)
    retry(office)
    await office.settle(2)
    assert sent(office) == 1
    assert len(office.rows(Failure, state="open")) == 3


@pytest.mark.parametrize("one_shot", [True, False])
async def test_the_rest_follows_where_that_went_well(office: SmallOffice, one_shot: bool) -> None:
    deals = await refused(office, 3)
    office.deals.add("Sales Stage", TOM, stage_name=UNHEARD)
    retry(office)
    await office.cycle(one_shot=one_shot)
    assert sent(office) == 3
    assert {office.deals.record(deal)["sales_stage"] for deal in deals} == {UNHEARD}
    assert not office.failures()


async def test_one_that_is_asked_for_is_sent_and_its_answer_wakes_the_others(office: SmallOffice) -> None:
    deals = await refused(office, 2)
    one = office.rows(Failure, state="open")[0]
    retry(office, one)
    await office.cycle(one_shot=False)
    assert sent(office) == 1
    office.deals.add("Sales Stage", TOM, stage_name=UNHEARD)
    retry(office, one)
    await office.cycle(one_shot=False)
    assert {office.deals.record(deal)["sales_stage"] for deal in deals} == {UNHEARD}


async def test_a_value_that_somebody_changes_wakes_nobody(office: SmallOffice) -> None:
    await refused(office, 2)
    office.cards.move(office.pairs[0][0], "New lead", MARIA)
    await office.settle(2, one_shot=False)
    assert sent(office) <= 1
    assert len(office.rows(Failure, state="open")) == 1


async def test_a_record_that_is_refused_whole_waits_until_it_is_edited(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, deal = office.pairs[0]
    handle = office.deals.answer

    def locked(request: Request) -> tuple[str, Response]:
        if request.method == "PUT":
            return "sync@example.com", json_response(417, {"exc_type": "ValidationError"})
        return handle(request)  # type: ignore[no-any-return]

    monkeypatch.setattr(office.deals, "answer", locked)
    office.cards.edit(card, MARIA, Name="Refused")
    await office.cycle(one_shot=False)
    assert office.failures() == {("refused", "")}
    office.deals.log.clear()
    await office.settle(2, one_shot=False)
    await office.settle(2)
    assert sent(office) == 0
    monkeypatch.undo()
    await office.settle(2)
    assert sent(office) == 0
    office.cards.edit(card, MARIA, Name="Refused no more")
    await office.settle(2, one_shot=False)
    assert office.deals.record(deal)["title"] == "Refused no more"
    assert not office.failures()


async def test_a_create_that_is_refused_is_not_sent_again_either(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = office.deals.answer

    def closed(request: Request) -> tuple[str, Response]:
        if request.method == "POST" and request.path.endswith("/Opportunity"):
            return "sync@example.com", json_response(417, {"exc_type": "ValidationError"})
        return handle(request)  # type: ignore[no-any-return]

    monkeypatch.setattr(office.deals, "answer", closed)
    card = office.card("new@example.com", "New desk")
    await office.cycle()
    assert office.failures() == {("refused", "")}
    office.deals.log.clear()
    await office.settle(2)
    await office.settle(2, one_shot=False)
    assert sent(office) == 0
    monkeypatch.undo()
    office.cards.edit(card, MARIA, Name="New desk, please")
    await office.settle(2, one_shot=False)
    assert "New desk, please" in office.deal_titles()
    assert not office.failures()


@pytest.mark.parametrize("status", [417, 500])
async def test_a_document_that_a_job_holds_is_waited_for_once(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    card, deal = office.pairs[0]
    tries = list[Request]()
    handle, words = office.deals.answer, "Document is currently locked and queued for execution"

    def held(request: Request) -> tuple[str, Response]:
        user, answer = handle(request) if request.method != "PUT" else ("sync@example.com", None)
        body = {"exc_type": "DocumentLockedError", "exception": f"frappe.exceptions.DocumentLockedError: {words}"}
        if answer is None:
            tries.append(request)
        return user, answer or json_response(status, body)

    monkeypatch.setattr(office.deals, "answer", held)
    office.cards.edit(card, MARIA, Value=4321)
    await office.settle(3)
    assert len(tries) == 2
    (told,) = office.rows(Failure, state="open")
    assert (told.kind, told.field) == ("refused", "")
    assert words in told.reason
    monkeypatch.undo()
    await office.cycle(reconcile=True)
    assert office.deals.record(deal)["opportunity_amount"] == 4321
