"""What random histories found, each cut down to the few steps that showed it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sim_desks import BEN
from sim_people import ANA
from sim_stories import (
    born_in_crm,
    born_in_nexudus,
    cycle,
    edited_while_off,
    links,
    new_card,
    new_deal,
    play,
    rows,
    when,
)
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.wire import json_response
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Unlinked


def renamed_after_its_end(world: SimWorld) -> None:
    """The card is deleted, which ends the link; then the opportunity that stays is given another name, and edited."""
    card, deal = born_in_crm(world)
    world.nexudus.delete(card, ANA)
    cycle(world, reconcile=True)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Somewhere else")


def renamed_while_elsewhere(world: SimWorld) -> None:
    """The card leaves the location for a while; meanwhile the opportunity is given another name, and edited."""
    card, deal = born_in_crm(world)
    madrid, london = (
        world.nexudus.directory.stage_named(place.board_id, "New lead")
        for place in (world.seeded.places.madrid, world.seeded.places.london)
    )
    world.nexudus.edit(card, ANA, CrmBoardColumnId=madrid)
    cycle(world, reconcile=True)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Somewhere else")
    cycle(world)
    world.nexudus.edit(card, ANA, CrmBoardColumnId=london)


def renamed_beside_a_late_copy(world: SimWorld) -> None:
    """A create lands after it was given up; then what it is a copy of is given another name, twice, and edited."""
    world.nexudus.options.keeps_system_id = False
    world.faults[Side.NEXUDUS].add("late_commit", "^POST .*/crmopportunities$", seconds=100.0)
    deal = world.desk.create("berta")
    for _ in range(3):
        cycle(world)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Somewhere else")
    copies = [int(i) for i, card in world.nexudus.records().items() if card["Name"] == "berta"]
    for copy in copies:
        world.nexudus.edit(copy, ANA, Notes="Who entered this?")
    cycle(world)
    world.crm.rename("Renamed", "Renamed again", BEN)
    world.crm.edit("Renamed again", BEN, title="And elsewhere again")
    for copy in copies:
        world.nexudus.edit(copy, ANA, Name=f"Which? {copy}")


def late_copy_edited(world: SimWorld) -> None:
    """A create lands after it was given up; Ana gives the copy another name before anybody answers what it is."""
    world.nexudus.options.keeps_system_id = False
    world.faults[Side.NEXUDUS].add("late_commit", "^POST .*/crmopportunities$", seconds=100.0)
    world.desk.create("berta")
    for _ in range(4):
        cycle(world)
    newest = max(world.nexudus.records())
    other = max(set(world.nexudus.records()) - {newest})
    for card in (newest, other):
        world.nexudus.edit(card, ANA, Name=f"Which is it? {card}")
        cycle(world)


def late_copy_renamed_unseen(world: SimWorld) -> None:
    """Two creates in a row are done, their answers are lost, and the first one's card shows late.

    So the first card is linked; Ana gives the second another name before the sync ever saw it.
    """
    world.nexudus.options.keeps_system_id = False
    world.nexudus.options.late_visible = 20.0
    world.faults[Side.NEXUDUS].add("drop_after", "^POST .*/crmopportunities$", times=2)
    world.desk.create("berta")
    for _ in range(2):
        cycle(world, after=1.0)
    copies = [int(i) for i, card in world.nexudus.records().items() if card["Name"] == "berta"]
    assert len(copies) == 2
    world.nexudus.edit(max(copies), ANA, Name="Ana's")


def late_copy_matched(world: SimWorld) -> None:
    """A create is done and its answer lost; Nexudus shows the card after it was given up, but before it is repeated.

    So the two are matched, and asked about: the create left the stage to a write of its own, which never came.
    """
    world.nexudus.options.late_visible = 20.0
    faults = world.faults[Side.NEXUDUS]
    faults.add("drop_after", "^POST .*/coworkers$")  # so that the other one is created first
    faults.add("drop_after", "^POST .*/crmopportunities$")
    faults.add("timeout_before", "^POST .*/crmopportunities$")
    deal = new_deal(world, "anna", sales_stage="Tour booked")
    new_deal(world, "berta", sales_stage="Tour booked")
    cycle(world)
    (link,) = [link for link in links(world) if link.crm_id == deal]
    shown = [(one.nexudus_id, one.field) for one in rows(world, Conflict, state="open")]
    assert shown == [(link.nexudus_id, "sales_stage")]
    assert [card["Name"] for card in world.nexudus.records().values()].count("anna") == 1


def edited_while_our_write_lingers(world: SimWorld) -> None:
    """The sync's PUT is on the way for a minute; Ana writes a note meanwhile, which the PUT has as it was before.

    That is the stated gap, however long it lasts.
    """
    card, deal = born_in_crm(world)
    world.crm.edit(deal, BEN, title="Ben's")
    world.faults[Side.NEXUDUS].add("late_commit", "^PUT .*/crmopportunities$", seconds=60.0)
    noted = lambda: world.nexudus.edit(card, ANA, Notes="Call on Monday")  # noqa: E731
    when(world, Side.NEXUDUS, "GET", f"/crmopportunities/{card}", noted, later=5.0)
    cycle(world)
    assert (world.nexudus.record(card)["Name"], world.nexudus.record(card)["Notes"]) == ("Ben's", None)


def lost_answer_of_what_the_server_turned(world: SimWorld) -> None:
    """Ana won a card, Ben moves the deal to Lost and keeps its status; the answer to the sync's write is lost.

    Nexudus takes the stage and sets the status by it, so that the card does not say all that was sent.
    """
    card, deal = born_in_crm(world)
    world.nexudus.edit(
        card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(world.seeded.places.london.board_id, "Won")
    )
    cycle(world)
    world.crm.edit(deal, BEN, status="Quotation")
    world.crm.move(deal, "Lost", BEN)
    world.faults[Side.NEXUDUS].add("drop_after", "^PUT .*/crmopportunities$")
    cycle(world)
    assert world.nexudus.record(card)["Status"] == 3


def direction_widened(world: SimWorld) -> None:
    """While a field only travels from the CRM, Ana edits it in Nexudus; then it travels both ways again."""
    card, _ = born_in_crm(world, utm_source="fair")
    world.rules["utm_source"] = 'sync = "from-crm"'
    world.restart()
    world.nexudus.edit(card, ANA, UtmSource="radio")
    cycle(world)
    cycle(world)
    world.rules.clear()
    world.restart()


def born_under_one_direction(world: SimWorld) -> None:
    """A card is copied while one of its fields only travels from the CRM; then it travels both ways."""
    world.rules["utm_campaign"] = 'sync = "from-crm"'
    world.restart()
    cycle(world)
    born_in_nexudus(world, UtmCampaign="summer")
    world.rules.clear()
    world.restart()


def name_given_to_the_next(world: SimWorld) -> None:
    """Ben deletes the newest opportunity, and the next one, which the sync creates, is given its name."""
    _, deal = born_in_nexudus(world)
    world.crm.delete(deal, BEN)
    new_card(world, "carla")
    cycle(world)
    cycle(world, reconcile=True)
    assert deal in world.crm.records()
    assert [link.state for link in links(world) if link.crm_id == deal] == ["closed", "active"]


def renamed_and_replaced(world: SimWorld) -> None:
    """Ben gives an opportunity another name, and a new one its old name."""
    _, deal = born_in_crm(world)
    world.crm.rename(deal, "Renamed", BEN)
    other = world.desk.create("carla")
    world.crm.rename(other, deal, BEN)
    world.crm.edit("Renamed", BEN, title="The first")
    world.crm.edit(deal, BEN, title="The second")
    cycle(world)
    cycle(world, reconcile=True)
    assert all(link.state == "active" for link in links(world))


def name_given_to_the_next_and_changed(world: SimWorld) -> None:
    """The newest opportunity is deleted, the next one, which is given its name, is copied, and then renamed."""
    _, deal = born_in_crm(world)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True)
    assert world.desk.create("carla") == deal
    cycle(world)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="The second")


def name_given_to_the_next_before_it_was_copied(world: SimWorld) -> None:
    """Ben deletes a deal that cannot be copied, and the sync gives its name to the counterpart of Ana's card."""
    world.faults[Side.NEXUDUS].add("error_500_before", "^POST", times=9)
    deal = world.desk.create("berta")
    cycle(world)
    world.crm.delete(deal, BEN)
    new_card(world, "anna")
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=9)
    cycle(world)
    assert world.crm.records()[deal]["title"] == "anna"
    for faults in world.faults.values():
        faults.clear()
    for _ in range(3):
        cycle(world, after=900.0)
    assert [link.state for link in links(world) if link.crm_id == deal] == ["active"]


