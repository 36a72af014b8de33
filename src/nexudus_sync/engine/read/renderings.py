"""Texts that a system keeps in a rendering: absorbed with the write that showed it, and shown to people."""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as MappingABC
from typing import Any

from nexudus_sync.connectors.base import Stamp, Traits
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import show_failure
from nexudus_sync.mapping import Context, Field, Raw, Side, Unreadable
from nexudus_sync.mapping.renderings import is_kept
from nexudus_sync.merge import STORED_DIFFERENTLY, Outcome, kept_differently
from nexudus_sync.opportunity import Value
from nexudus_sync.store import Session
from nexudus_sync.store.tables import Link

REPLY = "$reply"
"""Stands in a snapshot for the last write to the side: the stamp its reply named, and what it was about."""


def reply_of(stamp: Stamp | None, fields: Collection[str], known: MappingABC[str, Any]) -> dict[str, Any]:
    """What a snapshot keeps of a write; another write at the same stamp adds to it."""
    token = "" if stamp is None else stamp.token
    before = known.get(REPLY)
    names = set(fields)
    if isinstance(before, dict) and token and before["stamp"] == token:
        names |= set(before["fields"])
    return {"stamp": token, "fields": sorted(names)}


def written_fields(snapshot: MappingABC[str, Any], stamp: Stamp | None, traits: Traits) -> frozenset[str]:
    """The fields that the sync's own write was about, if nothing was saved since; see `View.written`."""
    reply = snapshot.get(REPLY)
    if not isinstance(reply, dict) or stamp is None:
        return frozenset()
    unnamed = not reply["stamp"] and traits.names_author and stamp.own
    return frozenset(reply["fields"]) if unnamed or stamp.token == reply["stamp"] else frozenset()


def rendering(field: Field, side: Side, sent: Value, raw: Raw, context: Context) -> str:
    """What to say if a raw value is a rendering of what was sent; "" if it is not."""
    try:
        return kept_differently(field, side, sent, field.read(side, raw, context), context)
    except Unreadable:
        return ""


def may_render(outcome: Outcome, side: Side, context: Context) -> bool:
    """May the system keep a rendering of the text that was sent? Not read now, it would look like an edit later."""
    free = outcome.field.lens(side).is_free(context) and isinstance(outcome.value, str)
    return free and not is_kept(str(outcome.value))


def rendering_of_raw(field: Field, side: Side, sent: Raw, raw: Raw, context: Context) -> str:
    """The same, for a raw value that was sent."""
    try:
        return rendering(field, side, field.read(side, sent, context), raw, context)
    except Unreadable:
        return ""


def show_renderings(session: Session, connection: Connection, link: Link, told: Iterable[tuple[str, str]]) -> None:
    """Show people the renderings, by field; nothing waits for them."""
    for name, reason in told:
        if reason:
            ids = (link.nexudus_id, link.crm_id)
            show_failure(session, connection, ids, STORED_DIFFERENTLY, reason, name)
