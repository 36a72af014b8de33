"""A create whose answer was lost ends like one that was answered, whatever changes meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_worlds import at_rest, called, cycle_of, link_of_deal, links_of_card, place_card, two_connections
from sim_desks import BEN
from sim_people import ANA
from sim_stories import CREATE, cycle, ended_after_the_create, links, new_card, new_deal, rows, when
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.seed.places import WELCOME
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Failure, Journal, Link, Unlinked


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimWorld]:
    """Four cards and their deals, before the first run."""
    begun = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=4)
    yield begun
    begun.close()


def left_by_the_first_run(world: SimWorld) -> str:
    """A deal of Ben's, in a stage that messages customers, that `backfill --limit` left."""
    world.clock.seconds += 60
    deal = new_deal(world, "berta", sales_stage=WELCOME)

    async def backfill() -> None:
        await world.engine.start()
        (connection,) = world.engine.connection("london")
        await run_cycle(connection, Options(limit=0))

    world.clock.seconds += 60
    world.clock.run(backfill())
    return deal


def stage_of(world: SimWorld, deal: str) -> Any:
    """The name of the stage in which the card of a deal stands."""
    stage = world.nexudus.record(int(link_of_deal(world, deal).nexudus_id))["CrmBoardColumnId"]
    board = world.seeded.places.london.board_id
    names = ("New lead", WELCOME, "Negotiation")
    return next(name for name in names if world.nexudus.directory.stage_named(board, name) == stage)


@pytest.mark.parametrize("lost", [False, True])
def test_a_recovered_create_ends_as_the_unbroken_one(lost: bool, world: SimWorld) -> None:
    deal = left_by_the_first_run(world)
    if lost:
        ended_after_the_create(world)
    for _ in range(3):
        cycle(world)
    assert stage_of(world, deal) == "New lead"
    (failure,) = rows(world, Failure, state="open")
    assert (failure.kind, failure.field, failure.crm_id) == ("stage-acts", "sales_stage", deal)
    assert link_of_deal(world, deal).crm_snapshot["sales_stage"] == WELCOME


def test_a_move_after_a_create_in_doubt_is_carried(world: SimWorld) -> None:
    deal = left_by_the_first_run(world)
    ended_after_the_create(world)
    world.crm.move(deal, "Negotiation", BEN)
    for _ in range(3):
        cycle(world)
    assert stage_of(world, deal) == "Negotiation"
    assert not rows(world, Failure, state="open")


def test_a_create_in_doubt_of_an_earlier_version_is_recovered(world: SimWorld) -> None:
    deal = left_by_the_first_run(world)
    ended_after_the_create(world)
    with world.store.session() as session:
        (row,) = session.exec(select(Journal).where(Journal.state == "sent"))
        row.step = {key: value for key, value in row.step.items() if key != "accepted"}
    cycle(world)
    assert link_of_deal(world, deal).state == "active"


@pytest.mark.parametrize("deleted", [False, True])
def test_a_record_that_recovery_finds_too_late_is_shown_as_a_late_copy(deleted: bool, rested: SimWorld) -> None:
    """A create is in doubt; before anybody looks for it, its card is linked with another deal, and perhaps deleted."""
    world = rested
    card = new_card(world, "anna")
    ended_after_the_create(world, Side.CRM)
    deal = new_deal(world, "zora")
    with world.store.session() as session:
        ids = {"nexudus_id": str(card), "crm_id": deal}
        session.add(Link(crm=world.connection.crm, connection="london", created_at=world.clock.now(), **ids))
    if deleted:
        world.nexudus.delete(card, ANA)
    for _ in range(2):
        cycle(world)
    (question,) = rows(world, Conflict, field="record")
    assert (question.state, question.reason.split(";")[0]) == (
        "open",
        f"it is a late copy of {card}, which already has a counterpart",
    )


