"""What a program that runs on does with one connection: a cycle, what is told of it, and rests after failures."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import structlog

from nexudus_sync.clock import Clock
from nexudus_sync.engine import news
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.missing_names import refuse_missing
from nexudus_sync.errors import StoreError, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Store
from nexudus_sync.store.brakes import in_state
from nexudus_sync.store.decisions import carried_out
from nexudus_sync.store.retention import Cutoffs, prune
from nexudus_sync.store.status import connection_status
from nexudus_sync.store.tables import ConnectionState

FIRST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=15)
"""How long a system is left alone after a failure; doubled with each further failure in a row."""
PRUNE_REST = 0.5
"""Seconds between two steps of deleting old rows, in which others may use the store."""


class Signals(Protocol):
    """Who is told how cycles go: `signals.Watch`."""

    def cycle_worked(self, connection: str, writes: Mapping[str, int], *, braked: bool) -> None:
        """It went well, or a brake stopped it."""

    def cycle_failed(self, connection: str, error: str) -> None:
        """It failed with this error."""

    def seconds(self, connection: str) -> float:
        """How long its cycle has taken so far."""
        ...


def rest_after(failures: int) -> timedelta:
    """How long a system rests that has failed that many times in a row (at least once)."""
    return min(FIRST_REST * (1 << min(failures - 1, 10)), LONGEST_REST)


def reconcile_due(state: ConnectionState | None, every: timedelta, now: datetime) -> datetime:
    """When the full sweep is due: counted from the last one, so that restarts do not put it off for ever.

    Never before `now`. A last sweep in the future was recorded while the clock was ahead, so it is ignored.
    """
    last = None if state is None else state.last_reconcile or state.backfilled_at
    return max(now, min(last or now, now) + every)


def prune_step(store: Store, now: datetime, *, keep_history: int, keep_journal: int) -> int:
    """Delete a few of the rows that need not be kept for that many days any longer; returns how many there were."""
    with store.session() as session:
        return prune(session, Cutoffs(now - timedelta(days=keep_history), now - timedelta(days=keep_journal)))


class Turns:
    """Runs cycles of connections, and tells of them in the log, in the signals and by the health file."""

    def __init__(self, store: Store, clock: Clock, signals: Signals, health_file: Path | None = None) -> None:
        self._store, self._clock, self._signals, self._health_file = store, clock, signals, health_file
        self._log = structlog.get_logger("nexudus_sync.daemon")
        self._braked: set[str] = set()

    async def take(self, connection: Connection, options: Options, *, worked_before: bool) -> Report:
        """Run a cycle; `tell` of it afterwards. Raises what ends a cycle, which is `failed`'s to tell.

        Unless it `worked_before`, the names that its mapping writes are looked for first.
        """
        for side in Side:
            await connection.connector(side).start()
        if not worked_before:
            await refuse_missing(connection)
        with self._store.read() as session:
            before = news.look(session, connection.name)
        try:  # what is new is told even if it fails or is cancelled
            return await run_cycle(connection, options)
        finally:
            with suppress(StoreError), self._store.read() as session:  # its own error is reported already
                for event, said in news.since(session, connection.name, before):
                    self._log.info(event, connection=connection.name, **said)

    def failed(self, name: str, error: Exception, rest: timedelta) -> None:
        """Tell that a cycle of the connection `name` failed."""
        text = str(error) if isinstance(error, SyncError) else f"{type(error).__name__}: {error}"
        self._signals.cycle_failed(name, text)
        # only a fault of the program has a traceback, and a SyncError is not one
        unexpected = None if isinstance(error, SyncError) else error
        self._log.error(
            "cycle.failed",
            connection=name,
            error=text,
            seconds=round(self._signals.seconds(name), 1),
            next_try=f"{rest.total_seconds():.0f} s",
            exc_info=unexpected,
        )

    def tell(self, connection: Connection, report: Report, *, reconcile: bool, began: datetime) -> None:
        """Tell of a cycle that went well, or that a brake stopped, and what became of people's decisions in it."""
        self._signals.cycle_worked(connection.name, report.writes, braked=report.brake is not None)
        self._tell(connection, report, reconcile=reconcile)
        self._tell_decisions(connection, began)

    def _tell(self, connection: Connection, report: Report, *, reconcile: bool) -> None:
        if report.brake is not None:
            self._tell_brake(connection, report.brake)
            return
        if report.paused:
            self._touch_health_file()
            return
        self._braked.discard(connection.name)
        told = self._log.info if report.written or report.errors or reconcile else self._log.debug
        with self._store.read() as session:
            waiting = connection_status(session, connection.name)
        told(
            "cycle.done",
            connection=connection.name,
            written=report.written,
            pairs=report.pairs,
            failed=len(report.errors),
            conflicts_waiting=waiting.conflicts,
            failures_waiting=waiting.failures_waiting,
            reconcile=reconcile,
            seconds=round(self._signals.seconds(connection.name), 1),
        )
        self._touch_health_file()

    def _tell_decisions(self, connection: Connection, began: datetime) -> None:
        with self._store.read() as session:
            for one in carried_out(session, connection.name, began):
                said: dict[str, Any] = {"kind": one.kind, **one.args, "outcome": one.outcome}
                self._log.info("decision", connection=connection.name, **said)

    def _tell_brake(self, connection: Connection, brake: str) -> None:
        """Log the brake once, not at every poll while it is set."""
        if connection.name not in self._braked:
            remedy = f"see `nexudus-sync brake show`; if this is intended, `nexudus-sync brake release {brake}`"
            with self._store.read() as session:
                evidence = "; ".join(one.evidence for one in in_state(session, connection.name) if one.name == brake)
            self._log.error("cycle.braked", connection=connection.name, brake=brake, evidence=evidence, remedy=remedy)
        self._braked.add(connection.name)

    def _touch_health_file(self) -> None:
        if self._health_file is None:
            return
        try:
            self._health_file.touch()
        except OSError as error:
            self._log.warning("health_file.failed", path=str(self._health_file), error=error.strerror)
