"""One-off work in a fleet, whose workers may be at work on the same systems: it takes turns with them by leases."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from nexudus_sync.cli.progress import saying
from nexudus_sync.config import Settings
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.startup import leased
from nexudus_sync.store import Store, leases

AGAIN = 1.0
"""Seconds until a lease that somebody else has is asked for again."""


def locked(settings: Settings, store: Store) -> AbstractContextManager[None]:
    """Keep other runs off the store; in a fleet only those that do not take turns. Raises StoreLocked."""
    return store.lock(shared=settings.in_fleet)


@asynccontextmanager
async def in_turn(settings: Settings, connection: Connection) -> AsyncIterator[Connection]:
    """The connection as a cycle may work on it; in a fleet it waits until no worker does."""
    if not settings.in_fleet:
        yield connection
        return
    holder, lease = f"{socket.gethostname()} {os.getpid()}", None
    async with saying(lambda: f"{connection.name}: waiting for a worker to finish with {connection.crm}"):
        while (lease := leases.take(connection.store, connection.clock, connection.crm, holder)) is None:
            await connection.clock.sleep(AGAIN)
    async with leased.under(lease, connection) as held:
        yield held
