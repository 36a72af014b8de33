"""Copies that were renamed before anybody looked for them: none is made twice or copied back."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import link_of_deal
from sim_checker import check
from sim_desks import BEN
from sim_people import ANA
from sim_stories import CREATE, born_in_crm, cycle, ended_after_the_create, links, new_card, new_deal, rows
from sim_world import SimWorld

from nexudus_sandbox.wire import Request, Response
from nexudus_sync.errors import Refused
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Decision, Failure, Journal, Unlinked


@pytest.mark.parametrize(("fault", "customer"), [("connect", "zora"), ("connect", "anna"), ("drop", "zora")])
def test_a_record_with_the_title_of_an_attempt_is_not_its_late_copy(
    rested: SimWorld, fault: str, customer: str
) -> None:
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
    assert link_of_deal(world, deal).state == "active"


with_erpnext = pytest.mark.parametrize("rested", [{"system": "erpnext"}], indirect=True, ids=["erpnext"])


with_two_connections = pytest.mark.parametrize(
    "rested", [{"cities": ("london", "madrid")}], indirect=True, ids=["london-madrid"]
)


def lost_from_sight(world: SimWorld, made_in: Side) -> tuple[str, str]:
    """A record of a customer that was lost is copied; the answer is lost, and the copy renamed before it is looked for.

    Nothing else tells that they belong together. Returns the source and the copy.
    """
    if made_in is Side.CRM:
        source: int | str = new_card(world, "anna", Status=3, LossReason=4)
        ended_after_the_create(world, made_in)
        (copy,) = [deal for deal, row in world.crm.records().items() if row["title"] == "anna"]
        world.crm.edit(copy, BEN, title="Ben's")
        return str(source), copy
    world.nexudus.options.keeps_system_id = False
    source = new_deal(world, "berta", status="Lost")
    ended_after_the_create(world, made_in)
    (card,) = [int(card) for card, row in world.nexudus.records().items() if row["Name"] == "berta"]
    world.nexudus.edit(card, ANA, Name="Ana's")
    return source, str(card)


def records_of(world: SimWorld, side: Side) -> set[str]:
    return {str(one) for one in world.double(side).records()}


def questions(world: SimWorld) -> dict[str, Conflict]:
    """What is asked about records without a counterpart."""
    asked: list[Conflict] = rows(world, Conflict, field="record", state="open")
    return {one.nexudus_id or one.crm_id: one for one in asked}


@pytest.mark.parametrize("made_in", Side)
def test_a_copy_renamed_before_it_was_looked_for_is_not_copied_back_when_its_source_is_gone(
    made_in: Side, rested: SimWorld
) -> None:
    world = rested
    source, copy = lost_from_sight(world, made_in)
    if made_in is Side.CRM:
        world.nexudus.delete(int(source), ANA)
    else:
        world.crm.delete(source, BEN)
    before = records_of(world, made_in.other)
    for _ in range(3):
        cycle(world, reconcile=True)
    assert records_of(world, made_in.other) == before
    asked = questions(world)
    assert asked.keys() == {copy}
    why = f"it may be a late copy of {source}, which has since been deleted or moved away"
    assert asked[copy].reason.split(";")[0] == why
    assert check(world)[0] == []


@pytest.mark.parametrize("made_in", Side)
def test_a_copy_renamed_before_it_was_looked_for_is_asked_about_and_not_made_again(
    made_in: Side, rested: SimWorld
) -> None:
    world = rested
    source, copy = lost_from_sight(world, made_in)
    before = {side: records_of(world, side) for side in Side}
    for _ in range(3):
        cycle(world)
    assert {side: records_of(world, side) for side in Side} == before
    asked = questions(world)
    assert asked.keys() == {source, copy}
    assert asked[source].reason.split(";")[0] == f"an attempt to copy it may have created {copy}"
    assert asked[copy].reason.split(";")[0] == f"it may be a late copy of {source}"
    assert check(world)[0] == []


@pytest.mark.parametrize("made_in", Side)
def test_a_copy_that_a_person_calls_another_record_holds_nothing_up(made_in: Side, rested: SimWorld) -> None:
    world = rested
    source, copy = lost_from_sight(world, made_in)
    cycle(world)
    asked = questions(world)
    with world.store.session() as session:
        for one in asked.values():
            one.state, one.take = "resolved", "nexudus" if one.nexudus_id else "crm"
            session.add(one)
    for _ in range(2):
        cycle(world)
    there = {link.nexudus_id if made_in is Side.CRM else link.crm_id for link in links(world)}
    here = {link.crm_id if made_in is Side.CRM else link.nexudus_id for link in links(world)}
    assert source in there
    assert copy in here
    assert questions(world) == {}


def test_nothing_is_copied_back_while_a_create_that_may_have_made_it_cannot_be_looked_for(rested: SimWorld) -> None:
    world = rested
    source, card = lost_from_sight(world, Side.NEXUDUS)
    asks = "from_CrmOpportunity_CreatedOn"
    world.faults[Side.NEXUDUS].add("error_500_before", lambda request: asks in request.query, times=999)
    before = {side: records_of(world, side) for side in Side}
    for _ in range(2):
        cycle(world)
        assert rows(world, Journal, state="sent", crm_id=source)
        assert {side: records_of(world, side) for side in Side} == before
        assert rows(world, Conflict, field="record") == []
        assert [failure.kind for failure in rows(world, Failure, state="open")] == ["unavailable"]
    world.faults[Side.NEXUDUS].clear()
    cycle(world, after=600.0)
    assert questions(world).keys() == {source, card}
    assert rows(world, Failure, state="open") == []  # that it could not be looked for is over


def another_card(world: SimWorld, like: int | str, name: str, **values: Any) -> int:
    """Another card of Ana's for the same customer."""
    row = world.nexudus.record(int(like))
    same = {key: row[key] for key in ("CrmBoardColumnId", "CoworkerId")}
    return world.nexudus.create(ANA, **{**same, "Name": name, **values})


