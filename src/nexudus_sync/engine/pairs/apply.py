"""Write what was decided for a pair; merge again whenever a record changes before it is written."""

from dataclasses import replace

from nexudus_sync.connectors.base import Priority, Step, Written
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.brakes import may_go
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import record_outcomes
from nexudus_sync.engine.pairs.decide import agree, decide
from nexudus_sync.engine.pairs.gone import part
from nexudus_sync.engine.pairs.memory import bounced, finish, note_read
from nexudus_sync.engine.pairs.pair import Pair, Share, shared_out
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.renderings import may_render
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.write.another import forget_others, refuse_held
from nexudus_sync.engine.write.confirm import Done, confirm_update, intent_fields, note_begun
from nexudus_sync.engine.write.perform import Intent, drop_row, drop_rows, perform, rules_moved
from nexudus_sync.engine.write.refused import RefusedValue, blamed, show_refused
from nexudus_sync.errors import HeldUp, NotPlanned, Refused, Stale, Unavailable
from nexudus_sync.mapping import Field, Side
from nexudus_sync.mapping.compound import Compound
from nexudus_sync.merge import Outcome
from nexudus_sync.plan import Presence
from nexudus_sync.store import Session, open_items
from nexudus_sync.store.tables import Journal

MERGES = 5
"""How often a record that keeps changing is merged again before it is left for the next cycle."""
WAITS = 4
"""How often a write is held up before it is left for the next cycle."""


async def apply(cycle: Cycle, pair: Pair) -> None:
    """Perform the writes of a pair and confirm them. Raises the `ConnectorError` tree."""
    connection = cycle.connection
    for side in Side:
        await _write_side(cycle, pair, side)
        if pair.sights[side].presence is not Presence.HERE:
            drop_rows(connection, pair.rows)
            if not pair.lacks_a_record or may_go(connection, cycle.report, [pair.id]):
                await part(connection, cycle.report, pair.link, pair.sights)
            return
    # The read before the CRM's write may have found a value that goes to Nexudus, which was written first: next cycle.
    turned = Side.NEXUDUS in pair.plan.after
    pair.reread |= set(Side) if turned else set()
    with connection.store.session() as session:
        found, both = pair.plan.outcomes, pair.both_read
        items = open_items.of_pair(session, connection.name, pair.link.pair)
        record_outcomes(session, connection, pair.link, found, items, both_read=both, written=not turned, settled=True)
        finish(session, connection, pair.link, pair.sights, pair.reread, cycle.seen)
    pair.settled = True
    cycle.report.settled += 1


async def _write_side(cycle: Cycle, pair: Pair, side: Side) -> None:
    """Write what travels to one side; merge again whenever its record changes before the write."""
    connection, merges_left, refused = cycle.connection, MERGES, set[str]()
    waits_left = WAITS
    while merges_left:
        merges_left -= 1
        await decide(cycle, pair)
        agree(connection, pair)
        after, before = pair.plan.after.get(side), pair.sights[side].record
        if after is None:  # was found to need no write after all
            drop_row(connection, pair.rows.pop(side, None))
            return
        if await rules_moved(connection, side, before, after):  # before the last read, so that no edit comes between
            continue
        refuse_held(connection, pair.link, side)
        touched = frozenset(key for key in {*before, *after} if before.get(key) != after.get(key))
        await connection.connector(side).reserve(pair.priority)
        if not sights.is_fresh(connection, side, pair.sights[side], touched):  # may have been edited since it was read
            await _read_again(connection, pair, side, touched)
            if pair.sights[side].presence is not Presence.HERE:
                return
            continue
        _refuse_unplanned(connection, pair, side)
        try:
            await _perform_steps(cycle, pair, side, connection.connector(side).update_steps(before, after))
        except Stale as error:  # was edited after the last read, and the system said so; or may have been
            pair.sights[side] = replace(pair.sights[side], read_at=None)
            if isinstance(error, HeldUp):  # what is read now may need as many merges as what was read first
                merges_left, waits_left = MERGES, _one_fewer(waits_left, error, pair.link.half(side).id)
            continue
        except Refused as error:
            if not _hold_back(connection, pair, side, error, refused):  # was refused as a whole, or for the same reason
                raise
            merges_left += 1
            continue
        return
    raise Unavailable(connection.connector(side).name, "the record keeps changing", pair.link.half(side).id)


def _one_fewer(waits_left: int, error: HeldUp, record_id: str) -> int:
    """How many waits are left after this one. Raises Unavailable with the reason after the last."""
    if waits_left == 1:
        raise Unavailable(error.system, error.message, record_id) from error
    return waits_left - 1


