"""Stories in which several rare things meet: each once lost an edit, copied something twice, or stopped the rest."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sim_checker import check
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, decide, links, new_card, new_deal, play, rows, when
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.engine.cycle import Cycle, Options, run_cycle
from nexudus_sync.engine.report import BRAKED, Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, ConnectionState, Decision, Failure, History, Journal, Link, Unlinked


def one(world: SimWorld, city: str = "london", *, reconcile: bool = False, one_shot: bool = True) -> Report:
    """One cycle of one connection, a minute later, and what it did."""

    async def work() -> Report:
        await world.engine.start()
        (connection,) = world.engine.connection(city)
        return await run_cycle(connection, Options(reconcile=reconcile, one_shot=one_shot))

    world.clock.seconds += 60
    return world.clock.run(work())


def called(world: SimWorld, title: str) -> tuple[int, int]:
    """How many cards and how many opportunities bear a title."""
    cards = [card for card in world.nexudus.records().values() if card["Name"] == title]
    return len(cards), len([deal for deal in world.crm.records().values() if deal.get("title") == title])


def slow_poll(world: SimWorld, tick: int, action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of long work somebody does something, and a poll is due."""
    ticks, real = [0], Cycle.poll_if_due

    async def late(self: Cycle) -> None:
        ticks[0] += 1
        if ticks[0] == tick:
            action()
            await self.connection.clock.sleep(90)
        await real(self)

    monkeypatch.setattr(Cycle, "poll_if_due", late)


# -- deletions ---------------------------------------------------------------------------------------------------------


def edited_before_the_delete(world: SimWorld) -> None:
    """Ana deletes a card; Ben edits its counterpart after it was listed, and before it would be deleted as well."""
    card, deal = born_in_crm(world)
    world.nexudus.delete(card, ANA)
    world.faults[Side.NEXUDUS].add("slow", f"^GET .*/{card}$", seconds=8.0)
    rename = lambda: world.crm.edit(deal, BEN, title="Ben's")  # noqa: E731
    when(world, Side.CRM, "GET", "/crm/opportunity", rename, later=4.0)
    cycle(world, reconcile=True)
    assert world.crm.record(deal)["title"] == "Ben's"


def edited_after_the_answer(world: SimWorld) -> None:
    """A person says that an edited deal may be deleted, but Ben goes on with it: he is asked about again."""
    card, deal = born_in_crm(world)
    world.nexudus.delete(card, ANA)
    world.crm.edit(deal, BEN, title="Ben's")
    cycle(world, reconcile=True)
    decide(world, "record", Side.NEXUDUS)
    world.crm.edit(deal, BEN, opportunity_amount=4711)
    cycle(world)
    assert deal in world.crm.records()
    decide(world, "record", Side.NEXUDUS)
    cycle(world)
    assert deal not in world.crm.records()


# -- recovery ----------------------------------------------------------------------------------------------------------


def unreadable_after_a_lost_answer(world: SimWorld) -> None:
    """The answer to a write is lost, and the record cannot be read for long: the others go on."""
    card, deal = born_in_nexudus(world)
    other, berta = born_in_crm(world)
    world.faults[Side.CRM].add("drop_after", f"^PATCH .*/{deal}$", times=1)
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=999)
    world.nexudus.edit(card, ANA, Name="Anna's")
    for name in ("One", "Two"):
        world.nexudus.edit(other, ANA, Name=name)
        assert one(world, one_shot=False).errors
        assert world.crm.record(berta)["title"] == name


def clock_set_back(world: SimWorld) -> None:
    """The machine's clock was a day ahead when a create was sent whose answer was lost; then it was set right."""
    new_card(world, "anna")
    world.faults[Side.CRM].add("drop_after", "^POST .*/crm/opportunity$", times=1)
    silent = lambda: world.faults[Side.CRM].add("connect", "", times=999)  # noqa: E731
    when(world, Side.CRM, "POST", "/crm/opportunity", silent)
    one(world)
    world.faults[Side.CRM].clear()
    with world.store.session() as session:
        (row,) = session.exec(select(Journal).where(Journal.state == "sent"))
        assert row.sent_at is not None
        row.sent_at += timedelta(days=1)
    before = world.clock.seconds
    one(world)
    assert world.clock.seconds - before < 120
    assert called(world, "anna") == (1, 1)


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (edited_before_the_delete, "propagate"),
    (edited_after_the_answer, "propagate"),
    (unreadable_after_a_lost_answer, "ignore"),
    (clock_set_back, "ignore"),
]


