"""Every connector's writes: once, only what they mean, found again when their answer is lost."""

from contextlib import suppress

import pytest
from contract_kit import Rig, new_party

from nexudus_sync.connectors.base import Record, Step
from nexudus_sync.errors import NotFound, OutcomeUnknown, Stale, Unavailable


async def create_step(rig: Rig, title: str = "Created") -> Step:
    """The step that creates an opportunity."""
    rig.add("Makes the party known")
    return rig.connector.create_step(await rig.draft(title))


def without(record: Record, *keys: str) -> Record:
    """The record but for these keys."""
    return {key: value for key, value in record.items() if key not in keys}


async def test_a_created_record_says_what_the_draft_says_and_its_step_what_it_delivers(rig: Rig) -> None:
    step = await create_step(rig)
    written = await rig.connector.perform(step)
    stored = rig.stored()[written.id]
    assert stored[rig.title] == "Created"
    assert rig.title in step.keys
    fetched = await rig.connector.fetch(written.id)
    assert written.stamp == rig.connector.stamp(fetched)
    facts = rig.connector.facts(fetched)
    assert (facts.id, facts.email, facts.currency) == (written.id, "kai@example.org", "GBP")
    assert rig.connector.in_scope(fetched, rig.own_scope)


async def test_a_create_whose_answer_was_lost_is_found_again(rig: Rig, lost_answer: str) -> None:
    step, before = await create_step(rig), set(rig.stored())
    rig.clock.turn(600)
    since = rig.clock.now()
    rig.strike(lost_answer, "create")
    with pytest.raises(OutcomeUnknown):
        await rig.connector.perform(step)
    (made,) = set(rig.stored()) - before
    found = await rig.connector.find_created(step, since)
    assert [rig.connector.facts(record).id for record in found] == [made]
    assert found[0] == await rig.connector.fetch(made)


async def test_a_create_that_was_never_done_is_not_found(rig: Rig, undone: str) -> None:
    step, before = await create_step(rig), set(rig.stored())
    rig.clock.turn(600)
    since = rig.clock.now()
    rig.strike(undone, "create")
    with pytest.raises(OutcomeUnknown):
        await rig.connector.perform(step)
    assert set(rig.stored()) == before
    assert await rig.connector.find_created(step, since) == []


async def test_a_record_made_long_before_or_saying_something_else_is_not_taken_for_the_lost_one(rig: Rig) -> None:
    step = await create_step(rig)
    rig.add("Created")
    rig.clock.turn(3600)
    rig.add("Something else")
    assert await rig.connector.find_created(step, rig.clock.now()) == []


async def test_a_create_that_lands_after_the_client_gave_up_is_found_by_a_later_look(rig: Rig, delay: str) -> None:
    step = await create_step(rig)
    rig.clock.turn(600)
    since = rig.clock.now()
    rig.strike(delay, "create")
    with pytest.raises(OutcomeUnknown):
        await rig.connector.perform(step)
    assert await rig.connector.find_created(step, since) == []
    rig.clock.turn(60)
    assert len(await rig.connector.find_created(step, since)) == 1


async def test_a_create_that_never_left_is_known_not_to_be_done(rig: Rig, unsent: str) -> None:
    step = await create_step(rig)
    before = set(rig.stored())
    rig.strike(unsent, "create", times=10)
    with pytest.raises(Unavailable):
        await rig.connector.perform(step)
    assert set(rig.stored()) == before


async def known_party(rig: Rig, email: str) -> str | None:
    """The id of the party with that e-mail, as a scope that has read its directories sees it."""
    await rig.connector.context({}, rig.own_scope)
    party = await rig.connector.find_party(email, rig.own_scope)
    return party.id if party else None


async def test_a_party_is_created_once_and_found_by_its_email_in_any_case(rig: Rig) -> None:
    assert await known_party(rig, "noor@example.org") is None
    step = rig.connector.party_step(new_party("noor@example.org"), rig.own_scope)
    written = await rig.connector.perform(step)
    assert written.party is not None
    assert await known_party(rig, "Noor@Example.ORG") == written.party.id


async def test_a_party_whose_answer_was_lost_is_found_again(rig: Rig, lost_answer: str) -> None:
    assert await known_party(rig, "noor@example.org") is None
    step, since = rig.connector.party_step(new_party("noor@example.org"), rig.own_scope), rig.clock.now()
    rig.strike(lost_answer, "create party")
    with pytest.raises(OutcomeUnknown):
        await rig.connector.perform(step)
    (found,) = await rig.connector.find_created(step, since)
    assert await known_party(rig, "Noor@Example.ORG") == found["id"]


