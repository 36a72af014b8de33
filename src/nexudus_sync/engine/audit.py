"""Find edits that fell between our read and our write of a system without a lock, by what it tells of its changes.

A value that a person wrote and our write replaced without having seen it is shown as a conflict and kept in the
history, so it can be brought back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from nexudus_sync import codec
from nexudus_sync.connectors.base import Audited, Connector, Record, Sent
from nexudus_sync.connectors.optional import KeepsHistories, KeepsTrail
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import ask, close_overtaken, note_failure, of_record
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.engine.read.sight import rebuilt
from nexudus_sync.engine.write.confirm import history_entry
from nexudus_sync.engine.write.perform import step_from
from nexudus_sync.errors import ConnectorError, NotFound
from nexudus_sync.mapping import Context, Field, Side, Unreadable
from nexudus_sync.mapping.context import sets_aside
from nexudus_sync.opportunity import Value, say
from nexudus_sync.store import Session, conflicts, journal, records
from nexudus_sync.store.tables import ConflictKind, Fact, Journal, Link

MARGIN = timedelta(hours=1)
FIRST, GIVEN_UP = timedelta(days=2), timedelta(days=30)
"""How far back the trail is read the first time, and for how long a change is retried whose card cannot be read."""
UNREADABLE_VALUE = "\0"
"""Stands for a value that cannot be read; no record has it."""
GAP = timedelta(minutes=2)
"""A person's change this close before ours may have fallen between our read and our write."""


@dataclass(frozen=True, slots=True)
class TrailPosition:
    """How far the trail was read: up to entry `number` at the moment `until`, except for the entries `unread`."""

    until: datetime
    number: int = 0
    unread: tuple[int, ...] = ()

    @classmethod
    def kept(cls, fact: Fact | None, now: datetime) -> "TrailPosition":
        """As the store has it. A moment in the future was noted while the clock was ahead."""
        kept = fact.value if fact is not None and isinstance(fact.value, dict) else {}
        until = datetime.fromisoformat(kept["until"]) if kept else now - FIRST
        return cls(min(until, now), kept.get("number", 0), tuple(kept.get("unread", ())))

    def is_new(self, entry: Audited, since: datetime) -> bool:
        """Is an entry unread? `since` is `until` by the server's clock: a restored server numbers from lower on."""
        late = not self.unread and entry.at > since + MARGIN  # within it, the last reading may have had it
        return late or entry.number > self.number or entry.number in self.unread

    def value(self) -> dict[str, Any]:
        """As the store keeps it."""
        return {"until": self.until.isoformat(), "number": self.number, "unread": list(self.unread)}


@dataclass(frozen=True, slots=True)
class Said:
    """The lost and the kept value, what the record says now, and the values that the write knew it replaced.

    `there` is what the other side says: the kept value, unless it has no word for that.
    """

    lost: Value
    kept: Value
    now: Value
    there: Value
    known: Sequence[Value] = ()

    def was_known(self, field: Field) -> bool:
        """Did the write know the lost value, perhaps spelt otherwise?"""
        return any(field.same(one, self.lost) for one in self.known)


async def audit(cycle: Cycle) -> None:
    """Show what was overwritten unseen. Failing to read it now does not fail the cycle: the next sweep tries again."""
    connection = cycle.connection
    if connection.dry:
        return
    with connection.store.session() as session:
        close_overtaken(session, connection)
    for side in Side:
        try:
            await find_overwritten(connection, side)
        except ConnectorError as error:
            cycle.report.errors.append(str(of_record(error)))


