"""Deletions, moves between locations, brakes, and what only a reconcile finds."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from e2e_desks import overplane_only
from e2e_office import ANA, BEN, Counted, Office

from nexudus_sandbox.double import Row
from nexudus_sandbox.overplane.shape import OPPORTUNITY
from nexudus_sync.engine.report import BRAKED, Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Failure, Link

PAIRS = 24
Pair = tuple[int, str]
Offices = Callable[..., Office]


def link_of(office: Office, pair: Pair) -> Link:
    """The link of a pair, whatever its state."""
    (link,) = office.rows(Link, nexudus_id=str(pair[0]), crm_id=pair[1])
    return link


def delete(office: Office, pair: Pair, side: Side) -> None:
    """A person deletes one record of a pair."""
    if side is Side.NEXUDUS:
        office.cards.delete(pair[0], ANA)
    else:
        office.deals.delete(pair[1], BEN)


def edit(office: Office, pair: Pair, side: Side, title: str) -> None:
    """A person renames one record of a pair."""
    if side is Side.NEXUDUS:
        office.cards.edit(pair[0], ANA, Name=title)
    else:
        office.deals.edit(pair[1], BEN, title=title)


def there(office: Office, pair: Pair) -> dict[Side, bool]:
    """Which records of a pair exist."""
    return {Side.NEXUDUS: pair[0] in office.cards.records(), Side.CRM: pair[1] in office.deals.records()}


async def look(office: Office) -> Report:
    """A sync that sees what was deleted in the CRM."""
    return await office.sync(reconcile=office.desk.needs_sweep)


async def at_rest(offices: Offices, **settings: str) -> Office:
    office = offices(nexudus=12, crm=12, shared=10, **settings)
    await office.sync()
    return office


# -- deletions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
async def test_a_deletion_is_ignored_by_default_the_other_record_stays_and_nothing_is_created_again(
    office: Office, pair: Pair, side: Side
) -> None:
    delete(office, pair, side)
    counts = len(office.cards.records()), len(office.deals.records())
    counted = Counted(office)
    await office.sync(reconcile=True)
    edit(office, pair, side.other, "Lives on")
    await office.sync()
    await office.sync(reconcile=True)
    assert there(office, pair) == {side: False, side.other: True}
    assert counted.writes() == []
    assert (len(office.cards.records()), len(office.deals.records())) == counts
    link = link_of(office, pair)
    assert link.state == "closed"
    assert (link.closed_reason or "").startswith("deleted in ")


async def test_a_deletion_shows_where_a_poll_lists_everything_and_elsewhere_at_reconcile(office: Office) -> None:
    in_crm, in_nexudus = office.free.pop(), office.free.pop()
    delete(office, in_crm, Side.CRM)
    delete(office, in_nexudus, Side.NEXUDUS)
    await office.sync()
    seen = "active" if office.desk.needs_sweep else "closed"
    assert (link_of(office, in_crm).state, link_of(office, in_nexudus).state) == (seen, "active")
    await office.sync(reconcile=True)
    assert (link_of(office, in_crm).state, link_of(office, in_nexudus).state) == ("closed", "closed")


@pytest.mark.parametrize("side", list(Side))
async def test_a_deletion_is_propagated_where_the_configuration_says_so(offices: Offices, side: Side) -> None:
    office = await at_rest(offices, deletes='"propagate"')
    pair = office.free.pop()
    delete(office, pair, side)
    report = await office.sync(reconcile=True)
    assert there(office, pair) == dict.fromkeys(Side, False)
    assert (report.deleted, link_of(office, pair).state) == (1, "closed")
    assert not (await office.sync(reconcile=True)).written


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("take", ["edited", "deleted"])
async def test_deleted_here_and_edited_there_is_asked_and_the_answer_carried_out(
    offices: Offices, side: Side, take: str
) -> None:
    office = await at_rest(offices, deletes='"propagate"')
    pair = office.free.pop()
    edit(office, pair, side.other, "Edited meanwhile")
    delete(office, pair, side)
    await office.sync(reconcile=True)
    assert there(office, pair) == {side: False, side.other: True}
    (conflict,) = office.rows(Conflict, field="record", state="open")
    assert {conflict.nexudus, conflict.crm} == {"edited", "deleted"}
    office.resolve(conflict, (side.other if take == "edited" else side).value)
    await office.sync()
    assert there(office, pair) == {side: False, side.other: take == "edited"}
    assert link_of(office, pair).state == "closed"
    assert not office.rows(Conflict, field="record", state="open")


async def test_both_records_deleted_closes_the_link(office: Office, pair: Pair) -> None:
    for side in Side:
        delete(office, pair, side)
    await office.sync(reconcile=True)
    assert link_of(office, pair).closed_reason == "deleted on both sides"


async def test_a_row_that_a_listing_merely_skipped_is_no_deletion(offices: Offices) -> None:
    office = await at_rest(offices, deletes='"propagate"')
    pair = office.free.pop()
    skipped = office.desk.skip_in_next_list(pair[1])
    await look(office)
    assert skipped == [pair[1]]
    assert link_of(office, pair).state == "active"
    assert pair[0] in office.cards.records()


# -- moves -------------------------------------------------------------------------------------------------------------

MADRID = """
[[connection]]
name = "madrid"
crm = "{crm}"
scope = {{ business_id = 1002 }}
company = "Example Iberia"
"""


async def two_connections(offices: Offices) -> Office:
    office = offices(nexudus=6, crm=6, shared=4)
    office.config += MADRID.format(crm=office.desk.system)
    for name in ("london", "madrid"):
        await office.sync(name)
    return office


def move(office: Office, card: int, board: int) -> None:
    """A person drags a card to a board of another location."""
    office.cards.edit(card, ANA, CrmBoardColumnId=office.cards.directory.stage_named(board, "Tour booked"), Position=1)


@pytest.mark.parametrize("first", ["london", "madrid"])
async def test_a_card_that_moves_to_another_connections_scope_takes_its_link_along(
    offices: Offices, first: str
) -> None:
    office = await two_connections(offices)
    pair = office.free.pop()
    counts = len(office.cards.records()), len(office.deals.records())
    move(office, pair[0], office.world.seeded.places.madrid.board_id)
    for name in (first, "madrid" if first == "london" else "london", "london", "madrid"):
        await office.sync(name)
    assert (link_of(office, pair).connection, link_of(office, pair).state) == ("madrid", "active")
    assert office.deals.record(pair[1])["company"] == "Example Corp"
    office.deals.edit(pair[1], BEN, title="Seen from Madrid")
    await office.sync("london")
    await office.sync("madrid")
    assert office.cards.record(pair[0])["Name"] == "Seen from Madrid"
    for name in ("london", "madrid"):
        await office.sync(name, reconcile=True)
    assert (len(office.cards.records()), len(office.deals.records())) == counts
    assert link_of(office, pair).state == "active"


@pytest.mark.parametrize("first", ["london", "madrid"])
async def test_a_card_that_moves_to_another_connection_takes_its_conflict_along(offices: Offices, first: str) -> None:
    office = await two_connections(offices)
    pair = office.free.pop()
    office.cards.edit(pair[0], ANA, Value=111)
    office.deals.edit(pair[1], BEN, opportunity_amount=222)
    await office.sync()
    move(office, pair[0], office.world.seeded.places.madrid.board_id)
    for name in (first, "madrid", "london", "madrid"):
        await office.sync(name)
    shown = office.rows(Conflict, nexudus_id=str(pair[0]), field="opportunity_amount")
    assert [(one.connection, one.state) for one in shown] == [("madrid", "open")]


@pytest.mark.parametrize("first", ["london", "madrid"])
async def test_a_due_date_is_the_day_it_is_where_the_card_is_now(offices: Offices, first: str) -> None:
    office = await two_connections(offices)
    pair = office.free.pop()
    office.cards.edit(pair[0], ANA, DueDate="2026-06-12T22:30:00Z")
    await office.sync("london")
    assert office.deals.record(pair[1])["expected_closing"] == "2026-06-12"
    move(office, pair[0], office.world.seeded.places.madrid.board_id)
    for name in (first, "madrid", "london", "madrid"):
        await office.sync(name)
    assert office.deals.record(pair[1])["expected_closing"] == "2026-06-13"
    assert office.cards.record(pair[0])["DueDate"] == "2026-06-12T22:30:00Z"
    assert office.rows(Conflict, nexudus_id=str(pair[0]), field="expected_closing") == []


async def test_a_card_that_moves_out_of_every_scope_sleeps_and_wakes_when_it_returns(offices: Offices) -> None:
    office = await at_rest(offices)
    pair, places = office.free.pop(), office.world.seeded.places
    counts = len(office.cards.records()), len(office.deals.records())
    move(office, pair[0], places.new_york.board_id)
    await office.sync()
    assert link_of(office, pair).state == "sleeping"
    before = office.deals.record(pair[1])["title"]
    office.cards.edit(pair[0], ANA, Name="Edited while away")
    await office.sync()
    await office.sync(reconcile=True)
    assert (link_of(office, pair).state, office.deals.record(pair[1])["title"]) == ("sleeping", before)
    move(office, pair[0], places.london.board_id)
    await office.sync()
    assert link_of(office, pair).state == "active"
    assert office.deals.record(pair[1])["title"] == "Edited while away"
    assert (len(office.cards.records()), len(office.deals.records())) == counts


# -- brakes ------------------------------------------------------------------------------------------------------------


async def many_deleted(offices: Offices) -> Office:
    office = offices(nexudus=16, crm=16, shared=16, deletes='"propagate"')
    await office.sync()
    waiting = {row.crm_id for table in (Conflict, Failure) for row in office.rows(table, state="open")}
    for deal in sorted(set(office.links().values()) - waiting)[:11]:
        office.deals.delete(deal, BEN)
    return office


async def test_a_mass_deletion_sets_a_brake_and_nothing_is_written_until_a_person_releases_it(
    offices: Offices,
) -> None:
    office = await many_deleted(offices)
    office.new_card("Waits too", "waits@example.org")
    counted, cards = Counted(office), len(office.cards.records())
    for _ in range(2):
        report = await look(office)
        assert (report.exit_code, report.brake, report.finished) == (BRAKED, "mass-delete", False)
    assert counted.writes() == []
    (brake,) = office.rows(Brake)
    assert (brake.state, brake.evidence) == (
        "set",
        f"the records of 11 of 16 links are missing (11 in {office.desk.system})",
    )
    office.release("mass-delete")
    report = await look(office)
    assert (report.exit_code, report.deleted) == (0, 11)
    assert len(office.cards.records()) == cards - 11
    assert [row.state for row in office.rows(Brake)] == ["gone"]


@overplane_only  # a poll shows nothing of deletions in ERPNext
async def test_a_brake_that_a_poll_sets_in_the_middle_of_a_backfill_ends_its_writes(offices: Offices) -> None:
    office = offices(nexudus=34, crm=24, shared=20)
    alone = len(office.cards.records()) - 20
    counted: list[Counted] = []

    def committed() -> None:
        if not counted and len(office.links()) > 22:
            for deal in office.world.seeded.equal[:12]:
                office.deals.delete(deal[1], BEN)
            office.clock.turn(3600)
            counted.append(Counted(office))

    async with office.process() as engine:
        office.store.after_commit = committed
        report = await office.cycle(engine)
    assert (report.exit_code, report.brake, report.finished) == (BRAKED, "mass-delete", False)
    assert len(counted[0].writes()) <= 1  # the one that was under way
    assert sum(report.created.values()) < alone


async def test_a_release_is_good_for_one_cycle(offices: Offices) -> None:
    office = offices(nexudus=26, crm=26, shared=26, deletes='"propagate"')
    await office.sync()
    deals = sorted(office.links().values())
    for deal in deals[:11]:
        office.deals.delete(deal, BEN)
    await look(office)
    office.release("mass-delete")
    assert (await look(office)).exit_code == 0
    for deal in deals[11:22]:
        office.deals.delete(deal, BEN)
    assert (await look(office)).exit_code == BRAKED


async def test_ten_deletions_pass(offices: Offices) -> None:
    office = offices(nexudus=16, crm=16, shared=16)
    await office.sync()
    for deal in sorted(office.links().values())[:10]:
        office.deals.delete(deal, BEN)
    report = await look(office)
    assert (report.exit_code, report.closed) == (0, 10)


async def test_a_side_that_lists_nothing_sets_a_brake(offices: Offices) -> None:
    office = await at_rest(offices, deletes='"propagate"')
    for deal in list(office.deals.records()):
        office.deals.delete(deal, BEN)
    counted = Counted(office)
    report = await look(office)
    assert (report.exit_code, report.brake) == (BRAKED, "empty-side")
    assert counted.writes() == []
    evidence = {row.name: row.evidence for row in office.rows(Brake)}
    assert evidence["empty-side"] == f"{office.desk.system} lists nothing, but 14 links have a record there"


async def test_a_mass_change_sets_a_brake_and_keeps_the_cursor(offices: Offices) -> None:
    office = offices(nexudus=100, crm=100, shared=100)
    await office.sync()
    (before,) = office.rows(ConnectionState)
    for one in sorted(office.links())[:51]:
        office.cards.edit(int(one), ANA, Name=f"Import {one}")
    counted = Counted(office)
    report = await office.sync()
    assert (report.exit_code, report.brake) == (BRAKED, "mass-change")
    assert counted.writes() == []
    (after,) = office.rows(ConnectionState)
    assert (after.nexudus_cursor, after.last_success) == (before.nexudus_cursor, before.last_success)
    office.release("mass-change")
    report = await office.sync()
    assert (report.exit_code, report.writes["crm opportunity.update"]) == (0, 51)


# -- reconcile ---------------------------------------------------------------------------------------------------------


def forge(office: Office, card: int, **values: object) -> None:
    """Change a card without moving its stamp."""
    row: Row = {**office.cards.cards.rows[card], **values}
    office.cards.cards.rows[card] = office.cards.cards.listed[card] = row


async def test_reconcile_finds_a_change_in_a_listed_field_whose_stamp_lied(office: Office, pair: Pair) -> None:
    office.clock.turn(3600)
    await office.sync(reconcile=True)  # which learns what each row says
    forge(office, pair[0], Name="Without a stamp")
    await office.sync()
    assert office.deals.record(pair[1])["title"] != "Without a stamp"
    await office.sync(reconcile=True)
    assert office.deals.record(pair[1])["title"] == "Without a stamp"


async def test_reconcile_reads_whole_records_in_rotation_and_finds_what_no_listing_shows(
    office: Office, pair: Pair
) -> None:
    forge(office, pair[0], UtmContent="Without a stamp")
    await office.sync()
    assert office.deals.record(pair[1])["utm_content"] != "Without a stamp"
    async with office.process() as engine:
        (connection,) = engine.connections
        connection.rules = replace(connection.rules, reconcile_days=1)
        await office.cycle(engine, reconcile=True)
    assert office.deals.record(pair[1])["utm_content"] == "Without a stamp"


async def test_the_rotation_comes_round_to_every_link(offices: Offices) -> None:
    office = offices(nexudus=12, crm=12, shared=10)
    await office.quiet()
    links = office.links()
    forged = [int(card) for card in links]
    for card in forged:
        forge(office, card, UtmContent="Without a stamp")
    rounds = 3
    async with office.process() as engine:
        (connection,) = engine.connections
        connection.rules = replace(connection.rules, reconcile_days=rounds)
        for _ in range(rounds):
            await office.cycle(engine, reconcile=True)
    assert {office.deals.record(deal)["utm_content"] for deal in links.values()} == {"Without a stamp"}


@overplane_only  # ERPNext's stamps do not lie
async def test_a_changed_crm_record_is_found_without_a_stamp_since_rows_are_whole(office: Office, pair: Pair) -> None:
    rows = office.deals.objects.rows[OPPORTUNITY]
    rows[pair[1]] = {**rows[pair[1]], "title": "Without a stamp either"}
    await office.sync()
    assert office.cards.record(pair[0])["Name"] == "Without a stamp either"


@overplane_only  # a change of ERPNext's child rows moves the opportunity's stamp
async def test_reconcile_reads_all_child_rows(office: Office, pair: Pair) -> None:
    office.deals.set_lost_reasons(pair[1], ["Timing"], BEN)
    await office.sync()
    assert office.cards.record(pair[0])["LossReason"] is None
    await office.sync(reconcile=True)
    assert office.cards.record(pair[0])["LossReason"] == 1


async def test_reconcile_of_agreeing_sides_writes_nothing(office: Office) -> None:
    await office.sync()
    counted = Counted(office)
    await office.sync(reconcile=True)
    assert counted.writes() == []