def another_deal(world: SimWorld, like: str, title: str) -> str:
    """Another opportunity of Ben's for the same customer."""
    row = world.crm.record(like)
    keys = ("opportunity_from", "party_name", "company", "contact_email", "currency", "customer_name", "sales_stage")
    return str(world.crm.create(BEN, **{key: row[key] for key in keys}, transaction_date="2026-03-02", title=title))


def test_two_copies_of_one_customer_are_made_once_each(rested: SimWorld) -> None:
    """Two lost cards of a customer are copied, both answers are lost, and both copies renamed."""
    world = rested
    before = records_of(world, Side.CRM)
    one = new_card(world, "anna", Status=3, LossReason=4)
    two = another_card(world, one, "anna again", Status=3, LossReason=4)
    world.faults[Side.CRM].add("drop_after", "^POST .*/crm/opportunity$", times=2)
    posts = []

    def end(request: Request, _: Response) -> None:
        if request.method == "POST" and request.path.endswith("/crm/opportunity"):
            posts.append(request)
            if len(posts) == 2:
                world.crash_at = world.commits + 1

    world.crm.watchers.append(end)
    cycle(world)
    copies = sorted(records_of(world, Side.CRM) - before)
    assert len(copies) == 2
    for number, copy in enumerate(copies):
        world.crm.edit(copy, BEN, title=f"Ben's {number}")
    for _ in range(3):
        cycle(world)
    assert records_of(world, Side.CRM) - before == set(copies)
    assert questions(world).keys() == {str(one), str(two), *copies}
    with world.store.session() as session:
        args = {"nexudus_id": str(one), "crm_id": copies[0]}
        session.add(Decision(connection="london", kind="link", args=args, asked_at=world.clock.now()))
    for _ in range(3):
        cycle(world)
    assert records_of(world, Side.CRM) - before == set(copies)
    assert questions(world).keys() == {str(two), copies[1]}


def test_a_reopened_copy_is_not_paired_with_another_card_of_the_customer(rested: SimWorld) -> None:
    world = rested
    before = records_of(world, Side.CRM)
    source, copy = lost_from_sight(world, Side.CRM)
    world.crm.edit(copy, BEN, status="Open")
    other = another_card(world, source, "anna's next")
    for _ in range(3):
        cycle(world)
    assert records_of(world, Side.CRM) - before == {copy}
    assert questions(world).keys() == {source, copy, str(other)}


