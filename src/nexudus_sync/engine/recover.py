"""Recovery: what became of a write that was sent and never heard of again is read, never repeated.

A write is absent only when two looks did not find it, the second at least `Rules.absence_wait` seconds after the
attempt; until then everything about its records waits.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, or_, select

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Facts, Priority, Record, Step
from nexudus_sync.engine import sight as sights
from nexudus_sync.engine.agree import set_snapshot
from nexudus_sync.engine.arrived import found_in_part, found_update, link_of
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.create import forget
from nexudus_sync.engine.doubts import fail
from nexudus_sync.engine.fates import close
from nexudus_sync.engine.guard import of_record
from nexudus_sync.engine.outcomes import RECORD, note_failure
from nexudus_sync.engine.parked import Parked, show_parked
from nexudus_sync.engine.pull import mark
from nexudus_sync.engine.reading import fetch, identity_of
from nexudus_sync.engine.renderings import REPLY, reply_of
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.strays import note_made
from nexudus_sync.engine.write import step_from
from nexudus_sync.errors import NotFound, Unavailable
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.merge import UNSENT
from nexudus_sync.store import journal, records
from nexudus_sync.store.conflicts import close_conflicts
from nexudus_sync.store.failures import solve_failures
from nexudus_sync.store.tables import Journal, Link

LOOKS = 2
NOT_FOUND = "not found"
"""How the outcome of an attempt begins that turned out not to have been done."""
FAR_BACK = timedelta(days=1)
"""So long ago an attempt may have been made whose moment lies ahead of the clock."""


async def recover(bridge: Bridge, report: Report) -> None:
    """Resolve every write of this connection whose outcome is unknown, and those of connections that are no more.

    One that cannot be read becomes a failure and keeps its place. Raises AuthenticationFailed, RoleMissing, and
    Unavailable when a system does not answer at all any more.
    """
    with bridge.store.session() as session:
        rows = [row for name in _names(session, bridge) for row in journal.pending(session, name)]
        for row in rows:
            if row.state == "planned" and row.id is not None:
                journal.mark_dropped(session, row.id, bridge.clock.now(), "planned anew")
    for row in rows:
        if row.state == "sent":
            await _one(bridge, report, row)


def _names(session: Session, bridge: Bridge) -> list[str]:
    """This connection, and those to its CRM that the configuration does not have any more, or not by that name."""
    known = {bridge.name, *(one.name for one in bridge.siblings)}
    return [bridge.name, *sorted(set(session.exec(records.family(bridge.crm))) - known)]


async def _one(bridge: Bridge, report: Report, row: Journal) -> None:
    """Resolve one; what cannot be looked for now stays as it is and keeps only its own records waiting."""
    try:
        await _resolve(bridge, report, row)
        _settle_ended(bridge, row)
    except Exception as error:
        problem, link = of_record(error), link_of(bridge, row)
        with bridge.store.session() as session:
            if link is not None:
                fail(session, bridge, link, problem)
            else:
                note_failure(session, bridge, problem, nexudus_id=row.nexudus_id, crm_id=row.crm_id)
        report.errors.append(str(problem))
        report.circuit.failed(problem)


def _settle_ended(bridge: Bridge, row: Journal) -> None:
    """Of a pair that was parted meanwhile nothing is tried again: that its write could not be looked for is over."""
    link = link_of(bridge, row)
    if row.link_id is not None and (link is None or link.state == "closed"):
        with bridge.store.session() as session:
            solve_failures(session, bridge.name, row.nexudus_id, row.crm_id, fields={""})


async def _resolve(bridge: Bridge, report: Report, row: Journal) -> None:
    """Look until the write is found, or may be called absent."""
    assert row.id is not None
    assert row.sent_at is not None
    looks, began = row.looks, bridge.clock.monotonic()
    while True:
        if await _found(bridge, report, row):
            return
        looks += 1
        # the clock may have been set back since
        waited = max((bridge.clock.now() - row.sent_at).total_seconds(), bridge.clock.monotonic() - began)
        if looks >= LOOKS and waited >= bridge.rules.absence_wait:
            break
        with bridge.store.session() as session:
            kept = session.get_one(Journal, row.id)
            kept.looks = looks
        await bridge.clock.sleep(max(0.0, bridge.rules.absence_wait - waited) + 0.1)
    if row.link_id is not None and await found_in_part(bridge, row):
        return
    with bridge.store.session() as session:
        if _was_lost_before(session, row):
            name = bridge.connector(Side(row.side)).name
            error = Unavailable(name, "a write is sent again and again, without an answer or effect", _named(row))
            note_failure(session, bridge, error, nexudus_id=row.nexudus_id, crm_id=row.crm_id)
        journal.mark_dropped(session, row.id, bridge.clock.now(), f"{NOT_FOUND} after {looks} looks; planned anew")
        if row.link_id is not None:
            mark(session, Side.NEXUDUS, [row.link_id])
            mark(session, Side.CRM, [row.link_id])


def _was_lost_before(session: Session, row: Journal) -> bool:
    """Did the last attempt at the same write end in the same way?"""
    query = select(Journal).where(
        col(Journal.connection) == row.connection,
        col(Journal.side) == row.side,
        col(Journal.kind) == row.kind,
        col(Journal.nexudus_id) == row.nexudus_id,
        col(Journal.crm_id) == row.crm_id,
        col(Journal.id) < row.id,
        or_(col(Journal.state) == "confirmed", col(Journal.outcome).startswith(NOT_FOUND)),
    )
    last = session.exec(query.order_by(col(Journal.id).desc())).first()
    return last is not None and last.state == "dropped"


def _named(row: Journal) -> str:
    """The record that a write is about: the one written to, or the one that is copied."""
    ids = (row.nexudus_id, row.crm_id) if row.side == Side.NEXUDUS else (row.crm_id, row.nexudus_id)
    return ids[0] or ids[1]


async def _found(bridge: Bridge, report: Report, row: Journal) -> bool:
    """Is the write's effect there? Then everything that follows from it is kept."""
    step = step_from(row.step)
    if step.kind == "party.create":
        return await _found_party(bridge, row, step)
    if step.kind == "opportunity.create":
        return await _found_create(bridge, report, row, step)
    if step.kind == "opportunity.delete":
        return await _found_delete(bridge, report, row)
    return await found_update(bridge, row)


