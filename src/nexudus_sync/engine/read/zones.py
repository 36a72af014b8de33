"""In which zone a card's days were last read: the same moment may be another day where the card is now."""

from dataclasses import replace

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read.sight import Sight, as_read, with_zone
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.merge import UNSENT
from nexudus_sync.store.tables import Link


def follow_zone(connection: Connection, link: Link, card: Sight) -> None:
    """Where the card that was just read is in another zone than before, another day is what the CRM was never given."""
    if not card.real or card.context.time_zone is None:
        return
    before = replace(card.context, time_zone=as_read(card.context, link.nexudus_snapshot).time_zone)
    snapshot = with_zone(link.nexudus_snapshot, card.context)
    for field in connection.mapping.fields if before != card.context else ():
        path = field.lens(Side.NEXUDUS).path.text
        raw = snapshot.get(path)
        if raw is None or raw == UNSENT:
            continue
        try:
            then, now = (field.read(Side.NEXUDUS, raw, context) for context in (before, card.context))
        except Unreadable:
            continue
        if not field.same(then, now):
            snapshot[path] = dict(UNSENT)
    link.nexudus_snapshot = snapshot
