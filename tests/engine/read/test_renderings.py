"""A system's renderings of a text: each side keeps its own spelling, and nothing travels until somebody edits one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from nexudus_sandbox.double import Row
from nexudus_sandbox.overplane.objects import Objects
from nexudus_sync.store.tables import Failure, Link
from small_office import MARIA, TOM, SmallOffice

MADE = [
    (("ascii",), "Tour 🎉 café", "Tour ? caf?"),
    (("cut",), "Tour of the northern building with the whole team", "Tour of the northern building with the w"),
    (("escaped",), "Desk & Co <Ltd>: closed", "Desk &amp; Co &lt;Ltd&gt;: closed"),
    (("squashed",), "Two   spaces,  twice", "Two spaces, twice"),
    (("lower",), "Meeting ROOM", "meeting room"),
    (("ascii", "squashed", "cut"), "Über  allem: the  whole floor for the festival week", None),
]


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[SmallOffice]:
    async with SmallOffice(tmp_path, "overplane").open() as office:
        yield office


@pytest.mark.parametrize(("ways", "title", "kept"), MADE)
async def test_what_the_crm_makes_of_a_title_does_not_go_back_over_the_card(
    office: SmallOffice, ways: tuple[str, ...], title: str, kept: str | None
) -> None:
    card, deal = office.pairs[0]
    office.deals.options.keeps = ways
    office.cards.edit(card, MARIA, Name=title)
    assert await office.settle() == [{"crm opportunity.update": 1}, {}, {}, {}]
    assert office.cards.record(card)["Name"] == title
    assert office.deals.record(deal)["title"] != title
    assert kept in (None, office.deals.record(deal)["title"])
    assert office.failures() == {("stored-differently", "title")}
    assert not office.conflicts()


async def test_what_nexudus_makes_of_a_title_does_not_go_back_over_the_crms(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.cards.options.keeps = ("cut",)
    title = "Tour of the northern building with the whole team"
    office.deals.edit(deal, TOM, title=title)
    assert await office.settle() == [{"nexudus opportunity.update": 1}, {}, {}, {}]
    assert not (await office.read(card)).writes
    assert office.deals.record(deal)["title"] == title
    assert office.cards.record(card)["Name"] == title[:40]
    assert office.failures() == {("stored-differently", "title")}


@pytest.mark.parametrize(("ways", "title"), [(ways, title) for ways, title, _ in MADE if ways != ("lower",)])
async def test_nexuduss_rendering_of_a_title_is_not_part_of_the_next_edit(
    office: SmallOffice, ways: tuple[str, ...], title: str
) -> None:
    """Its replies do not tell what it kept, and a later read tells no more whose doing that is."""
    card, deal = office.pairs[0]
    office.cards.options.keeps = ways
    office.deals.edit(deal, TOM, title=title)
    await office.settle(2)
    assert office.failures() == {("stored-differently", "title")}
    office.cards.options.keeps = ()
    office.cards.edit(card, MARIA, Value=55)
    await office.settle(2)
    assert (office.deals.record(deal)["title"], office.deals.record(deal)["opportunity_amount"]) == (title, 55)


async def test_it_is_the_same_with_a_stage_that_is_read_again_after_the_write(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.cards.options.keeps = ("ascii",)
    office.deals.edit(deal, TOM, title="Tour 🎉", status="Lost")
    assert (await office.settle())[1:] == [{}, {}, {}]
    assert (office.cards.record(card)["Name"], office.deals.record(deal)["title"]) == ("Tour ?", "Tour 🎉")
    assert office.failures() == {("stored-differently", "title")}
    (link,) = [one for one in office.rows(Link) if one.nexudus_id == str(card)]
    assert link.bounces == {}


@pytest.mark.parametrize("crm_name", ["overplane", "erpnext"])
async def test_a_copy_keeps_its_own_spelling_too(tmp_path: Path, crm_name: str) -> None:
    async with SmallOffice(tmp_path, crm_name).open() as office:
        office.cards.options.keeps = ("ascii",)
        office.deal("new@example.com", "Büro 🎉")
        if crm_name == "overplane":
            office.deals.options.keeps = ("ascii",)
        office.card("other@example.com", "Café 🎉")
        await office.settle(3)
        assert await office.settle(2) == [{}, {}]
        for card in office.links():
            assert not (await office.read(card)).writes
        assert {"B?ro ?", "Café 🎉"} < set(office.card_titles())
        assert {"Büro 🎉", "Caf? ?" if crm_name == "overplane" else "Café 🎉"} < set(office.deal_titles())
        assert office.failures() == {("stored-differently", "title")}


async def test_an_edit_on_either_side_travels_and_ends_it(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.deals.options.keeps = ("ascii",)
    office.cards.edit(card, MARIA, Name="Tour 🎉")
    await office.settle(2)
    office.deals.edit(deal, TOM, title="Tour")
    assert (await office.settle(2))[0] == {"nexudus opportunity.update": 1}
    assert office.cards.record(card)["Name"] == "Tour"
    assert office.failures() == set()


async def test_the_same_difference_later_is_an_edit(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.cards.edit(card, MARIA, Name="Tour of the ROOF")
    await office.settle(2)
    office.deals.edit(deal, TOM, title="Tour of the roof")
    await office.settle(2)
    assert office.cards.record(card)["Name"] == "Tour of the roof"
    assert office.failures() == set()


async def test_an_echo_with_words_of_its_own_travels_back(office: SmallOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    card, _ = office.pairs[0]
    change = office.deals.objects.change

    def renamed(kind: str, row_id: str, values: Row, by: str) -> Row:
        return change(kind, row_id, {**values, "title": "Renamed by a rule"}, by)

    monkeypatch.setattr(Objects, "change", lambda _self, *args: renamed(*args))
    office.cards.edit(card, MARIA, Name="Tour")
    await office.settle(3)
    assert office.cards.record(card)["Name"] == "Renamed by a rule"


async def test_it_can_be_dismissed_and_stays_so(office: SmallOffice) -> None:
    card, _ = office.pairs[0]
    office.deals.options.keeps = ("ascii",)
    office.cards.edit(card, MARIA, Name="Tour 🎉")
    await office.settle(2)
    (failure,) = office.rows(Failure, state="open")
    assert 'stores "Tour 🎉" as "Tour ?"' in failure.reason
    assert failure.next_attempt is None
    with office.engine.store.session() as session:
        session.merge(failure).state = "dismissed"
    await office.cycle(reconcile=True)
    office.cards.edit(card, MARIA, Value=77)
    await office.settle(2)
    assert office.failures() == set()


@pytest.mark.parametrize("fault", ["drop_after", "error_500_after"])
async def test_a_create_whose_answer_is_lost_is_recognised_by_the_title_that_was_kept(
    office: SmallOffice, fault: str
) -> None:
    office.deals.options.keeps = ("ascii",)
    office.deal_faults.add(fault, "POST .*/opportunity")
    office.card("new@example.com", "Café 🎉")
    await office.settle(3)
    assert await office.settle(2) == [{}, {}]
    assert office.deal_titles().count("Caf? ?") == 1
    assert "Café 🎉" in office.card_titles()
    assert office.failures() == {("stored-differently", "title")}


async def test_an_update_whose_answer_is_lost_is_found_under_what_was_kept(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.deals.options.keeps = ("ascii",)
    office.deal_faults.add("drop_after", "PATCH|PUT")
    office.cards.edit(card, MARIA, Name="Tour 🎉")
    await office.settle(2)
    assert await office.settle(2) == [{}, {}]
    assert (office.cards.record(card)["Name"], office.deals.record(deal)["title"]) == ("Tour 🎉", "Tour ?")
    assert office.failures() == {("stored-differently", "title")}


async def test_a_text_that_a_full_update_sent_along_is_not_an_edit_in_nexudus(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.cards.edit(card, MARIA, Name="Tour 🎉")
    await office.settle(2)
    office.cards.options.keeps = ("ascii",)
    office.deals.edit(deal, TOM, opportunity_amount=77)
    assert await office.settle(2) == [{"nexudus opportunity.update": 1}, {}]
    assert not (await office.read(card)).writes
    assert (office.cards.record(card)["Name"], office.deals.record(deal)["title"]) == ("Tour ?", "Tour 🎉")
    assert office.failures() == {("stored-differently", "title")}


async def test_what_a_later_read_of_the_same_state_shows_counts_too(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.cards.edit(card, MARIA, Name="Tour 🎉")
    await office.cycle()
    row = office.deals.objects.rows["opportunity"][deal]
    office.deals.objects.rows["opportunity"][deal] = {**row, "title": "Tour ?"}  # under the stamp that the reply named
    assert await office.settle(2) == [{}, {}]
    assert office.cards.record(card)["Name"] == "Tour 🎉"
    assert office.failures() == {("stored-differently", "title")}


async def test_a_blank_is_not_a_rendering(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.cards.edit(card, MARIA, Name="🎉")
    await office.cycle()
    row = office.deals.objects.rows["opportunity"][deal]
    office.deals.objects.rows["opportunity"][deal] = {**row, "title": " "}
    await office.settle(2)
    assert ("stored-differently", "title") not in office.failures()
