"""Look at both records of each link, several links at once; take over links whose card came from elsewhere."""

import asyncio
from collections.abc import Mapping

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.guard import guard
from nexudus_sync.engine.inbox import policy_for, shown_for
from nexudus_sync.engine.pairs.moved import take_over
from nexudus_sync.engine.pairs.pair import Pair
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.write.refused import refused_for
from nexudus_sync.mapping import Side
from nexudus_sync.plan import Presence
from nexudus_sync.store import links
from nexudus_sync.store.tables import Link

READERS = 8
"""How many records are read at the same time."""


async def look(cycle: Cycle, link_ids: list[int], priority: Priority) -> list[Pair]:
    """The pairs of these links; a link whose records cannot be read becomes a failure and is left out."""
    with cycle.connection.store.read() as session:
        found = links.free_to_settle(session, link_ids)
    gate = asyncio.Semaphore(READERS)

    async def one(link: Link) -> Pair | None:
        async with gate:
            return await _look_at(cycle, link, priority)

    return [pair for pair in await asyncio.gather(*map(one, found)) if pair is not None]


async def _look_at(cycle: Cycle, link: Link, priority: Priority) -> Pair | None:
    connection = cycle.connection
    if link.state == "sleeping" or link.connection != connection.name:
        link.mark_both(True)  # this connection has not looked at its edits in the meantime
    with guard(connection, cycle.report, link) as guarded:
        found = await _look_at_both(cycle, link, priority)
        unread = _unread(found)
        if unread is not None and _contradicts_question(connection, link, unread.other, found):
            found[unread] = await sights.read(connection, unread, link, priority=priority)
    if not guarded.ok:
        return None
    if found[Side.NEXUDUS].presence is Presence.HERE and link.state in {"active", "sleeping"}:
        link.state = "active"
        if link.connection != connection.name:
            take_over(connection, link)
    with connection.store.read() as session:
        policy, refused = policy_for(session, connection, link), refused_for(session, connection, link)
    return Pair(link, found, policy, priority, unread, refused)


async def _look_at_both(cycle: Cycle, link: Link, priority: Priority) -> dict[Side, Sight]:
    """Both records: read a moment ago, listed, read now, or rebuilt from the snapshot."""
    found, known = dict[Side, Sight](), cycle.just_read.pop(link.id or 0, {})
    for side, marked in ((Side.NEXUDUS, link.nexudus_recheck), (Side.CRM, link.crm_recheck)):
        found[side] = known.get(side) or await sights.look(
            cycle.connection,
            side,
            link,
            cycle.seen[side].rows.get(link.half(side).id),
            must_read=marked,
            missed=link.id in cycle.missed[side],
            priority=priority,
        )
    return found


def _unread(found: Mapping[Side, Sight]) -> Side | None:
    """The one side that was not read, if the other one was."""
    unread = [side for side in Side if not found[side].real]
    return unread[0] if len(unread) == 1 else None


def _contradicts_question(connection: Connection, link: Link, read: Side, found: Mapping[Side, Sight]) -> bool:
    """Does the side that was read differ from what an open question shows? Then the other side is read too."""
    with connection.store.read() as session:
        shown = shown_for(session, connection, link)
    return sights.says_otherwise(connection, read, found[read], shown)
