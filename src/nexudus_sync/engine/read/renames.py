"""Follow CRM records that were given another id."""

from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.optional import FollowsRenames
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import of_record
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.errors import AnotherRecord, ConnectorError, NotFound
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, links, records, unlinked
from nexudus_sync.store.renames import rename
from nexudus_sync.store.tables import Link, Unlinked


async def follow(connection: Connection, link: Link, error: ConnectorError, priority: Priority) -> bool:
    """Does the CRM's record exist elsewhere, under a new id or in the record it was merged into? The link follows.

    A survivor with a pair of its own stays with that pair.
    """
    if isinstance(error, NotFound) or (isinstance(error, AnotherRecord) and error.identity):
        return await follow_rename(connection, link, priority)
    if not isinstance(error, AnotherRecord) or error.survivor is None:
        return False
    with connection.store.session() as session:
        if records.link_by(session, connection.crm, crm_id=error.survivor) is not None:
            return False
        _give_new_id(session, connection, link, error.survivor)
        link.crm_identity = ""  # the next read tells it
    return True


async def new_id(connection: Connection, record_id: str, identity: str, priority: Priority) -> str | None:
    """The new id of a CRM's record; None if there is none, or more than one candidate.

    An id known to be another record's does not count: records may share an identity.
    """
    connector = connection.connector(Side.CRM)
    if not isinstance(connector, FollowsRenames):
        return None
    names = await connector.renamed(record_id, identity, priority)
    with connection.store.read() as session:
        free = [name for name in names if not records.is_another(session, connection.crm, name, identity)]
    return free[0] if len(free) == 1 else None


async def follow_rename(connection: Connection, link: Link, priority: Priority) -> bool:
    """Was the CRM's record given another id? Then the link follows it."""
    name = await new_id(connection, link.crm_id, link.crm_identity, priority)
    if name is None:
        return False
    with connection.store.session() as session:
        _give_new_id(session, connection, link, name)
    return True


def _give_new_id(session: Session, connection: Connection, link: Link, name: str) -> None:
    """Let the link go by the new id of its CRM record, which is no longer among the unlinked."""
    rename(session, link, name)
    left = session.get(Unlinked, (connection.name, Side.CRM.value, name))
    if left is not None:
        session.delete(left)


async def follow_idle_renames(connection: Connection) -> None:
    """Let the links that no merge will read (they sleep or are closed) follow their CRM record to its new id.

    A listing marked them, since it showed their record's identity under another id. Left alone, that row would wait for
    ever. If their own record still exists under its old id, the row is another record created at the same moment.
    """
    if not isinstance(connection.connector(Side.CRM), FollowsRenames):
        return
    with connection.store.read() as session:
        idle = links.idle_to_read(session, connection.name)
    for link in idle:
        try:
            if not await _is_still_there(connection, link.crm_id, link.crm_identity):
                await follow_rename(connection, link, Priority.LIVE)
        except Exception as error:
            of_record(error)
            continue  # the mark stays: the next cycle asks again
        with connection.store.session() as session:
            kept = session.merge(link)
            kept.crm_recheck = False
            session.add(kept)


async def follow_set_aside(connection: Connection) -> None:
    """Let a person's `ignore` follow a record to its new id, before that is taken for a new record.

    If the ignored record still exists under its old id, the new one is another record created at the same moment. If
    that cannot be read, the new one waits for the next sweep.
    """
    if not isinstance(connection.connector(Side.CRM), FollowsRenames):
        return
    with connection.store.read() as session:
        found = unlinked.renamed_since_set_aside(session, connection.name, connection.crm)
    for old, row in found:
        try:
            if await _is_still_there(connection, old.record_id, old.identity):
                continue
            row.state, row.reason = "ignored", old.reason
        except Exception as error:
            problem = of_record(error)
            row.state, row.reason = "refused", f"it may be {old.record_id}, which is ignored: {problem}"
        with connection.store.session() as session:
            session.merge(row)
            if row.state == "ignored":
                session.delete(session.merge(old))


async def _is_still_there(connection: Connection, record_id: str, identity: str) -> bool:
    """Does the record still exist under the id by which it is known?"""
    try:
        record = await fetch(connection, Side.CRM, record_id)
    except NotFound:
        return False
    return connection.facts(Side.CRM, record).identity == identity
