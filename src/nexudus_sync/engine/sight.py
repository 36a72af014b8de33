"""What a cycle knows of one record: read, listed, or only remembered from the last agreement."""

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from nexudus_sync.connectors.base import Priority, Record, Row, Stamp
from nexudus_sync.connectors.optional import FollowsRenames
from nexudus_sync.engine.bridge import FRESH, Bridge
from nexudus_sync.engine.reading import fetch, identity_of, learn, refuse_old
from nexudus_sync.engine.renderings import written_fields
from nexudus_sync.errors import AnotherRecord, ConnectorError, NotFound, Unavailable
from nexudus_sync.mapping import Context, Mapping, Side, Unreadable
from nexudus_sync.merge import UNSENT, View
from nexudus_sync.opportunity import say
from nexudus_sync.plan import Presence, Standing
from nexudus_sync.store import records
from nexudus_sync.store.renames import rename
from nexudus_sync.store.tables import Link, Unlinked

ZONE = "$zone"
"""Stands in Nexudus's snapshot for the zone its days were read in; no path begins so."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A row and the moment (monotonic seconds) before which its listing was asked for: it shows nothing
    later."""

    row: Row
    at: float


@dataclass(frozen=True, slots=True)
class Sight:
    """One record of a link. `read_at` (monotonic seconds) is None when the record is only rebuilt from the snapshot.

    `whole`: child rows were read as well.
    """

    record: Record
    context: Context
    stamp: Stamp | None = None
    read_at: float | None = None
    whole: bool = False
    presence: Presence = Presence.HERE

    @property
    def real(self) -> bool:
        """Was it seen in this cycle?"""
        return self.read_at is not None


def snapshot_of(link: Link, side: Side) -> dict[str, object]:
    """A link's snapshot of one side."""
    return link.nexudus_snapshot if side is Side.NEXUDUS else link.crm_snapshot


def stamp_of(link: Link, side: Side) -> str:
    """The stamp token under which a link last read one side."""
    return link.nexudus_stamp if side is Side.NEXUDUS else link.crm_stamp


def id_of(link: Link, side: Side) -> str:
    """A link's record id on one side."""
    return link.nexudus_id if side is Side.NEXUDUS else link.crm_id


def as_read(context: Context, snapshot: dict[str, object]) -> Context:
    """The context of a record as it was when it was last read: the same moment is another day in another zone."""
    zone = snapshot.get(ZONE)
    return replace(context, time_zone=ZoneInfo(zone)) if isinstance(zone, str) else context


def with_zone(snapshot: dict[str, object], context: Context) -> dict[str, object]:
    """A snapshot that tells in which zone it was read, if the system has such."""
    return snapshot if context.time_zone is None else {**snapshot, ZONE: context.time_zone.key}


def rebuilt(mapping: Mapping, side: Side, snapshot: dict[str, object]) -> Record:
    """A record that says what the snapshot says, and nothing else."""
    record: Record = {}
    for path in mapping.paths(side):
        raw = snapshot.get(path.text)
        if raw is not None and raw != UNSENT:
            record = path.set(record, raw)
    return record


async def look(
    bridge: Bridge,
    side: Side,
    link: Link,
    listed: Listed | None,
    *,
    must_read: bool,
    missed: bool = False,
    priority: Priority = Priority.LIVE,
) -> Sight:
    """See one side of a link: read it if it may have moved, else take the listed row or the snapshot for it.

    `missed`: a complete listing of this cycle lacked it.

    Raises the `ConnectorError` tree; a record that the system does not know any more gives `Presence.GONE` once that
    is proven, else NotFound.
    """
    connector, snapshot = bridge.connector(side), snapshot_of(link, side)
    if not must_read and _covered(bridge.mapping, side, snapshot):
        if listed is None or not connector.traits.rows_are_whole:
            record = rebuilt(bridge.mapping, side, snapshot)
            return Sight(record, as_read(await bridge.context(side, record), snapshot))
        record = _with_children(bridge, side, listed.row.record, rebuilt(bridge.mapping, side, snapshot))
        return Sight(record, await bridge.context(side, record), listed.row.stamp, listed.at)
    return await read(bridge, side, link, listed, priority=priority, missed=missed)


def _covered(mapping: Mapping, side: Side, snapshot: dict[str, object]) -> bool:
    """Does the snapshot tell every mapped value the record had when it was last read?"""
    return UNSENT not in snapshot.values() and all(path.text in snapshot for path in mapping.paths(side))


async def read(
    bridge: Bridge,
    side: Side,
    link: Link,
    listed: Listed | None = None,
    *,
    priority: Priority = Priority.LIVE,
    children: bool = True,
    like: Sight | None = None,
    missed: bool = False,
) -> Sight:
    """Read one side of a link now.

    A listed row may stand for the parent. Without `children` these are taken from `like`. `missed`: see `look`.
    """
    connector = bridge.connector(side)
    whole_row = listed is not None and connector.traits.rows_are_whole
    began = listed.at if listed is not None and whole_row else bridge.clock.monotonic()
    row = listed.row if listed is not None else None
    try:
        record = await fetch(
            bridge, side, id_of(link, side), identity_of(link, side), row=row, priority=priority, children=children
        )
    except (AnotherRecord, NotFound, Unavailable) as error:
        if side is Side.CRM and await _follow(bridge, link, error, priority):
            return await read(bridge, side, link, priority=priority)
        if await _is_gone(bridge, side, link, error, priority, missed=missed):
            return Sight({}, Context(), read_at=began, presence=Presence.GONE)
        raise
    learn(bridge, side, link, record)
    refuse_old(bridge, side, link, connector.stamp(record), like.stamp if like is not None else None)
    if not children:
        known = like.record if like is not None else rebuilt(bridge.mapping, side, snapshot_of(link, side))
        record = _with_children(bridge, side, record, known)
    presence = Presence.HERE
    if side is Side.NEXUDUS and not connector.in_scope(record, bridge.scope(side)):
        presence = Presence.ELSEWHERE
    context = await bridge.context(side, record)
    whole = children or not connector.traits.child_keys or (like is not None and like.whole)
    return Sight(record, context, connector.stamp(record), began, whole=whole, presence=presence)