def name_given_to_the_next_and_still_waiting(world: SimWorld) -> None:
    """An opportunity that was deleted still waits for its copy under a name that a linked one has by now."""
    _, deal = born_in_nexudus(world)
    with world.store.session() as session:
        earlier = {"identity": "2026-01-02 03:04:05.000006", "email": "zora@example.org", "title": "zora"}
        session.add(Unlinked(connection="london", side="crm", record_id=deal, **earlier))
    cards = len(world.nexudus.records())
    for _ in range(3):
        cycle(world)
    assert len(world.nexudus.records()) == cards
    assert rows(world, Unlinked, record_id=deal) == []


def asked_about_what_was_edited_while_off(world: SimWorld) -> None:
    """Ben edits a field that does not travel, of an opportunity that the sync copied; then it travels again."""
    card, _ = edited_while_off(world)
    cycle(world)
    with world.store.read() as session:
        asked = session.exec(select(Conflict.field).where(Conflict.nexudus_id == str(card), Conflict.state == "open"))
        assert asked.all() == ["utm_medium"]


def ended_when_the_server_had_moved_more(world: SimWorld) -> None:
    """Ben moves two old deals into stages that win and lose cards by themselves; the process ends at that write."""
    for times, ((_, deal), stage) in enumerate(zip(world.seeded.equal, ("Won", "Lost"), strict=True), 1):
        world.crm.move(deal, stage, BEN)

        def ends() -> None:
            world.crash_at = world.commits + 1

        when(world, Side.NEXUDUS, "PUT", "/crmopportunities", ends)
        cycle(world)
        assert world.restarts == times