async def find_overwritten(connection: Connection, side: Side) -> int:
    """Show the values of a side that our writes overwrote unseen since its trail was last read; returns how many.

    For all connections to the CRM: a card may be in another one's scope by then. Raises the `ConnectorError` tree.
    """
    connector = connection.connector(side)
    now, key = connection.clock.now(), f"trail {connection.crm}"
    with connection.store.read() as session:
        read = _position(session, connection, connector.name, now)
    entries = await _changes(connection, side, read.until)
    if entries is None:
        return 0
    since = _server_time(connection, side, read.until)
    new = (pair for pair in _overwritten(entries) if read.is_new(pair[1], since))
    found, unread = 0, list[int]()
    for theirs, ours in new:
        home, link = _link_of(connection, side, ours.record_id)
        try:
            found += 0 if link is None else await _show_overwritten(home, link, side, theirs, ours)
        except NotFound:
            continue  # deleted since
        except Exception as error:
            with connection.store.session() as session:
                ids = {"nexudus_id" if side is Side.NEXUDUS else "crm_id": ours.record_id}
                note_failure(session, home, of_record(error), **ids)
            unread.append(ours.number)
    newest = max((read.number, *(entry.number for entry in entries)))
    # unread entries are retried from the same moment on, until they are given up
    until = max(read.until, now - GIVEN_UP) if unread else now
    with connection.store.session() as session:
        session.merge(Fact(system=connector.name, key=key, value=TrailPosition(until, newest, tuple(unread)).value()))
    return found


async def _changes(connection: Connection, side: Side, since: datetime) -> list[Audited] | None:
    """What the system tells of its changes since then (our clock), or of those of the records that we wrote to since.

    None if it tells nothing, or may not be asked.
    """
    connector = connection.connector(side)
    if isinstance(connector, KeepsTrail):
        return await connector.trail(_server_time(connection, side, since - MARGIN))
    if not isinstance(connector, KeepsHistories):
        return None
    with connection.store.read() as session:
        rows = journal.written_since(session, connection.crm, side, since, since - MARGIN)
        sent = [_sent(connection, side, row, link) for row, link in rows]
    return await connector.histories(sent) if sent else []


def _sent(connection: Connection, side: Side, row: Journal, link: Link) -> Sent:
    done = None if row.done_at is None else _server_time(connection, side, row.done_at)
    at = _server_time(connection, side, row.sent_at or row.planned_at)
    return Sent(link.half(side).id, step_from(row.step), at, done)


def _position(session: Session, connection: Connection, system: str, now: datetime) -> TrailPosition:
    """How far the trail was read; earlier versions kept that per connection."""
    names = (connection.crm, *sorted(one.name for one in (connection, *connection.siblings)))
    first, *earlier = (session.get(Fact, (system, f"trail {name}")) for name in names)
    found = [first] if first is not None else [one for one in earlier if one is not None]
    positions = [TrailPosition.kept(one, now) for one in found] or [TrailPosition.kept(None, now)]
    return min(positions, key=lambda one: one.until)


def _link_of(connection: Connection, side: Side, record_id: str) -> tuple[Connection, Link | None]:
    """The link of a record, and the connection that has it."""
    with connection.store.read() as session:
        ids = {"nexudus_id" if side is Side.NEXUDUS else "crm_id": record_id}
        link = records.link_by(session, connection.crm, **ids)
    known = (one for one in (connection, *connection.siblings) if link is not None and one.name == link.connection)
    home = next(known, None)
    return (connection, None) if home is None else (home, link)


def _server_time(connection: Connection, side: Side, moment: datetime) -> datetime:
    return moment + timedelta(seconds=connection.connector(side).clock_offset() or 0.0)


def _overwritten(entries: list[Audited]) -> list[tuple[Audited, Audited]]:
    """Pairs of a person's change and our change right after it that replaced exactly its value."""
    last: dict[tuple[str, str], Audited] = {}
    pairs = []
    for entry in entries:
        before = last.get((entry.record_id, entry.key))
        replaced = before is not None and not before.own and before.new == entry.old
        if before is not None and entry.own and replaced and (entry.sent or entry.at) - before.at <= GAP:
            pairs.append((before, entry))
        last[entry.record_id, entry.key] = entry
    return pairs


