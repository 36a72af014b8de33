"""In which zone a card's days were last read: the same moment may be another day where the card is now."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.mapping import Context, Side, Unreadable
from nexudus_sync.merge import UNSENT
from nexudus_sync.store.tables import Link

ZONE = "$zone"
"""Stands in Nexudus's snapshot for the zone its days were read in; no path begins so."""


def as_read(context: Context, snapshot: dict[str, object]) -> Context:
    """The context of a record as it was when it was last read: the same moment is another day in another zone."""
    zone = snapshot.get(ZONE)
    return replace(context, time_zone=ZoneInfo(zone)) if isinstance(zone, str) else context


def with_zone(snapshot: dict[str, object], context: Context) -> dict[str, object]:
    """A snapshot that tells in which zone it was read, if the system has such."""
    return snapshot if context.time_zone is None else {**snapshot, ZONE: context.time_zone.key}


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