async def _follow(bridge: Bridge, link: Link, error: ConnectorError, priority: Priority) -> bool:
    """Does the CRM's record stand elsewhere: under a new id, or in the record that it was merged into?

    A survivor that has a pair of its own is that pair's.
    """
    if isinstance(error, NotFound) or (isinstance(error, AnotherRecord) and error.identity):
        return await follow_rename(bridge, link, priority)
    if not isinstance(error, AnotherRecord) or error.survivor is None:
        return False
    with bridge.store.session() as session:
        if records.link_by(session, bridge.crm, crm_id=error.survivor) is not None:
            return False
        _go_by(session, bridge, link, error.survivor)
        link.crm_identity = ""  # the next read tells it
    return True


async def _is_gone(
    bridge: Bridge, side: Side, link: Link, error: ConnectorError, priority: Priority, *, missed: bool
) -> bool:
    """Is it proven that the record is no more? That another one is answered for it proves nothing."""
    if isinstance(error, AnotherRecord) and not error.identity:
        return False
    if isinstance(error, Unavailable) and not missed:
        # Nexudus may answer 500 for a record that is not there. In an outage every record does, and to ask further adds
        # but calls there; what a complete listing has just lacked is likely gone, though, and the proof is asked for.
        return False
    return await bridge.connector(side).absent(id_of(link, side), identity_of(link, side), priority)


async def new_id(bridge: Bridge, record_id: str, identity: str, priority: Priority) -> str | None:
    """The id that the CRM's record was given meanwhile; None where there is none, or several that can be it.

    One that is known as another record's is not: records may share an identity.
    """
    connector = bridge.connector(Side.CRM)
    if not isinstance(connector, FollowsRenames):
        return None
    names = await connector.renamed(record_id, identity, priority)
    with bridge.store.read() as session:
        free = [name for name in names if not records.is_another(session, bridge.crm, name, identity)]
    return free[0] if len(free) == 1 else None


async def follow_rename(bridge: Bridge, link: Link, priority: Priority) -> bool:
    """Was the CRM's record given another id? Then the link follows it."""
    name = await new_id(bridge, link.crm_id, link.crm_identity, priority)
    if name is None:
        return False
    with bridge.store.session() as session:
        _go_by(session, bridge, link, name)
    return True


def _go_by(session: Session, bridge: Bridge, link: Link, name: str) -> None:
    """Let the link go by the new id of its CRM record, which is no longer among the unlinked."""
    rename(session, link, name)
    left = session.get(Unlinked, (bridge.name, Side.CRM.value, name))
    if left is not None:
        session.delete(left)


def _with_children(bridge: Bridge, side: Side, record: Record, known: Record) -> Record:
    """A parent that was read alone, with its child rows as they were last known."""
    children = bridge.connector(side).traits.child_keys
    return {**record, **{key: known[key] for key in children if key in known}}


def moved_from(bridge: Bridge, found: MappingABC[Side, Sight], standing: MappingABC[str, Standing]) -> bool:
    """Does the side that was read say anything else than an open conflict shows? Then the other is read too."""
    for name, known in standing.items():
        field, sight = bridge.mapping.find(name), found[known.unread.other]
        if field is None or sight.presence is not Presence.HERE:
            continue
        try:
            if say(field.get(known.unread.other, sight.record, sight.context)) != known.shown:
                return True
        except Unreadable:
            return True
    return False


def fresh(bridge: Bridge, side: Side, sight: Sight, touched: frozenset[str]) -> bool:
    """May it be written over without reading it again? `touched`: the record's keys that would change."""
    traits = bridge.connector(side).traits
    if sight.read_at is None or (traits.reads_before_write and not sight.whole):
        return False
    if touched & traits.child_keys and not sight.whole:
        return False
    return traits.locks or bridge.clock.monotonic() - sight.read_at <= FRESH


def view(bridge: Bridge, side: Side, link: Link, sight: Sight) -> View:
    """The side as the merge wants it."""
    snapshot = snapshot_of(link, side)
    written = written_fields(snapshot, sight.stamp, bridge.connector(side).traits)
    return View(sight.record, snapshot, sight.context, _changed_at(bridge, side, link, sight), written)


def _changed_at(bridge: Bridge, side: Side, link: Link, sight: Sight) -> datetime | None:
    """When somebody else last changed the record, on our clock. None where only the system's own change tells."""
    remembered = link.nexudus_changed_at if side is Side.NEXUDUS else link.crm_changed_at
    if sight.stamp is None or sight.stamp.own or sight.stamp.token == stamp_of(link, side):
        return remembered
    if sight.stamp.minor:
        return None
    return bridge.our_time(side, sight.stamp.at) or remembered