@pytest.mark.parametrize(("story", "deletes"), STORIES, ids=[story.__name__ for story, _ in STORIES])
def test_nothing_is_lost_or_doubled(story: Callable[[SimWorld], None], deletes: str, tmp_path: Path) -> None:
    assert play(story, tmp_path, deletes=deletes) == []


# -- brakes ------------------------------------------------------------------------------------------------------------


def crowd(folder: Path, deletes: str) -> SimWorld:
    """Fifty pairs that agree."""
    world = SimWorld(11, folder, nexudus=40, crm=40, shared=30, deletes=deletes)
    for _ in range(2):
        cycle(world)
    return world


def test_deletions_that_only_reading_shows_are_under_the_brake(tmp_path: Path) -> None:
    """A new field in the mapping has every record read, and thirty cards turn out to be gone."""
    world = crowd(tmp_path, "propagate")
    for link in links(world)[:30]:
        world.nexudus.delete(int(link.nexudus_id), ANA)
    with world.store.session() as session:
        state = session.exec(select(ConnectionState)).one()
        state.mapping_digest, state.mapped_paths = "another", state.mapped_paths[1:]
        session.add(state)
    report = one(world)
    assert (report.exit_code, report.brake, report.closed, report.deleted) == (BRAKED, "mass-delete", 0, 0)
    world.close()


def test_deletions_that_writing_comes_upon_are_under_the_brake(tmp_path: Path) -> None:
    """Ben edits thirty deals whose cards are gone: no more pairs end than the brake lets go, and no write waits."""
    world = crowd(tmp_path, "ignore")
    for link in links(world)[:30]:
        world.nexudus.delete(int(link.nexudus_id), ANA)
        world.crm.edit(link.crm_id, BEN, title="Ben's")
    report = one(world)
    assert (report.exit_code, report.brake, report.closed) == (BRAKED, "mass-delete", 10)
    with world.store.read() as session:
        assert not session.exec(select(Journal).where(Journal.state == "planned")).all()
    world.close()


def test_what_a_person_is_asked_about_sets_no_brake(tmp_path: Path) -> None:
    """Day by day a few deals are deleted whose cards were edited: their questions do not add up to an accident."""
    world = crowd(tmp_path, "propagate")
    known = links(world)
    for day in range(3):
        for link in known[4 * day : 4 * day + 4]:
            world.crm.delete(link.crm_id, BEN)
            world.nexudus.edit(int(link.nexudus_id), ANA, Name=f"Kept {link.nexudus_id}")
        assert one(world).brake is None
    decide(world, "record", Side.CRM)
    assert one(world).deleted == 12
    world.close()


# -- long work ---------------------------------------------------------------------------------------------------------


def test_a_poll_in_between_makes_the_earlier_listing_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ana drags a card, which renumbers its neighbours; while these are gone through, Ben's new title is carried."""
    world = SimWorld(11, tmp_path, nexudus=40, crm=4, shared=3)
    for _ in range(2):
        cycle(world)
    pairs = sorted(links(world), key=lambda link: int(link.nexudus_id))
    stage = world.nexudus.directory.stage_named(world.seeded.places.london.board_id, "New lead")
    for position, link in enumerate(pairs, 500):
        world.nexudus.edit(int(link.nexudus_id), ANA, CrmBoardColumnId=stage, Position=position)
    for _ in range(2):
        cycle(world)
    last = pairs[-3]
    slow_poll(world, 1, lambda: world.crm.edit(last.crm_id, BEN, title="Ben's"), monkeypatch)
    world.nexudus.edit(int(pairs[-1].nexudus_id), ANA, Position=501)
    cycle(world)
    with world.store.read() as session:
        entries = session.exec(select(History).where(History.field == "title", History.crm_id == last.crm_id))
        assert [entry.new for entry in entries] == ["Ben's"]
    world.close()


