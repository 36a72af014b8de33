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
"""Failures that stay true of a pair wherever its card goes; no merge would show them again."""


def take_over(connection: Connection, link: Link) -> None:
    """Take a link over from another connection: its card is in this connection's scope now.

    Its conflicts come along, except for fields that are not synced here, and so do its lasting failures; any other
    failure will show again. A field that was not synced there is a first match here. Which fields those are is read
    from the other connection's state: its mapping may have changed since, or the connection may no longer exist.
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

    The failures of a sleeping link are solved; they show again when the card comes back.
    """
    side = Side.NEXUDUS
    home = next((one for one in connection.siblings if one.connector(side).in_scope(card, one.scope(side))), None)
    if home is not None:  # was moved into a sibling's scope
        link.mark_both(True)  # stored by `take_over`
        take_over(home, link)
    else:  # was moved out of every scope
        link.state = "sleeping"
        with connection.store.session() as session:
            failed = failures.unsolved(session, link.connection, link.nexudus_id, link.crm_id)
            failures.solve(one for one in failed if one.state == "open" and one.kind not in LASTING_KINDS)
            session.add(link)
    report.moved += 1
