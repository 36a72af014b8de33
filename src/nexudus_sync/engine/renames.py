"""Renames of records whose link is not at work: closed, or asleep while its card is elsewhere."""

from sqlmodel import col, select

from nexudus_sync.connectors.base import FollowsRenames, Priority
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.sight import follow_rename
from nexudus_sync.errors import AuthenticationFailed, NotFound, RoleMissing, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Link


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
            if not await _stands(bridge, link):
                await follow_rename(bridge, link, Priority.LIVE)
        except (AuthenticationFailed, RoleMissing):
            raise
        except SyncError:
            continue  # the mark stays: the next cycle asks again
        with bridge.store.session() as session:
            kept = session.merge(link)
            kept.crm_recheck = False
            session.add(kept)


async def _stands(bridge: Bridge, link: Link) -> bool:
    """Is the link's record still found by the id that the link knows?"""
    connector = bridge.connector(Side.CRM)
    try:
        record = await connector.fetch(link.crm_id)
    except NotFound:
        return False
    return connector.facts(record).identity == link.crm_identity
