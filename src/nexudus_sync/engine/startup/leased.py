"""A connection at work under a lease, where several workers share the store.

Fenced is what the cycle itself stores: the journal, links, what waits for people, the cursors. Not fenced: the counts
of the request budget (a call that was made counts, whoever made it), what connectors learn about their system (a fact,
whoever found it out), and what people decide (they hold no lease; the next cycle carries it out).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.permit import IN_FORCE, Permit
from nexudus_sync.engine.connection import Connection
from nexudus_sync.errors import LeaseLost, StoreError
from nexudus_sync.store.leases import RENEWED_AFTER, Lease

AGAIN = 1.0
"""Seconds until the renewal is tried again when the database could not be reached."""
_log = structlog.get_logger("nexudus_sync.engine")


@asynccontextmanager
async def under(lease: Lease, connection: Connection) -> AsyncIterator[Connection]:
    """The connection as it works under the lease, which is renewed meanwhile and ends with the block.

    To be used in the task that runs the cycle: its writes, and those of tasks that it starts, need the lease. Whatever
    is stored through the connection, or sent, after the lease was lost raises LeaseLost. If it is not known what became
    of a write, the lease's end is stored in such a way that the next holder waits for the deadline.
    """
    permit = Permit(lease.may_send, lease.lost, lease.deadline)
    before = IN_FORCE.set(permit)
    renewal = asyncio.ensure_future(_renewed(lease, connection.clock))
    held = replace(connection, store=connection.store.fenced(lease))
    try:
        yield held
    finally:
        renewal.cancel()
        IN_FORCE.reset(before)
        connection.mapping_known = held.mapping_known
        try:
            lease.end(in_flight=permit.in_doubt)
        except StoreError as error:  # it ends by itself
            _log.warning("lease.not_ended", lease=lease.key, error=str(error))


async def _renewed(lease: Lease, clock: Clock) -> None:
    """Renew the lease while the cycle waits for answers; what it stores in between renews it as well."""
    wait = lease.ttl / RENEWED_AFTER
    while True:
        await clock.sleep(wait)
        wait = lease.ttl / RENEWED_AFTER
        try:
            lease.renew()
        except LeaseLost:
            return  # the next thing that is to be stored or sent says so
        except StoreError:
            wait = AGAIN