def _refuse_unplanned(connection: Connection, pair: Pair, side: Side) -> None:
    """Raise NotPlanned, with no write of the pair left to come, if a saved plan does not have this one."""
    if connection.allowed is None:
        return
    fields = intent_of(connection, pair, side).fields
    try:
        connection.refuse_unplanned(connection.action("opportunity.update", side, *pair.link.pair, fields))
    except NotPlanned:
        drop_rows(connection, pair.rows)
        raise


def _hold_back(connection: Connection, pair: Pair, side: Side, error: Refused, refused: set[str]) -> bool:
    """Let the fields that a refusal names wait; False if it names no new ones besides those in `refused`."""
    fields = blamed(error, (outcome.field for outcome in pair.plan.writes(side)), side)
    if {field.name for field in fields} <= refused:
        return False
    refused |= {field.name for field in fields}
    after = pair.plan.after[side]
    found = [RefusedValue(side, field, field.lens(side).raw(after), error.message) for field in fields]
    pair.refused += found
    with connection.store.session() as session:
        show_refused(session, connection, pair.link, error, found)
    return True


async def _read_again(connection: Connection, pair: Pair, side: Side, touched: frozenset[str]) -> None:
    children = bool(touched & connection.connector(side).traits.child_keys)
    before = pair.sights[side]
    pair.dated = {}  # may have been set once more since
    pair.sights[side] = await sights.read(
        connection, side, pair.link, priority=pair.priority, children=children, like=before
    )


def intent_of(connection: Connection, pair: Pair, side: Side) -> Intent:
    """What the journal says of the write to a side."""
    link = pair.link
    source = sights.view(connection, side.other, link, pair.sights[side.other])
    target = sights.view(connection, side, link, pair.sights[side])
    fields = intent_fields(pair.plan.writes(side), source, target, pair.plan.after[side])
    return Intent(side, link.nexudus_id, link.crm_id, link.id, fields)


async def _perform_steps(cycle: Cycle, pair: Pair, side: Side, steps: list[Step]) -> None:
    connection = cycle.connection
    for step, begun, delivered in shared_out(steps, pair.plan.writes(side), side):
        intent = intent_of(connection, pair, side)
        intent = replace(intent, fields={o.field.name: intent.fields[o.field.name] for o in (*begun, *delivered)})

        def confirm(
            session: Session,
            row: Journal,
            written: Written,
            step: Step = step,
            begun: Share = begun,
            delivered: Share = delivered,
        ) -> None:
            note_begun(pair.link, side, (outcome.field for outcome in begun), written.record)
            note_begun(pair.link, side, _displaced(connection, pair, side, step, written), written.record)
            done = Done(written.record, pair.sights[side].context, written.stamp)
            fields, source = [outcome.field for outcome in delivered], pair.sights[side.other].context
            confirm_update(session, connection, row, pair.link, fields, done, source)
            forget_others(pair.link, side)

        row = pair.rows.pop(side, None)
        record = pair.sights[side].record
        written = await perform(connection, cycle.report, intent, step, confirm, record=record, row_id=row)
        pair.sights[side] = await _sight_after(connection, pair, side, step, written, delivered)


def _displaced(connection: Connection, pair: Pair, side: Side, step: Step, written: Written) -> list[Field]:
    """The fields that wait and that the write itself has changed, for they are one value with a field that it wrote.

    Nobody there meant to: a status that closes a deal moves it to a stage, and the card's own column waits.
    """
    compound: Compound | None = getattr(connection.connector(side), "compound", None)
    if compound is None or step.keys.isdisjoint(compound.keys):
        return []
    before = pair.sights[side].record
    # what a person typed stands for both sides: if the write contradicts it, that is for a person again
    waiting = [one.field for one in pair.plan.outcomes if one.waits and one.decided is None]
    lenses = [(field, field.lens(side)) for field in waiting]
    changed = [field for field, lens in lenses if lens.raw(before) != lens.raw(written.record)]
    return [field for field in changed if field.lens(side).path.root in compound.keys]


async def _sight_after(
    connection: Connection, pair: Pair, side: Side, step: Step, written: Written, delivered: tuple[Outcome, ...]
) -> Sight:
    """What the side says after a write; whatever differs from what was sent is its own change, for the next cycle."""
    before, now = pair.sights[side], connection.clock.monotonic()
    sight = replace(before, record=written.record, stamp=written.stamp or before.stamp, read_at=now)
    if written.stamp is None:
        pair.reread.add(side)
    unseen = not written.echoed and any(may_render(outcome, side, before.context) for outcome in delivered)
    if step.verify or unseen:
        try:
            sight = await sights.read(connection, side, pair.link, priority=Priority.RETRY)
        except Unavailable:
            pair.reread.add(side)
            return sight
        note_read(connection, pair.link, side, pair.plan.after[side], sight, written, delivered)
    if (step.verify or unseen or written.echoed) and bounced(connection, pair.link, side, sight, delivered):
        pair.reread.add(side)
    return sight
