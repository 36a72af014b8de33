"""A decision about a record that cannot be read: it is refused or waits, and the cycle goes on."""

from typing import Any

import pytest
from e2e_office import ANA, Office

from nexudus_sync.engine.read import record as sights
from nexudus_sync.errors import ConnectorError, NotFound, Refused, RoleMissing, Unavailable
from nexudus_sync.store.tables import Decision, History

PAIRS = 24
Pair = tuple[int, str]


async def written_over(office: Office, pair: Pair, title: str) -> History:
    """The history's entry of a title that a person changed in Nexudus."""
    office.cards.edit(pair[0], ANA, Name=title)
    await office.sync()
    return office.rows(History, nexudus_id=str(pair[0]), field="title")[-1]


def outcomes(office: Office, last: int) -> list[str | None]:
    return [one.outcome for one in office.rows(Decision)[-last:]]


def failing(office: Office, monkeypatch: pytest.MonkeyPatch, pair: Pair, error: ConnectorError) -> None:
    """Reading this pair's records raises the error in `undo`, and fetching its deal does in `link`."""
    connector: Any = office.desk.connector
    read, fetch = sights.read, connector.fetch

    async def bad_read(connection: object, side: object, link: object, *args: object, **kwargs: object) -> object:
        if getattr(link, "crm_id", "") == pair[1]:
            raise error
        return await read(connection, side, link, *args, **kwargs)  # type: ignore[arg-type]

    async def bad_fetch(self: object, record_id: str, *args: object, **kwargs: object) -> object:
        if record_id == pair[1]:
            raise error
        return await fetch(self, record_id, *args, **kwargs)

    monkeypatch.setattr(sights, "read", bad_read)
    monkeypatch.setattr(connector, "fetch", bad_fetch)


async def test_linking_records_that_do_not_exist_is_refused(office: Office, pair: Pair) -> None:
    office.decide("link", nexudus_id="1", crm_id=pair[1])
    office.decide("link", nexudus_id=str(office.new_card("Alone", None)), crm_id="opportunity_none")
    assert (await office.sync()).finished
    assert outcomes(office, 2) == [
        "refused: nexudus has no record 1",
        f"refused: {office.desk.system} has no record opportunity_none",
    ]


async def test_a_missing_card_that_answers_500_is_refused_once_its_absence_is_proven(
    office: Office,
) -> None:
    office.world.nexudus_faults.add("error_500_before", "GET /api/crm/crmopportunities/1$", times=50)
    office.decide("link", nexudus_id="1", crm_id="opportunity_none")
    async with office.process() as engine:
        await office.cycle(engine)
        assert outcomes(office, 1) == [None]
        await office.cycle(engine)
    office.world.nexudus_faults.clear()
    assert outcomes(office, 1) == ["refused: nexudus has no record 1"]


@pytest.mark.parametrize(
    "error",
    [
        NotFound("the CRM", "not found", "opp_1"),
        Refused("the CRM", "it may not be read", "opp_1"),
        RoleMissing("the CRM", "the token may not read it", "opp_1"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_record_that_cannot_be_read_refuses_only_its_own_decision(
    office: Office, error: ConnectorError, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = office.free.pop(), office.free.pop()
    entry, other = await written_over(office, bad, "Mistaken"), await written_over(office, good, "Mistaken too")
    with monkeypatch.context() as patch:
        failing(office, patch, bad, error)
        office.decide("undo", history_id=entry.id)
        office.decide("link", nexudus_id=str(good[0]), crm_id=bad[1])
        office.decide("undo", history_id=other.id)
        assert (await office.sync()).finished
    undone, linked, untouched = outcomes(office, 3)
    assert undone == f"refused: {error}"
    assert linked in {f"refused: {error}", f"refused: {office.desk.system} has no record {bad[1]}"}
    assert untouched == "brought back"
    assert office.cards.record(good[0])["Name"] == other.old


async def test_a_system_that_does_not_answer_leaves_the_decision_for_the_next_cycle(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = office.free.pop(), office.free.pop()
    entry, other = await written_over(office, bad, "Mistaken"), await written_over(office, good, "Mistaken too")
    with monkeypatch.context() as patch:
        failing(office, patch, bad, Unavailable("the CRM", "GET /x was answered 503", bad[1]))
        office.decide("undo", history_id=entry.id)
        office.decide("undo", history_id=other.id)
        report = await office.sync()
    assert outcomes(office, 2) == [None, "brought back"]
    assert any("answered 503" in error for error in report.errors)
    await office.sync()
    assert outcomes(office, 2) == ["brought back", "brought back"]
    assert office.cards.record(bad[0])["Name"] == entry.old


async def test_a_field_that_is_no_longer_mapped_cannot_be_brought_back(office: Office, pair: Pair) -> None:
    entry = await written_over(office, pair, "Mistaken")
    entry.field = "territory"
    office.keep(entry)
    office.decide("undo", history_id=entry.id)
    await office.sync()
    assert outcomes(office, 1) == ["refused: territory is no longer mapped"]


async def test_an_undo_leaves_one_line_in_the_history(office: Office, pair: Pair) -> None:
    entry = await written_over(office, pair, "Mistaken")
    office.decide("undo", history_id=entry.id)
    await office.sync()
    first, undone = office.rows(History, nexudus_id=str(pair[0]), field="title")
    assert (first.old, first.new, first.from_side) == (entry.old, "Mistaken", "nexudus")
    assert (undone.old, undone.new, undone.lost, undone.from_side) == ("Mistaken", entry.old, "Mistaken", "crm")
    office.decide("undo", history_id=undone.id)
    await office.sync()
    assert office.cards.record(pair[0])["Name"] == office.deals.record(pair[1])["title"] == "Mistaken"


async def test_a_value_that_only_one_side_had_keeps_its_own_line_when_another_is_forced(
    office: Office, pair: Pair
) -> None:
    entry = await written_over(office, pair, "Mistaken")
    office.cards.edit(pair[0], ANA, Name="Third")
    office.decide("undo", history_id=entry.id, force=True)
    await office.sync()
    _, one, two = office.rows(History, nexudus_id=str(pair[0]), field="title")
    assert {(one.old, one.new), (two.old, two.new)} == {("Third", entry.old), ("Mistaken", entry.old)}
