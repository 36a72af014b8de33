"""Stories of what people answered and of attempts that were in doubt: each once ended as nobody had asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sim_desks import BEN
from sim_people import ANA
from sim_stories import (
    CREATE,
    born_in_crm,
    born_in_nexudus,
    cycle,
    decide,
    ended_after_the_create,
    links,
    new_card,
    new_deal,
    rows,
    when,
)
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.seed.places import WELCOME
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.errors import Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, ConnectionState, Decision, Failure, Journal, Link, Unlinked


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimWorld]:
    """Four cards and their deals, before the first run."""
    begun = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=4)
    yield begun
    begun.close()


@pytest.fixture
def rested(world: SimWorld) -> SimWorld:
    """The same after the first run, with nothing left to do."""
    for _ in range(2):
        cycle(world)
    return world


# -- attempts ----------------------------------------------------------------------------------------------------------


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


def link_of(world: SimWorld, deal: str) -> Link:
    return next(link for link in links(world) if link.crm_id == deal)


def stage_of(world: SimWorld, deal: str) -> Any:
    """The name of the stage in which the card of a deal stands."""
    stage = world.nexudus.record(int(link_of(world, deal).nexudus_id))["CrmBoardColumnId"]
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
    assert link_of(world, deal).crm_snapshot["sales_stage"] == WELCOME


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
    assert link_of(world, deal).state == "active"


def test_a_value_that_takes_several_writes_is_delivered_by_the_last_of_them(rested: SimWorld) -> None:
    """Ana clears the reason why a deal was lost; the process ends when one of the CRM's two rows is deleted."""
    world, armed = rested, [True]
    card, deal = born_in_crm(world, status="Lost")
    world.crm.set_lost_reasons(deal, ["Price", "Timing"], BEN)
    world.crm.edit(deal, BEN, phone="+44 20 1")
    cycle(world)
    assert world.nexudus.record(card)["LossReason"] == 4

    def end(request: Any, _: Any) -> None:
        if armed and request.method == "DELETE":
            armed.clear()
            world.crash_at = world.commits + 1

    world.crm.watchers.append(end)
    world.nexudus.edit(card, ANA, LossReason=None)
    cycle(world)
    assert world.restarts == 1
    cycle(world)
    assert (world.nexudus.record(card)["LossReason"], world.crm.lost_reasons(deal)) == (None, [])


def test_a_value_that_takes_several_writes_is_to_be_delivered_while_one_is_in_doubt(rested: SimWorld) -> None:
    """The answer to the first deletion is lost, and it moved the opportunity's stamp."""
    world = rested
    world.crm.options.children_move_parent = True
    card, deal = born_in_crm(world, status="Lost")
    world.crm.set_lost_reasons(deal, ["Price", "Timing"], BEN)
    world.crm.edit(deal, BEN, phone="+44 20 1")
    cycle(world)
    world.nexudus.edit(card, ANA, LossReason=None)
    world.clock.seconds += 20
    world.faults[Side.CRM].add("drop_after", "^DELETE")
    for _ in range(2):
        cycle(world)
    assert (world.nexudus.record(card)["LossReason"], world.crm.lost_reasons(deal)) == (None, [])


@pytest.mark.parametrize(("fault", "customer"), [("connect", "zora"), ("connect", "anna"), ("drop", "zora")])
def test_what_bears_the_title_of_an_attempt_is_not_its_late_copy(rested: SimWorld, fault: str, customer: str) -> None:
    """A create never leaves, or is lost on its way, and is done again; later Ben enters a deal of that title.

    What never left made nothing, and what was lost would name its own customer.
    """
    world = rested
    card = new_card(world, "anna", Name="Hot desk")
    world.faults[Side.CRM].add(fault, CREATE, times=99 if fault == "connect" else 1)
    cycle(world)
    world.faults[Side.CRM].clear()
    cycle(world)
    assert [link.state for link in links(world) if link.nexudus_id == str(card)] == ["active"]
    deal = new_deal(world, customer, title="Hot desk")
    for _ in range(2):
        cycle(world, after=1800.0)
    assert rows(world, Conflict) == []
    assert link_of(world, deal).state == "active"


@pytest.mark.parametrize("deleted", [False, True])
def test_what_recovery_finds_too_late_is_shown_as_a_late_copy(deleted: bool, rested: SimWorld) -> None:
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
    assert (question.state, question.reason.split(":")[0]) == (
        "open",
        f"it is a late copy of {card}, which has a counterpart already",
    )


def test_a_create_in_doubt_is_found_though_its_connection_has_another_name(rested: SimWorld) -> None:
    world = rested
    deal = new_deal(world, "berta")
    ended_after_the_create(world)
    world.places = {"west end": world.places["london"]}
    world.restart()
    for _ in range(2):
        cycle(world)
    link = link_of(world, deal)
    assert (link.connection, link.state) == ("west end", "active")
    assert rows(world, Journal, state="sent") == []


