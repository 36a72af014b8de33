"""Find edits that fell between our read and our write of a system without a lock, by its own audit trail.

A value that a person wrote and our write replaced without having seen it is shown as a conflict and kept in the
history, so it can be brought back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nexudus_sync import codec
from nexudus_sync.connectors.base import Audited, Record
from nexudus_sync.connectors.optional import KeepsTrail
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import ask, close_overtaken, note_failure, of_record
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.engine.write.confirm import history_entry
from nexudus_sync.errors import NotFound, Unavailable
from nexudus_sync.mapping import Context, Field, Side, Unreadable
from nexudus_sync.opportunity import Value, say
from nexudus_sync.store import Session, conflicts, journal, records
from nexudus_sync.store.tables import ConflictKind, Fact, Link

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


async def audit(cycle: Cycle) -> None:
    """Show what was overwritten unseen. Failing to read it now does not fail the cycle: the next sweep tries again."""
    if cycle.connection.dry:
        return
    try:
        await find_overwritten(cycle.connection)
    except Unavailable as error:
        cycle.report.errors.append(str(error))


async def find_overwritten(connection: Connection) -> int:
    """Show the values that our writes overwrote unseen since the trail was last read; returns how many.

    For all connections to the CRM: a card may be in another one's scope by then.
    """
    connector = connection.connector(Side.NEXUDUS)
    with connection.store.session() as session:
        close_overtaken(session, connection)
    if not isinstance(connector, KeepsTrail):
        return 0
    now, key = connection.clock.now(), f"trail {connection.crm}"
    with connection.store.read() as session:
        read = _position(session, connection, connector.name, now)
    entries = await connector.trail(_server_time(connection, read.until - MARGIN))
    if entries is None:
        return 0
    since = _server_time(connection, read.until)
    new = (pair for pair in _overwritten(entries) if read.is_new(pair[1], since))
    found, unread = 0, list[int]()
    for theirs, ours in new:
        home, link = _link_of_card(connection, ours.record_id)
        try:
            found += 0 if link is None else await _show_overwritten(home, link, theirs, ours)
        except NotFound:
            continue  # deleted since
        except Exception as error:
            with connection.store.session() as session:
                note_failure(session, home, of_record(error), nexudus_id=ours.record_id)
            unread.append(ours.number)
    newest = max((read.number, *(entry.number for entry in entries)))
    # unread entries are retried from the same moment on, until they are given up
    until = max(read.until, now - GIVEN_UP) if unread else now
    with connection.store.session() as session:
        session.merge(Fact(system=connector.name, key=key, value=TrailPosition(until, newest, tuple(unread)).value()))
    return found


def _position(session: Session, connection: Connection, system: str, now: datetime) -> TrailPosition:
    """How far the trail was read; earlier versions kept that per connection."""
    names = (connection.crm, *sorted(one.name for one in (connection, *connection.siblings)))
    first, *earlier = (session.get(Fact, (system, f"trail {name}")) for name in names)
    found = [first] if first is not None else [one for one in earlier if one is not None]
    positions = [TrailPosition.kept(one, now) for one in found] or [TrailPosition.kept(None, now)]
    return min(positions, key=lambda one: one.until)


def _link_of_card(connection: Connection, record_id: str) -> tuple[Connection, Link | None]:
    """The link of a card, and the connection that has it."""
    with connection.store.read() as session:
        link = records.link_by(session, connection.crm, nexudus_id=record_id)
    known = (one for one in (connection, *connection.siblings) if link is not None and one.name == link.connection)
    home = next(known, None)
    return (connection, None) if home is None else (home, link)


def _server_time(connection: Connection, moment: datetime) -> datetime:
    return moment + timedelta(seconds=connection.connector(Side.NEXUDUS).clock_offset() or 0.0)


def _overwritten(entries: list[Audited]) -> list[tuple[Audited, Audited]]:
    """Pairs of a person's change and our change right after it that replaced exactly its value."""
    last: dict[tuple[str, str], Audited] = {}
    pairs = []
    for entry in entries:
        before = last.get((entry.record_id, entry.key))
        replaced = before is not None and not before.own and before.new == entry.old
        if before is not None and entry.own and replaced and entry.at - before.at <= GAP:
            pairs.append((before, entry))
        last[entry.record_id, entry.key] = entry
    return pairs


async def _show_overwritten(connection: Connection, link: Link, theirs: Audited, ours: Audited) -> int:
    field = next((f for f in connection.mapping.fields if f.nexudus.path.root == ours.key), None)
    if field is None:
        return 0
    with connection.store.read() as session:
        replaced = _replaced(session, connection, link, field, ours)
    if replaced is None or ours.old in replaced:
        return 0
    lost_value, kept_value, now_value, *known = await _values(connection, link, field, (theirs.new, ours.new), replaced)
    if any(field.same(one, lost_value) for one in known):
        return 0  # spelt otherwise, but known to the write
    if UNREADABLE_VALUE in (lost_value, kept_value) or field.same(lost_value, kept_value):
        return 0
    lost, kept = say(lost_value), say(kept_value)
    moved_on = not field.same(now_value, kept_value)  # somebody wrote a newer one
    reason = f"overwritten between our read and our write at {ours.at:%Y-%m-%d %H:%M:%S} UTC; Nexudus has no lock"
    with connection.store.session() as session:
        if not (moved_on or _has_field_question(session, connection, link, field)):
            shown = {Side.NEXUDUS: lost, Side.CRM: kept}
            ask(session, connection, link, field.name, shown, kind=ConflictKind.OVERWRITTEN, reason=reason)
        session.add(history_entry(connection, link, field, Side.CRM, old=lost, new=kept, lost=lost))
    return 1


def _has_field_question(session: Session, connection: Connection, link: Link, field: Field) -> bool:
    """Is a person already asked about two newer values of the field? Then only the history keeps the lost one."""
    about = conflicts.unclosed(session, connection.name, link.nexudus_id, link.crm_id)
    return any(one.field == field.name and one.reason is None for one in about)


def _replaced(session: Session, connection: Connection, link: Link, field: Field, ours: Audited) -> list[Any] | None:
    """The raw values that our writes at that time knew they replaced: the history has them already.

    None if the change is a side effect of a stage.
    """
    at = connection.our_time(Side.NEXUDUS, ours.at) or ours.at
    rows = journal.sent_between(session, link, Side.NEXUDUS, at - GAP, at + GAP)
    if field.name == "status" and any("sales_stage" in row.fields for row in rows):
        return None
    return [row.fields[field.name].get("over") for row in rows if field.name in row.fields]


async def _values(
    connection: Connection, link: Link, field: Field, values: tuple[Any, Any], known: list[Any]
) -> list[Value]:
    """The lost and the kept value, the card's value now, and the values that the write knew it replaced."""
    record: Record = await fetch(connection, Side.NEXUDUS, link.nexudus_id, link.nexudus_identity)
    context = await connection.context(Side.NEXUDUS, record)
    return [_value(field, raw, context) for raw in (*values, field.nexudus.raw(record), *known)]


def _value(field: Field, raw: Any, context: Context) -> Value:
    """A value of the trail, read by the field's lens; `UNREADABLE_VALUE` if that fails.

    The trail keeps all values as text, which may stand for a number or a truth value.
    """
    for spelt in (raw, *_other_types(raw)):
        try:
            return field.read(Side.NEXUDUS, spelt, context)
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
