"""The daily full reads rotate through all links, whatever some of them do."""

from collections.abc import Callable

from e2e_office import CARDS, Office

from nexudus_sync.store.tables import Conflict, Failure, Link

Offices = Callable[..., Office]


async def verified(office: Office, times: int) -> set[str]:
    """The cards that N reconciles read in full."""
    before = office.clock.now()
    for _ in range(times):
        await office.sync(reconcile=True)
    return {link.nexudus_id for link in office.rows(Link) if link.verified_at and link.verified_at > before}


async def settled(offices: Offices) -> tuple[Office, Link]:
    """An office whose links were all read in full, except the one that comes first."""
    office = offices(nexudus=8, crm=8, shared=8)
    await office.quiet()
    first, *others = office.rows(Link)
    first.verified_at = None
    for link in others:
        link.verified_at = office.clock.now()
    office.keep(first, *others)
    return office, first


async def test_a_link_that_always_fails_delays_no_other(offices: Offices) -> None:
    office, bad = await settled(offices)
    office.world.nexudus_faults.add("error_500_before", f"GET {CARDS}/{bad.nexudus_id}$", times=10_000)
    found = await verified(office, 4)
    assert office.rows(Failure, nexudus_id=bad.nexudus_id, field="", state="open")
    assert len(found - {bad.nexudus_id}) == 3
    office.world.nexudus_faults.clear()
    assert bad.nexudus_id in await verified(office, 1)


async def test_a_dismissed_failure_delays_no_other_link_and_its_own_is_still_tried(offices: Offices) -> None:
    office, bad = await settled(offices)
    office.world.nexudus_faults.add("error_500_before", f"GET {CARDS}/{bad.nexudus_id}$", times=10_000)
    await office.sync(reconcile=True)
    (failure,) = office.rows(Failure, nexudus_id=bad.nexudus_id, field="")
    failure.state, failure.next_attempt = "dismissed", None
    office.keep(failure)
    assert len(await verified(office, 2)) == 2
    office.world.nexudus_faults.clear()
    assert bad.nexudus_id in await verified(office, 1)


async def test_a_question_about_a_deletion_delays_no_other_link(offices: Offices) -> None:
    office, asked = await settled(offices)
    office.put("deletes", '"propagate"')
    office.deals.delete(asked.crm_id, "ben@example.com")
    office.cards.edit(int(asked.nexudus_id), "ana@example.com", Name="Edited meanwhile")
    await office.sync(reconcile=True)
    assert office.rows(Conflict, nexudus_id=asked.nexudus_id, field="record", state="open")
    assert len(await verified(office, 3)) == 3
