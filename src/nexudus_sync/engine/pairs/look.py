"""Look at both records of each link, several links at once; take over links whose card came from elsewhere."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from itertools import islice

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.guard import guard
from nexudus_sync.engine.inbox import shown_for
from nexudus_sync.engine.pairs.moved import take_over
from nexudus_sync.engine.pairs.pair import Pair
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.mapping import Side
from nexudus_sync.plan import Presence
from nexudus_sync.store import links, open_items
from nexudus_sync.store.open_items import OpenItems
from nexudus_sync.store.tables import Link

GROUP = 50
"""Links taken from the store at a time."""
TOGETHER = 0.1
"""Seconds for which a batch may gather: a transaction costs as much as many reads, but what was read grows old."""


async def look(cycle: Cycle, link_ids: Iterator[int], priority: Priority) -> AsyncGenerator[list[Pair]]:
    """The pairs of these links, read ahead, in batches of those that are ready; in the links' order.

    A link whose records cannot be read becomes a failure and is left out. The next batch is read after this one was
    settled. The more pairs need writes, the fewer are read ahead, down to one at a time: it need not be read again
    before its write.
    """
    links, reads, width = _links(cycle, link_ids), deque[asyncio.Task[Pair | None]](), 1
    rules, gate = cycle.connection.rules, asyncio.Semaphore(cycle.connection.rules.readers)

    async def one(link: Link, items: OpenItems) -> Pair | None:
        async with gate:
            return await _look_at(cycle, link, items, priority)

    try:
        while not cycle.stopping():
            reads.extend(asyncio.create_task(one(*link)) for link in islice(links, max(0, width - len(reads))))
            if not reads:
                return
            batch = await _ready(reads, min(width, rules.readers), rules.chunk, cycle.connection.clock)
            pairs = [pair for pair in batch if pair is not None]
            yield pairs
            width = max(1, width // 2) if _needs_writes(cycle, pairs) else min(2 * width, rules.chunk)
        if reads or next(links, None) is not None:
            cycle.report.finished = False
    finally:
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)


async def _ready(reads: deque[asyncio.Task[Pair | None]], least: int, most: int, clock: Clock) -> list[Pair | None]:
    """Take the first `least` reads, and those after them that are done as well or will be in a moment.

    They are read at the same time, so waiting for all of them costs little, and a transaction for each would cost much.
    """
    began = clock.monotonic()
    batch = [await reads.popleft() for _ in range(min(least, len(reads)))]
    while reads and len(batch) < most and (reads[0].done() or clock.monotonic() - began < TOGETHER):
        batch.append(await reads.popleft())
    return batch


def _needs_writes(cycle: Cycle, pairs: Iterable[Pair]) -> bool:
    return not cycle.connection.dry and any(pair.planned for pair in pairs)


def _links(cycle: Cycle, link_ids: Iterator[int]) -> Iterator[tuple[Link, OpenItems]]:
    """The links that are free to be settled, each with what waits for people about it."""
    name = cycle.connection.name
    while group := list(islice(link_ids, GROUP)):
        with cycle.connection.store.read() as session:
            found = links.free_to_settle(session, group)
            items = open_items.about(session, name, (link.pair for link in found))
        for link in found:
            yield link, items[link.pair]


async def _look_at(cycle: Cycle, link: Link, items: OpenItems, priority: Priority) -> Pair | None:
    connection = cycle.connection
    if link.state == "sleeping" or link.connection != connection.name:
        link.mark_both(True)  # this connection has not looked at its edits in the meantime
    with guard(connection, cycle.report, link) as guarded:
        found = await _look_at_both(cycle, link, priority)
        unread = _unread(found)
        shown = shown_for(link, items)
        if unread is not None and sights.says_otherwise(connection, unread.other, found[unread.other], shown):
            found[unread] = await sights.read(connection, unread, link, priority=priority)  # contradicts a question
    if not guarded.ok:
        return None
    if found[Side.NEXUDUS].presence is Presence.HERE and link.state in {"active", "sleeping"}:
        link.state = "active"
        if link.connection != connection.name:
            take_over(connection, link)
    return Pair(link, found, priority, unread)


async def _look_at_both(cycle: Cycle, link: Link, priority: Priority) -> dict[Side, Sight]:
    """Both records: read a moment ago, listed, read now, or rebuilt from the snapshot."""
    known = cycle.just_read.pop(link.id or 0, {})

    async def seen(side: Side) -> Sight:
        return known.get(side) or await sights.look(
            cycle.connection,
            side,
            link,
            cycle.row_of(side, link.half(side).id),
            must_read=link.half(side).must_read,
            missed=link.id in cycle.missed[side],
            priority=priority,
        )

    if not (link.nexudus_recheck and link.crm_recheck):
        return {side: await seen(side) for side in Side}
    crm = asyncio.create_task(seen(Side.CRM))  # neither read depends on the other
    try:
        return {Side.NEXUDUS: await seen(Side.NEXUDUS), Side.CRM: await crm}
    finally:
        crm.cancel()
        await asyncio.gather(crm, return_exceptions=True)


def _unread(found: Mapping[Side, Sight]) -> Side | None:
    """The one side that was not read, if the other one was."""
    unread = [side for side in Side if not found[side].real]
    return unread[0] if len(unread) == 1 else None
