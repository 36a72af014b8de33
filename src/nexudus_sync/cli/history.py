"""`undo`: how to restore a value that the sync overwrote."""

import getpass
import os
from typing import Any

from nexudus_sync.cli.desk import Desk, open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.output import pair_of, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.engine.startup.assemble import load_mapping, plain_contexts
from nexudus_sync.errors import ConfigError, SyncError, storable
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.merge import UNSENT, kept_differently
from nexudus_sync.opportunity import hear
from nexudus_sync.opportunity import say as said
from nexudus_sync.store import Session, records
from nexudus_sync.store.history import last_after
from nexudus_sync.store.lists import ASKED_BY
from nexudus_sync.store.tables import Decision, Fact, History, Link


def undo(root: Root, number: int, *, force: bool) -> None:
    """Ask for the old value of an entry to be restored. Raises ConfigError, SyncError."""
    with open_desk(root) as desk:
        with desk.store.read() as session:
            entry = session.get(History, number)
            if entry is None:
                kept = f"entries are kept {desk.settings.store.keep_history:,} days ([store] keep_history)"
                raise no_such("history entry", number, f"see `nexudus-sync history`; {kept}")
            link = _link(session, desk, entry)
            now = None if force else _moved_on(session, desk, entry, link)
        where = f"{entry.field} of {pair_of(entry.nexudus_id, entry.crm_id)}"
        if now is not None and now[0] == entry.old:
            say(f"{where} is already {entry.old!r}; there is nothing to restore.")
            return
        if now is not None:
            raise SyncError(f"{where} has changed since, to {now[0]!r}; add --force to restore {entry.old!r} anyway")
        args = {"history_id": number, "force": force}
        with desk.store.session() as session:
            asked = SystemClock().now()
            decision = Decision(connection=link.connection, kind="undo", args=args, asked_at=asked)
            session.add(decision)
            session.flush()
            session.merge(Fact(system=ASKED_BY, key=str(decision.id), value=_who()))
    say(f"{where} will be set back to {entry.old!r} on both sides at the next cycle.")


def _who() -> str:
    """The name of the machine's user; "" where it is not known."""
    try:
        return storable(os.environ.get("SUDO_USER") or getpass.getuser())
    except (KeyError, OSError, ImportError):  # which one is raised depends on the version of Python
        return ""


def _link(session: Session, desk: Desk, entry: History) -> Link:
    """The entry's link. Raises ConfigError when its connection is not configured, SyncError when it is not linked."""
    crms = {one.name: one.crm for one in desk.settings.connections}
    crm = crms.get(entry.connection, "")
    link = records.link_by(session, crm, nexudus_id=entry.nexudus_id, crm_id=entry.crm_id)
    for name in (entry.connection, *([link.connection] if link else [])):
        if name not in crms:
            remedy = "configure it again to restore the value"
            raise ConfigError(f"history entry {entry.id}", f"its connection {name} is not configured", remedy)
    if link is None or link.state != "active":
        raise SyncError(f"{pair_of(entry.nexudus_id, entry.crm_id)} are no longer linked; nothing can be restored")
    return link


def _moved_on(session: Session, desk: Desk, entry: History, link: Link) -> tuple[Any] | None:
    """What the field says now, as far as the store knows, if that differs from what the entry wrote."""
    last = last_after(session, entry)
    if last is not None:
        return None if last.new == entry.new else (last.new,)
    return _snapshot_moved(desk, entry, link)


def _snapshot_moved(desk: Desk, entry: History, link: Link) -> tuple[Any] | None:
    """The same by the CRM's snapshot, where it can be read; ids that need a directory are left to the cycle."""
    settings = next((one for one in desk.settings.connections if one.name == link.connection), None)
    field = load_mapping(desk.settings, settings).find(entry.field) if settings else None
    if settings is None or field is None:
        return None
    raw = link.crm_snapshot.get(field.crm.path.text)
    context, written = plain_contexts(desk.settings, settings)[Side.CRM], hear(entry.field, entry.new)
    try:
        now = field.read(Side.CRM, raw, context)
    except Unreadable:
        return None
    stands = raw == UNSENT or field.same(now, written) or kept_differently(field, Side.CRM, written, now, context)
    return None if stands else (said(now),)
