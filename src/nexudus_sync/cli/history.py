"""`history` and `undo`: what the sync wrote over, and how a value is brought back."""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nexudus_sync.cli.desk import Desk, open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.output import pair_of, print_json, print_table, say, utc
from nexudus_sync.clock import SystemClock
from nexudus_sync.engine.startup.assemble import load_mapping, plain_contexts
from nexudus_sync.errors import ConfigError, SyncError, storable
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.merge import UNSENT, kept_differently
from nexudus_sync.opportunity import hear
from nexudus_sync.opportunity import say as said
from nexudus_sync.store import Session, decisions, records
from nexudus_sync.store.history import last_after, newest
from nexudus_sync.store.tables import Decision, Fact, History, Link

_ASKED = "undo asked by"
"""Under which the facts tell who asked for an undo, by the decision's number."""


def history(root: Root, record: str | None, limit: int, *, as_json: bool) -> None:
    """Print the history, of one record or of all."""
    with open_desk(root) as desk, desk.store.read() as session:
        found = newest(session, desk.names(), record, limit)
        undone = undos(session, found)
    if as_json:
        print_json([as_row(one, undone) for one in found])
    else:
        print_history(found, undone)


@dataclass(frozen=True, slots=True)
class Undo:
    """The `undo` that caused an entry: of which one, and who asked for it, "" where that is not known."""

    number: int
    by: str = ""

    def __str__(self) -> str:
        """What stands in the table."""
        return f"undo {self.number}" + (f", asked by {self.by}" if self.by else "")


def undos(session: Session, found: list[History]) -> dict[int | None, Undo]:
    """The entries that a person's `undo` caused."""
    causes: dict[int | None, Undo] = {}
    for decision in decisions.undos_done(session):
        undone = session.get(History, decision.args["history_id"])
        caused = [one.id for one in found if undone is not None and _undoes(one, undone, decision)]
        causes |= dict.fromkeys(caused, Undo(decision.args["history_id"], _asker(session, decision)))
    return causes


def _asker(session: Session, decision: Decision) -> str:
    known = session.get(Fact, (_ASKED, str(decision.id)))
    return str(known.value) if known else ""


def _undoes(one: History, undone: History, decision: Decision) -> bool:
    pairs = [(entry.field, entry.nexudus_id, entry.crm_id) for entry in (one, undone)]
    while_done = decision.asked_at <= one.at <= (decision.done_at or decision.asked_at)
    return pairs[0] == pairs[1] and while_done and one.new == undone.old and one.id != undone.id


def print_history(found: list[History], undone: Mapping[int | None, Undo] | None = None) -> None:
    """A table of the history; `undone` says which entries a person's `undo` caused."""
    undone = undone or {}
    rows = [
        (
            one.id,
            one.at,
            one.field,
            one.old,
            one.new,
            one.lost,
            str(undone.get(one.id, one.from_side)),
            pair_of(one.nexudus_id, one.crm_id),
        )
        for one in found
    ]
    columns = ("id", "at (UTC)", "field", "old", "new", "lost", "from", "record")
    print_table(columns, rows, right=("id",), empty="Nothing was written over yet.")


def as_row(one: History, undone: Mapping[int | None, Undo]) -> dict[str, Any]:
    """An entry as the contract's JSON; what a person's `undo` caused is from "undo", and "by" whom where known."""
    cause = undone.get(one.id)
    return {
        "id": str(one.id),
        "at": utc(one.at),
        "connection": one.connection,
        "field": one.field,
        "old": one.old,
        "new": one.new,
        "lost": one.lost,
        "from": "undo" if cause else one.from_side,
        "nexudus_id": one.nexudus_id,
        "crm_id": one.crm_id,
        **({"by": cause.by} if cause and cause.by else {}),
    }


def undo(root: Root, number: int, *, force: bool) -> None:
    """Have the old value of an entry brought back. Raises ConfigError, SyncError."""
    with open_desk(root) as desk:
        with desk.store.read() as session:
            entry = session.get(History, number)
            if entry is None:
                raise no_such("history entry", number, "see `nexudus-sync history`")
            link = _link(session, desk, entry)
            now = None if force else _moved_on(session, desk, entry, link)
        where = f"{entry.field} of {pair_of(entry.nexudus_id, entry.crm_id)}"
        if now is not None and now[0] == entry.old:
            say(f"{where} is {entry.old!r} already; there is nothing to bring back.")
            return
        if now is not None:
            raise SyncError(
                f"{where} moved on since, to {now[0]!r}; add --force to bring {entry.old!r} back all the same"
            )
        args = {"history_id": number, "force": force}
        with desk.store.session() as session:
            asked = SystemClock().now()
            decision = Decision(connection=link.connection, kind="undo", args=args, asked_at=asked)
            session.add(decision)
            session.flush()
            session.merge(Fact(system=_ASKED, key=str(decision.id), value=_who()))
    say(f"{where} will be {entry.old!r} again on both sides, at the next cycle.")


def _who() -> str:
    """Who is at work here, as the system knows them; "" where it does not."""
    try:
        return storable(os.environ.get("SUDO_USER") or getpass.getuser())
    except (KeyError, OSError, ImportError):  # which of them depends on Python's version
        return ""


def _link(session: Session, desk: Desk, entry: History) -> Link:
    """The entry's pair. Raises ConfigError when no cycle would see to it, SyncError when it is not linked any more."""
    crms = {one.name: one.crm for one in desk.settings.connections}
    crm = crms.get(entry.connection, "")
    link = records.link_by(session, crm, nexudus_id=entry.nexudus_id, crm_id=entry.crm_id)
    for name in (entry.connection, *([link.connection] if link else [])):
        if name not in crms:
            remedy = "configure it again to bring the value back"
            raise ConfigError(f"history entry {entry.id}", f"its connection {name} is not configured", remedy)
    if link is None or link.state != "active":
        raise SyncError(
            f"{pair_of(entry.nexudus_id, entry.crm_id)} are not linked any more; nothing can be brought back"
        )
    return link


def _moved_on(session: Session, desk: Desk, entry: History, link: Link) -> tuple[Any] | None:
    """What the field says now as far as the store knows, if that is not what the entry says was written."""
    last = last_after(session, entry)
    if last is not None:
        return None if last.new == entry.new else (last.new,)
    return _snapshot_moved(desk, entry, link)


def _snapshot_moved(desk: Desk, entry: History, link: Link) -> tuple[Any] | None:
    """The CRM's snapshot says most values as they are; ids that only a directory explains are left to the cycle."""
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
