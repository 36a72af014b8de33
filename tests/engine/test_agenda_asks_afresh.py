"""A retry by a person asks the systems for their lists again, however recently they were asked."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from nexudus_sync.store.tables import Failure
from small_office import MARIA, TOM, SmallOffice

BAD = "Spring <b"


async def retried(office: SmallOffice) -> None:
    """`failures retry` of the oldest failure, and the daemon's next cycle a few seconds later."""
    with office.engine.store.session() as session:
        one = session.get_one(Failure, office.rows(Failure, state="open")[0].id)
        one.next_attempt = office.clock.now()
    office.clock.at -= timedelta(seconds=55)
    await office.cycle(one_shot=False)


def added_to_boards(office: SmallOffice) -> set[int]:
    """A stage of that name on each board."""
    directory = office.cards.directory
    boards = {stage["CrmBoardId"] for stage in directory.stages.values()}
    return {directory.add_stage(board, "Handshake") for board in boards}


@pytest_asyncio.fixture
async def growing(tmp_path: Path) -> AsyncIterator[SmallOffice]:
    office = SmallOffice(tmp_path, "erpnext", more="create_missing = true\n")
    office.deals.users["sync@example.com"].roles |= {"Marketing Manager"}
    async with office.open():
        yield office


@pytest.mark.parametrize(
    ("key", "doctype"), [("UtmCampaign", "UTM Campaign"), ("UtmSource", "UTM Source"), ("UtmMedium", "UTM Medium")]
)
async def test_a_refused_name_is_sent_again_when_a_person_says_so(growing: SmallOffice, key: str, doctype: str) -> None:
    card, _ = growing.pairs[0]
    growing.cards.edit(card, MARIA, **{key: BAD})
    await growing.cycle(one_shot=False)
    growing.deals.log.clear()
    await retried(growing)
    sent = [entry for entry in growing.deals.log if entry.method == "POST"]
    assert [entry.path.replace("%20", " ") for entry in sent] == [f"/api/resource/{doctype}"]


@pytest.mark.parametrize("crm", ["erpnext", "overplane"])
async def test_a_stage_that_was_just_added_is_found_by_the_first_retry(tmp_path: Path, crm: str) -> None:
    async with SmallOffice(tmp_path, crm).open() as office:
        card, deal = office.pairs[0]
        added_to_boards(office)
        office.cards.move(card, "Handshake", MARIA)
        await office.cycle(one_shot=False)
        assert office.failures() == {("unmapped", "sales_stage")}
        await retried(office)
        await retried(office)
        if crm == "erpnext":
            office.deals.add("Sales Stage", TOM, stage_name="Handshake")
        else:
            office.deals.add("sales-stage", TOM, stage_name="Handshake")
        await retried(office)
        assert office.deals.record(deal)["sales_stage"] == "Handshake"
        assert not office.failures()


async def test_a_stage_that_was_just_added_to_the_board_is_found_too(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "erpnext").open() as office:
        card, deal = office.pairs[0]
        office.deals.add("Sales Stage", TOM, stage_name="Handshake")
        office.deals.edit(deal, TOM, sales_stage="Handshake")
        await office.cycle(one_shot=False)
        assert office.failures() == {("unmapped", "sales_stage")}
        await retried(office)
        await retried(office)
        added = added_to_boards(office)
        await retried(office)
        assert office.cards.records()[card]["CrmBoardColumnId"] in added
        assert not office.failures()


async def test_a_passing_error_does_not_make_a_list_be_read_again(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "erpnext").open() as office:
        card, deal = office.pairs[0]
        office.deal_faults.add("error_500_before", f"^PUT .*/{deal}", times=99)
        office.cards.edit(card, MARIA, Value=4321)
        await office.cycle(one_shot=False)
        assert office.failures() == {("unavailable", "")}
        office.cards.log.clear()
        office.deals.log.clear()
        await retried(office)
        paths = [entry.path for entry in (*office.cards.log, *office.deals.log)]
        assert any(path.endswith(f"/{deal}") for path in paths)
        assert not [path for path in paths if "UTM" in path or path.endswith(("/crmboards", "/sys/users"))]


async def test_a_list_that_cannot_be_read_again_now_delays_no_record(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "erpnext").open() as office:
        (card, deal), (other, _) = office.pairs[:2]
        office.cards.edit(other, MARIA, UtmCampaign="Nobody's yet")
        office.cards.edit(card, MARIA, UtmCampaign="brand")
        await office.cycle(one_shot=False)
        office.deal_faults.add("error_500_before", "^GET .*/(Sales Stage|Sales%20Stage|User)$", times=99)
        office.cards.edit(card, MARIA, Value=4321)
        await retried(office)
        assert office.deals.record(deal)["opportunity_amount"] == 4321
        assert office.failures() == {("unmapped", "utm_campaign")}
