"""Updates whose answer never came: does the record say what was sent, in whole or in part?"""

from collections.abc import Iterable
from typing import Any

from nexudus_sync.connectors.base import Record
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.renderings import rendering
from nexudus_sync.engine.read.sight import Sight, rebuilt
from nexudus_sync.engine.read.zones import as_read
from nexudus_sync.engine.write.confirm import Done, confirm_update, note_begun
from nexudus_sync.engine.write.perform import tell_written
from nexudus_sync.mapping import Context, Field, Side, Unreadable
from nexudus_sync.plan import Presence
from nexudus_sync.store import Session, journal
from nexudus_sync.store.tables import Journal, Link


async def found_update(connection: Connection, row: Journal) -> bool:
    """Does the record say all that was sent?"""
    link, sight, said, _ = await _arrived(connection, row)
    if link is None or sight is None or not said or len(said) < len(row.fields):
        return False
    source = await _source(connection, link, Side(row.side).other)
    with connection.store.session() as session:
        journal.mark_confirmed(session, row.id or 0, connection.clock.now(), "found: it was written")
        _confirm(session, connection, row, link, said, sight, source)
    tell_written(connection, row)
    return True


async def found_in_part(connection: Connection, row: Journal) -> bool:
    """Does the record say some of what was sent, at the last look? One value may have made the server change another.

    What it says has arrived; the rest is planned again, by what both sides say then. What the write only began is still
    to be delivered, and is not a change of the side it was written to.
    """
    link, sight, said, begun = await _arrived(connection, row)
    if link is None or sight is None or not (said or begun):
        return False
    source = await _source(connection, link, Side(row.side).other)
    with connection.store.session() as session:
        note_begun(link, Side(row.side), begun, sight.record)
        _confirm(session, connection, row, link, said, sight, source)
        found = f"found in part: {', '.join(field.name for field in (*said, *begun))}; the rest is planned again"
        journal.mark_dropped(session, row.id or 0, connection.clock.now(), found)
    return True


async def _source(connection: Connection, link: Link, side: Side) -> Context:
    """The context of the side that the values came from, as far as it is known without a read."""
    snapshot = link.half(side).snapshot
    return as_read(await connection.context(side, rebuilt(connection.mapping, side, snapshot)), snapshot)


def _confirm(
    session: Session,
    connection: Connection,
    row: Journal,
    link: Link,
    said: Iterable[Field],
    sight: Sight,
    source: Context,
) -> None:
    """Confirm late what was written; both records are read again, since they may have been edited meanwhile."""
    confirm_update(session, connection, row, link, said, Done(sight.record, sight.context), source)
    link.mark_both(True)


async def _arrived(connection: Connection, row: Journal) -> tuple[Link | None, Sight | None, list[Field], list[Field]]:
    """A write's link, its record as it is now, and its fields: those that arrived, and those that were only begun."""
    link, side = link_of(connection, row), Side(row.side)
    if link is None or not row.fields:
        return link, None, [], []
    sight = await sights.read(connection, side, link)
    if sight.presence is Presence.GONE:
        return link, None, [], []
    known = _carried(connection, row)
    said = [field for field, carried in known if _says(field, side, sight, carried)]
    rest = [(field, carried) for field, carried in known if field not in said]
    return link, sight, said, [one for one, carried in rest if _is_begun(one, side, sight.record, carried)]


def _carried(connection: Connection, row: Journal) -> list[tuple[Field, dict[str, Any]]]:
    """The fields that a write carried and that are still mapped, each with what the journal keeps of it."""
    found = [(connection.mapping.find(name), carried) for name, carried in row.fields.items()]
    return [(field, carried) for field, carried in found if field is not None]


def _is_begun(mapped: Field, side: Side, record: Record, carried: dict[str, Any]) -> bool:
    """Are some of the value's rows gone, and all others unchanged? Rows are deleted one by one."""
    now, over = mapped.lens(side).raw(record), carried.get("over")
    return isinstance(now, list) and isinstance(over, list) and len(now) < len(over) and all(one in over for one in now)


def _says(mapped: Field, side: Side, sight: Sight, carried: dict[str, Any]) -> bool:
    """Does the record say what was sent, a value of its class, or the system's rendering of such a text?"""
    raw = mapped.lens(side).raw(sight.record)
    if raw == carried["sent"]:
        return True
    try:
        sent = mapped.read(side, carried["sent"], sight.context)
        return mapped.same(mapped.get(side, sight.record, sight.context), sent) or bool(
            rendering(mapped, side, sent, raw, sight.context) and raw != carried.get("over")
        )
    except Unreadable:
        return False


def link_of(connection: Connection, row: Journal) -> Link | None:
    """The link that a write was for; None if it is gone and its number was given to a new link."""
    with connection.store.read() as session:
        link = None if row.link_id is None else session.get(Link, row.link_id)
        kept = session.get_one(Journal, row.id)  # which a look may have given the record's new id
    same = link is not None and (link.nexudus_id, link.crm_id) == (kept.nexudus_id, kept.crm_id)
    return link if same else None