def test_a_copy_that_is_asked_about_for_another_reason_keeps_its_source_from_being_copied_again(
    rested: SimWorld,
) -> None:
    """The copy of a lost deal is open at first, and so is Ben's next one for that customer."""
    world = rested
    before = records_of(world, Side.NEXUDUS)
    source, card = lost_from_sight(world, Side.NEXUDUS)
    other = another_deal(world, source, "berta's next")
    for _ in range(3):
        cycle(world)
    assert records_of(world, Side.NEXUDUS) - before == {card}
    assert questions(world).keys() == {source, card, other}


def test_one_that_is_asked_about_can_be_anothers_counterpart_in_the_same_cycle(tmp_path: Path) -> None:
    """Ana duplicated a card, its external key included, for another customer; the store is new."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=4)
    deal = new_deal(world, "berta")
    cards = [str(new_card(world, name, SystemId=f"overplane:{deal}")) for name in ("berta", "zora")]
    for _ in range(3):
        cycle(world)
    assert [link.nexudus_id for link in links(world) if link.crm_id == deal] == cards[:1]
    assert questions(world).keys() == {cards[1]}
    world.close()


@with_erpnext
def test_the_source_is_known_under_another_name(rested: SimWorld) -> None:
    world = rested
    before = records_of(world, Side.NEXUDUS)
    source, card = lost_from_sight(world, Side.NEXUDUS)
    world.crm.rename(source, f"{source} late", BEN)
    for _ in range(3):
        cycle(world, reconcile=True)
    assert records_of(world, Side.NEXUDUS) - before == {card}
    assert questions(world).keys() == {f"{source} late", card}


@with_erpnext
def test_a_record_that_is_given_the_name_of_a_source_does_not_wait(rested: SimWorld) -> None:
    world = rested
    source, card = lost_from_sight(world, Side.NEXUDUS)
    world.crm.delete(source, BEN)
    cycle(world, reconcile=True)
    world.crm.rename(new_deal(world, "zora"), source, BEN)
    for _ in range(3):
        cycle(world, after=7200.0, reconcile=True)
    assert [link.state for link in links(world) if link.crm_id == source] == ["active"]
    assert questions(world).keys() == {card}


@with_erpnext
def test_the_name_of_a_closed_links_record_makes_no_counterpart(rested: SimWorld) -> None:
    world = rested
    _, deal = born_in_crm(world)
    world.crm.delete(deal, BEN)
    for _ in range(2):
        cycle(world, reconcile=True)
    world.nexudus.options.keeps_system_id = False
    before = records_of(world, Side.NEXUDUS)
    world.crm.rename(new_deal(world, "carla", status="Lost"), deal, BEN)
    ended_after_the_create(world, Side.NEXUDUS)
    (card,) = records_of(world, Side.NEXUDUS) - before
    world.nexudus.edit(int(card), ANA, Name="Ana's")
    for _ in range(3):
        cycle(world, reconcile=True)
    assert records_of(world, Side.NEXUDUS) - before == {card}
    assert questions(world).keys() == {deal, card}


@with_two_connections
def test_a_source_that_moves_to_another_connection_is_not_copied_again_there(rested: SimWorld) -> None:
    world = rested
    before = records_of(world, Side.CRM)
    source, copy = lost_from_sight(world, Side.CRM)
    stage = world.nexudus.directory.stage_named(world.seeded.places.madrid.board_id, "New lead")
    world.nexudus.edit(int(source), ANA, CrmBoardColumnId=stage)
    for _ in range(3):
        cycle(world, reconcile=True)
    assert records_of(world, Side.CRM) - before == {copy}
    assert questions(world).keys() == {source, copy}
    assert "deleted" not in questions(world)[copy].reason


@with_two_connections
def test_a_copy_that_moves_to_another_connection_is_not_copied_back_there(rested: SimWorld) -> None:
    world = rested
    source, copy = lost_from_sight(world, Side.CRM)
    world.crm.edit(copy, BEN, company=world.seeded.places.madrid.company)
    before = records_of(world, Side.NEXUDUS)
    for _ in range(3):
        cycle(world, reconcile=True)
    assert records_of(world, Side.NEXUDUS) == before
    reason = questions(world)[copy].reason
    assert reason.split(";")[0] == f"it is a late copy of {source}, which already has a counterpart"


def test_a_person_who_ignores_the_copy_is_still_asked_about_the_source(rested: SimWorld) -> None:
    world = rested
    before = records_of(world, Side.CRM)
    source, copy = lost_from_sight(world, Side.CRM)
    cycle(world)
    with world.store.session() as session:
        args = {"side": "crm", "record_id": copy}
        session.add(Decision(connection="london", kind="ignore", args=args, asked_at=world.clock.now()))
    for _ in range(3):
        cycle(world)
    assert records_of(world, Side.CRM) - before == {copy}
    assert questions(world).keys() == {source}


def test_a_record_entered_hours_after_a_create_that_never_landed_is_not_a_copy(rested: SimWorld) -> None:
    """The card is deleted before its create is tried again; Ben enters the opportunity himself, under its title."""
    world = rested
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("drop", "^POST .*/crm/opportunity$", times=1)
    gone = lambda request: request.method == "GET" and bool(rows(world, Journal, state="sent"))  # noqa: E731
    world.faults[Side.CRM].add("connect", gone, times=999)
    cycle(world)
    assert rows(world, Journal, state="sent", nexudus_id=str(card))
    world.faults[Side.CRM].clear()
    world.nexudus.delete(card, ANA)
    cycle(world, reconcile=True)
    world.clock.seconds += 3600.0
    deal = new_deal(world, "anna", title="anna")
    for _ in range(2):
        cycle(world, after=10 * 3600.0)
    assert [link.state for link in links(world) if link.crm_id == deal] == ["active"]
    assert questions(world) == {}


def test_a_question_solves_the_failure_about_the_same_record(rested: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A create is refused; before its next attempt Ben enters two opportunities of that customer."""
    world = rested
    card = new_card(world, "anna")
    refuses = lambda *_: (_ for _ in ()).throw(Refused("overplane", "it says no", ""))  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(type(world.connection.connector(Side.CRM)), "create_step", refuses)
        cycle(world)
    assert [failure.kind for failure in rows(world, Failure, state="open")] == ["refused"]
    for number in range(2):
        new_deal(world, "anna", title=f"Ben's {number}")
    for _ in range(3):
        cycle(world)
    assert str(card) in questions(world)
    assert rows(world, Failure, state="open") == []