async def _show_overwritten(connection: Connection, link: Link, side: Side, theirs: Audited, ours: Audited) -> int:
    field = next((f for f in connection.mapping.fields if f.lens(side).path.root == ours.key), None)
    if field is None:
        return 0
    with connection.store.read() as session:
        replaced = _replaced(session, connection, link, side, field, ours)
    if replaced is None or ours.old in replaced:
        return 0
    said = await _values(connection, link, side, field, (theirs.new, ours.new), replaced)
    if said is None or said.was_known(field) or field.same(said.lost, said.kept):
        return 0
    lost, kept = say(said.lost), say(said.kept)
    moved_on = not field.same(said.now, said.kept)  # somebody wrote a newer one
    with connection.store.session() as session:
        if not (moved_on or _has_field_question(session, connection, link, field)):
            shown, reason = {side: lost, side.other: say(said.there)}, _reason(connection.connector(side), theirs, ours)
            ask(session, connection, link, field.name, shown, kind=ConflictKind.OVERWRITTEN, side=side, reason=reason)
        session.add(history_entry(connection, link, field, side.other, old=lost, new=kept, lost=lost))
    return 1


def _reason(connector: Connector, theirs: Audited, ours: Audited) -> str:
    title = getattr(connector, "title", connector.name)  # a connector need not have one
    by = f"; {theirs.author} had written it" if theirs.author else ""
    return f"overwritten between our read and our write at {ours.at:%Y-%m-%d %H:%M:%S} UTC; {title} has no lock{by}"


def _has_field_question(session: Session, connection: Connection, link: Link, field: Field) -> bool:
    """Is a person already asked about two newer values of the field? Then only the history keeps the lost one."""
    about = conflicts.unclosed(session, connection.name, link.nexudus_id, link.crm_id)
    return any(one.field == field.name and one.reason is None for one in about)


def _replaced(
    session: Session, connection: Connection, link: Link, side: Side, field: Field, ours: Audited
) -> list[Any] | None:
    """The raw values that our writes at that time knew they replaced: the history has them already.

    None if the change is a side effect of a stage, of which the write did not say what it replaces besides.
    """
    known = []
    for row in _writes(session, connection, link, side, ours):
        over = step_from(row.step).over
        if ours.key in over:
            known.append(over[ours.key])
        elif field.name == "status" and "sales_stage" in row.fields:
            return None
        elif field.name in row.fields:
            known.append(row.fields[field.name].get("over"))
    return known


def _writes(session: Session, connection: Connection, link: Link, side: Side, ours: Audited) -> list[Journal]:
    """The writes that may have made a change of ours: all of that time, unless it is known which one it was."""
    at = connection.our_time(side, ours.sent or ours.at) or ours.at
    rows = journal.sent_between(session, link, side, at - GAP, at + GAP)
    return rows if ours.sent is None else sorted(rows, key=lambda row: abs((row.sent_at or at) - at))[:1]


async def _values(
    connection: Connection, link: Link, side: Side, field: Field, values: tuple[Any, Any], known: list[Any]
) -> Said | None:
    """What the values of a change mean, and what the record says now; `known`: what the write knew it replaced.

    None if one of them cannot be read, or says nothing to the other side, which has no word for it.
    """
    lens, half = field.lens(side), link.half(side)
    record: Record = await fetch(connection, side, half.id, half.identity)
    context = await connection.context(side, record)
    lost, kept, now, *seen = (_value(field, side, raw, context) for raw in (*values, lens.raw(record), *known))
    said = Said(lost, kept, now, kept, seen)
    if any(sets_aside(lens.kind.directory(context), raw) for raw in values):
        other = rebuilt(connection.mapping, side.other, link.half(side.other).snapshot)
        there = await connection.context(side.other, other)
        alone, since = (field.is_aside(side, lens.path.set({}, raw), context, there) for raw in values)
        if alone:
            return None
        if since:
            said = replace(said, there=_value(field, side.other, field.lens(side.other).raw(other), there))
    return None if UNREADABLE_VALUE in (lost, kept) else said


def _value(field: Field, side: Side, raw: Any, context: Context) -> Value:
    """A value of the trail, read by the field's lens; `UNREADABLE_VALUE` if that fails.

    The trail keeps all values as text, which may stand for a number or a truth value.
    """
    for spelt in (raw, *_other_types(raw)):
        try:
            return field.read(side, spelt, context)
        except Unreadable:
            continue
    return UNREADABLE_VALUE


def _other_types(raw: Any) -> list[Any]:
    if not isinstance(raw, str):
        return [codec.dumps(raw)]
    try:
        return [codec.loads(raw)]
    except ValueError:
        return []
