"""The time zone in which a card's days were last read: the same moment may be another day where the card is now."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.mapping import Context, Side, Unreadable
from nexudus_sync.merge import UNSENT
from nexudus_sync.store.tables import Link

ZONE = "$zone"
"""The key in Nexudus's snapshot for the zone in which its days were read; no path begins with "$"."""


def as_read(context: Context, snapshot: dict[str, object]) -> Context:
    """The context with the zone in which the record was last read."""
    zone = snapshot.get(ZONE)
    return replace(context, time_zone=ZoneInfo(zone)) if isinstance(zone, str) else context


def with_zone(snapshot: dict[str, object], context: Context) -> dict[str, object]:
    """The snapshot, noting the zone in which it was read, if the system has zones."""
    return snapshot if context.time_zone is None else {**snapshot, ZONE: context.time_zone.key}


def follow_zone(connection: Connection, link: Link, card: Sight) -> None:
    """If a card that was just read is in another zone than before, days that differ there count as never sent."""
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
