"""Undo: ask for a value that the sync overwrote to be restored."""

from datetime import datetime
from typing import Any

from nexudus_sync.config import Settings
from nexudus_sync.deciding.records import no_such
from nexudus_sync.engine.startup.assemble import load_mapping, plain_contexts
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.merge import UNSENT, kept_differently
from nexudus_sync.opportunity import hear, say
from nexudus_sync.store import Session, records
from nexudus_sync.store.history import BY_PERSON, last_after
from nexudus_sync.store.tables import Decision, History, Link
from nexudus_sync.texts import pair_of


def ask(session: Session, settings: Settings, number: int, *, force: bool, by: str, now: datetime) -> str:
    """Ask for the old value of an entry to be restored at the next cycle; returns what will happen, in one sentence.

    Nothing is asked for where the old value stands already. Raises ConfigError for an entry that does not exist or a
    connection that is not configured, SyncError for a pair that is no longer linked and, unless `force`, for a value
    that has changed since.
    """
    entry = session.get(History, number)
    if entry is None or not settings.sees(entry.connection):
        kept = f"entries are kept {settings.store.keep_history:,} days ([store] keep_history)"
        raise no_such("history entry", number, f"see `nexudus-sync history`; {kept}")
    link = _link(session, settings, entry)
    moved = None if force else _moved_on(session, settings, entry, link)
    where = f"{entry.field} of {pair_of(entry.nexudus_id, entry.crm_id)}"
    if moved is not None and moved[0] == entry.old and entry.from_side != BY_PERSON:
        return f"{where} is already {entry.old!r}; there is nothing to restore."
    if moved is not None:
        raise SyncError(f"{where} has changed since, to {moved[0]!r}; add --force to restore {entry.old!r} anyway")
    args = {"history_id": number, "force": force}
    session.add(Decision(connection=link.connection, kind="undo", args=args, asked_at=now, asked_by=by))
    if entry.from_side == BY_PERSON:
        both = f"{entry.old!r} in Nexudus and {entry.lost!r} in the CRM"
        return f"{where} will be set back to {both} at the next cycle, and the conflict opens again."
    return f"{where} will be set back to {entry.old!r} on both sides at the next cycle."


def _link(session: Session, settings: Settings, entry: History) -> Link:
    """The entry's link. Raises ConfigError when its connection is not configured, SyncError when it is not linked."""
    crms = {one.name: one.crm for one in settings.connections}
    crm = crms.get(entry.connection, "")
    link = records.link_by(session, crm, nexudus_id=entry.nexudus_id, crm_id=entry.crm_id)
    for name in (entry.connection, *([link.connection] if link else [])):
        if name not in crms:
            remedy = "configure it again to restore the value"
            raise ConfigError(f"history entry {entry.id}", f"its connection {name} is not configured", remedy)
    if link is None or link.state != "active":
        raise SyncError(f"{pair_of(entry.nexudus_id, entry.crm_id)} are no longer linked; nothing can be restored")
    return link


def _moved_on(session: Session, settings: Settings, entry: History, link: Link) -> tuple[Any] | None:
    """What the field says now, as far as the store knows, if that differs from what the entry wrote."""
    last = last_after(session, entry)
    if last is not None:
        return None if last.new == entry.new else (last.new,)
    return _snapshot_moved(settings, entry, link)


def _snapshot_moved(settings: Settings, entry: History, link: Link) -> tuple[Any] | None:
    """The same by the CRM's snapshot, where it can be read; ids that need a directory are left to the cycle."""
    connection = next((one for one in settings.connections if one.name == link.connection), None)
    field = load_mapping(settings, connection).find(entry.field) if connection else None
    if connection is None or field is None:
        return None
    raw = link.crm_snapshot.get(field.crm.path.text)
    context, written = plain_contexts(settings, connection)[Side.CRM], hear(entry.field, entry.new)
    try:
        now = field.read(Side.CRM, raw, context)
    except Unreadable:
        return None
    stands = raw == UNSENT or field.same(now, written) or kept_differently(field, Side.CRM, written, now, context)
    return None if stands else (say(now),)