def silent(world: SimWorld, path: str) -> None:
    """The CRM's answer to a write is lost, and from then on it is not there."""
    world.faults[Side.CRM].add("drop_after", f"{path}$", times=1)
    end = lambda: world.faults[Side.CRM].add("connect", "", times=999)  # noqa: E731
    method, _, rest = path.removeprefix("^").partition(" ")
    when(world, Side.CRM, method, rest.removeprefix(".*"), end)
    cycle(world)
    world.faults[Side.CRM].clear()
    assert len(rows(world, Journal, state="sent")) == 1


def test_a_card_is_not_linked_while_its_create_is_in_doubt(rested: SimWorld) -> None:
    """A person links a card whose copy may be there; the list that would tell cannot be read now."""
    world = rested
    card, other = new_card(world, "anna"), new_deal(world, "zora")
    ask(world, "ignore", side="crm", record_id=other)
    silent(world, "^POST .*/crm/opportunity")
    world.faults[Side.CRM].add("error_500_before", "^GET .*/crm/opportunity$", times=999)
    ask(world, "link", nexudus_id=str(card), crm_id=other)
    with pytest.raises(Unavailable):
        cycle(world)
    world.faults[Side.CRM].clear()
    cycle(world), cycle(world)
    assert rows(world, Conflict) == []
    assert rows(world, Decision, kind="link")[0].outcome.startswith(f"refused: {card} is linked with ")


def test_a_lost_update_of_a_parted_pair_is_over(rested: SimWorld) -> None:
    """It cannot be looked for at first; meanwhile the pair is parted, and the card linked with another deal."""
    world = rested
    card, deal = born_in_crm(world)
    other = new_deal(world, "zora")
    ask(world, "ignore", side="crm", record_id=other)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Renamed")
    silent(world, f"^PATCH .*/{deal}")
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=999)
    ask(world, "unlink", link_id=link_of(world, deal).id)
    cycle(world)
    ask(world, "link", nexudus_id=str(card), crm_id=other)
    cycle(world)
    assert link_of(world, other).state == "active"
    world.faults[Side.CRM].clear()
    cycle(world), cycle(world)
    assert rows(world, Failure, state="open") == []
    assert rows(world, Journal, state="sent") == []


def since(world: SimWorld, day: str) -> None:
    """What was created before that day is not copied."""
    with world.store.session() as session:
        session.exec(select(ConnectionState)).one().create_since = day


def test_what_says_something_else_by_now_is_matched_before_it_is_copied(rested: SimWorld) -> None:
    """A card is refused for want of an e-mail address; its customer is given one, which does not show in the card.

    Ben has an older deal of that customer, which `--since` left alone. A person has the failure tried again.
    """
    world = rested
    card = new_card(world, "anna")
    customer = world.nexudus.cards.rows[card]["CoworkerId"]
    world.nexudus.directory.coworkers[customer]["Email"] = ""
    cycle(world)
    assert [row.state for row in rows(world, Unlinked, record_id=str(card))] == ["refused"]
    cycle(world, after=3600.0)
    deal = new_deal(world, "anna")
    since(world, "2030-01-01")
    cycle(world)
    since(world, "2026-01-01")
    world.nexudus.directory.coworkers[customer]["Email"] = "anna@example.org"
    for table in (world.nexudus.cards.rows, world.nexudus.cards.listed):
        table[card] = {**table[card], "CoworkerEmail": "anna@example.org"}
    with world.store.session() as session:
        session.get_one(Unlinked, ("london", "nexudus", str(card))).state = "waiting"
    for _ in range(2):
        cycle(world, after=900.0)
    assert [found for found, row in world.crm.records().items() if row.get("title") == "anna"] == [deal]
    assert link_of(world, deal).nexudus_id == str(card)
    assert rows(world, Failure, state="open") == []


# -- answers -----------------------------------------------------------------------------------------------------------


def ask(world: SimWorld, kind: str, **args: Any) -> None:
    """A person asks for something at the command line."""
    with world.store.session() as session:
        session.add(Decision(connection="london", kind=kind, args=args, asked_at=world.clock.now()))


def test_half_of_a_parted_pair_stays_alone_when_the_other_half_is_linked(rested: SimWorld) -> None:
    """A person parts two pairs and links the card of one with the deal of the other."""
    world = rested
    card, deal = born_in_nexudus(world)
    other = new_card(world, "carla")
    for _ in range(2):
        cycle(world)
    for one in links(world):
        if one.nexudus_id in {str(card), str(other)}:
            ask(world, "unlink", link_id=one.id)
    cycle(world)
    before = set(world.crm.records())
    ask(world, "link", nexudus_id=str(other), crm_id=deal)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Moved on")
    for _ in range(2):
        cycle(world)
    assert set(world.crm.records()) == before
    assert [row.state for row in rows(world, Unlinked, record_id=str(card))] == ["ignored"]


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


