"""Links whose card moved to another connection's scope, or out of every scope."""

from nexudus_sync.connectors.base import Record
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import ACCEPTED, RECORD
from nexudus_sync.engine.read.changes import forget_agreed, newly_synced
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.merge import STORED_DIFFERENTLY
from nexudus_sync.store import conflicts, failures
from nexudus_sync.store.tables import ConnectionState, Link

LASTING_KINDS = {ACCEPTED, STORED_DIFFERENTLY}
"""What stays true of a pair wherever its card goes, and no merge shows again."""


def take_over(connection: Connection, link: Link) -> None:
    """Take a link from the connection that had it: its card is in this one's scope now.

    The conflicts about it come along, but for fields that do not travel here, and so does what a backfill left undone
    and what a system keeps differently; what else failed there shows itself anew. A field whose edits did not travel
    there is a first match of its own here. What travelled is kept with the connection: its mapping may be another
    since, or it may be no more.
    """
    names = {RECORD, *(field.name for field in connection.mapping.fields)}
    with connection.store.session() as session:
        failed = failures.unsolved(session, link.connection, link.nexudus_id, link.crm_id)
        failures.solve(failed, kinds={one.kind for one in failed} - LASTING_KINDS)
        for one in (one for one in failed if one.kind in LASTING_KINDS):
            one.connection = connection.name
        conflicts.hand_over(session, link, connection.name)
        asked = conflicts.unclosed(session, connection.name, link.nexudus_id, link.crm_id)
        conflicts.close((one for one in asked if one.field not in names), connection.clock.now())
        before = session.get(ConnectionState, link.connection)
        link.connection = connection.name
        if before is not None:
            forget_agreed(link, newly_synced(connection.mapping, before.mapped_paths))
        session.add(link)


def move(connection: Connection, report: Report, link: Link, card: Record) -> None:
    """Give a link to the connection whose scope holds the card now, or let it sleep.

    What failed of one that sleeps is no matter of this connection, and shows itself anew when the card comes back.
    """
    home = next(
        (b for b in connection.siblings if b.connector(Side.NEXUDUS).in_scope(card, b.scope(Side.NEXUDUS))), None
    )
    if home is not None:
        link.mark_both(True)  # kept with the rest when it is taken over
        take_over(home, link)
    else:
        link.state = "sleeping"
        with connection.store.session() as session:
            failed = failures.unsolved(session, link.connection, link.nexudus_id, link.crm_id)
            failures.solve(one for one in failed if one.state == "open" and one.kind not in LASTING_KINDS)
            session.add(link)
    report.moved += 1
