"""What `plan` and `backfill` say of a run's calls, beside what the run then makes."""

from collections.abc import Callable

from e2e_office import ANA, Counted, Office

from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.rehearse.costs import of_run
from nexudus_sync.engine.rehearse.estimate import estimate
from nexudus_sync.engine.rehearse.rehearse import Rehearsal, rehearse
from nexudus_sync.mapping import Side

Offices = Callable[..., Office]


async def plan(office: Office) -> Rehearsal:
    async with office.process() as engine:
        return await rehearse(engine.connections[0], Options())


async def planned_calls(office: Office) -> dict[Side, int]:
    """What `plan` shows."""
    async with office.process() as engine:
        (connection,) = engine.connections
        seen = await rehearse(connection, Options())
        traits = {side: connection.connector(side).traits for side in Side}
        found = of_run(traits, seen.listed, seen.read, seen.counts(connection))
    return {side: found[side].calls for side in Side}


async def estimated_calls(office: Office) -> dict[Side, int]:
    """What `backfill` shows."""
    async with office.process() as engine:
        coming = await estimate(engine.connections[0])
    return {side: coming.calls[side].calls for side in Side}


async def made_calls(office: Office) -> dict[Side, int]:
    """What a sync then makes, the process's directories and logins included."""
    counted = Counted(office)
    await office.sync()
    return {side: len(counted.entries(side)) for side in Side}


def near(said: dict[Side, int], made: dict[Side, int], share: float, few: int = 0) -> bool:
    return all(abs(said[side] - made[side]) <= max(few, share * made[side]) for side in Side)


async def test_a_new_customer_of_several_records_is_planned_once(offices: Offices) -> None:
    office = offices(nexudus=2, crm=2, shared=2)
    await office.quiet()
    for title in ("First", "Second", "Third"):
        office.new_deal(title, "same@example.org")
        office.new_card(f"Card {title}", "other@example.org")
    actions = [(one.action, one.system) for one in (await plan(office)).actions]
    for system in ("nexudus", office.desk.system):
        assert actions.count(("create", system)) == 3
        assert actions.count(("create-party", system)) == 1
    counted = Counted(office)
    await office.sync()
    parties = ["POST /api/spaces/coworkers", f"POST {office.desk.wire.leads}"]
    assert sorted(entry for entry in counted.writes() if entry in parties) == sorted(parties)


async def test_what_plan_and_backfill_say_of_the_first_run_is_what_it_makes(offices: Offices) -> None:
    office = offices(nexudus=60, crm=40, shared=16)
    planned, estimated = await planned_calls(office), await estimated_calls(office)
    made = await made_calls(office)
    assert near(planned, estimated, 0.1), (planned, estimated)
    assert near(planned, made, 0.2), (planned, made)
    assert near(estimated, made, 0.2), (estimated, made)


async def test_what_plan_says_of_a_later_run_is_what_it_makes(offices: Offices) -> None:
    office = offices(nexudus=12, crm=12, shared=10)
    await office.quiet()
    for pair in office.free[:4]:
        office.cards.edit(pair[0], ANA, Name=f"Edited {pair[0]}")
    planned, made = await planned_calls(office), await made_calls(office)
    assert near(planned, made, 0.3, few=10), (planned, made)
