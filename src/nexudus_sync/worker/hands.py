"""What a page beside the workers can ask them for, by way of the queue that they share."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import floor

from nexudus_sync.clock import Clock
from nexudus_sync.config import Settings
from nexudus_sync.errors import StoreError, SyncError
from nexudus_sync.store import Store
from nexudus_sync.web.desk import Foreseen
from nexudus_sync.worker.due import Job, Kind, phase
from nexudus_sync.worker.queue import Queue


class QueueHands:
    """For a page that no cycle runs beside. `settings` are those of the moment."""

    def __init__(self, settings: Callable[[], Settings], store: Store, clock: Clock) -> None:
        self._settings, self._store, self._clock = settings, store, clock
        self._queue = Queue(settings().store_url, _nothing)

    def soon(self, connection: str) -> bool:
        """Put the connection's next poll into the queue, where a worker finds it within a second."""
        one = next((each for each in self._settings().connections if each.name == connection), None)
        if one is None:
            return False
        try:
            with self._store.session() as session:
                self._queue.put(session, [Job(one.name, one.crm, Kind.POLL)])
        except StoreError:
            return False
        return True

    def next_cycle(self, connection: str) -> datetime | None:
        """When its next poll is due, if a worker has the time then."""
        one = next((each for each in self._settings().connections if each.name == connection), None)
        if one is None:
            return None
        span = max(1.0, one.poll.total_seconds())
        first = phase(one.name) * span
        at = first + span * (floor((self._clock.now().timestamp() - first) / span) + 1)
        return datetime.fromtimestamp(at, UTC)

    def plan(self, connection: str) -> Foreseen:
        """Raise SyncError: a plan takes minutes and calls, which a page has no slot for."""
        raise SyncError(f"here a plan is made on the command line: `nexudus-sync plan --connection {connection}`")


async def _nothing(job: Job) -> None:
    """A page takes no jobs."""
