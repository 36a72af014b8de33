"""Leases: who works on a CRM now, where several machines share a store.

A worker takes the lease of a CRM before a cycle. Each lease has a number that grows, its epoch, and every transaction
of the cycle first locks the lease's row and compares the number (`Store.fenced`), so a worker that was stopped, and
wakes up after another has taken over, can store nothing more. Whether it may still send is a question that it must be
able to answer without a call, right before the first byte leaves: `Lease.may_send`, by this machine's own counting of
seconds from before the lease was last renewed.

By then a request may be under way. So nobody takes over before the lease has ended *and* the longest request that its
holder could have begun by then is over (`deadline`).

Time is the database server's, which all machines share; where the store is a file, the machine's own.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from nexudus_sync.clock import Clock, SharedClock, unstopped
from nexudus_sync.errors import LeaseLost
from nexudus_sync.store.tables import LeaseRow

if TYPE_CHECKING:
    from nexudus_sync.store.database import Store

TTL = 30.0
"""Seconds for which a lease is in force after it was taken or renewed."""
DEADLINE = 30.0
"""Seconds that a write may take under a lease, from the first byte sent to the last one read.

Both together are how long nothing happens to a CRM after its worker died: the time between two polls.
"""
RENEWED_AFTER = 3
"""It is renewed when a third of its time is over."""

_EPOCH = select(col(LeaseRow.epoch)).where(col(LeaseRow.key) == bindparam("key")).with_for_update(read=True)


class Lease:
    """A lease that was taken. It belongs to one thread, and to the store it was taken from."""

    def __init__(self, store: "Store", clock: Clock, row: LeaseRow, asked: float, ttl: float) -> None:
        self.key, self.holder, self.epoch, self.deadline = row.key, row.holder, row.epoch, row.deadline
        self._own, self._clock, self.ttl = store.scoped(_scope(row.key)), clock, ttl
        self._until = asked + ttl
        self._renewing: float | None = None
        self._over = False

    def may_send(self) -> bool:
        """May a write still be sent? Asks nobody, so that there is hardly a moment between the answer and the send."""
        return not self._over and unstopped(self._clock) < self._until

    def enter(self, session: Session) -> None:
        """The first thing in each transaction of what is done under it, and `kept` the last, after the commit.

        It locks the lease's row, so nobody takes over before the transaction has ended. When a third of the lease's
        time is over it is renewed: even late, if nobody took over meanwhile. Raises LeaseLost.
        """
        self._renewing = None
        if self._over:
            raise self.lost()
        asked = unstopped(self._clock)
        if asked < self._until - self.ttl + self.ttl / RENEWED_AFTER:
            mine = session.connection().execute(_EPOCH, {"key": self.key}).scalar_one_or_none() == self.epoch
        else:
            mine = self._prolong(session, asked)
        if not mine:
            self._over = True
            raise self.lost()

    def kept(self) -> None:
        """The transaction was committed: if it renewed the lease, that counts from now on."""
        if self._renewing is not None:
            self._until, self._renewing = self._renewing + self.ttl, None

    def renew(self) -> None:
        """Renew it if that is due. Raises LeaseLost, and StoreError when the database cannot be reached."""
        with self._own.session() as session:
            self.enter(session)
        self.kept()

    def end(self, *, in_flight: bool) -> None:
        """It is not needed any longer. `in_flight`: a write may be under way, so a successor waits for the deadline.

        Raises StoreError when the database cannot be reached; then it ends by itself.
        """
        self._over = True
        with self._own.session() as session:
            row = session.get(LeaseRow, self.key, with_for_update=True)
            if row is not None and row.epoch == self.epoch:
                row.until = _database_now(session, self._clock) if in_flight else None
                session.add(row)

    def lost(self) -> LeaseLost:
        """The error that ends what was done under it."""
        return LeaseLost(f"the lease of {self.key} has ended, and another worker may work on it; nothing more is done")

    def _prolong(self, session: Session, asked: float) -> bool:
        row = session.get(LeaseRow, self.key, with_for_update=True)
        if row is None or row.epoch != self.epoch:
            return False
        row.until = _database_now(session, self._clock) + timedelta(seconds=self.ttl)
        session.add(row)
        self._renewing = asked
        return True


def take(
    store: "Store", clock: Clock, key: str, holder: str, *, ttl: float = TTL, deadline: float = DEADLINE
) -> Lease | None:
    """Take the lease of `key`; None while another is in force, or a request of its holder may be under way.

    `holder` tells people who has it: the host, the process, the worker. A SharedClock learns the database's time.
    Raises StoreError.
    """
    asked = unstopped(clock)
    with store.scoped(_scope(key)).session() as session:
        row = _free_row(session, clock, key)
        if row is None:
            return None
        row.holder, row.epoch, row.deadline = holder, row.epoch + 1, deadline
        row.until = _database_now(session, clock) + timedelta(seconds=ttl)
        session.add(row)
        session.flush()
    return Lease(store, clock, row, asked, ttl)


def seconds_left(session: Session, clock: Clock, key: str) -> float:
    """Seconds until the lease of `key` could be taken if its holder did nothing more; 0 when it is free."""
    row = session.get(LeaseRow, key)
    if row is None or row.until is None:
        return 0.0
    return max(0.0, (_free_from(row, row.until) - _database_now(session, clock)).total_seconds())


def _scope(key: str) -> str:
    """Not the scope of what is done under the lease: whoever asks for it need not wait for that."""
    return f"lease {key}"


def _free_row(session: Session, clock: Clock, key: str) -> LeaseRow | None:
    """The row of a lease that may be taken, locked."""
    row = session.get(LeaseRow, key, with_for_update={"skip_locked": True})
    if row is None:
        if session.get(LeaseRow, key) is not None:
            return None  # somebody works under it this very moment
        try:
            with session.begin_nested():
                session.connection().execute(insert(LeaseRow).values(key=key, holder="", epoch=0, deadline=0.0))
        except IntegrityError:
            return None  # somebody else was faster
        return session.get_one(LeaseRow, key)
    is_free = row.until is None or _free_from(row, row.until) < _database_now(session, clock)
    return row if is_free else None


def _free_from(row: LeaseRow, until: datetime) -> datetime:
    return until + timedelta(seconds=row.deadline)


def _database_now(session: Session, clock: Clock) -> datetime:
    """The time by which all machines go."""
    if session.get_bind().dialect.name != "postgresql":
        return clock.now()
    asked = unstopped(clock)
    now: datetime = session.connection().execute(text("SELECT clock_timestamp()")).scalar_one()
    if isinstance(clock, SharedClock):
        clock.learn(now, asked)
    return now
