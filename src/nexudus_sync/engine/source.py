"""What is about to be copied, as it is at that moment."""

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Record
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.outcomes import nothing_left
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Unlinked


def moved_on(bridge: Bridge, unlinked: Unlinked, record: Record) -> bool:
    """Would the record be matched otherwise than it was? Then its row is told, for the next matching.

    A customer's e-mail address can change without a trace in the record, and its id can be given to another record.
    """
    side = Side(unlinked.side)
    now, identity = bridge.candidate(side, record), bridge.facts(side, record).identity
    found, before = (now.email, now.title, now.external_key), (unlinked.email, unlinked.title, unlinked.external_key)
    same = same_identity(unlinked.identity, identity)
    if same and found == before:
        return False
    with bridge.store.session() as session:
        row = session.get(Unlinked, (unlinked.connection, unlinked.side, unlinked.record_id))
        if row is not None:  # a poll in between may have seen it leave
            if not same:
                nothing_left(session, bridge, side, row.record_id)
            row.email, row.title, row.external_key = found
            row.identity = identity or row.identity
            row.is_open, row.created_at = now.is_open, now.created_at
    return True
