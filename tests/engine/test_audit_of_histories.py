"""Edits that fall between our GET of a deal and our PATCH: a reconcile finds them by the deal's history."""

from functools import partial
from pathlib import Path

import pytest
from lost_in_hubspot import answer, asked_about_histories, in_the_gap, lost, owner, questions, user

from nexudus_sandbox.hubspot.objects import Author
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Fact, History
from small_office import MARIA, TOM, SmallOffice

ASTRID, KOFI = "astrid.lindqvist@example.com", "tom.oreilly@example.com"


CASES = {
    "title": (lambda _: {"Name": "Ours"}, lambda _: {"dealname": "Theirs"}, ("Ours", "Theirs")),
    "opportunity_amount": (lambda _: {"Value": 1200.5}, lambda _: {"amount": "4321.00"}, ("1200.50", "4321.00")),
    "expected_closing": (
        lambda _: {"DueDate": "2026-08-01T12:00:00Z"},
        lambda _: {"closedate": "2026-09-02T15:30:00Z"},
        ("2026-08-01", "2026-09-02"),
    ),
    "opportunity_owner": (
        lambda office: {"ResponsibleId": user(office, KOFI)},
        lambda office: {"hubspot_owner_id": owner(office, ASTRID)},
        (KOFI, ASTRID),
    ),
}


@pytest.mark.parametrize("sources", [{}, {"says_source": False}, {"keys_are_users": True}], ids=str)
async def test_values_lost_in_the_gap_are_shown_and_can_be_brought_back(
    sources: dict[str, bool], tmp_path: Path
) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=len(CASES)).open() as office:
        for name, value in sources.items():
            setattr(office.deals.options, name, value)
        for card, _ in office.pairs:
            office.cards.edit(card, MARIA, ResponsibleId=user(office, MARIA))
        await office.settle(1)
        for (card, deal), (ours, theirs, _) in zip(office.pairs, CASES.values(), strict=True):
            office.cards.edit(card, MARIA, **ours(office))
            in_the_gap(office, deal, lost(office, deal, theirs(office)))
        await office.settle(2)
        assert office.conflicts() == []
        await office.cycle(reconcile=True)
        expected = sorted((field, *values) for field, (*_, values) in CASES.items())
        assert sorted(questions(office)) == expected
        for one in office.rows(Conflict, state="open"):
            assert one.reason.startswith("overwritten between our read and our write at 2026-03-02 09:0")
            assert one.reason.endswith(f"UTC; HubSpot has no lock; {TOM} had written it")
            assert [entry.lost for entry in office.rows(History, field=one.field) if entry.lost] == [one.crm]
        await office.cycle(reconcile=True)
        assert sorted(questions(office)) == expected
        answer(office, Side.CRM)
        await office.settle(2)
        assert office.conflicts() == []
        for (_, deal), (_, theirs, _) in zip(office.pairs, CASES.values(), strict=True):
            record = office.deals.record(deal)
            assert {name: record[name][:10] for name in theirs(office)} == {
                name: value[:10] for name, value in theirs(office).items()
            }
        assert not any(await office.settle(1, reconcile=True))


