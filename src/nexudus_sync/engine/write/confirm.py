"""What follows from a confirmed update or delete: snapshots, history, and the end of a link."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Any

from nexudus_sync.connectors.base import Record, Stamp
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import close_link, close_rewritten
from nexudus_sync.engine.read.changes import value_or_none
from nexudus_sync.engine.read.renderings import REPLY, rendering, reply_of, show_renderings
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Context, Field, Raw, Side
from nexudus_sync.merge import UNSENT, Outcome, View
from nexudus_sync.opportunity import Value, say
from nexudus_sync.store import Session, failures, history, open_items
from nexudus_sync.store.history import BY_PERSON
from nexudus_sync.store.tables import Conflict, History, Journal, Link

_TOLD = ("old", "new", "lost")
"""What a journal row says of a value, and the history after it."""
_SAID = ("from_side", *_TOLD)


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a write: the record as the system has it now, and the context that reads it.

    `stamp` is the one named by the reply itself; None if it named none, or if recovery found the record later, which
    somebody may have changed since.
    """

    record: Record
    context: Context
    stamp: Stamp | None = None


def confirm_update(
    session: Session,
    connection: Connection,
    row: Journal,
    link: Link,
    delivered: Iterable[Field],
    done: Done,
    source: Context,
) -> None:
    """Store all that follows from an update, by its journal row and the record as it is now.

    Both snapshots move for the `delivered` fields, and the history keeps what was written over. Recovery calls it too:
    it confirms late. To be called in the transaction that settles the row. `source` reads the side that the values came
    from, which says what travelled: what was sent may be the default for it.
    """
    to, told, values = Side(row.side), dict[str, str](), dict[str, tuple[Field, MappingABC[Side, Value]]]()
    here, there = dict(link.half(to.other).snapshot), dict(link.half(to).snapshot)
    items = open_items.of_pair(session, connection.name, link.pair)
    answered = {one.field: one for one in items.conflicts if one.state == "resolved"}
    for field in delivered:
        carried = row.fields[field.name]
        origin = value_or_none(field, to.other, carried["raw"], source)
        value = origin if say(origin) == carried["new"] else value_or_none(field, to, carried["sent"], done.context)
        there[field.lens(to).path.text], told[field.name] = _arrived(field, to, carried["sent"], value, done)
        if not field.same(origin, value):
            there[field.lens(to).path.text] = dict(UNSENT)  # was an undo: the other side is still to be given it
        here[field.lens(to.other).path.text] = dict(UNSENT) if carried.get("apart") else carried["raw"]
        entry = history_entry(connection, link, field, to.other, **{name: carried[name] for name in _TOLD})
        _tell(session, entry, carried.get("decided"), answered.get(field.name))
        values[field.name] = (field, dict.fromkeys(Side, value))
    whole = connection.connector(to).traits.reads_before_write  # such an update sends every field, changed or not
    there[REPLY] = reply_of(done.stamp, [*told, *(f.name for f in connection.mapping.fields if whole)], there)
    link.half(to).snapshot = there
    link.half(to.other).snapshot = here
    if done.stamp is not None:
        link.half(to).note(done.stamp.token, done.stamp.at, connection.clock.now())
    link.half(to).must_read = True  # until it was looked at: the server may have changed more than was sent
    close_rewritten(items.conflicts, values, connection.clock.now())
    failures.solve(items.failures, fields=values.keys())
    show_renderings(session, connection, link, told.items())
    session.add(link)


def _tell(session: Session, entry: History, typed: Sequence[Any] | None, answer: Conflict | None) -> None:
    """Keep a history entry; one alone for both writes of a value that a person `typed`, with what both sides said."""
    entry.decided_by = "" if answer is None else answer.decided_by
    if typed is not None:
        entry.from_side, (entry.old, entry.lost) = BY_PERSON, typed
        before, since = history.last_of(session, entry), None if answer is None else answer.decided_at
        same = before is not None and all(getattr(before, name) == getattr(entry, name) for name in _SAID)
        if before is not None and same and (since is None or before.at >= since):
            return
    session.add(entry)


def _arrived(field: Field, to: Side, sent: Raw, value: Value, done: Done) -> tuple[Any, str]:
    """A field's snapshot after it was written, and what to say if the system keeps a rendering of it."""
    raw = field.lens(to).raw(done.record)
    told = rendering(field, to, value, raw, done.context)
    alike = told or field.same(value_or_none(field, to, raw, done.context), value)
    return raw if alike else sent, told


def note_begun(link: Link, to: Side, begun: Iterable[Field], record: Record) -> None:
    """A value that a write only began, for later steps to complete, is not a change of the side it was written to.

    The other side's value is still to be delivered, by those steps or after a crash.
    """
    lenses = [field.lens(to) for field in begun]
    left = {lens.path.text: lens.raw(record) for lens in lenses}
    link.half(to).snapshot = {**link.half(to).snapshot, **left}


def close_and_count(session: Session, connection: Connection, report: Report, link: Link, reason: str) -> None:
    """Close a link, and count it in the report."""
    close_link(session, link, reason, connection.clock.now())
    report.closed += 1


def intent_fields(
    outcomes: Iterable[Outcome], source: View, target: View, after: MappingABC[str, Any]
) -> dict[str, Any]:
    """What a journal row keeps of the values it carries."""
    return {
        o.field.name: {
            "old": say(o.nexudus if o.to is Side.NEXUDUS else o.crm),
            "new": say(o.value),
            "lost": say(o.lost),
            "raw": o.field.lens(o.to.other).raw(source.record),
            "over": o.field.lens(o.to).raw(target.record),
            "sent": o.field.lens(o.to).raw(after),
            **({} if o.decided is None else {"decided": [o.decided.nexudus, o.decided.crm]}),
            **({"apart": True} if o.apart else {}),
        }
        for o in outcomes
        if o.to is not None
    }


def history_entry(
    connection: Connection, link: Link, field: Field, source: Side, *, old: Any, new: Any, lost: Any
) -> History:
    """A line of the history: a field's value, as `say` writes it, was replaced by the one from `source`."""
    return History(
        at=connection.clock.now(),
        connection=connection.name,
        field=field.name,
        old=old,
        new=new,
        lost=lost,
        from_side=source.value,
        nexudus_id=link.nexudus_id,
        crm_id=link.crm_id,
    )