def test_a_record_that_waits_for_the_outcome_of_a_create_says_so(rested: SimWorld) -> None:
    world = rested
    source, card = lost_from_sight(world, Side.NEXUDUS)
    asks = "from_CrmOpportunity_CreatedOn"
    world.faults[Side.NEXUDUS].add("error_500_before", lambda request: asks in request.query, times=999)
    cycle(world)
    (row,) = rows(world, Unlinked, record_id=card)
    assert (row.state, row.reason) == ("waiting", f"it is not known yet whether this is a copy of {source}")


def test_when_the_copy_is_deleted_the_record_is_copied_again(rested: SimWorld) -> None:
    world = rested
    before = records_of(world, Side.CRM)
    source, copy = lost_from_sight(world, Side.CRM)
    cycle(world)
    world.crm.delete(copy, BEN)
    for _ in range(2):
        cycle(world, reconcile=True)
    (again,) = records_of(world, Side.CRM) - before
    assert [link.nexudus_id for link in links(world) if link.crm_id == again] == [source]
    assert questions(world) == {}


def test_a_late_copy_of_one_record_is_not_taken_for_a_copy_of_another(rested: SimWorld) -> None:
    """A create lands late; right after its copy is known, the next one for that customer is lost on its way."""
    world = rested
    before = records_of(world, Side.CRM)
    one = new_card(world, "anna")
    world.faults[Side.CRM].add("late_commit", CREATE, seconds=75.0)
    for _ in range(3):
        cycle(world)
    (late,) = questions(world)
    two = another_card(world, one, "anna again", Status=3, LossReason=4)
    world.faults[Side.CRM].add("drop", CREATE, times=1)
    for _ in range(2):
        cycle(world, after=1.0)
    assert [link.state for link in links(world) if link.nexudus_id == str(two)] == ["active"]
    assert questions(world).keys() == {late}
    assert len(records_of(world, Side.CRM) - before) == 3