async def test_an_update_changes_what_it_says_and_unknown_fields_survive(rig: Rig) -> None:
    record_id, other = rig.add("Before"), rig.add("Bystander")
    rig.edit(record_id, **rig.unknown)
    rig.clock.turn(60)
    before = rig.stored()
    record = await rig.connector.fetch(record_id)
    (step,) = rig.connector.update_steps(record, {**record, rig.title: "After"})
    assert step.keys == {rig.title}
    written = await rig.connector.perform(step, record)
    after = rig.stored()
    assert after[record_id][rig.title] == "After"
    kept = (rig.title, *rig.moved())
    assert without(after[record_id], *kept) == without(before[record_id], *kept)
    assert after[other] == before[other]
    assert written.stamp == rig.connector.stamp(await rig.connector.fetch(record_id))
    assert written.record[rig.title] == "After"


async def test_an_update_of_nothing_takes_no_step(rig: Rig) -> None:
    record = await rig.connector.fetch(rig.add("Same"))
    assert rig.connector.update_steps(record, dict(record)) == []


async def test_an_update_whose_answer_was_lost_is_sent_once_and_its_outcome_unknown(rig: Rig, lost_answer: str) -> None:
    record_id = rig.add("Before")
    record = await rig.connector.fetch(record_id)
    (step,) = rig.connector.update_steps(record, {**record, rig.title: "After"})
    rig.strike(lost_answer, "update")
    writes = rig.writes()
    with pytest.raises(OutcomeUnknown):
        await rig.connector.perform(step, record)
    assert rig.writes() == writes + 1
    assert rig.stored()[record_id][rig.title] == "After"


async def test_an_update_made_from_an_older_state_is_stale_and_not_done_where_there_is_a_lock(rig: Rig) -> None:
    assert rig.connector.traits.locks is rig.has_lock
    if not rig.has_lock:
        pytest.skip("it has no lock")
    record_id = rig.add("Before")
    record = await rig.connector.fetch(record_id)
    (step,) = rig.connector.update_steps(record, {**record, rig.title: "Ours"})
    rig.edit(record_id, **{rig.title: "A person's"})
    with pytest.raises(Stale):
        await rig.connector.perform(step, record)
    assert rig.stored()[record_id][rig.title] == "A person's"
    record = await rig.connector.fetch(record_id)
    (step,) = rig.connector.update_steps(record, {**record, rig.title: "Ours"})
    await rig.connector.perform(step, record)
    assert rig.stored()[record_id][rig.title] == "Ours"


async def test_deleting_twice_is_a_success_and_the_absence_is_proven(rig: Rig) -> None:
    record_id, witness = rig.add("To be deleted"), rig.add("Stays")
    identity = rig.connector.facts(await rig.connector.fetch(record_id)).identity
    await rig.connector.fetch(witness)
    assert not await rig.connector.absent(record_id, identity)
    for _ in range(2):
        written = await rig.connector.perform(rig.connector.delete_step(record_id))
        assert written.id == record_id
    assert set(rig.stored()) == {witness}
    with pytest.raises(NotFound):
        await rig.connector.fetch(record_id)
    assert await rig.connector.absent(record_id, identity)


async def test_an_absence_is_not_believed_from_a_server_in_trouble(rig: Rig, trouble: str) -> None:
    record_id = rig.add("Still there")
    await rig.connector.fetch(record_id)
    rig.strike(trouble, "read", times=1000)
    with suppress(Unavailable):
        assert not await rig.connector.absent(record_id, "")


async def test_throttling_is_no_error_and_a_throttled_write_is_done_once(rig: Rig, throttle: str) -> None:
    step = await create_step(rig)
    before, at = set(rig.stored()), rig.clock.now()
    rig.strike(throttle, "create", times=3)
    written = await rig.connector.perform(step)
    assert set(rig.stored()) - before == {written.id}
    assert (rig.clock.now() - at).total_seconds() >= 3 * 7
    rig.strike(throttle, "read", times=3)
    assert rig.connector.facts(await rig.connector.fetch(written.id)).id == written.id
    assert (rig.clock.now() - at).total_seconds() >= 6 * 7


async def test_an_own_write_is_told_from_a_persons_where_the_system_names_its_authors(rig: Rig) -> None:
    assert rig.connector.traits.names_author is rig.keeps_author
    record_id = rig.add("Person's")
    record = await rig.connector.fetch(record_id)
    assert not rig.connector.stamp(record).own
    rig.clock.turn(60)
    (step,) = rig.connector.update_steps(record, {**record, rig.title: "Ours"})
    written = await rig.connector.perform(step, record)
    assert written.stamp is not None
    assert written.stamp.own is rig.keeps_author
    assert rig.last_change_is_ours()
    rig.clock.turn(60)
    rig.edit(record_id, **{rig.title: "Person's again"})
    stamp = rig.connector.stamp(await rig.connector.fetch(record_id))
    assert not stamp.own
    assert stamp.token != written.stamp.token