async def test_our_value_stays_where_a_person_says_so(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        in_the_gap(office, deal, lost(office, deal, {"amount": "4321"}))
        await office.settle(2)
        await office.cycle(reconcile=True)
        answer(office, Side.NEXUDUS)
        assert not any(await office.settle(2, reconcile=True))
        assert (office.conflicts(), float(office.deals.record(deal)["amount"])) == ([], 1200)


async def test_a_newer_value_closes_the_question(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        in_the_gap(office, deal, lost(office, deal, {"amount": "4321"}))
        await office.settle(2)
        await office.cycle(reconcile=True)
        assert office.conflicts() == ["opportunity_amount"]
        office.deals.edit(deal, TOM, amount="99")
        await office.settle(2, reconcile=True)
        assert (office.conflicts(), float(office.cards.record(card)["Value"])) == ([], 99)


async def test_an_equal_value_in_the_gap_is_nothing_to_show(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        in_the_gap(office, deal, lost(office, deal, {"amount": "1200"}))
        await office.settle(2)
        await office.cycle(reconcile=True)
        assert (office.conflicts(), office.rows(History, lost="1200.00")) == ([], [])


async def test_an_edit_after_our_write_travels_and_was_not_overwritten(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        await office.cycle()
        office.deals.edit(deal, TOM, amount="77")
        await office.settle(2, reconcile=True)
        assert (office.conflicts(), float(office.cards.record(card)["Value"])) == ([], 77)


async def test_of_two_edits_in_the_gap_the_second_is_what_was_lost(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        in_the_gap(office, deal, lost(office, deal, {"amount": "11"}), lost(office, deal, {"amount": "22"}))
        await office.settle(2)
        await office.cycle(reconcile=True)
        assert questions(office) == [("opportunity_amount", "1200.00", "22.00")]


@pytest.mark.parametrize("source", [{}, {"says_source": False}], ids=str)
async def test_a_value_that_was_seen_before_it_gave_way_is_no_question(source: dict[str, bool], tmp_path: Path) -> None:
    """Ours, theirs, which we saw, and ours once more, all within two minutes."""
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        ((card, deal),) = office.pairs
        for name, value in source.items():
            setattr(office.deals.options, name, value)
        office.cards.edit(card, MARIA, Value=1200)
        await office.cycle()
        office.deals.edit(deal, TOM, amount="77")
        await office.cycle()
        assert float(office.cards.record(card)["Value"]) == 77
        office.cards.edit(card, MARIA, Value=1300)
        await office.cycle()
        assert float(office.deals.record(deal)["amount"]) == 1300
        await office.settle(2, reconcile=True)
        assert (office.conflicts(), office.rows(History, lost="77.00")) == ([], [])


async def test_whoever_it_was_is_named(tmp_path: Path) -> None:
    """A workflow and another app change a deal as a person does."""
    sources = {
        "automation platform": Author("somebody", "AUTOMATION_PLATFORM", "4711"),
        "integration": Author("somebody", "INTEGRATION", "999"),
        "user 12345": Author("somebody", "CRM_UI", "userId:12345"),
    }
    async with SmallOffice(tmp_path, "hubspot", shared=len(sources)).open() as office:
        for (card, deal), by in zip(office.pairs, sources.values(), strict=True):
            office.cards.edit(card, MARIA, Value=1200)
            in_the_gap(office, deal, partial(office.deals.objects.set, office.deals.deal(deal), {"amount": "4321"}, by))
        await office.settle(2)
        await office.cycle(reconcile=True)
        reasons = {one.crm_id: one.reason for one in office.rows(Conflict, state="open")}
        for (_, deal), name in zip(office.pairs, sources, strict=True):
            assert reasons[deal].endswith(f"; {name} had written it")


async def test_a_write_that_lands_when_it_had_been_given_up_is_known_by_its_source(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=2).open() as office:
        (card, deal), (other, _) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        office.cards.edit(other, MARIA, Value=1300)
        office.deal_faults.add("late_commit", f"^PATCH .*/{deal}$", seconds=600)
        await office.cycle()
        office.cards.edit(card, MARIA, Value=1250)
        await office.settle(2)
        assert float(office.deals.record(deal)["amount"]) == 1250
        office.deals.edit(deal, TOM, amount="4321")
        office.clock.turn(600)
        assert float(office.deals.record(deal)["amount"]) == 1200
        await office.settle(2)
        await office.cycle(reconcile=True)
        assert questions(office) == [("opportunity_amount", "1200.00", "4321.00")]


@pytest.mark.parametrize("how", ["delete", "merge"])
async def test_a_deal_that_is_gone_by_then_stops_nothing(how: str, tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=3).open() as office:
        (card, deal), (_, other), (third, left) = office.pairs
        for one, gone in ((card, deal), (third, left)):
            office.cards.edit(one, MARIA, Value=1200)
            in_the_gap(office, gone, lost(office, gone, {"amount": "4321"}))
        await office.cycle()
        if how == "delete":
            office.deals.delete(deal, TOM)
        else:
            office.deals.merge(other, deal, TOM)
        reports = [await office.cycle(reconcile=True) for _ in range(3)]
        assert all(report.finished for report in reports)
        asked = office.rows(Conflict, kind="overwritten", state="open")
        assert [(one.crm_id, one.crm) for one in asked] == [(left, "4321.00")]


async def test_histories_that_cannot_be_read_are_read_by_the_next_reconcile(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        in_the_gap(office, deal, lost(office, deal, {"amount": "4321"}))
        await office.settle(2)
        office.deal_faults.add("error_500_before", "^POST .*/deals/batch/read", times=99)
        report = await office.cycle(reconcile=True)
        assert report.errors == ["hubspot: answered 500"]
        assert office.conflicts() == []
        office.deal_faults.clear()
        office.clock.turn(86400)
        await office.cycle(reconcile=True)
        assert questions(office) == [("opportunity_amount", "1200.00", "4321.00")]


async def test_a_key_that_may_not_read_them_leaves_the_rest_of_a_reconcile(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        in_the_gap(office, deal, lost(office, deal, {"amount": "4321"}))
        await office.settle(2)
        office.deal_faults.add("record_403", "^POST .*/deals/batch/read", times=99)
        report = await office.cycle(reconcile=True)
        assert (report.finished, report.errors, office.conflicts()) == (True, [], [])
        office.deal_faults.clear()
        await office.cycle(reconcile=True)
        assert office.conflicts() == ["opportunity_amount"]


@pytest.mark.parametrize(("written", "calls"), [(1, [1]), (51, [50, 1])])
async def test_a_reconcile_asks_about_fifty_deals_a_call_and_only_those_written_to(
    written: int, calls: list[int], tmp_path: Path
) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=52).open() as office:
        await office.cycle(reconcile=True)
        for card, _ in office.pairs[:written]:
            office.cards.edit(card, MARIA, Name=f"Ours {card}")
        await office.settle(2)
        since = len(office.deals.log)
        await office.cycle(reconcile=True)
        assert asked_about_histories(office, since) == calls
        since = len(office.deals.log)
        await office.cycle(reconcile=True)
        assert asked_about_histories(office, since) == []


async def test_the_position_is_kept_beside_that_of_nexudus(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        await office.cycle(reconcile=True)
        kept = {one.system: one.value["until"] for one in office.rows(Fact, key="trail hubspot")}
        assert set(kept) == {"nexudus", "hubspot"}