def test_a_poll_in_between_makes_the_origin_of_a_copy_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ben's deals are copied and their stages still to be delivered; meanwhile he renames the first."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    for _ in range(2):
        cycle(world)
    deals = []
    for number in range(6):
        deals.append(new_deal(world, f"berta{number}", sales_stage="Negotiation"))
        world.clock.seconds += 2
    slow_poll(world, 4, lambda: world.crm.edit(deals[0], BEN, title="Renamed"), monkeypatch)
    cycle(world)
    with world.store.read() as session:
        entries = session.exec(select(History).where(History.field == "title", History.crm_id == deals[0]))
        assert [entry.new for entry in entries] == ["Renamed"]
    world.close()


def six_cards(world: SimWorld) -> None:
    """Ana's new cards, anna0 to anna5, which are copied one after the other."""
    for number in range(6):
        new_card(world, f"anna{number}")
        world.clock.seconds += 2


def test_what_was_entered_during_long_work_is_matched_before_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one card after the other is copied, Ben enters the counterpart of the last himself."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    for _ in range(2):
        cycle(world)
    six_cards(world)
    slow_poll(world, 3, lambda: new_deal(world, "anna5"), monkeypatch)
    for _ in range(3):
        cycle(world)
    assert called(world, "anna5") == (1, 1)
    world.close()


def test_what_became_its_counterpart_during_long_work_is_matched_before_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one card after the other is copied, Ben corrects an opportunity that nothing could be matched with."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    for _ in range(2):
        cycle(world)
    world.faults[Side.NEXUDUS].add("error_500_before", "^POST .*/crmopportunities$", times=99)
    deal = new_deal(world, "wrong")
    cycle(world)
    six_cards(world)
    right = {"title": "anna5", "contact_email": "anna5@example.org"}
    slow_poll(world, 5, lambda: world.crm.edit(deal, BEN, **right), monkeypatch)
    for _ in range(3):
        cycle(world)
    assert called(world, "anna5") == (1, 1)
    world.close()


# -- two connections to one CRM ----------------------------------------------------------------------------------------


def two_connections(folder: Path) -> SimWorld:
    """London and Madrid, both at rest."""
    world = SimWorld(11, folder, nexudus=4, crm=4, shared=2, cities=("london", "madrid"))
    for _ in range(2):
        one(world, "london")
        one(world, "madrid")
    return world


def place_card(world: SimWorld, card: int, city: str, customer: int | None = None) -> None:
    """Ana moves a card to a city's board, and perhaps gives it another customer."""
    board = getattr(world.seeded.places, city).board_id
    values = {} if customer is None else {"CoworkerId": customer}
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, "New lead"), **values)


def test_a_card_that_waited_here_and_was_linked_there_is_not_copied_when_it_returns(tmp_path: Path) -> None:
    """Without an e-mail address it waits in Madrid; in London it is given one and copied; then it moves back."""
    world = two_connections(tmp_path)
    directory, places = world.nexudus.directory, world.seeded.places
    card = new_card(world, "anna", CoworkerId=directory.add_coworker("", "anna", places.madrid.business_id))
    place_card(world, card, "madrid")
    one(world, "madrid")
    place_card(world, card, "london", directory.add_coworker("a@example.org", "anna", places.london.business_id))
    one(world, "london")
    place_card(world, card, "madrid")
    for _ in range(2):
        one(world, "madrid", reconcile=True)
        one(world, "london", reconcile=True)
    assert called(world, "anna") == (1, 1)
    assert [(link.connection, link.state) for link in _of(world, card)] == [("madrid", "active")]
    world.close()


def test_what_failed_of_a_card_here_is_over_when_it_was_linked_there(tmp_path: Path) -> None:
    """Without an e-mail address it waits in London; in Madrid it is given one and copied before London looks again."""
    world = two_connections(tmp_path)
    directory, places = world.nexudus.directory, world.seeded.places
    card = new_card(world, "anna", CoworkerId=directory.add_coworker("", "anna", places.london.business_id))
    one(world, "london")
    place_card(world, card, "madrid", directory.add_coworker("a@example.org", "anna", places.madrid.business_id))
    for _ in range(2):
        one(world, "madrid")
        one(world, "london")
    assert [(link.connection, link.state) for link in _of(world, card)] == [("madrid", "active")]
    with world.store.read() as session:
        assert session.exec(select(Failure).where(Failure.state == "open")).all() == []
    world.close()


