"""What people change beside opportunities: what a stage does, and the ids that records go by."""

from pathlib import Path
from typing import Any

import pytest
from sim_checker import check
from sim_desks import BEN
from sim_people import ANA
from sim_stories import CREATE, born_in_crm, cycle, links, new_card, new_deal, rows, when
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, Decision, Failure, History, Journal, Unlinked

pytestmark = pytest.mark.usefixtures("closed")


def at_rest(folder: Path, **settings: Any) -> SimWorld:
    """A small world that agrees."""
    world = SimWorld(11, folder, **{"nexudus": 4, "crm": 4, "shared": 2, **settings})
    for _ in range(2):
        cycle(world)
    return world


# -- what a stage does -------------------------------------------------------------------------------------------------

DELETES = {"DeleteAccount": True}


def set_up(world: SimWorld, stage: str, **changes: Any) -> int:
    """Somebody changes a stage of London's board, a month after the sync was started; gives its id."""
    stage_id = world.nexudus.directory.stage_named(world.seeded.places.london.board_id, stage)
    world.nexudus.directory.stages[stage_id] |= changes
    world.clock.seconds += 30 * 86400
    return stage_id


def refused(world: SimWorld, **values: Any) -> list[str]:
    """The kinds of what waits for a person."""
    return [failure.kind for failure in rows(world, Failure, state="open", **values)]


