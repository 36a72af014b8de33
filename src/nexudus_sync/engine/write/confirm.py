"""What follows from a confirmed update or delete: snapshots, history, and the end of a link."""

from collections.abc import Iterable, Mapping
from collections.abc import Mapping as MappingABC
from typing import Any

from sqlmodel import Session

from nexudus_sync.connectors.base import Record, Written
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import close_rewritten, end
from nexudus_sync.engine.read.changes import value_or_none
from nexudus_sync.engine.read.renderings import REPLY, rendering, reply_of, show_all
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.read.snapshots import set_mark, set_snapshot, set_stamp, snapshot_of
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.another import forget_others
from nexudus_sync.mapping import Field, Side
from nexudus_sync.merge import UNSENT, Outcome, View
from nexudus_sync.opportunity import say
from nexudus_sync.plan import sent_snapshot
from nexudus_sync.store import failures
from nexudus_sync.store.tables import History, Link


def confirm_write(
    session: Session,
    connection: Connection,
    link: Link,
    to: Side,
    delivered: Iterable[Outcome],
    sent: Record,
    sights: Mapping[Side, Sight],
    written: Written,
) -> None:
    """In the confirming transaction: both snapshots move for what was delivered, the history keeps what was there."""
    outcomes, source, told = tuple(delivered), sights[to.other].record, dict[str, str]()
    snapshot = sent_snapshot(outcomes, to, snapshot_of(link, to), sent, to)
    for outcome in outcomes:
        lens, context = outcome.field.lens(to), sights[to].context
        raw = lens.raw(written.record)
        told[outcome.field.name] = rendering(outcome.field, to, outcome.value, raw, context)
        if told[outcome.field.name] or outcome.field.same(
            value_or_none(outcome.field, to, raw, context), outcome.value
        ):
            snapshot[lens.path.text] = raw
        origin = outcome.field.lens(to.other).raw(source)
        if not outcome.field.same(
            value_or_none(outcome.field, to.other, origin, sights[to.other].context), outcome.value
        ):
            snapshot[lens.path.text] = dict(UNSENT)  # an undo: the other side has yet to be given it
    whole = connection.connector(to).traits.reads_before_write  # such an update sends every field, changed or not
    snapshot[REPLY] = reply_of(written.stamp, [*told, *(f.name for f in connection.mapping.fields if whole)], snapshot)
    set_snapshot(link, to, snapshot)
    set_snapshot(link, to.other, sent_snapshot(outcomes, to.other, snapshot_of(link, to.other), source, to))
    if written.stamp is not None:
        set_stamp(link, to, written.stamp, connection.clock.now())
    set_mark(link, to, True)  # the server may have moved more than was sent: a crash comes before that is looked at
    forget_others(link, to)
    keep_history(session, connection, link, to, outcomes)
    close_rewritten(session, connection, link, outcomes)
    names = {outcome.field.name for outcome in outcomes}
    failures.solve_failures(session, connection.name, link.nexudus_id, link.crm_id, fields=names)
    show_all(session, connection, link, told.items())
    session.add(link)


def note_begun(link: Link, to: Side, begun: Iterable[Field], record: Record) -> None:
    """What a write left that others have yet to complete is no change of the side it was written to.

    The other side's value is still to be delivered, by them or after a crash.
    """
    lenses = [field.lens(to) for field in begun]
    left = {lens.path.text: lens.raw(record) for lens in lenses}
    set_snapshot(link, to, {**snapshot_of(link, to), **left})


def close(session: Session, connection: Connection, report: Report, link: Link, reason: str) -> None:
    """End a link: neither record is created again by itself."""
    end(session, link, reason, connection.clock.now())
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
        }
        for o in outcomes
        if o.to is not None
    }


def keep_history(session: Session, connection: Connection, link: Link, to: Side, outcomes: Iterable[Outcome]) -> None:
    """Keep what was written over, so that it can be brought back."""
    for outcome in outcomes:
        old = say(outcome.nexudus if to is Side.NEXUDUS else outcome.crm)
        values = {"old": old, "new": say(outcome.value), "lost": say(outcome.lost)}
        session.add(history_entry(connection, link, outcome.field, to.other, **values))


def history_entry(
    connection: Connection, link: Link, field: Field, source: Side, *, old: Any, new: Any, lost: Any
) -> History:
    """A line of the history: a field's value, as `say` writes it, was written over by what came from `source`."""
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
