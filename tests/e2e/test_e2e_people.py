"""What people decide: conflicts, undo, pairing by hand, and what failed."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from e2e_desks import overplane_only
from e2e_office import ANA, BEN, CARDS, Counted, Office

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Decision, Failure, History, Link, Unlinked

PAIRS = 44
Pair = tuple[int, str]


def amounts(office: Office, pair: Pair) -> tuple[object, object]:
    """What both sides say the opportunity is worth."""
    return office.cards.record(pair[0])["Value"], office.deals.record(pair[1])["opportunity_amount"]


def titles(office: Office, pair: Pair) -> tuple[object, object]:
    """What both sides call the opportunity."""
    return office.cards.record(pair[0])["Name"], office.deals.record(pair[1])["title"]


def conflict_of(office: Office, pair: Pair, state: str = "open") -> Conflict:
    """The one conflict of a pair in that state."""
    (found,) = office.rows(Conflict, nexudus_id=str(pair[0]), crm_id=pair[1], state=state)
    return found


async def disagree(office: Office, pair: Pair) -> Conflict:
    """Both sides change the amount, and Nexudus the title too."""
    office.cards.edit(pair[0], ANA, Value=111, Name="Both at once")
    office.deals.edit(pair[1], BEN, opportunity_amount=222)
    await office.sync()
    return conflict_of(office, pair)


async def test_a_conflict_shows_both_values_holds_back_its_field_only_and_writes_nothing_over(
    office: Office, pair: Pair
) -> None:
    base = str(office.cards.record(pair[0])["Value"])
    conflict = await disagree(office, pair)
    assert (conflict.field, conflict.nexudus, conflict.crm) == ("opportunity_amount", "111.00", "222.00")
    assert Decimal(conflict.base or 0) == Decimal(base)
    assert amounts(office, pair) == (111, 222)
    assert titles(office, pair) == ("Both at once", "Both at once")
    await office.sync()
    assert amounts(office, pair) == (111, 222)


@pytest.mark.parametrize(("take", "value", "lost"), [("nexudus", 111, "222.00"), ("crm", 222, "111.00")])
async def test_a_resolved_conflict_is_carried_out_and_the_losing_value_kept(
    office: Office, pair: Pair, take: str, value: int, lost: str
) -> None:
    office.resolve(await disagree(office, pair), take)
    await office.sync()
    assert amounts(office, pair) == (value, value)
    (entry,) = office.rows(History, nexudus_id=str(pair[0]), field="opportunity_amount")
    assert (entry.new, entry.lost, entry.old) == (f"{value}.00", lost, lost)
    await office.sync()
    assert amounts(office, pair) == (value, value)
    conflict_of(office, pair, "closed")


async def test_a_resolution_is_for_the_values_shown_and_reopens_when_a_side_moved_on(
    office: Office, pair: Pair
) -> None:
    office.resolve(await disagree(office, pair), "nexudus")
    office.deals.edit(pair[1], BEN, opportunity_amount=333)
    await office.sync()
    conflict = conflict_of(office, pair)
    assert (conflict.nexudus, conflict.crm, conflict.take) == ("111.00", "333.00", None)
    assert amounts(office, pair) == (111, 333)


async def test_a_conflict_closes_when_the_sides_come_to_say_the_same(office: Office, pair: Pair) -> None:
    await disagree(office, pair)
    office.deals.edit(pair[1], BEN, opportunity_amount=111)
    await office.sync()
    conflict_of(office, pair, "closed")
    office.deals.edit(pair[1], BEN, opportunity_amount=444)
    await office.sync()
    assert amounts(office, pair) == (444, 444)


@pytest.mark.parametrize("last", list(Side))
async def test_the_newer_of_two_edits_wins_where_the_mapping_says_newest(
    office: Office, pair: Pair, last: Side
) -> None:
    edits: dict[Side, Callable[[], object]] = {
        Side.NEXUDUS: lambda: office.cards.edit(pair[0], ANA, Name="From Nexudus"),
        Side.CRM: lambda: office.deals.edit(pair[1], BEN, title="From the CRM"),
    }
    edits[last.other]()
    office.clock.turn(20)
    edits[last]()
    await office.sync()
    said = "From Nexudus" if last is Side.NEXUDUS else "From the CRM"
    assert titles(office, pair) == (said, said)
    (entry,) = office.rows(History, nexudus_id=str(pair[0]), field="title")
    assert entry.lost == ("From the CRM" if last is Side.NEXUDUS else "From Nexudus")


async def test_edits_within_two_seconds_of_each_other_are_left_to_a_person(office: Office, pair: Pair) -> None:
    office.cards.edit(pair[0], ANA, Name="From Nexudus")
    office.clock.turn(1)
    office.deals.edit(pair[1], BEN, title="From the CRM")
    await office.sync()
    assert conflict_of(office, pair).field == "title"
    assert titles(office, pair) == ("From Nexudus", "From the CRM")


async def test_both_sides_changed_alike_is_no_conflict_and_no_write(office: Office, pair: Pair) -> None:
    await office.sync()
    office.cards.edit(pair[0], ANA, Value=900, Name="Agreed")
    office.deals.edit(pair[1], BEN, opportunity_amount=900, title="Agreed")
    counted = Counted(office)
    await office.sync()
    assert counted.writes() == []
    assert not office.rows(Conflict, nexudus_id=str(pair[0]))


async def test_undo_brings_the_old_value_back_on_both_sides(office: Office, pair: Pair) -> None:
    old, _ = titles(office, pair)
    office.cards.edit(pair[0], ANA, Name="By mistake")
    await office.sync()
    (entry,) = office.rows(History, nexudus_id=str(pair[0]), field="title")
    office.decide("undo", history_id=entry.id)
    await office.sync()
    assert titles(office, pair) == (old, old)
    await office.sync()
    assert titles(office, pair) == (old, old)
    assert office.rows(Decision)[-1].outcome == "brought back"


@pytest.mark.parametrize("kind", ["error_500_before", "drop", "drop_after"])
@pytest.mark.parametrize("side", list(Side))
async def test_undo_gets_there_although_a_write_fails(office: Office, pair: Pair, side: Side, kind: str) -> None:
    old, _ = titles(office, pair)
    office.cards.edit(pair[0], ANA, Name="By mistake")
    await office.sync()
    (entry,) = office.rows(History, nexudus_id=str(pair[0]), field="title")
    office.decide("undo", history_id=entry.id)
    faults, call = {
        Side.NEXUDUS: (office.world.nexudus_faults, f"PUT {CARDS}"),
        Side.CRM: (office.world.crm_faults, f"{office.desk.updates}{pair[1]}"),
    }[side]
    faults.add(kind, call, times=4 if kind == "error_500_before" else 1)
    await office.sync()
    faults.rules.clear()
    await office.quiet()
    assert titles(office, pair) == (old, old)
    assert office.rows(Decision)[-1].outcome == "brought back"


async def test_undo_is_refused_when_the_value_moved_on_unless_it_is_forced(office: Office, pair: Pair) -> None:
    old, _ = titles(office, pair)
    office.cards.edit(pair[0], ANA, Name="By mistake")
    await office.sync()
    (entry,) = office.rows(History, nexudus_id=str(pair[0]), field="title")
    office.deals.edit(pair[1], BEN, title="Moved on")
    office.decide("undo", history_id=entry.id)
    await office.sync()
    assert titles(office, pair) == ("Moved on", "Moved on")
    outcome = office.rows(Decision)[-1].outcome
    assert outcome is not None
    assert outcome.startswith("refused: title says 'Moved on' now")
    office.decide("undo", history_id=entry.id, force=True)
    await office.sync()
    assert titles(office, pair) == (old, old)


async def test_an_overruled_value_can_be_brought_back(office: Office, pair: Pair) -> None:
    office.resolve(await disagree(office, pair), "nexudus")
    await office.sync()
    (entry,) = office.rows(History, nexudus_id=str(pair[0]), field="opportunity_amount")
    office.decide("undo", history_id=entry.id)
    await office.sync()
    assert amounts(office, pair) == (222, 222)


async def test_a_parted_pair_is_left_alone_and_neither_is_created_again(office: Office, pair: Pair) -> None:
    (link,) = office.rows(Link, nexudus_id=str(pair[0]))
    office.decide("unlink", link_id=link.id)
    await office.sync()
    counts = len(office.cards.records()), len(office.deals.records())
    office.cards.edit(pair[0], ANA, Name="On its own")
    office.deals.edit(pair[1], BEN, title="On its own as well")
    await office.sync()
    await office.sync(reconcile=True)
    assert titles(office, pair) == ("On its own", "On its own as well")
    assert (len(office.cards.records()), len(office.deals.records())) == counts
    (link,) = office.rows(Link, nexudus_id=str(pair[0]))
    assert (link.state, link.closed_reason) == ("closed", "parted by hand")


async def test_a_parted_pair_can_be_linked_again_and_then_waits_as_a_first_match(office: Office, pair: Pair) -> None:
    (link,) = office.rows(Link, nexudus_id=str(pair[0]))
    office.decide("unlink", link_id=link.id)
    await office.sync()
    office.cards.edit(pair[0], ANA, Value=10)
    office.deals.edit(pair[1], BEN, utm_content="filled in meanwhile")
    office.cards.edit(pair[0], ANA, UtmContent=None)
    office.decide("link", nexudus_id=str(pair[0]), crm_id=pair[1])
    await office.sync()
    assert office.links(state="active")[str(pair[0])] == pair[1]
    assert conflict_of(office, pair).field == "opportunity_amount"
    assert office.cards.record(pair[0])["UtmContent"] == "filled in meanwhile"


async def test_two_records_that_nothing_matches_are_linked_by_hand_instead_of_copied(office: Office) -> None:
    card = office.new_card("Ours", "ours@example.org", Value=5)
    deal = office.new_deal("Theirs", "theirs@example.org")
    office.decide("link", nexudus_id=str(card), crm_id=deal)
    counts = len(office.cards.records()), len(office.deals.records())
    await office.sync()
    assert office.links()[str(card)] == deal
    assert office.deals.record(deal)["opportunity_amount"] == 5
    assert (len(office.cards.records()), len(office.deals.records())) == counts


@pytest.mark.parametrize("missing", ["87999999", "opportunity_nowhere"])
async def test_linking_what_is_not_there_is_refused_with_the_reason(office: Office, pair: Pair, missing: str) -> None:
    ids = {"nexudus_id": str(pair[0]), "crm_id": pair[1]}
    office.decide("link", **ids | {"nexudus_id" if missing.isdigit() else "crm_id": missing})
    await office.sync()
    outcome = office.rows(Decision)[-1].outcome
    assert outcome is not None
    assert outcome.startswith("refused: ")
    assert missing in outcome


async def test_linking_what_is_linked_already_is_refused(office: Office, pair: Pair) -> None:
    other, _ = office.free[0]
    office.decide("link", nexudus_id=str(other), crm_id=pair[1])
    await office.sync()
    outcome = office.rows(Decision)[-1].outcome
    assert outcome is not None
    assert "unlink them first" in outcome
    assert office.links()[str(pair[0])] == pair[1]


@pytest.mark.parametrize("side", list(Side))
async def test_an_ignored_record_is_never_copied(office: Office, side: Side) -> None:
    record_id = str(
        office.new_card("Internal", "internal@example.org")
        if side is Side.NEXUDUS
        else office.new_deal("Internal too", "internal.too@example.org")
    )
    office.decide("ignore", side=side.value, record_id=record_id)
    counts = len(office.cards.records()), len(office.deals.records())
    await office.sync()
    await office.sync(reconcile=True)
    assert (len(office.cards.records()), len(office.deals.records())) == counts
    (row,) = office.rows(Unlinked, record_id=record_id)
    assert (row.state, row.reason) == ("ignored", "by hand")


async def test_several_candidates_are_asked_about_and_never_guessed(offices: Callable[..., Office]) -> None:
    office = offices(nexudus=3, crm=3, shared=2)
    email = "twins@example.org"
    deals = [office.new_deal(title, email) for title in ("Room one", "Room two")]
    card = office.new_card("Some room", email)
    await office.sync()
    assert str(card) not in office.links()
    asked = {row.nexudus_id or row.crm_id for row in office.rows(Conflict, field="record", state="open")}
    assert str(card) in asked
    office.decide("link", nexudus_id=str(card), crm_id=deals[1])
    await office.sync()
    assert office.links()[str(card)] == deals[1]
    assert not office.rows(Conflict, field="record", state="open", nexudus_id=str(card))


async def test_a_person_can_say_that_a_candidate_is_another_one(offices: Callable[..., Office]) -> None:
    office = offices(nexudus=3, crm=3, shared=2)
    email = "twins@example.org"
    for title in ("Room one", "Room two"):
        office.new_deal(title, email)
    card = office.new_card("Some room", email)
    await office.sync()
    (asked,) = office.rows(Conflict, field="record", state="open", nexudus_id=str(card))
    office.resolve(asked, "nexudus")
    await office.sync()
    copy = office.links()[str(card)]
    assert office.deals.record(copy)["title"] == "Some room"


async def test_what_failed_in_passing_is_tried_again_by_the_next_command(office: Office, pair: Pair) -> None:
    office.world.nexudus_faults.add("error_500_before", f"GET {CARDS}/{pair[0]}", times=4)
    office.cards.edit(pair[0], ANA, Name="Held up")
    report = await office.sync()
    assert len(report.errors) == 1
    assert ("unavailable", "", str(pair[0]), pair[1]) in office.waiting(Failure)
    await office.sync()
    assert titles(office, pair) == ("Held up", "Held up")
    assert not [entry for entry in office.waiting(Failure) if entry[2] == str(pair[0])]


async def test_a_daemon_spaces_its_retries_and_one_bad_record_stops_no_other(office: Office) -> None:
    bad, good = office.free.pop(), office.free.pop()
    office.world.nexudus_faults.add("error_500_before", f"GET {CARDS}/{bad[0]}", times=4)
    office.cards.edit(bad[0], ANA, Name="Bad")
    office.cards.edit(good[0], ANA, Name="Good")
    async with office.process() as engine:
        await office.cycle(engine, one_shot=False)
        assert titles(office, good) == ("Good", "Good")
        (failure,) = office.rows(Failure, nexudus_id=str(bad[0]), state="open")
        assert failure.next_attempt is not None
        assert round((failure.next_attempt - failure.last_at).total_seconds()) == 60
        await office.cycle(engine, one_shot=False)
        assert titles(office, bad)[1] != "Bad"
        office.clock.turn(60)
        await office.cycle(engine, one_shot=False)
        assert titles(office, bad) == ("Bad", "Bad")


@overplane_only  # ERPNext's refusals: tests/engine/write
async def test_a_record_the_crm_refuses_fails_alone_with_the_servers_words(office: Office, pair: Pair) -> None:
    office.deals.options.refuse_unknown_lost_reasons = True
    office.cards.edit(pair[0], ANA, LossReason=13, Name="Refused in part")
    office.deals.objects.rows["opportunity-lost-reason"].clear()
    await office.sync()
    office.deals.options.refuse_unknown_lost_reasons = False
    (failure,) = office.rows(Failure, nexudus_id=str(pair[0]), state="open")
    assert failure.kind == "refused"
    assert "lost_reason" in failure.reason
    await office.sync(reconcile=True)
    assert office.deals.lost_reasons(pair[1]) == ["No pet policy"]
    assert titles(office, pair) == ("Refused in part", "Refused in part")
