"""Creates whose answer never came: look for the record, and link it."""

from datetime import datetime, timedelta

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Facts, Priority, Record, Step
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import RECORD
from nexudus_sync.engine.read import renames
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.engine.read.renderings import REPLY, reply_of
from nexudus_sync.engine.read.snapshots import set_snapshot
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.created import Parked, forget, show_parked
from nexudus_sync.engine.write.perform import note_made
from nexudus_sync.errors import NotFound, Unavailable
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.merge import UNSENT
from nexudus_sync.store import journal, records
from nexudus_sync.store.conflicts import close_conflicts
from nexudus_sync.store.failures import solve_failures
from nexudus_sync.store.tables import Journal, Link

FAR_BACK = timedelta(days=1)
"""So long ago an attempt may have been made whose moment lies ahead of the clock."""


def sent_at(connection: Connection, row: Journal) -> datetime:
    """When the attempt was made at the earliest: where the clock has been set back since, some time before now."""
    assert row.sent_at is not None
    now = connection.clock.now()
    return row.sent_at if row.sent_at <= now else now - FAR_BACK


async def found_create(connection: Connection, report: Report, row: Journal, step: Step) -> bool:
    """The record that the lost create made, if there is one that nothing else holds."""
    to = Side(row.side)
    connector = connection.connector(to)
    found = await connector.find_created(step, sent_at(connection, row))
    free = [record for record in found if not _linked(connection, to, connector.facts(record))]
    if not free:
        return False
    made = free[0]
    source = to.other
    source_id, record = await _source(connection, row, source)
    link = _link_for(connection, row, source_id, made, record)
    facts = Facts(source_id, row.step.get("identity", "")) if record is None else connection.facts(source, record)
    if _linked(connection, source, facts):
        drop_late(connection, row, connector.facts(made))
        return True
    if record is not None:
        await _first_snapshots(connection, row, link, record, made)
    with connection.store.session() as session:
        made_id = connector.facts(made).id
        journal.mark_created(session, row.id or 0, connection.clock.now(), made_id, f"found: {made_id}")
        session.add(link)
        session.flush()
        records.mark_namesakes(session, link)
        forget(session, connection, source, source_id)
        forget(session, connection, to, made_id)
        solve_failures(session, connection.name, link.nexudus_id, link.crm_id, fields={""})
        close_conflicts(
            session, connection.name, link.nexudus_id, link.crm_id, now=connection.clock.now(), fields={RECORD}
        )
        if record is not None:
            show_parked(session, connection, _accepted(connection, row), link.nexudus_id, link.crm_id)
    report.created[to.value] += 1
    return True


def drop_late(connection: Connection, row: Journal, made: Facts) -> None:
    """The record that came late is nobody's counterpart; the row names it, so that it is known as a stray."""
    with connection.store.session() as session:
        outcome = "its source has another counterpart by now"
        dropped = journal.mark_dropped(session, row.id or 0, connection.clock.now(), outcome)
        note_made(dropped, made.id, made.identity)


async def _source(connection: Connection, row: Journal, side: Side) -> tuple[str, Record | None]:
    """The record that a create copies, and its id now; None when it is gone, or its id was given to another."""
    connector, identity = connection.connector(side), row.step.get("identity", "")
    names = [row.nexudus_id if side is Side.NEXUDUS else row.crm_id]
    for name in names:
        try:
            record = await fetch(connection, side, name)
        except NotFound:
            record = None
        except Unavailable:  # which Nexudus may answer for a record that is not there
            if not await connector.absent(name, identity):
                raise
            record = None
        if record is not None and same_identity(identity, connection.facts(side, record).identity):
            return name, record
        if len(names) == 1 and identity and side is Side.CRM:
            renamed = await renames.new_id(connection, name, identity, Priority.LIVE)
            names += [] if renamed is None else [renamed]
    return names[0], None


def _link_for(connection: Connection, row: Journal, source_id: str, made: Record, record: Record | None) -> Link:
    """The link that the create was for; closed when its source is gone, so that nothing is created back."""
    to = Side(row.side)
    ids = {to.other: source_id, to: connection.facts(to, made).id}
    found = {to.other: record, to: made}
    identities = {
        side: row.step.get("identity", "") if one is None else connection.facts(side, one).identity
        for side, one in found.items()
    }
    return Link(
        crm=connection.crm,
        connection=connection.name,
        nexudus_id=ids[Side.NEXUDUS],
        nexudus_identity=identities[Side.NEXUDUS],
        crm_id=ids[Side.CRM],
        crm_identity=identities[Side.CRM],
        state="active" if record is not None else "closed",
        closed_reason=None if record is not None else "its source was deleted while it was being created",
        nexudus_recheck=record is not None,
        crm_recheck=record is not None,
        created_at=connection.clock.now(),
    )


async def _first_snapshots(connection: Connection, row: Journal, link: Link, record: Record, made: Record) -> None:
    """What both sides are taken to have agreed on: what the create carried, and what it left out under the rules then.

    All else is still to be delivered.
    """
    to = Side(row.side)
    context = await connection.context(to.other, record)
    source: dict[str, object] = {}
    target: dict[str, object] = {}
    accepted = row.step.get("accepted", {})
    for mapped in connection.mapping.fields:
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
    target[REPLY] = reply_of(connection.connector(to).stamp(made), row.fields, {})
    set_snapshot(link, to.other, source)
    set_snapshot(link, to, target)


def _accepted(connection: Connection, row: Journal) -> list[Parked]:
    """What the create left out and counted as seen; rows of earlier versions do not tell."""
    kept = row.step.get("accepted", {})
    return [
        Parked(mapped, kept[mapped.name]["kind"], kept[mapped.name]["reason"], accept=True)
        for mapped in connection.mapping.fields
        if mapped.name in kept
    ]


def _linked(connection: Connection, side: Side, facts: Facts) -> bool:
    """Has this very record a counterpart? An id may have been another's before."""
    with connection.store.read() as session:
        return bool(records.links_of(session, connection.crm, side, facts.id, facts.identity))
