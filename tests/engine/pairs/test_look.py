"""Records are read ahead: as many at a time as there are readers, but one by one while they have to be written."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from nexudus_sandbox.wire import Request, Response
from nexudus_sync.errors import Refused
from nexudus_sync.store import Session, open_items
from nexudus_sync.store.tables import Link
from small_office import MARIA, SmallOffice


class Reads:
    """How many records of Nexudus are being read at once, at most, and how often each was read."""

    def __init__(self, office: SmallOffice, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.most = 0
        self.of = dict[str, int]()
        connector = office.engine.connectors["nexudus"]
        real = connector.fetch

        async def fetch(record_id: str, *args: Any, **more: Any) -> Any:
            self.now += 1
            self.most = max(self.most, self.now)
            self.of[record_id] = self.of.get(record_id, 0) + 1
            await asyncio.sleep(0)  # the others' turn
            try:
                return await real(record_id, *args, **more)
            finally:
                self.now -= 1

        monkeypatch.setattr(connector, "fetch", fetch)


def mark_all(office: SmallOffice) -> None:
    """Every record is to be read again."""
    with office.engine.store.session() as session:
        for link in office.rows(Link):
            session.get_one(Link, link.id).mark_both(True)


@pytest.mark.parametrize("readers", [1, 4])
@pytest.mark.parametrize("crm", ["overplane", "erpnext"])
async def test_as_many_records_are_read_at_once_as_there_are_readers(
    crm: str, readers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = SmallOffice(tmp_path, crm, shared=30, more=f"[run]\nreaders = {readers}\n")
    async with office.open():
        reads = Reads(office, monkeypatch)
        mark_all(office)
        report = await office.cycle()
    assert (report.settled, sum(reads.of.values())) == (30, 30)
    assert reads.most == readers


@pytest.mark.parametrize("crm", ["overplane", "erpnext"])
async def test_records_that_have_to_be_written_are_read_one_by_one(
    crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch that was read together, the last would have grown stale before it is written, and be read again."""
    office = SmallOffice(tmp_path, crm, shared=12)
    async with office.open():
        reads = Reads(office, monkeypatch)
        mark_all(office)
        for _, deal in office.pairs:
            office.deals.edit(deal, "ben@example.com", title=f"Ben's {deal}")
        report = await office.cycle()
    assert report.writes["nexudus opportunity.update"] == 12
    assert reads.most == 1


async def test_the_listed_row_serves_the_first_match_where_rows_are_whole(tmp_path: Path) -> None:
    office = SmallOffice(tmp_path, "overplane", shared=20)
    equal = {deal for _, deal in office.seeded.equal}
    async with office.open():
        by_id = [one.path.rsplit("/", 1)[-1] for one in office.deals.log if one.method == "GET"]
        assert equal <= set(office.links().values())
        assert equal.isdisjoint(by_id)


async def test_a_record_edited_after_it_was_listed_is_not_written_over(tmp_path: Path) -> None:
    """Ana gives the card another day before the first run, and Ben the opportunity while the card is being read."""
    office = SmallOffice(tmp_path, "overplane", shared=8)
    card, deal = next((card, deal) for card, deal in office.seeded.equal)
    office.cards.edit(int(card), MARIA, DueDate="2026-04-01T00:00:00Z")
    edited = list[str]()

    def enter(request: Request, _: Response) -> None:
        if not edited and request.path.endswith(f"/{card}"):
            edited.append(deal)
            office.deals.edit(deal, "ben@example.com", expected_closing="2026-05-05")

    office.cards.watchers.append(enter)
    async with office.open():
        await office.settle(2)
        assert edited == [deal]
        assert office.deals.records()[deal]["expected_closing"] == "2026-05-05"


@pytest.mark.parametrize("left", [0, 1])
async def test_told_to_stop_while_the_last_record_is_read_a_cycle_is_finished(
    left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = SmallOffice(tmp_path, "erpnext", shared=1 + left)
    async with office.open():
        reads = Reads(office, monkeypatch)
        mark_all(office)
        report = await office.cycle(stopping=lambda: bool(reads.of))
    assert (report.settled, report.finished) == (1, not left)


async def test_no_transaction_is_opened_for_a_batch_without_a_readable_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = SmallOffice(tmp_path, "overplane", shared=4)
    async with office.open():
        mark_all(office)
        connector = office.engine.connectors["nexudus"]

        async def fetch(record_id: str, *_: Any, **__: Any) -> Any:
            raise Refused("nexudus", "no", record_id)

        monkeypatch.setattr(connector, "fetch", fetch)
        asked = list[int]()
        real = open_items.about

        def about(session: Session, connection: str, pairs: Iterable[tuple[str, str]]) -> Any:
            named = list(pairs)
            asked.append(len(named))
            return real(session, connection, named)

        monkeypatch.setattr(open_items, "about", about)
        report = await office.cycle()
    assert len(report.errors) == 4
    assert asked == [4]
