"""The lock that keeps two runs off one store on a server: an advisory lock, which dies with the connection that has it.

It has a connection of its own. When that is lost, because the server was restarted for example, another run may take
the lock. So what was done under it must end before it is taken again (`regain`). Those that share the lock have leases
for what they do, and just take it again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import psycopg

from nexudus_sync.errors import LockLost, StoreLocked

_KEY = "1853383796, 0"  # of our own, so that it is nobody else's lock; the writers' begins with another number
_HOLDERS = f"""
SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint, l.objid::bigint) = ({_KEY})
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY a.backend_start
"""  # noqa: S608


class ServerLock:
    """The lock of one store; `connect` opens a connection of the driver, `is_gone` says whether one was lost."""

    def __init__(self, label: str, connect: Callable[[], Any], is_gone: Callable[[Any], bool]) -> None:
        self._label, self._connect, self._is_gone = label, connect, is_gone
        self._connection: Any = None
        self._kind = ""
        self._one_at_a_time = Lock()

    @contextmanager
    def hold(self, *, shared: bool) -> Iterator[None]:
        """Hold it, alone or beside others that share it. Raises StoreLocked, naming a holder."""
        self._kind = "_shared" if shared else ""
        self._connection = self._taken()
        try:
            yield
        finally:
            connection, self._connection = self._connection, None
            with suppress(psycopg.Error):  # if it was lost, so was the lock
                connection.execute(f"SELECT pg_advisory_unlock{self._kind}({_KEY})")
            connection.close()

    def check(self) -> None:
        """To be asked before each writing transaction; it costs no request. Raises LockLost."""
        connection = self._connection  # another thread may end it meanwhile
        if connection is None or not self._is_gone(connection):
            return
        if not self._kind:
            raise LockLost(f"{self._label}: the connection that held the lock was lost; what was under way has ended")
        self.regain()

    def regain(self) -> None:
        """Take it again if it was lost. Raises StoreLocked when another has it by now."""
        with self._one_at_a_time:
            if self._connection is not None and self._is_gone(self._connection):
                lost, self._connection = self._connection, self._taken()
                lost.close()

    def _taken(self) -> Any:
        connection = self._connect()
        try:
            (taken,) = connection.execute(f"SELECT pg_try_advisory_lock{self._kind}({_KEY})").fetchone()
            if not taken:
                name = next((name for (name,) in connection.execute(_HOLDERS).fetchall()), "")
                who = f" ({name.removeprefix('nexudus-sync ')})" if name.startswith("nexudus-sync ") else ""
                raise StoreLocked(f"another nexudus-sync{who} is working on {self._label}; wait for it or stop it")
        except BaseException:
            connection.close()
            raise
        return connection
