"""What follows from a confirmed create: the link, its snapshots, and what could not be said at once."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Facts, Record, Step, Written
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import RECORD
from nexudus_sync.engine.read.changes import differing, still_now
from nexudus_sync.engine.read.renderings import REPLY, made_of, reply_of, show_all
from nexudus_sync.engine.read.sight import Sight, with_zone
from nexudus_sync.engine.read.snapshots import set_digest, set_mark, set_stamp, snapshot_of
from nexudus_sync.errors import AnsweredForAnother, Refused
from nexudus_sync.mapping import Context, Field, Side
from nexudus_sync.merge import UNSENT
from nexudus_sync.store import conflicts, failures, records
from nexudus_sync.store.tables import Link, Unlinked


@dataclass(slots=True)
class Parked:
    """A field a create could not carry. `accept`: it counts as seen all the same."""

    field: Field
    kind: str
    reason: str
    accept: bool = False


def show_parked(
    session: Session, connection: Connection, parked: Iterable[Parked], nexudus_id: str, crm_id: str
) -> None:
    """Show what a create could not carry, where a rule or the other side held it back."""
    for held in parked:
        if held.kind:
            failures.open_failure(
                session,
                connection=connection.name,
                kind=held.kind,
                field=held.field.name,
                reason=held.reason,
                nexudus_id=nexudus_id,
                crm_id=crm_id,
                now=connection.clock.now(),
            )


def foresee(connection: Connection, parked: Iterable[Parked], nexudus_id: str, crm_id: str) -> None:
    """In a rehearsal: what would wait for people after a create. The counterpart has no id yet."""
    with connection.store.session() as session:
        failures.solve_failures(session, connection.name, nexudus_id, crm_id)
        show_parked(session, connection, parked, nexudus_id, crm_id)


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
    parked: list[Parked] = field(default_factory=list)

    @property
    def to(self) -> Side:
        """Where it is created."""
        return self.source.other


def refuse_create(connection: Connection, creation: Creation, kind: str, reason: str) -> None:
    """Raises NotCreated for the record that was to be copied."""
    raise NotCreated(connection.connector(creation.source).name, kind, reason, creation.facts.id)


def link_created(session: Session, connection: Connection, creation: Creation, step: Step, written: Written) -> Link:
    """The link of a record and the counterpart just created, in the confirming transaction.

    Raises NotCreated where the system had one under the key or name that was sent, and that is linked with another.
    """
    now = connection.clock.now()
    ids = {creation.source: creation.facts.id, creation.to: written.id}
    identities = {
        creation.source: creation.facts.identity,
        creation.to: connection.facts(creation.to, written.record).identity,
    }
    _refuse_taken(session, connection, creation, written, identities[creation.to])
    told = made_of(connection.mapping, creation.to, creation.after, written.record, creation.there)
    snapshots = _snapshots(connection, creation, step, written, told)
    crm_record = creation.record if creation.source is Side.CRM else written.record
    link = Link(
        crm=connection.crm,
        connection=connection.name,
        nexudus_id=ids[Side.NEXUDUS],
        nexudus_identity=identities[Side.NEXUDUS],
        crm_id=ids[Side.CRM],
        crm_identity=identities[Side.CRM],
        nexudus_snapshot=snapshots[Side.NEXUDUS],
        crm_snapshot=snapshots[Side.CRM],
        created_at=now,
        is_lost=connection.is_lost(Side.CRM, crm_record),
    )
    set_stamp(link, creation.source, connection.connector(creation.source).stamp(creation.record), now)
    if written.stamp is not None:
        set_stamp(link, creation.to, written.stamp, now)
    _mark(connection, creation, link, written)
    session.add(link)
    forget(session, connection, creation.source, creation.facts.id)
    forget(session, connection, creation.to, written.id)  # a record that had this id before
    failures.solve_failures(session, connection.name, ids[Side.NEXUDUS], ids[Side.CRM])
    conflicts.close_conflicts(session, connection.name, ids[Side.NEXUDUS], ids[Side.CRM], now=now, fields={RECORD})
    session.flush()
    records.mark_namesakes(session, link)
    show_parked(session, connection, creation.parked, link.nexudus_id, link.crm_id)
    show_all(session, connection, link, told.items())
    return link


def _refuse_taken(
    session: Session, connection: Connection, creation: Creation, written: Written, identity: str
) -> None:
    """A reply that names a record which was known before is about that one, unless the system said so itself."""
    known = records.links_of(session, connection.crm, creation.to, written.id, identity)
    if known and written.found:
        pair = f"{known[0].nexudus_id} is linked with {known[0].crm_id}"
        refuse_create(
            connection, creation, "taken", f"its copy would be known by the key or name of {written.id}, and {pair}"
        )
    waiting = session.get(Unlinked, (connection.name, creation.to.value, written.id))
    if known or (not written.found and waiting is not None and same_identity(waiting.identity, identity)):
        problem = f"the reply to a create is about {written.id}, which was there before; what was made is not known"
        raise AnsweredForAnother(connection.connector(creation.to).name, problem, creation.facts.id)


def _mark(connection: Connection, creation: Creation, link: Link, written: Written) -> None:
    """Which of the two records have to be read once more.

    What is still to be delivered, and what may have moved meanwhile.
    """
    pending = UNSENT in snapshot_of(link, creation.source).values()
    read = Sight(creation.record, creation.context, connection.connector(creation.source).stamp(creation.record))
    made = Sight(written.record, creation.there, written.stamp)
    set_mark(link, creation.source, pending or still_now(connection, creation.source, read))
    different = written.echoed and bool(differing(connection, link, creation.to, made))
    again = different or written.stamp is None or still_now(connection, creation.to, made)
    unknown = creation.to is Side.NEXUDUS and not link.nexudus_identity  # which no reply to a create tells
    set_mark(link, creation.to, pending or again or unknown)
    if connection.connector(creation.to).traits.rows_are_whole:
        set_digest(link, creation.to, connection.digest(creation.to, written.record))
    if connection.connector(creation.source).traits.rows_are_whole:
        set_digest(link, creation.source, connection.digest(creation.source, creation.record))


def _snapshots(
    connection: Connection, creation: Creation, step: Step, written: Written, told: Collection[str]
) -> dict[Side, dict[str, Any]]:
    """What each side is taken to have said when the counterpart came to be."""
    parked = {id(p.field): p for p in creation.parked}
    source: dict[str, Any] = {}
    target: dict[str, Any] = {}
    for mapped in connection.mapping.fields:
        here, there = mapped.lens(creation.source), mapped.lens(creation.to)
        raw, sent = here.raw(creation.record), there.raw(creation.after)
        held = parked.get(id(mapped))
        if held is not None or (there.path.root not in step.keys and sent is not None):
            accepted = held is not None and held.accept
            source[here.path.text] = raw if accepted else dict(UNSENT)
            target[there.path.text] = there.raw(written.record)
        else:
            kept = there.raw(written.record) if mapped.name in told else sent
            source[here.path.text], target[there.path.text] = raw, kept
    carried = {mapped.name for mapped in connection.mapping.fields if mapped.lens(creation.to).path.root in step.keys}
    target[REPLY] = reply_of(written.stamp, carried, {})
    return {creation.source: with_zone(source, creation.context), creation.to: with_zone(target, creation.there)}


def forget(session: Session, connection: Connection, side: Side, record_id: str) -> None:
    """A record that has a counterpart now is no longer among the unlinked."""
    row = session.get(Unlinked, (connection.name, side.value, record_id))
    if row is not None:
        session.delete(row)


def pair(session: Session, connection: Connection, ids: tuple[str, str], identities: tuple[str, str]) -> Link:
    """Link two existing records, Nexudus's first; they are merged as a first match when the link is settled."""
    nexudus_id, crm_id = ids
    link = Link(
        crm=connection.crm,
        connection=connection.name,
        nexudus_id=nexudus_id,
        nexudus_identity=identities[0],
        crm_id=crm_id,
        crm_identity=identities[1],
        nexudus_recheck=True,
        crm_recheck=True,
        created_at=connection.clock.now(),
    )
    session.add(link)
    forget(session, connection, Side.NEXUDUS, nexudus_id)
    forget(session, connection, Side.CRM, crm_id)
    conflicts.close_conflicts(session, connection.name, nexudus_id, crm_id, now=connection.clock.now(), fields={RECORD})
    failures.solve_failures(session, connection.name, nexudus_id, crm_id)
    session.flush()
    return link