def _sent_at(bridge: Bridge, row: Journal) -> datetime:
    """When the attempt was made at the earliest: where the clock has been set back since, some time before now."""
    assert row.sent_at is not None
    now = bridge.clock.now()
    return row.sent_at if row.sent_at <= now else now - FAR_BACK


async def _found_party(bridge: Bridge, row: Journal, step: Step) -> bool:
    found = await bridge.connector(Side(row.side)).find_created(step, _sent_at(bridge, row))
    if not found:
        return False
    with bridge.store.session() as session:
        journal.mark_confirmed(session, row.id or 0, bridge.clock.now(), f"found: {found[0]['id']}")
    return True


async def _found_create(bridge: Bridge, report: Report, row: Journal, step: Step) -> bool:
    """The record that the lost create made, if there is one that nothing else holds."""
    to = Side(row.side)
    connector = bridge.connector(to)
    found = await connector.find_created(step, _sent_at(bridge, row))
    free = [record for record in found if not _linked(bridge, to, connector.facts(record))]
    if not free:
        return False
    made = free[0]
    source = to.other
    source_id, record = await _source(bridge, row, source)
    link = _link_for(bridge, row, source_id, made, record)
    facts = Facts(source_id, row.step.get("identity", "")) if record is None else bridge.facts(source, record)
    if _linked(bridge, source, facts):
        _drop_late(bridge, row, connector.facts(made))
        return True
    if record is not None:
        await _first_snapshots(bridge, row, link, record, made)
    with bridge.store.session() as session:
        made_id = connector.facts(made).id
        journal.mark_created(session, row.id or 0, bridge.clock.now(), made_id, f"found: {made_id}")
        session.add(link)
        session.flush()
        records.mark_namesakes(session, link)
        forget(session, bridge, source, source_id)
        forget(session, bridge, to, made_id)
        solve_failures(session, bridge.name, link.nexudus_id, link.crm_id, fields={""})
        close_conflicts(session, bridge.name, link.nexudus_id, link.crm_id, now=bridge.clock.now(), fields={RECORD})
        if record is not None:
            show_parked(session, bridge, _accepted(bridge, row), link.nexudus_id, link.crm_id)
    report.created[to.value] += 1
    return True


def _drop_late(bridge: Bridge, row: Journal, made: Facts) -> None:
    """The record that came late is nobody's counterpart; the row names it, so that it is known as a stray."""
    with bridge.store.session() as session:
        outcome = "its source has another counterpart by now"
        dropped = journal.mark_dropped(session, row.id or 0, bridge.clock.now(), outcome)
        note_made(dropped, made.id, made.identity)