def test_a_card_is_not_moved_into_a_stage_that_began_to_delete_customers(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    purge = set_up(world, "Negotiation", **DELETES)
    world.crm.move(deal, "Negotiation", BEN)
    world.crm.edit(deal, BEN, title="Berta's")
    cycle(world), cycle(world)
    assert world.nexudus.record(card)["CrmBoardColumnId"] != purge
    assert world.nexudus.record(card)["Name"] == "Berta's"
    assert refused(world, field="sales_stage") == ["stage-deletes-customer"]


def test_a_card_that_is_written_at_once_is_not_moved_there_either(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    purge = set_up(world, "Negotiation", **DELETES)
    world.nexudus.edit(card, ANA, Name="Berta's")  # so it was read a moment before it is written
    world.crm.move(deal, "Negotiation", BEN)
    cycle(world), cycle(world)
    assert world.nexudus.record(card)["CrmBoardColumnId"] != purge
    assert world.crm.record(deal)["title"] == "Berta's"


@pytest.mark.parametrize("meant_for", ["New lead", "Negotiation"])
@pytest.mark.parametrize("deleting", ["New lead", "Negotiation"])
def test_no_card_is_created_for_a_stage_that_began_to_delete_customers(
    deleting: str, meant_for: str, tmp_path: Path
) -> None:
    world = at_rest(tmp_path)
    set_up(world, deleting, **DELETES)
    cards = len(world.nexudus.records())
    new_deal(world, "berta", sales_stage=meant_for)
    cycle(world), cycle(world)
    enters = deleting in ("New lead", meant_for)
    assert refused(world) == (["stage-deletes-customer"] if enters else [])
    assert len(world.nexudus.records()) == cards + (not enters)


def test_a_stage_that_was_set_right_is_entered_after_the_next_sweep(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    stage = set_up(world, "Negotiation", **DELETES)
    world.crm.move(deal, "Negotiation", BEN)
    cycle(world)
    set_up(world, "Negotiation", DeleteAccount=False)
    cycle(world, reconcile=True)
    assert world.nexudus.record(card)["CrmBoardColumnId"] == stage
    assert refused(world) == []


def test_a_renamed_stage_is_known_by_its_new_name_after_the_next_sweep(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    stage = set_up(world, "Negotiation", Name="Proposal sent II")
    cycle(world, reconcile=True)
    world.nexudus.edit(card, ANA, CrmBoardColumnId=stage)
    cycle(world)
    assert world.crm.record(deal)["sales_stage"] == "New lead"
    assert refused(world, field="sales_stage") == ["unmapped"]


def test_no_edit_is_lost_while_a_stage_is_looked_at(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_crm(world)
    stage = set_up(world, "Negotiation")
    world.faults[Side.NEXUDUS].add("slow", f"^GET .*/crmboardcolumns/{stage}$", seconds=8.0)
    during = lambda: world.nexudus.edit(card, ANA, Name="Ana's")  # noqa: E731
    when(world, Side.NEXUDUS, "GET", f"/crmboardcolumns/{stage}", during)
    world.crm.move(deal, "Negotiation", BEN)
    cycle(world), cycle(world)
    assert world.nexudus.record(card)["CrmBoardColumnId"] == stage
    assert world.nexudus.record(card)["Name"] == world.crm.record(deal)["title"] == "Ana's"


# -- the ids that records go by ----------------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["System Manager", "Sales User"])
def twins(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[SimWorld, str, str]:
    """An import gave the deals of two customers one moment of creation. The sync is to leave the second alone."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2, system="erpnext", deletes="propagate")
    for _ in range(2):
        cycle(world)
    if request.param:
        world.crm.users[SYNC_USER].roles |= {"System Manager"}
    deal, twin = new_deal(world, "anna"), new_deal(world, "zora")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[twin]["creation"] = deals[deal]["creation"]
    with world.store.session() as session:
        args = {"side": "crm", "record_id": twin}
        session.add(Decision(connection="london", kind="ignore", args=args, asked_at=world.clock.now()))
    cycle(world), cycle(world)
    return world, deal, twin


def card_of(world: SimWorld, deal: str) -> int:
    """The card that a deal is linked with."""
    (link,) = [link for link in links(world) if link.crm_id == deal]
    return int(link.nexudus_id)


def by_card(world: SimWorld, card: int) -> tuple[str, str]:
    """What a card is linked with, and the state of that."""
    (link,) = [link for link in links(world) if link.nexudus_id == str(card)]
    return link.crm_id, link.state


def test_a_deleted_deal_is_not_followed_to_another_of_the_same_moment(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, twin = twins
    card = card_of(world, deal)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True), cycle(world)
    assert [link for link in links(world) if link.crm_id == twin] == []
    if "System Manager" in world.crm.users[SYNC_USER].roles:
        assert by_card(world, card) == (deal, "closed")
        assert card not in world.nexudus.records()
    else:  # that it was deleted cannot be proven, so a person is told
        assert by_card(world, card) == (deal, "active")
        assert world.nexudus.record(card)["Name"] == "anna"
        assert refused(world) == ["not-found"]


def test_a_renamed_deal_is_followed_though_another_has_its_moment(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, _ = twins
    card = card_of(world, deal)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Anna's")
    cycle(world, reconcile=True), cycle(world)
    assert by_card(world, card) == ("Renamed", "active")
    assert world.nexudus.record(card)["Name"] == "Anna's"


def test_a_deleted_deal_is_not_followed_to_one_that_could_not_be_copied_yet(tmp_path: Path) -> None:
    """An import gave two deals one moment of creation; the second is refused by Nexudus again and again."""
    world = at_rest(tmp_path, system="erpnext")
    deal, twin = new_deal(world, "anna"), new_deal(world, "zora")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[twin]["creation"] = deals[deal]["creation"]
    of_zora = lambda request: request.method == "POST" and b"zora" in (request.body or b"")  # noqa: E731
    world.faults[Side.NEXUDUS].add("error_500_before", of_zora, times=99)
    cycle(world), cycle(world)
    card = card_of(world, deal)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True), cycle(world)
    assert world.nexudus.record(card)["Name"] == "anna"
    assert [link for link in links(world) if link.crm_id == twin] == []


def test_of_two_that_can_be_the_renamed_one_none_is_followed(twins: tuple[SimWorld, str, str]) -> None:
    world, deal, _ = twins
    card, third = card_of(world, deal), new_deal(world, "carla")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[third]["creation"] = deals[deal]["creation"]
    world.crm.rename(deal, "Renamed", BEN)
    cycle(world, reconcile=True), cycle(world)
    assert by_card(world, card) == (deal, "active")
    assert refused(world) == ["not-found"]


def test_a_copy_whose_answer_was_lost_is_not_linked_with_another_deal_of_the_same_moment(
    twins: tuple[SimWorld, str, str],
) -> None:
    world, _, twin = twins
    made = new_deal(world, "berta")
    deals = world.crm.site.tables["Opportunity"].rows
    deals[made]["creation"] = deals[twin]["creation"]
    world.faults[Side.NEXUDUS].add("drop_after", "^POST .*/crmopportunities$")
    when(world, Side.NEXUDUS, "POST", "/crmopportunities", lambda: world.crm.delete(made, BEN))
    cycle(world), cycle(world)
    assert [link for link in links(world) if link.crm_id == twin] == []
    assert [link.state for link in links(world) if link.crm_id == made] == ["closed"]


DAYS = 200_000.0
"""So long after its last save a poll lists an opportunity no more."""


def sleep(world: SimWorld, card: int) -> None:
    """Ana moves a card to a location that no connection has."""
    board = world.seeded.places.madrid.board_id
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, "New lead"))
    cycle(world)


def end(world: SimWorld, card: int) -> None:
    """Ana deletes a card, which a sweep finds."""
    world.nexudus.delete(card, ANA)
    cycle(world, reconcile=True)


@pytest.mark.parametrize("idle", [sleep, end])
def test_an_opportunity_is_known_again_though_another_has_its_name(idle: Any, tmp_path: Path) -> None:
    """While its link is not at work it is renamed, another gets its name and is linked, and then it is edited."""
    world = at_rest(tmp_path, system="erpnext")
    card, deal = born_in_crm(world)
    idle(world, card)
    for _ in range(2):
        cycle(world, after=DAYS)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.rename(new_deal(world, "carla"), deal, BEN)
    cycle(world), cycle(world)
    world.crm.edit("Renamed", BEN, title="Edited")
    cycle(world), cycle(world)
    assert [link.nexudus_id for link in links(world) if link.crm_id == "Renamed"] == [str(card)]
    assert [card["Name"] for card in world.nexudus.records().values()].count("Edited") == 0


def test_two_that_swap_their_names_are_known_again(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    card, deal = born_in_crm(world)
    end(world, card)
    other = new_deal(world, "carla")
    for after in (60.0, DAYS, DAYS):
        cycle(world, after=after)
    for old, new in ((deal, "Meanwhile"), (other, deal), ("Meanwhile", other)):
        world.crm.rename(old, new, BEN)
    world.crm.edit(other, BEN, title="Edited")
    cycle(world), cycle(world, reconcile=True)
    assert by_card(world, card) == (other, "closed")
    assert by_card(world, card_of(world, deal)) == (deal, "active")


def test_what_waited_under_the_name_of_a_sleeping_one_is_forgotten_when_it_is_deleted(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    world.settings["deletes"] = 'ignore"\ncreate_parties = false\nparty = "Lead'
    card, deal = born_in_crm(world)
    sleep(world, card)
    world.restart()
    world.crm.delete(deal, BEN)
    assert new_deal(world, "carla") == deal
    cycle(world)
    assert refused(world, crm_id=deal) == ["customer"]
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True)
    assert refused(world) == []


def test_an_answer_about_a_deal_is_none_about_the_next_of_its_name(tmp_path: Path) -> None:
    """Two cards could belong to a deal; it is to be copied as a new one, but Ben deletes it and enters another."""
    world = at_rest(tmp_path, system="erpnext")
    customer = world.nexudus.directory.add_coworker("anna@example.org", "anna", world.seeded.places.london.business_id)
    for name in ("first", "second"):
        new_card(world, name, CoworkerId=customer)
    deal = new_deal(world, "anna", title="third")
    cycle(world)
    with world.store.session() as session:
        question = session.exec(select(Conflict).where(Conflict.crm_id == deal)).one()
        question.state, question.take = "resolved", Side.CRM.value
    world.crm.delete(deal, BEN)
    assert new_deal(world, "zora", contact_email="anna@example.org", title="fourth") == deal
    cards = len(world.nexudus.records())
    cycle(world), cycle(world)
    assert len(world.nexudus.records()) == cards
    assert [asked.state for asked in rows(world, Conflict, crm_id=deal)] == ["closed", "open"]


@pytest.mark.parametrize("readable", [True, False])
def test_what_is_ignored_is_ignored_under_another_name(readable: bool, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    deal = new_deal(world, "berta")
    with world.store.session() as session:
        args = {"side": "crm", "record_id": deal}
        session.add(Decision(connection="london", kind="ignore", args=args, asked_at=world.clock.now()))
    cycle(world)
    cards = len(world.nexudus.records())
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Nobody's business")
    if not readable:
        world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=4)
    cycle(world), cycle(world, reconcile=True), cycle(world)
    assert len(world.nexudus.records()) == cards
    assert [(row.record_id, row.state) for row in rows(world, Unlinked)] == [("Renamed", "ignored")]


def test_a_card_is_not_linked_with_the_next_of_the_name_that_was_asked_for(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    world.settings["deletes"] = 'ignore"\ncreate_parties = false\nparty = "Lead'
    world.restart()
    card, deal = new_card(world, "anna"), new_deal(world, "zora")
    cycle(world)
    with world.store.session() as session:
        args = {"nexudus_id": str(card), "crm_id": deal}
        session.add(Decision(connection="london", kind="link", args=args, asked_at=world.clock.now()))
    world.crm.delete(deal, BEN)
    assert new_deal(world, "berta") == deal
    cycle(world)
    assert [link for link in links(world) if link.nexudus_id == str(card)] == []
    assert rows(world, Decision)[0].outcome.startswith(f"refused: {deal} is another record by now")


@pytest.mark.parametrize(("system", "side"), [("overplane", Side.NEXUDUS), ("erpnext", Side.CRM)])
def test_what_failed_of_a_record_is_over_when_it_is_gone(system: str, side: Side, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system=system)
    path = CREATE if side is Side.NEXUDUS else "^POST .*/crmopportunities$"
    world.faults[side.other].add("error_500_before", path, times=9)
    record = new_card(world, "anna") if side is Side.NEXUDUS else new_deal(world, "berta")
    cycle(world)
    assert refused(world) == ["unavailable"]
    world.faults[side.other].clear()
    world.double(side).delete(record, ANA)
    cycle(world)
    assert refused(world) == []


def late_copy(folder: Path) -> tuple[SimWorld, str]:
    """On a site without the external key's field an opportunity was created twice; the second is asked about."""
    world = at_rest(folder, system="erpnext", crm_settings='external_key_field = "custom_other"')
    new_card(world, "anna")
    world.faults[Side.CRM].add("late_commit", "^POST .*/Opportunity$", seconds=75.0)
    for _ in range(4):
        cycle(world)
    (asked,) = rows(world, Conflict, state="open")
    return world, asked.crm_id


def test_the_next_of_the_name_of_a_late_copy_is_none(tmp_path: Path) -> None:
    world, copy = late_copy(tmp_path)
    world.crm.delete(copy, BEN)
    assert new_deal(world, "berta") == copy
    cycle(world), cycle(world)
    assert world.nexudus.record(card_of(world, copy))["Name"] == "berta"
    assert rows(world, Conflict, state="open") == []


def test_a_late_copy_is_known_by_another_name_and_title(tmp_path: Path) -> None:
    world, copy = late_copy(tmp_path)
    world.crm.rename(copy, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Anna the second")
    cycle(world), cycle(world, reconcile=True)
    assert [link for link in links(world) if link.crm_id == "Renamed"] == []
    assert [asked.crm_id for asked in rows(world, Conflict, state="open")] == ["Renamed"]


CITIES = ("london", "madrid")


def to_madrid(world: SimWorld, card: int) -> None:
    """Ana moves a card to Madrid's board, and its pair goes on there."""
    board = world.seeded.places.madrid.board_id
    world.nexudus.edit(card, ANA, CrmBoardColumnId=world.nexudus.directory.stage_named(board, "New lead"))
    cycle(world), cycle(world)
    assert [link.connection for link in links(world) if link.nexudus_id == str(card)] == ["madrid"]


def test_what_was_written_before_a_move_and_a_rename_can_be_brought_back(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext", cities=CITIES)
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    cycle(world)
    to_madrid(world, card)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, opportunity_amount=5)
    cycle(world)
    (entry,) = rows(world, History, field="title", nexudus_id=str(card))
    with world.store.session() as session:
        args = {"history_id": entry.id}
        session.add(Decision(connection="madrid", kind="undo", args=args, asked_at=world.clock.now()))
    cycle(world)
    assert world.nexudus.record(card)["Name"] == world.crm.record("Renamed")["title"] == "berta"


def test_a_late_copy_is_known_though_what_it_copies_moved_and_was_renamed(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext", cities=CITIES)
    world.nexudus.options.keeps_system_id = False
    world.faults[Side.NEXUDUS].add("late_commit", "^POST .*/crmopportunities$", seconds=400.0)
    deal = new_deal(world, "berta")
    for _ in range(3):
        cycle(world)
    to_madrid(world, card_of(world, deal))
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, title="Berta's")
    for _ in range(3):
        cycle(world, after=200.0)
    assert [card["Name"] for card in world.nexudus.records().values()].count("berta") == 1  # it landed
    assert check(world)[0] == []


def test_a_question_about_the_next_of_a_name_stays_with_it_when_the_first_is_found_again(tmp_path: Path) -> None:
    """Ben gives an opportunity another name, and a new one its old name, which could belong to two cards."""
    world = at_rest(tmp_path, system="erpnext")
    _, deal = born_in_crm(world)
    place = world.seeded.places.london
    customer = world.nexudus.directory.add_coworker("carla@example.org", "carla", place.business_id)
    for name in ("first", "second"):
        new_card(world, name, CoworkerId=customer)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.rename(new_deal(world, "carla"), deal, BEN)
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/{deal}$", times=8)
    cycle(world)
    assert rows(world, Conflict, state="open", crm_id=deal) != []
    world.faults[Side.CRM].clear()
    cycle(world), cycle(world)
    assert by_card(world, card_of(world, "Renamed")) == ("Renamed", "active")
    assert len(rows(world, Conflict, state="open", crm_id=deal)) == 1
    assert rows(world, Conflict, state="open", crm_id="Renamed") == []


OWN_NAMES = 'external_key_field = "custom_other"\nown_names = true'
"""A site without the external key's field, where opportunities are named after their cards."""


def test_the_name_of_a_copy_that_another_pair_has_ends_no_cycle(tmp_path: Path) -> None:
    """Ben gives an opportunity, which is linked, the name that the copy of Ana's new card is to have."""
    world = at_rest(tmp_path, system="erpnext", crm_settings=OWN_NAMES)
    _, deal = born_in_crm(world)
    card = new_card(world, "anna")
    world.crm.rename(deal, f"NX-{card}", BEN)
    other = new_card(world, "zora")
    cycle(world), cycle(world)
    assert [link.crm_id for link in links(world) if link.nexudus_id == str(other)] == [f"NX-{other}"]
    assert refused(world, nexudus_id=str(card)) == ["taken"]
    world.crm.rename(f"NX-{card}", "Renamed", BEN)
    cycle(world, reconcile=True), cycle(world, reconcile=True)
    assert by_card(world, card) == (f"NX-{card}", "active")
    assert refused(world) == []


def test_what_became_a_counterpart_in_a_cycle_is_not_copied_in_it(tmp_path: Path) -> None:
    """Ben gives an opportunity that nobody has copied the name that the copy of Ana's new card is to have."""
    world = at_rest(tmp_path, system="erpnext", crm_settings=OWN_NAMES)
    card = new_card(world, "anna")
    world.crm.rename(new_deal(world, "carla"), f"NX-{card}", BEN)
    cards = len(world.nexudus.records())
    cycle(world), cycle(world)
    assert by_card(world, card) == (f"NX-{card}", "active")
    assert len(world.nexudus.records()) == cards


def test_an_opportunity_is_copied_for_the_customer_that_its_lead_is_now(tmp_path: Path) -> None:
    """Ben corrects the address of a lead, and enters another opportunity of it, which does not say one itself."""
    world = at_rest(tmp_path, system="erpnext")
    lead = world.crm.add("Lead", BEN, lead_name="berta", email_id="wrong@example.org")
    deal = {"opportunity_from": "Lead", "party_name": lead, "company": "Example Corp", "currency": "GBP"}
    deal |= {"transaction_date": "2026-03-02", "sales_stage": "New lead"}
    world.crm.create(BEN, **deal, title="first")
    cycle(world)
    world.crm.change("Lead", lead, BEN, email_id="right@example.org")
    second = world.crm.create(BEN, **deal, title="second")
    cycle(world), cycle(world)
    assert world.nexudus.record(card_of(world, second))["CoworkerEmail"] == "right@example.org"


# -- a system that answers 500 for what is not there -------------------------------------------------------------------


def mute(folder: Path, **settings: Any) -> SimWorld:
    """A world of thirty pairs that agree, in which Nexudus answers 500 for a card that is gone."""
    world = at_rest(folder, **{"nexudus": 30, "crm": 30, "shared": 28, **settings})
    world.nexudus.options.missing_id_status = 500
    return world


def run(world: SimWorld, **options: Any) -> Report:
    """A cycle a minute later, and what it did."""

    async def work() -> Report:
        await world.engine.start()
        return await run_cycle(world.connection, Options(**options))

    world.clock.seconds += 60
    return world.clock.run(work())


def states(world: SimWorld) -> list[str]:
    """The links' states, oldest first."""
    return [link.state for link in links(world)]


@pytest.mark.parametrize("deletes", ["ignore", "propagate"])
def test_a_deleted_card_that_answers_500_is_believed_gone_by_the_sweep(deletes: str, tmp_path: Path) -> None:
    world = mute(tmp_path, deletes=deletes)
    link = links(world)[0]
    world.nexudus.delete(int(link.nexudus_id), ANA)
    assert run(world, reconcile=True).errors == []
    assert states(world)[0] == "closed"
    assert (link.crm_id in world.crm.records()) == (deletes == "ignore")


def test_a_deletion_is_believed_though_the_card_failed_before_the_sweep(tmp_path: Path) -> None:
    world = mute(tmp_path)
    link = links(world)[0]
    world.nexudus.delete(int(link.nexudus_id), ANA)
    world.crm.edit(link.crm_id, BEN, title="Ben's")
    for _ in range(3):
        run(world, one_shot=False)
    assert refused(world) == ["unavailable"]
    run(world, one_shot=False, reconcile=True)
    assert states(world)[0] == "closed"
    assert refused(world) == []


def test_many_deletions_that_answer_500_are_under_the_brake(tmp_path: Path) -> None:
    world = mute(tmp_path)
    for link in links(world)[:12]:
        world.nexudus.delete(int(link.nexudus_id), ANA)
    assert run(world, reconcile=True).brake == "mass-delete"
    assert set(states(world)) == {"active"}
    with world.store.session() as session:
        for brake in session.exec(select(Brake)):
            brake.state = "released"
    assert run(world).brake is None
    assert states(world).count("closed") == 12


def test_about_a_card_that_is_listed_and_cannot_be_read_nothing_more_is_asked(tmp_path: Path) -> None:
    world = mute(tmp_path)
    card = int(links(world)[0].nexudus_id)
    world.nexudus.edit(card, ANA, Name="Ana's")
    world.faults[Side.NEXUDUS].add("error_500_before", f"^GET .*/{card}$", times=9999)
    before = len(world.readings[Side.NEXUDUS])
    assert len(run(world, reconcile=True).errors) == 1
    reads = [one.path for one in world.readings[Side.NEXUDUS][before:]]
    assert len([path for path in reads if path.endswith("/crmopportunities")]) == 1
    assert states(world)[0] == "active"


def test_a_copy_whose_answer_was_lost_ends_when_its_card_is_gone(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    world.nexudus.options.missing_id_status = 500
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("drop_after", "^POST .*/crm/opportunity$")
    when(world, Side.CRM, "POST", "/crm/opportunity", lambda: world.nexudus.delete(card, ANA))
    cycle(world), cycle(world)
    assert [link.state for link in links(world) if link.nexudus_id == str(card)] == ["closed"]
    assert rows(world, Journal, state="sent") == []