@pytest.mark.parametrize("side", list(Side))
def test_what_was_linked_meanwhile_is_not_ignored(rested: SimWorld, side: Side) -> None:
    """While a card is being copied a person says to leave it, or its copy, alone: the answer tells what holds."""
    world = rested
    card, deal = born_in_nexudus(world)
    record = {Side.NEXUDUS: str(card), Side.CRM: deal}[side]
    ask(world, "ignore", side=side.value, record_id=record)
    cycle(world)
    (decision,) = rows(world, Decision)
    assert decision.outcome == f"refused: {card} is linked with {deal}; unlink parts them"
    assert rows(world, Unlinked, record_id=record) == []
    world.nexudus.edit(card, ANA, Name="Still synced")
    cycle(world)
    assert world.crm.record(deal)["title"] == "Still synced"


def test_an_answer_that_cannot_be_written_is_asked_for_anew(rested: SimWorld) -> None:
    """A person takes a stage of the CRM that Nexudus does not have: they see why, and take the other one."""
    world = rested
    card, deal = born_in_crm(world)
    board = world.seeded.places.london.board_id
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, "Tour booked"))
    world.crm.move(deal, "Prospecting", BEN)
    cycle(world)
    decide(world, "sales_stage", Side.CRM)
    for _ in range(2):
        cycle(world, after=900.0)
        (question,) = rows(world, Conflict)
        assert (question.state, question.take, question.crm) == ("open", None, "Prospecting")
        assert [(one.kind, one.field) for one in rows(world, Failure, state="open")] == [("unmapped", "sales_stage")]
    before = len(world.readings[Side.NEXUDUS])
    cycle(world, after=900.0)
    assert not [seen for seen in world.readings[Side.NEXUDUS][before:] if seen.path.endswith(f"/{card}")]
    decide(world, "sales_stage", Side.NEXUDUS)
    cycle(world)
    assert world.crm.record(deal)["sales_stage"] == "Tour booked"
    assert [one.state for one in rows(world, Conflict)] == ["closed"]
    assert rows(world, Failure, state="open") == []


def test_a_question_is_not_answered_by_what_else_changes(rested: SimWorld) -> None:
    """Both rename it within a second: a person is asked, and neither Ana's note nor a neighbour's move decides."""
    world = rested
    card, deal = born_in_crm(world)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.crm.edit(deal, BEN, title="Ben's")
    cycle(world)
    at = {key: world.nexudus.record(card)[key] for key in ("CrmBoardColumnId", "Position")}
    for change in (lambda: world.nexudus.edit(card, ANA, Notes="Called"), lambda: new_card(world, "carla", **at)):
        change()
        for _ in range(2):
            cycle(world, after=600.0)
        assert (world.nexudus.record(card)["Name"], world.crm.record(deal)["title"]) == ("Ana's", "Ben's")
        assert [(one.field, one.state) for one in rows(world, Conflict)] == [("title", "open")]
    world.nexudus.edit(card, ANA, Name="Ana's later")
    cycle(world)
    assert world.crm.record(deal)["title"] == "Ana's later"
    assert [one.state for one in rows(world, Conflict)] == ["closed"]


def test_what_the_server_itself_moved_last_is_not_the_newest(rested: SimWorld) -> None:
    """Both rename it, Ben later; then a neighbour takes the card's place, which moves the card's stamp as well."""
    world = rested
    card, deal = born_in_crm(world)
    cycle(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.clock.seconds += 30
    world.crm.edit(deal, BEN, title="Ben's")
    world.clock.seconds += 10
    at = {key: world.nexudus.record(card)[key] for key in ("CrmBoardColumnId", "Position")}
    new_card(world, "carla", **at)
    cycle(world)
    assert (world.nexudus.record(card)["Name"], world.crm.record(deal)["title"]) == ("Ana's", "Ben's")
    assert [(one.field, one.state) for one in rows(world, Conflict)] == [("title", "open")]


def test_an_answer_that_was_refused_is_asked_for_anew_when_the_failure_is_dismissed(rested: SimWorld) -> None:
    """Else it would wait as answered for ever, and both records be read in each cycle."""
    world = rested
    card, deal = born_in_crm(world)
    world.rules["lost_reasons"] = 'on_conflict = "manual"'
    world.restart()
    world.nexudus.edit(card, ANA, LossReason=10)
    world.crm.set_lost_reasons(deal, ["Price"], BEN)
    world.crm.edit(deal, BEN, phone="+44 20 1")
    cycle(world)
    world.crm.options.refuse_unknown_lost_reasons = True
    world.crm.objects.rows["opportunity-lost-reason"].clear()
    decide(world, "lost_reasons", Side.NEXUDUS)
    cycle(world)
    (failure,) = rows(world, Failure, state="open")
    assert (failure.kind, failure.field) == ("refused", "lost_reasons")
    with world.store.session() as session:
        failure.state, failure.next_attempt = "dismissed", None
        session.add(failure)
    cycle(world)
    assert [(one.field, one.state) for one in rows(world, Conflict)] == [("lost_reasons", "open")]
    before = len(world.readings[Side.NEXUDUS])
    cycle(world)
    assert not [seen for seen in world.readings[Side.NEXUDUS][before:] if seen.path.endswith(f"/{card}")]
    decide(world, "lost_reasons", Side.CRM)
    cycle(world)
    assert world.nexudus.record(card)["LossReason"] == 4
    assert [one.state for one in rows(world, Conflict)] == ["closed"]