async def _source(bridge: Bridge, row: Journal, side: Side) -> tuple[str, Record | None]:
    """The record that a create copies, and its id now; None when it is gone, or its id was given to another."""
    connector, identity = bridge.connector(side), row.step.get("identity", "")
    names = [row.nexudus_id if side is Side.NEXUDUS else row.crm_id]
    for name in names:
        try:
            record = await fetch(bridge, side, name)
        except NotFound:
            record = None
        except Unavailable:  # which Nexudus may answer for a record that is not there
            if not await connector.absent(name, identity):
                raise
            record = None
        if record is not None and same_identity(identity, bridge.facts(side, record).identity):
            return name, record
        if len(names) == 1 and identity and side is Side.CRM:
            renamed = await sights.new_id(bridge, name, identity, Priority.LIVE)
            names += [] if renamed is None else [renamed]
    return names[0], None


def _link_for(bridge: Bridge, row: Journal, source_id: str, made: Record, record: Record | None) -> Link:
    """The link that the create was for; closed when its source is gone, so that nothing is created back."""
    to = Side(row.side)
    ids = {to.other: source_id, to: bridge.facts(to, made).id}
    found = {to.other: record, to: made}
    identities = {
        side: row.step.get("identity", "") if one is None else bridge.facts(side, one).identity
        for side, one in found.items()
    }
    return Link(
        crm=bridge.crm,
        connection=bridge.name,
        nexudus_id=ids[Side.NEXUDUS],
        nexudus_identity=identities[Side.NEXUDUS],
        crm_id=ids[Side.CRM],
        crm_identity=identities[Side.CRM],
        state="active" if record is not None else "closed",
        closed_reason=None if record is not None else "its source was deleted while it was being created",
        nexudus_recheck=record is not None,
        crm_recheck=record is not None,
        created_at=bridge.clock.now(),
    )


async def _first_snapshots(bridge: Bridge, row: Journal, link: Link, record: Record, made: Record) -> None:
    """What both sides are taken to have agreed on: what the create carried, and what it left out under the rules then.

    All else is still to be delivered.
    """
    to = Side(row.side)
    context = await bridge.context(to.other, record)
    source: dict[str, object] = {}
    target: dict[str, object] = {}
    accepted = row.step.get("accepted", {})
    for mapped in bridge.mapping.fields:
        here, there = mapped.lens(to.other), mapped.lens(to)
        if mapped.name in accepted:
            source[here.path.text], target[there.path.text] = accepted[mapped.name]["raw"], there.raw(made)
            continue
        carried = row.fields.get(mapped.name)
        if carried is not None:
            source[here.path.text], target[there.path.text] = carried["raw"], carried["sent"]
            continue
        try:
            blank = mapped.get(to.other, record, context) is None
        except Unreadable:
            blank = False
        source[here.path.text] = here.raw(record) if blank else dict(UNSENT)
        target[there.path.text] = None if blank else there.raw(made)
    target[REPLY] = reply_of(bridge.connector(to).stamp(made), row.fields, {})
    set_snapshot(link, to.other, source)
    set_snapshot(link, to, target)


def _accepted(bridge: Bridge, row: Journal) -> list[Parked]:
    """What the create left out and counted as seen; rows of earlier versions do not tell."""
    kept = row.step.get("accepted", {})
    return [
        Parked(mapped, kept[mapped.name]["kind"], kept[mapped.name]["reason"], accept=True)
        for mapped in bridge.mapping.fields
        if mapped.name in kept
    ]


def _linked(bridge: Bridge, side: Side, facts: Facts) -> bool:
    """Has this very record a counterpart? An id may have been another's before."""
    with bridge.store.read() as session:
        return bool(records.links_of(session, bridge.crm, side, facts.id, facts.identity))


async def _found_delete(bridge: Bridge, report: Report, row: Journal) -> bool:
    link = link_of(bridge, row)
    if link is None:
        with bridge.store.session() as session:
            journal.mark_dropped(session, row.id or 0, bridge.clock.now(), "its link is gone")
        return True
    side = Side(row.side)
    if not await bridge.connector(side).absent(sights.id_of(link, side), identity_of(link, side)):
        return False
    with bridge.store.session() as session:
        journal.mark_confirmed(session, row.id or 0, bridge.clock.now(), "found: it is gone")
        close(session, bridge, report, link, "deleted with its counterpart")
    return True