def test_a_create_in_doubt_is_found_although_its_connection_was_renamed(rested: SimWorld) -> None:
    world = rested
    deal = new_deal(world, "berta")
    ended_after_the_create(world)
    world.places = {"west end": world.places["london"]}
    world.restart()
    for _ in range(2):
        cycle(world)
    link = link_of_deal(world, deal)
    assert (link.connection, link.state) == ("west end", "active")
    assert rows(world, Journal, state="sent") == []


def test_an_answer_is_over_when_the_copy_it_asked_for_is_found(rested: SimWorld) -> None:
    """Of two cards that a deal could belong to, a person has one copied; the answer to its create is lost."""
    world = rested
    new_deal(world, "anna")
    card = new_card(world, "anna")
    new_card(world, "anna")
    cycle(world)
    with world.store.session() as session:
        question = session.exec(select(Conflict).where(Conflict.nexudus_id == str(card))).one()
        question.state, question.take = "resolved", Side.NEXUDUS.value
    world.faults[Side.CRM].add("drop_after", CREATE, times=1)
    cycle(world)
    assert [link.state for link in links(world) if link.nexudus_id == str(card)] == ["active"]
    assert [one.state for one in rows(world, Conflict, nexudus_id=str(card))] == ["closed"]


def test_a_card_that_moves_while_its_create_is_in_doubt_is_not_copied_again(tmp_path: Path) -> None:
    """London's create was done and its answer lost; the card moves to Madrid, whose cycle comes first."""
    world = two_connections(tmp_path)
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("drop_after", "^POST .*/crm/opportunity$", times=1)
    silent = lambda: world.faults[Side.CRM].add("connect", "", times=999)  # noqa: E731
    when(world, Side.CRM, "POST", "/crm/opportunity", silent)
    cycle_of(world, "london")
    world.faults[Side.CRM].clear()
    place_card(world, card, "madrid")
    for _ in range(2):
        cycle_of(world, "madrid")
        cycle_of(world, "london")
    assert called(world, "anna") == (1, 1)
    assert [(link.connection, link.state) for link in links_of_card(world, card)] == [("madrid", "active")]
    world.close()


def card_made_and_process_ended(world: SimWorld) -> str:
    """The server makes a card for Ben's deal; the answer is lost and the process ends before it looks."""
    deal, armed = new_deal(world, "berta"), [True]

    def watch(request: Any, _: Any) -> None:
        if armed and request.method == "POST" and request.path.endswith("/crmopportunities"):
            armed.clear()
            world.crash_at = world.commits + 1

    world.faults[Side.NEXUDUS].add("drop_after", "^POST .*/crmopportunities$")
    world.nexudus.watchers.append(watch)
    cycle(world)
    assert rows(world, Journal, state="sent", kind="opportunity.create")
    return deal


def test_the_name_of_a_source_given_to_the_next_before_recovery(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    deal = card_made_and_process_ended(world)
    world.crm.delete(deal, BEN)
    assert world.desk.create("carla") == deal
    for _ in range(5):
        cycle(world)
    card = world.nexudus.record(
        int(next(link for link in links(world) if link.crm_id == deal and link.state == "active").nexudus_id)
    )
    assert card["CoworkerEmail"] == "carla@example.org"  # berta@example.org, under the name "carla"


def test_the_name_of_a_source_given_to_the_next_after_recovery(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    deal = card_made_and_process_ended(world)
    world.crm.delete(deal, BEN)
    cycle(world)  # the link is closed, with crm_identity ""
    assert world.desk.create("carla") == deal
    for _ in range(4):
        cycle(world)
    cycle(world, reconcile=True), cycle(world)
    assert rows(world, Unlinked, record_id=deal) or [
        link for link in links(world) if link.crm_id == deal and link.state == "active"
    ]


def test_a_copy_whose_answer_was_lost_ends_when_its_card_is_gone(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    world.nexudus.options.missing_id_status = 500
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("drop_after", "^POST .*/crm/opportunity$")
    when(world, Side.CRM, "POST", "/crm/opportunity", lambda: world.nexudus.delete(card, ANA))
    cycle(world), cycle(world)
    assert [link.state for link in links(world) if link.nexudus_id == str(card)] == ["closed"]
    assert rows(world, Journal, state="sent") == []
