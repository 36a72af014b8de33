"""What a cycle knows of one record: read, listed, or only remembered from the last agreement."""

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from nexudus_sync.connectors.base import FollowsRenames, Priority, Record, Row, Stamp
from nexudus_sync.engine.bridge import FRESH, Bridge
from nexudus_sync.engine.renderings import written_fields
from nexudus_sync.engine.reused import is_another
from nexudus_sync.errors import NotFound, Unavailable
from nexudus_sync.mapping import Context, Mapping, Side
from nexudus_sync.merge import UNSENT, View
from nexudus_sync.plan import Presence
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
        record = await connector.fetch(id_of(link, side), row, priority, children=children)
    except NotFound:
        if side is Side.CRM and await follow_rename(bridge, link, priority):
            return await read(bridge, side, link, priority=priority)
        if await _absent(bridge, side, link, priority):
            return Sight({}, Context(), read_at=began, presence=Presence.GONE)
        raise
    except Unavailable:
        # Nexudus may answer 500 for a record that is not there. In an outage every record does, and to ask further adds
        # but calls there; what a complete listing has just lacked is likely gone, though, and the proof is asked for.
        if missed and await _absent(bridge, side, link, priority):
            return Sight({}, Context(), read_at=began, presence=Presence.GONE)
        raise
    if side is Side.CRM and connector.facts(record).identity != link.crm_identity:
        if await follow_rename(bridge, link, priority):
            return await read(bridge, side, link, priority=priority)
        return Sight({}, Context(), read_at=began, presence=Presence.GONE)  # its id was given to another record
    _refuse_another(bridge, side, link, record)
    if not children:
        known = like.record if like is not None else rebuilt(bridge.mapping, side, snapshot_of(link, side))
        record = _with_children(bridge, side, record, known)
    presence = Presence.HERE
    if side is Side.NEXUDUS and not connector.in_scope(record, bridge.scope(side)):
        presence = Presence.ELSEWHERE
    context = await bridge.context(side, record)
    whole = children or not connector.traits.child_keys or (like is not None and like.whole)
    return Sight(record, context, connector.stamp(record), began, whole=whole, presence=presence)


def _refuse_another(bridge: Bridge, side: Side, link: Link, record: Record) -> None:
    """Raises NotFound for a card that is not the linked one: the link ends when a listing shows that card."""
    if side is Side.NEXUDUS and is_another(bridge, link, record):
        name = bridge.connector(side).name
        raise NotFound(name, "its id was given to another card, which a listing shows", link.nexudus_id)


async def _absent(bridge: Bridge, side: Side, link: Link, priority: Priority) -> bool:
    identity = link.crm_identity if side is Side.CRM else ""
    return await bridge.connector(side).absent(id_of(link, side), identity, priority)


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
        rename(session, link, name)
        left = session.get(Unlinked, (bridge.name, Side.CRM.value, name))
        if left is not None:
            session.delete(left)
    return True


def _with_children(bridge: Bridge, side: Side, record: Record, known: Record) -> Record:
    """A parent that was read alone, with its child rows as they were last known."""
    children = bridge.connector(side).traits.child_keys
    return {**record, **{key: known[key] for key in children if key in known}}


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
