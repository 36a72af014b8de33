"""What follows from a confirmed create: the link, its snapshots, and what could not be delivered at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Facts, Record, Written
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import RECORD, show_failure
from nexudus_sync.engine.read.changes import differing, still_now
from nexudus_sync.engine.read.renderings import REPLY, rendering_of_raw, reply_of, show_renderings
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.read.zones import with_zone
from nexudus_sync.errors import AnsweredForAnother, Refused
from nexudus_sync.mapping import Context, Field, Side, Unmapped, Unreadable
from nexudus_sync.merge import UNSENT
from nexudus_sync.plan import Hold
from nexudus_sync.store import Session, conflicts, failures, links, open_items, records, unlinked
from nexudus_sync.store.tables import Journal, Link, Unlinked


def show_held(session: Session, connection: Connection, held: Iterable[Hold], nexudus_id: str, crm_id: str) -> None:
    """Show the values that a create left out because a rule or the other side held them back."""
    for hold in held:
        if hold.kind:
            show_failure(session, connection, (nexudus_id, crm_id), hold.kind, hold.reason, hold.field)


def foresee(connection: Connection, held: Iterable[Hold], nexudus_id: str, crm_id: str) -> None:
    """In a rehearsal: show what would wait for people after a create. The counterpart has no id yet."""
    with connection.store.session() as session:
        failures.solve_failures(session, connection.name, nexudus_id, crm_id)
        show_held(session, connection, held, nexudus_id, crm_id)


class NotCreated(Refused):
    """A record that must not be created on the other side; `kind` names the rule."""

    def __init__(self, system: str, kind: str, message: str, record: str) -> None:
        super().__init__(system, message, record)
        self.kind = kind


@dataclass(slots=True)
class Creation:
    """One record on its way to the other side."""

    source: Side
    record: Record
    facts: Facts
    context: Context
    after: Record = field(default_factory=dict)
    there: Context = field(default_factory=Context)
    held: list[Hold] = field(default_factory=list)
    """What is left out of it."""

    @property
    def to(self) -> Side:
        """The side on which it is created."""
        return self.source.other

    @property
    def origin(self) -> "Origin":
        """The record that is copied."""
        return Origin(self.facts.id, self.facts.identity, self.record, self.context)


def refuse_create(connection: Connection, creation: Creation, kind: str, reason: str) -> None:
    """Raises NotCreated for the record that was to be copied."""
    raise NotCreated(connection.connector(creation.source).name, kind, reason, creation.facts.id)


@dataclass(frozen=True, slots=True)
class Origin:
    """The record that a create copied, as last read: `record` is None if it has gone since."""

    id: str
    identity: str
    record: Record | None
    context: Context


@dataclass(frozen=True, slots=True)
class Made:
    """The record that a create made, as the system has it, and the context that reads it.

    `reply` is None if recovery found the record later, when both may have changed.
    """

    id: str
    record: Record
    context: Context
    reply: Written | None = None


def confirm_create(session: Session, connection: Connection, row: Journal, origin: Origin, made: Made) -> Link:
    """Store all that follows from a create, by its journal row and both records; returns the new link.

    What the create did not carry is still to be delivered, except for what counts as seen. Recovery calls it too: it
    confirms late. If the origin has gone by then, the link is closed, so that nothing is created back. To be called in
    the transaction that settles the row. Raises NotCreated if the system already had a record under the key or name
    that was sent, and that one is linked with another.
    """
    to, now = Side(row.side), connection.clock.now()
    ids = {to.other: origin.id, to: made.id}
    identities = {to.other: origin.identity, to: connection.facts(to, made.record).identity}
    if made.reply is not None:
        _refuse_taken(session, connection, row, origin, made.reply, identities[to])
    link = Link(
        crm=connection.crm,
        connection=connection.name,
        nexudus_id=ids[Side.NEXUDUS],
        nexudus_identity=identities[Side.NEXUDUS],
        crm_id=ids[Side.CRM],
        crm_identity=identities[Side.CRM],
        created_at=now,
    )
    session.add(link)
    unlinked.drop(session, connection.name, to.other, [origin.id])
    unlinked.drop(session, connection.name, to, [made.id])  # a record that had this id before
    failures.solve_failures(session, connection.name, link.nexudus_id, link.crm_id)
    conflicts.close_conflicts(session, connection.name, link.nexudus_id, link.crm_id, now=now, fields={RECORD})
    session.flush()
    if origin.record is None:
        link.state, link.closed_reason = "closed", "the original was deleted while its copy was being created"
    else:
        _remember(session, connection, row, link, origin, origin.record, made)
    records.mark_namesakes(session, link)
    return link


def _remember(
    session: Session, connection: Connection, row: Journal, link: Link, origin: Origin, record: Record, made: Made
) -> None:
    """Store both snapshots, the marks for another read, and what waits for people."""
    to, now = Side(row.side), connection.clock.now()
    source, target, told = _snapshots(connection, row, record, origin.context, made)
    stamp = made.reply.stamp if made.reply is not None else None
    target[REPLY] = reply_of(stamp, row.fields, {})
    link.half(to.other).snapshot = with_zone(source, origin.context)
    link.half(to).snapshot = with_zone(target, made.context)
    link.title, link.customer = connection.known_by(to.other, record)
    link.is_lost = connection.is_lost(Side.CRM, record if to is Side.NEXUDUS else made.record)
    if made.reply is None:  # was found by recovery: both may have been edited since
        link.mark_both(True)
    else:
        link.half(to.other).note(
            connection.connector(to.other).stamp(record).token, connection.connector(to.other).stamp(record).at, now
        )
        if stamp is not None:
            link.half(to).note(stamp.token, stamp.at, now)
        _mark_to_read(connection, link, to, Sight(record, origin.context), made, made.reply)
    show_held(session, connection, _accepted(connection, row), link.nexudus_id, link.crm_id)
    show_renderings(session, connection, link, told.items())


def _refuse_taken(
    session: Session, connection: Connection, row: Journal, origin: Origin, written: Written, identity: str
) -> None:
    """Refuse a reply that names a record known before: what was created is unknown then, unless the system tells."""
    to = Side(row.side)
    known = records.links_of(session, connection.crm, to, written.id, identity)
    if known and written.found:
        pair = f"{known[0].nexudus_id} is linked with {known[0].crm_id}"
        problem = f"{written.id} already has the key or name that its copy would get, and {pair}"
        raise NotCreated(connection.connector(to.other).name, "taken", problem, origin.id)
    waiting = session.get(Unlinked, (connection.name, to.value, written.id))
    if known or (not written.found and waiting is not None and same_identity(waiting.identity, identity)):
        problem = f"the reply to the create names {written.id}, which already existed; what was created is not known"
        raise AnsweredForAnother(connection.connector(to).name, problem, origin.id)


def _mark_to_read(connection: Connection, link: Link, to: Side, origin: Sight, made: Made, written: Written) -> None:
    """Mark the records to read again: where something is still to be delivered, or may have changed meanwhile."""
    pending = UNSENT in link.half(to.other).snapshot.values()
    read = replace(origin, stamp=connection.connector(to.other).stamp(origin.record))
    copy = Sight(made.record, made.context, written.stamp)
    link.half(to.other).must_read = pending or still_now(connection, to.other, read)
    different = written.echoed and bool(differing(connection, link, to, copy))
    again = different or written.stamp is None or still_now(connection, to, copy)
    unknown = to is Side.NEXUDUS and not link.nexudus_identity  # which no reply to a create tells
    link.half(to).must_read = pending or again or unknown
    for side, record in ((to, made.record), (to.other, origin.record)):
        if connection.connector(side).traits.rows_are_whole:
            link.half(side).digest = connection.digest(side, record)


def _snapshots(
    connection: Connection, row: Journal, record: Record, context: Context, made: Made
) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """Both sides' snapshots, and what to say of texts that the system keeps in a rendering.

    The sides agree on what the create carried, on what it left out and counts as seen, and on the source's blanks.
    """
    to, kept = Side(row.side), row.step.get("accepted", {})
    source, target, told = dict[str, Any](), dict[str, Any](), dict[str, str]()
    for mapped in connection.mapping.fields:
        here, there = mapped.lens(to.other), mapped.lens(to)
        raw, now = here.raw(record), there.raw(made.record)
        if mapped.name in kept:
            raw = kept[mapped.name]["raw"]
        elif mapped.name in row.fields:
            carried = row.fields[mapped.name]
            if reason := rendering_of_raw(mapped, to, carried["sent"], now, made.context):
                told[mapped.name] = reason
            raw, now = carried["raw"], now if reason else carried["sent"]
        elif _is_undelivered(mapped, to, record, context, made.context):
            raw = dict(UNSENT)
        else:
            now = None
        source[here.path.text], target[there.path.text] = raw, now
    return source, target, told


def _is_undelivered(mapped: Field, to: Side, record: Record, context: Context, there: Context) -> bool:
    """Does the source have a value that the create did not carry?"""
    if to.other not in mapped.sources:
        return False
    try:
        value = mapped.get(to.other, record, context)
        return value is not None and mapped.lens(to).raw(mapped.put(to, value, {}, there)) is not None
    except (Unmapped, Unreadable):
        return True


def _accepted(connection: Connection, row: Journal) -> list[Hold]:
    """What the create left out and counts as seen; the rows of earlier versions do not tell."""
    kept = row.step.get("accepted", {})
    return [
        Hold(kept[field.name]["kind"], kept[field.name]["reason"], field.name, counts_as_seen=True)
        for field in connection.mapping.fields
        if field.name in kept
    ]


@dataclass(frozen=True, slots=True)
class Match:
    """Two existing records to be linked: their ids and identities, Nexudus's first."""

    ids: tuple[str, str]
    identities: tuple[str, str]


def link_records(session: Session, connection: Connection, matches: Sequence[Match]) -> list[int]:
    """Link these records; they are merged as a first match when the links are settled. Returns the links, in order."""
    now, name = connection.clock.now(), connection.name
    made = links.make(session, [_new_link(connection, one, now) for one in matches])
    for index, side in enumerate(Side):
        unlinked.drop(session, name, side, [one.ids[index] for one in matches])
    for about in open_items.about(session, name, (one.ids for one in matches)).values():
        conflicts.close((one for one in about.conflicts if one.field == RECORD), now)
        failures.solve(about.failures)
    return made


def _new_link(connection: Connection, match: Match, now: datetime) -> dict[str, Any]:
    return {
        "crm": connection.crm,
        "connection": connection.name,
        "nexudus_id": match.ids[0],
        "nexudus_identity": match.identities[0],
        "crm_id": match.ids[1],
        "crm_identity": match.identities[1],
        "nexudus_recheck": True,
        "crm_recheck": True,
        "created_at": now,
    }
