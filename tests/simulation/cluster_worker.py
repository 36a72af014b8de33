"""How the tests of failure start a worker: with a clock that is set apart, and with all waits a tenth as long.

    python cluster_worker.py SECONDS PLANT --config FILE worker …

A lease, its deadline and the signs of life of workers last seconds in place of half a minute, so that an hour's
failures happen within minutes. Nothing else is other than in the program itself, but for a bug that is planted.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from nexudus_sync import clock, turns
from nexudus_sync.cli import main
from nexudus_sync.store import leases, postgres
from nexudus_sync.store.tables import LeaseRow
from nexudus_sync.worker import queue
from nexudus_sync.worker.due import Job

TTL = DEADLINE = 3.0
"""Seconds of a lease, and of the longest request under it."""
HEARTBEAT, STALLED = 1.0, 3.0
SHORTEST_REST, LONGEST_REST = timedelta(seconds=0.5), timedelta(seconds=3)


def set_apart(seconds: float) -> None:
    """This machine's clock is so many seconds ahead of the others'."""

    def now(self: object) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    clock.SystemClock.now = now  # type: ignore[method-assign]


def hurry() -> None:
    """Shorten what workers wait for."""
    defaults = leases.take.__kwdefaults__
    assert defaults is not None
    defaults.update(ttl=TTL, deadline=DEADLINE)
    queue.HEARTBEAT, queue.STALLED = HEARTBEAT, STALLED
    postgres._IDLE_MS = round(TTL * 1000)
    turns.FIRST_REST, turns.LONGEST_REST = SHORTEST_REST, LONGEST_REST


def no_fencing() -> None:
    """Whoever had the lease once may go on."""
    leases.Lease.enter = lambda *_: None  # type: ignore[assignment,method-assign]
    leases.Lease.may_send = lambda _: True  # type: ignore[method-assign]


def no_lock() -> None:
    """Everybody is given a lease, and nothing else keeps workers apart."""
    no_fencing()
    leases._free_row = lambda session, clock, key: session.merge(LeaseRow(key=key))  # type: ignore[assignment]
    put = queue._row

    def row(job: Job) -> Any:
        return put(job).evolve(lock=None)

    queue._row = row


PLANTS: dict[str, Callable[[], None]] = {"": lambda: None, "no-fencing": no_fencing, "no-lock": no_lock}


if __name__ == "__main__":
    set_apart(float(sys.argv.pop(1)))
    hurry()
    PLANTS[sys.argv.pop(1)]()
    main()
