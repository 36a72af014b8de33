"""`plan` tells what `sync` would do, and does nothing."""

from collections import Counter
from collections.abc import Callable

from e2e_office import ANA, BEN, Counted, Office, dump, store_dump

from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.rehearse.rehearse import Rehearsal, rehearse
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Journal

PAIRS = 16
Pair = tuple[int, str]
Offices = Callable[..., Office]
KINDS = {"create": "opportunity.create", "delete": "opportunity.delete", "create-party": "party.create"}
SYSTEMS = {"nexudus": "nexudus", "overplane": "crm", "erpnext": "crm", "hubspot": "crm"}


async def plan(office: Office, *, reconcile: bool = False) -> Rehearsal:
    """`plan`, as a process of its own."""
    async with office.process() as engine:
        return await rehearse(engine.connections[0], Options(reconcile=reconcile))


def edit_everything(office: Office) -> tuple[int, str]:
    """Edits, new records and a deletion on both sides; the new records' ids."""
    first, second, third = (office.free.pop() for _ in range(3))
    office.cards.edit(first[0], ANA, Name="Planned", Value=50, DueDate="2026-09-09T10:00:00Z")
    office.desk.know("utm_source", "plan")
    office.deals.edit(second[1], BEN, title="Planned as well", utm_source="plan")
    office.deals.delete(third[1], BEN)
    return office.new_card("New here", "new.here@example.org"), office.new_deal("New there", "new.there@example.org")


async def test_a_plan_writes_nothing_to_the_systems_or_to_the_store(offices: Offices) -> None:
    office = offices(nexudus=12, crm=12, shared=10, deletes='"propagate"')
    await office.sync()
    edit_everything(office)
    records, store, counted = dump(office), store_dump(office), Counted(office)
    await plan(office)
    await plan(office, reconcile=True)
    assert counted.writes() == []
    assert dump(office) == records
    assert store_dump(office) == store


async def test_a_plan_of_a_first_backfill_writes_nothing_either(offices: Offices) -> None:
    office = offices()
    records, store, counted = dump(office), store_dump(office), Counted(office)
    rehearsal = await plan(office)
    assert counted.writes() == []
    assert dump(office) == records
    assert store_dump(office) == store
    kinds = Counter((action.action, action.system) for action in rehearsal.actions)
    assert kinds["link", ""] == 5
    assert (kinds["create", office.desk.system], kinds["create", "nexudus"]) == (7, 5)


def named(row: Journal) -> tuple[str, str]:
    """The records a plan could name: the one that a create makes has no id yet."""
    if row.kind != "opportunity.create":
        return row.nexudus_id, row.crm_id
    return ("", row.crm_id) if row.side == "nexudus" else (row.nexudus_id, "")


async def test_what_was_planned_is_what_sync_then_does(offices: Offices) -> None:
    office = offices(nexudus=12, crm=12, shared=10, deletes='"propagate"')
    await office.sync()
    card, deal = edit_everything(office)
    before = len(office.rows(Journal))
    sweep = office.desk.needs_sweep
    planned = (await plan(office, reconcile=sweep)).actions
    await office.sync(reconcile=sweep)
    done = office.rows(Journal)[before:]
    updates = {
        (action.nexudus_id, action.crm_id, SYSTEMS[action.system]): action.fields
        for action in planned
        if action.action == "update"
    }
    linked = [row for row in done if row.kind == "opportunity.update" and row.link_id and row.nexudus_id != str(card)]
    assert updates == {
        (row.nexudus_id, row.crm_id, row.side): {
            name: {"old": said["old"], "new": said["new"]} for name, said in row.fields.items()
        }
        for row in linked
        if (row.nexudus_id, row.crm_id, row.side) in updates
    }
    for verb, kind in (
        ("create", "opportunity.create"),
        ("delete", "opportunity.delete"),
        ("create-party", "party.create"),
    ):
        wanted = Counter(
            (SYSTEMS[action.system], action.nexudus_id, action.crm_id) for action in planned if action.action == verb
        )
        assert wanted == Counter((row.side, *named(row)) for row in done if row.kind == kind)
        assert wanted
    creates = {action.nexudus_id or action.crm_id: action.fields for action in planned if action.action == "create"}
    assert set(creates) == {str(card), deal}
    assert creates[deal]["title"] == {"old": None, "new": "New there"}
    assert creates[deal]["sales_stage"] == {"old": None, "new": "New lead"}


async def test_what_is_written_is_what_was_planned_field_by_field(office: Office, pair: Pair) -> None:
    await office.sync()
    office.desk.know("utm_medium", "and this")
    office.cards.edit(pair[0], ANA, Name="Exactly this", UtmMedium="and this")
    (action,) = (await plan(office)).actions
    marks = {side: len(office.double(side).changes) for side in Side}
    await office.sync()
    changes = office.deals.changes[marks[Side.CRM] :]
    written = {
        office.desk.titled(change.field): change.new
        for change in changes
        if change.by == SYNC_USER and change.field not in office.desk.stamps
    }
    assert written == {"title": "Exactly this", "utm_medium": "and this"}
    assert {name: said["new"] for name, said in action.fields.items()} == written
    assert (action.action, action.system, action.connection) == ("update", office.desk.system, "london")
    assert office.cards.changes[marks[Side.NEXUDUS] :] == []


async def test_a_plan_at_rest_is_empty(office: Office) -> None:
    await office.sync()
    assert (await plan(office)).actions == []


async def test_a_plan_of_one_record_tells_of_that_record_only(office: Office) -> None:
    await office.sync()
    one, other = office.free.pop(), office.free.pop()
    for card, _ in (one, other):
        office.cards.edit(card, ANA, Name=f"Renamed {card}")
    async with office.process() as engine:
        rehearsal = await rehearse(engine.connections[0], Options(), record=(Side.CRM, one[1]))
    assert {(action.action, action.nexudus_id) for action in rehearsal.actions} == {("update", str(one[0]))}
    await office.sync()


async def test_a_plan_shows_the_conflicts_it_would_open_as_no_action(office: Office, pair: Pair) -> None:
    await office.sync()
    office.cards.edit(pair[0], ANA, Value=1)
    office.deals.edit(pair[1], BEN, opportunity_amount=2)
    assert (await plan(office)).actions == []
