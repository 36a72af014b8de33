"""Creates whose answer never came: look for the record, and link it."""

from datetime import datetime, timedelta

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Facts, Priority, Step
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read import renames
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.created import Made, Origin, confirm_create
from nexudus_sync.engine.write.perform import note_made, tell_written
from nexudus_sync.errors import NotFound, Unavailable
from nexudus_sync.mapping import Context, Side
from nexudus_sync.store import journal, records
from nexudus_sync.store.tables import Journal

FAR_BACK = timedelta(days=1)
"""How long ago an attempt may have been made whose noted time lies in the future."""


def sent_at(connection: Connection, row: Journal) -> datetime:
    """The earliest time of the attempt; if the clock has been set back since, some time before now."""
    assert row.sent_at is not None
    now = connection.clock.now()
    return row.sent_at if row.sent_at <= now else now - FAR_BACK


async def found_create(connection: Connection, report: Report, row: Journal, step: Step) -> bool:
    """Find and link the record that the lost create made, if there is one that nothing else is linked with."""
    to = Side(row.side)
    connector = connection.connector(to)
    found = await connector.find_created(step, sent_at(connection, row))
    free = [record for record in found if not _linked(connection, to, connector.facts(record))]
    if not free:
        return False
    made = free[0]
    origin = await _origin(connection, row, to.other)
    if _linked(connection, to.other, Facts(origin.id, origin.identity)):
        drop_late(connection, row, connector.facts(made))
        return True
    made_id, context = connector.facts(made).id, await connection.context(to, made)
    with connection.store.session() as session:
        settled = journal.mark_created(session, row.id or 0, connection.clock.now(), made_id, f"found: {made_id}")
        confirm_create(session, connection, settled, origin, Made(made_id, made, context))
    report.created[to.value] += 1
    tell_written(connection, settled)
    return True


def drop_late(connection: Connection, row: Journal, made: Facts) -> None:
    """Drop a create whose record came too late to be a counterpart; the row names it, so it is known as a late copy."""
    with connection.store.session() as session:
        outcome = "the original has another counterpart by now"
        dropped = journal.mark_dropped(session, row.id or 0, connection.clock.now(), outcome)
        note_made(dropped, made.id, made.identity)


async def _origin(connection: Connection, row: Journal, side: Side) -> Origin:
    """The record that a create copied, by its present id; without a record if it is gone or its id was reused."""
    connector, identity = connection.connector(side), row.step.get("identity", "")
    names = [row.nexudus_id if side is Side.NEXUDUS else row.crm_id]
    for name in names:
        try:
            record = await fetch(connection, side, name)
        except NotFound:
            record = None
        except Unavailable:  # which Nexudus may answer for a record that does not exist
            if not await connector.absent(name, identity):
                raise
            record = None
        if record is not None and same_identity(identity, connection.facts(side, record).identity):
            facts = connection.facts(side, record)
            return Origin(name, facts.identity, record, await connection.context(side, record))
        if len(names) == 1 and identity and side is Side.CRM:
            renamed = await renames.new_id(connection, name, identity, Priority.LIVE)
            names += [] if renamed is None else [renamed]
    return Origin(names[0], identity, None, Context())


def _linked(connection: Connection, side: Side, facts: Facts) -> bool:
    """Does this very record have a counterpart? Its id may have been another record's before."""
    with connection.store.read() as session:
        return bool(records.links_of(session, connection.crm, side, facts.id, facts.identity))