def test_a_card_that_moves_while_its_create_is_in_doubt_is_not_copied_again(tmp_path: Path) -> None:
    """London's create was done and its answer lost; the card moves to Madrid, whose cycle comes first."""
    world = two_connections(tmp_path)
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("drop_after", "^POST .*/crm/opportunity$", times=1)
    silent = lambda: world.faults[Side.CRM].add("connect", "", times=999)  # noqa: E731
    when(world, Side.CRM, "POST", "/crm/opportunity", silent)
    one(world, "london")
    world.faults[Side.CRM].clear()
    place_card(world, card, "madrid")
    for _ in range(2):
        one(world, "madrid")
        one(world, "london")
    assert called(world, "anna") == (1, 1)
    assert [(link.connection, link.state) for link in _of(world, card)] == [("madrid", "active")]
    world.close()


def _of(world: SimWorld, card: int) -> list[Link]:
    return [link for link in links(world) if link.nexudus_id == str(card)]


def late_copy(world: SimWorld) -> int:
    """A card that London created, gave up, and created once more, before the first one landed after all."""
    deal = new_deal(world, "ben", opportunity_amount=5)
    world.faults[Side.NEXUDUS].add("late_commit", "^POST .*/crmopportunities$", seconds=300.0)
    for _ in range(3):
        one(world, "london")
    world.clock.seconds += 300
    one(world, "london")
    (linked,) = [link for link in links(world) if link.crm_id == deal]
    cards = {str(card) for card, row in world.nexudus.records().items() if row["Name"] == "ben"}
    (copy,) = map(int, cards - {linked.nexudus_id})
    return copy


def test_a_late_copy_that_moves_to_another_location_is_not_copied_there(tmp_path: Path) -> None:
    world = two_connections(tmp_path)
    world.nexudus.options.keeps_system_id = False
    copy = late_copy(world)
    place_card(world, copy, "madrid")
    for _ in range(2):
        one(world, "madrid")
        one(world, "london")
    assert called(world, "ben") == (2, 1)
    assert _of(world, copy) == []
    world.close()


@pytest.mark.parametrize("keeps_key", [True, False])
def test_a_late_copy_is_asked_about_as_long_as_it_lies_where_something_is_kept_in_step(
    tmp_path: Path, keeps_key: bool
) -> None:
    """Ana moves it to a location that no connection covers, and brings it back later, under another name."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    world.nexudus.options.keeps_system_id = keeps_key
    one(world)
    copy = late_copy(world)
    asked = lambda: [row.nexudus_id for row in rows(world, Conflict, field="record", state="open")]  # noqa: E731
    assert asked() == [str(copy)]
    place_card(world, copy, "madrid")
    for _ in range(2):
        one(world, reconcile=True)
    assert asked() == []
    assert check(world)[0] == []
    world.nexudus.edit(copy, ANA, Name="Ana's")
    place_card(world, copy, "london")
    for _ in range(2):
        one(world, reconcile=True)
    assert asked() == [str(copy)]
    assert called(world, "Ana's") == (1, 0)
    assert check(world)[0] == []
    world.close()


def test_what_is_ignored_here_is_ignored_wherever_it_moves(tmp_path: Path) -> None:
    world = two_connections(tmp_path)
    card = new_card(world, "anna")
    with world.store.session() as session:
        args = {"side": "nexudus", "record_id": str(card)}
        session.add(Decision(connection="london", kind="ignore", args=args, asked_at=world.clock.now()))
    one(world, "london")
    for city in ("madrid", "london", "madrid"):
        place_card(world, card, city)
        for _ in range(2):
            one(world, "london", reconcile=True)
            one(world, "madrid", reconcile=True)
    assert called(world, "anna") == (1, 0)
    with world.store.read() as session:
        rows = session.exec(select(Unlinked).where(Unlinked.record_id == str(card)))
        assert {(row.connection, row.state) for row in rows} == {("london", "away"), ("madrid", "ignored")}
    world.close()