def days_of_a_zone_that_was_kept_from_us(world: SimWorld) -> None:
    """Ana moves due dates to just before midnight by UTC, the next day in London; the location is refused meanwhile."""
    card, deal = born_in_crm(world)
    for day, status in ((25, 403), (26, 404)):
        world.restart()
        world.faults[Side.NEXUDUS].change(r"^GET .*/businesses/\d+$", lambda _, code=status: json_response(code, {}))
        world.nexudus.edit(card, ANA, DueDate=f"2026-07-{day}T23:30:00Z")
        for _ in range(4):
            cycle(world, after=300.0)
        assert world.crm.record(deal)["expected_closing"] == f"2026-07-{day + 1}"


def kept_differently_and_moved(world: SimWorld) -> None:
    """The CRM cuts the names of two cards; Ana moves one to Madrid and back, the other there for good."""
    world.crm.options.keeps = ("cut",)
    cards = [
        new_card(world, name, Name=f"Forty desks by the window, from June on, {name}") for name in ("anna", "berta")
    ]
    cycle(world)
    for card, *cities in ((cards[0], "madrid", "london"), (cards[1], "madrid")):
        for city in cities:
            place = getattr(world.seeded.places, city)
            stage = world.nexudus.directory.stage_named(place.board_id, "New lead")
            world.nexudus.edit(card, ANA, CrmBoardColumnId=stage)
            cycle(world)


STORIES: list[tuple[Callable[[SimWorld], None], str]] = [
    (renamed_after_its_end, "erpnext"),
    (renamed_while_elsewhere, "erpnext"),
    (renamed_beside_a_late_copy, "erpnext"),
    (lost_answer_of_what_the_server_turned, "erpnext"),
    (direction_widened, "overplane"),
    (born_under_one_direction, "overplane"),
    (late_copy_edited, "overplane"),
    (late_copy_renamed_unseen, "overplane"),
    (late_copy_edited, "erpnext"),
    (late_copy_matched, "overplane"),
    (edited_while_our_write_lingers, "overplane"),
    (name_given_to_the_next, "erpnext"),
    (renamed_and_replaced, "erpnext"),
    (name_given_to_the_next_and_changed, "erpnext"),
    (name_given_to_the_next_before_it_was_copied, "erpnext"),
    (name_given_to_the_next_and_still_waiting, "erpnext"),
    (asked_about_what_was_edited_while_off, "overplane"),
    (ended_when_the_server_had_moved_more, "overplane"),
    (ended_when_the_server_had_moved_more, "erpnext"),
    (days_of_a_zone_that_was_kept_from_us, "overplane"),
]


@pytest.mark.parametrize("cities", [("london",), ("london", "madrid")])
def test_what_a_system_keeps_differently_stays_shown_wherever_the_card_goes(
    cities: tuple[str, ...], tmp_path: Path
) -> None:
    assert play(kept_differently_and_moved, tmp_path, cities=cities) == []


@pytest.mark.parametrize(("story", "system"), STORIES, ids=[f"{story.__name__}-{system}" for story, system in STORIES])
def test_what_once_broke_a_promise_does_so_no_more(
    story: Callable[[SimWorld], None], system: str, tmp_path: Path
) -> None:
    assert play(story, tmp_path, system=system) == []
