"""See one side of a link: read it where it may have moved, else take the listed row or the snapshot."""

from collections.abc import Mapping as MappingABC
from datetime import datetime

from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.engine.connection import FRESH, Connection
from nexudus_sync.engine.read.fetch import fetch, learn_identity, refuse_old
from nexudus_sync.engine.read.renames import follow
from nexudus_sync.engine.read.renderings import written_fields
from nexudus_sync.engine.read.sight import Listed, Sight, rebuilt
from nexudus_sync.engine.read.zones import as_read
from nexudus_sync.errors import AnotherRecord, ConnectorError, NotFound, Unavailable
from nexudus_sync.mapping import Context, Mapping, Side, Unreadable
from nexudus_sync.merge import UNSENT, View
from nexudus_sync.opportunity import say
from nexudus_sync.plan import Presence
from nexudus_sync.store.tables import Link


async def look(
    connection: Connection,
    side: Side,
    link: Link,
    listed: Listed | None,
    *,
    must_read: bool,
    missed: bool = False,
    priority: Priority = Priority.LIVE,
) -> Sight:
    """See one side of a link: read it if it may have moved, else use the listed row or the snapshot.

    `missed`: it was missing from a complete listing of this cycle. Raises the `ConnectorError` tree; a record that the
    system no longer knows gives `Presence.GONE` once that is proven, else NotFound.
    """
    connector, snapshot = connection.connector(side), link.half(side).snapshot
    if not must_read and _covered(connection.mapping, side, snapshot):
        if listed is None or listed.row.lagging or not connector.traits.rows_are_whole:
            record = rebuilt(connection.mapping, side, snapshot)
            return Sight(record, as_read(await connection.context(side, record), snapshot))
        record = _with_children(connection, side, listed.row.record, rebuilt(connection.mapping, side, snapshot))
        return Sight(record, await connection.context(side, record), listed.row.stamp, listed.at)
    return await read(connection, side, link, listed, priority=priority, missed=missed)


def _covered(mapping: Mapping, side: Side, snapshot: dict[str, object]) -> bool:
    """Does the snapshot hold every mapped value of the record?"""
    return UNSENT not in snapshot.values() and all(path.text in snapshot for path in mapping.paths(side))


async def read(
    connection: Connection,
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

    A listed row may serve as the parent. Without `children`, the child rows are taken from `like`. `missed`: see
    `look`.
    """
    connector, half = connection.connector(side), link.half(side)
    row, began = None if listed is None else listed.row, connection.clock.monotonic()
    if listed is not None and connector.traits.rows_are_whole and not listed.row.lagging:
        began = listed.at  # the row is as old as its listing
    try:
        record = await fetch(connection, side, half.id, half.identity, row=row, priority=priority, children=children)
    except (AnotherRecord, NotFound, Unavailable) as error:
        elsewhere = await _renamed_or_gone(connection, side, link, error, priority, began, missed=missed)
        if elsewhere is None:
            raise
        return elsewhere
    learn_identity(connection, side, link, record)
    refuse_old(connection, side, link, connector.stamp(record), None if like is None else like.stamp)
    whole = children or not connector.traits.child_keys
    if not children:
        known = like or Sight(rebuilt(connection.mapping, side, half.snapshot), Context())
        record, whole = _with_children(connection, side, record, known.record), whole or known.whole
    context, presence = await connection.context(side, record), _presence(connection, side, record)
    return Sight(record, context, connector.stamp(record), began, whole=whole, presence=presence)


async def _renamed_or_gone(
    connection: Connection,
    side: Side,
    link: Link,
    error: ConnectorError,
    priority: Priority,
    began: float,
    *,
    missed: bool,
) -> Sight | None:
    """The sight of a record that is not found by its id: renamed, or gone. None if neither is proven."""
    if side is Side.CRM and await follow(connection, link, error, priority):
        return await read(connection, side, link, priority=priority)
    if await _is_gone(connection, side, link, error, priority, missed=missed):
        return Sight({}, Context(), read_at=began, presence=Presence.GONE)
    return None


def _presence(connection: Connection, side: Side, record: Record) -> Presence:
    """Is it in the connection's scope? A CRM's record belongs to whoever has its card."""
    inside = side is Side.CRM or connection.connector(side).in_scope(record, connection.scope(side))
    return Presence.HERE if inside else Presence.ELSEWHERE


async def _is_gone(
    connection: Connection, side: Side, link: Link, error: ConnectorError, priority: Priority, *, missed: bool
) -> bool:
    """Is it proven that the record is gone? An answer about another record of unknown identity proves nothing."""
    if isinstance(error, AnotherRecord) and not error.identity:
        return False
    if isinstance(error, Unavailable) and not missed:
        # Nexudus may answer 500 for a record that does not exist, but in an outage it does so for every record, and
        # more calls only make that worse. A record missing from a complete listing is likely gone: that is checked.
        return False
    return await connection.connector(side).absent(link.half(side).id, link.half(side).identity, priority)


def _with_children(connection: Connection, side: Side, record: Record, known: Record) -> Record:
    """A parent that was read alone, together with its child rows as last known."""
    children = connection.connector(side).traits.child_keys
    return {**record, **{key: known[key] for key in children if key in known}}


def says_otherwise(
    connection: Connection, side: Side, sight: Sight, shown: MappingABC[str, tuple[object, object]]
) -> bool:
    """Do a side's fields differ from the values shown? `shown`: as `say` writes them, Nexudus's first."""
    if sight.presence is not Presence.HERE:
        return False
    for name, (nexudus, crm) in shown.items():
        field = connection.mapping.find(name)
        if field is None:
            continue
        try:
            said = say(field.get(side, sight.record, sight.context))
        except Unreadable:
            return True
        if said != (nexudus if side is Side.NEXUDUS else crm):
            return True
    return False


def is_recent(connection: Connection, sight: Sight) -> bool:
    """Was it read so short a while ago that nobody can have changed it since?"""
    return sight.read_at is not None and connection.clock.monotonic() - sight.read_at <= FRESH


def is_fresh(connection: Connection, side: Side, sight: Sight, touched: frozenset[str]) -> bool:
    """May the record be written without reading it again? `touched`: the record's keys that would change."""
    traits = connection.connector(side).traits
    if sight.read_at is None or (traits.reads_before_write and not sight.whole):
        return False
    if touched & traits.child_keys and not sight.whole:
        return False
    return traits.locks or is_recent(connection, sight)


def view(connection: Connection, side: Side, link: Link, sight: Sight) -> View:
    """The side as the merge wants it."""
    snapshot = link.half(side).snapshot
    written = written_fields(snapshot, sight.stamp, connection.connector(side).traits)
    return View(sight.record, snapshot, sight.context, _changed_at(connection, side, link, sight), written)


def _changed_at(connection: Connection, side: Side, link: Link, sight: Sight) -> datetime | None:
    """When somebody else last changed the record, by our clock. None if only the system itself moved it."""
    remembered = link.half(side).changed_at
    if sight.stamp is None or sight.stamp.own or sight.stamp.token == link.half(side).stamp:
        return remembered
    if sight.stamp.minor:
        return None
    return connection.our_time(side, sight.stamp.at) or remembered
