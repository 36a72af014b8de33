"""The tick: once a second one of the workers puts into the queue what has come due since the last one.

Which of them does it is decided by a transaction that only one of them can be in. What it saw is stored in the same
transaction that fills the queue, so whichever worker is lost, nothing is left out and nothing is put there twice.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from nexudus_sync.clock import SharedClock, unstopped
from nexudus_sync.config import ConnectionSettings
from nexudus_sync.store import Session, Store, cluster
from nexudus_sync.worker.due import Job, Kind, candidates, kinds, resting
from nexudus_sync.worker.queue import Queue
from nexudus_sync.worker.roster import Roster

EVERY = timedelta(seconds=1)
"""How often it is looked what is due."""
FIRST = timedelta(minutes=1)
"""How far the first tick of all looks back; after an outage, each connection is due once, however long it was."""


class Ticker:
    """Looks what is due. `tick` is called about once a second by every worker."""

    def __init__(self, store: Store, roster: Roster, queue: Queue, clock: SharedClock) -> None:
        self._store, self._roster, self._queue, self._clock = store.scoped("the tick"), roster, queue, clock
        self._seen: set[str] = set()
        """The connections that have been looked at since this worker knows of them."""

    def tick(self) -> int | None:
        """Put what is due into the queue; returns how much that was, None when another worker has just looked.

        Raises StoreError.
        """
        if not self._is_time():
            return None
        with self._store.session() as session:
            # asked again, for others wait at the same place
            now, last = cluster.server_time(session), cluster.last_tick(session)
            if last is not None and now - last < EVERY:
                return None
            put = self._queue.put(session, self._jobs(session, min(last or now - FIRST, now), now))
            cluster.ticked(session, now)
        self._seen = {one.name for one in self._roster.settings.connections}
        return put

    def _is_time(self) -> bool:
        asked = unstopped(self._clock)
        with self._store.read() as session:
            now, last = cluster.server_time(session), cluster.last_tick(session)
        self._clock.learn(now, asked)
        return last is None or now - last >= EVERY or now < last

    def _jobs(self, session: Session, since: datetime, now: datetime) -> list[Job]:
        """What has come due, and the first cycle of connections that were added."""
        known = self._roster.settings.connections
        new = [one for one in known if one.name not in self._seen]
        came = {one.name: one for one in candidates(known, since, now)}
        states = cluster.states(session, [*came, *(one.name for one in new)])
        came |= {one.name: one for one in new if one.name not in states}
        if not came:
            return []
        rests, found = cluster.rests(session), list[Job]()
        for one in came.values():
            if not resting(rests, self._roster.systems(one), now):
                found += _jobs_of(one, kinds(one, states.get(one.name), now))
        return found


def _jobs_of(one: ConnectionSettings, wanted: Iterable[Kind]) -> list[Job]:
    return [Job(one.name, one.crm, kind) for kind in wanted]
