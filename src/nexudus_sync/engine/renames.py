"""Renames of records that no merge reads: their link is closed, or asleep, or a person said to leave them alone."""

from sqlalchemy.orm import aliased
from sqlmodel import col, select

from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.optional import FollowsRenames
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.guard import of_record
from nexudus_sync.engine.reading import fetch
from nexudus_sync.engine.sight import follow_rename
from nexudus_sync.errors import NotFound
from nexudus_sync.mapping import Side
from nexudus_sync.store import records
from nexudus_sync.store.tables import SET_ASIDE, Link, Unlinked


async def follow_idle_renames(bridge: Bridge) -> None:
    """Let the links that no merge will read follow their CRM record to its new id.

    A listing marked them: it showed a record of theirs under an id they do not hold. Left alone, that record would wait
    for ever, being neither new nor known. One that still stands under its old id is somebody else's of the same moment.
    """
    if not isinstance(bridge.connector(Side.CRM), FollowsRenames):
        return
    with bridge.store.read() as session:
        idle = (col(Link.connection) == bridge.name, col(Link.state) != "active", col(Link.crm_recheck))
        links = list(session.exec(select(Link).where(*idle)))
    for link in links:
        try:
            if not await _stands(bridge, link.crm_id, link.crm_identity):
                await follow_rename(bridge, link, Priority.LIVE)
        except Exception as error:
            of_record(error)
            continue  # the mark stays: the next cycle asks again
        with bridge.store.session() as session:
            kept = session.merge(link)
            kept.crm_recheck = False
            session.add(kept)


async def follow_set_aside(bridge: Bridge) -> None:
    """Let a person's word that a record be left alone follow it to its new id, before that is taken for a new record.

    One that still stands under its old id is another's of the same moment. Where that cannot be read, the new one waits
    for the next sweep.
    """
    if not isinstance(bridge.connector(Side.CRM), FollowsRenames):
        return
    new = aliased(Unlinked)
    renamed = (
        col(new.connection) == bridge.name,
        col(new.side) == Side.CRM.value,
        col(new.state) == "waiting",
        col(new.identity) == col(Unlinked.identity),
        col(new.record_id) != col(Unlinked.record_id),
    )
    aside = (
        col(Unlinked.connection).in_(records.family(bridge.crm)),
        col(Unlinked.side) == Side.CRM.value,
        col(Unlinked.state).in_(SET_ASIDE),
        col(Unlinked.identity) != "",
    )
    with bridge.store.read() as session:
        found = list(session.exec(select(Unlinked, new).where(*aside, *renamed)))
    for old, row in found:
        try:
            if await _stands(bridge, old.record_id, old.identity):
                continue
            row.state, row.reason = "ignored", old.reason
        except Exception as error:
            problem = of_record(error)
            row.state, row.reason = "refused", f"it may be {old.record_id}, which is to be left alone: {problem}"
        with bridge.store.session() as session:
            session.merge(row)
            if row.state == "ignored":
                session.delete(session.merge(old))


async def _stands(bridge: Bridge, record_id: str, identity: str) -> bool:
    """Is the record still found by the id under which it is known?"""
    try:
        record = await fetch(bridge, Side.CRM, record_id)
    except NotFound:
        return False
    return bridge.facts(Side.CRM, record).identity == identity
