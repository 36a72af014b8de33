"""What `run` tells of itself while it runs: a heartbeat, which connections fail, figures, and systemd how it is."""

import os
from collections.abc import Mapping
from datetime import datetime

import structlog
from starlette.routing import Route

from nexudus_sync.clock import Clock
from nexudus_sync.config import Settings
from nexudus_sync.connectors.optional import ShowsCalls, Watcher
from nexudus_sync.errors import StoreError
from nexudus_sync.logs import Redact
from nexudus_sync.signals import http
from nexudus_sync.signals.health import in_short, judge, machine
from nexudus_sync.signals.herald import Herald
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.signals.senders import send
from nexudus_sync.signals.systemd import Service
from nexudus_sync.store import Store, running
from nexudus_sync.store.running import Beat

CUT_LASTS = 600.0
"""Seconds for which a cycle that was cut short counts as under way, unless it goes on before."""


class Watch:
    """The signals of one `run`, or of one worker, which `worker` names. `service` is what systemd is told by.

    `connectors` are by system name. Where they or the settings change, `observe` and `renew` say so.

    The daemon says what happens; its scheduler calls `beat`, and `alive` as often as the watchdog wants. Nothing here
    raises StoreError: a signal that cannot be given is a warning, and not a cycle's business.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        connectors: Mapping[str, object],
        service: Service,
        worker: str = "",
    ) -> None:
        self._settings, self._store, self._clock, self._worker = settings, store, clock, worker
        self._log = structlog.get_logger("nexudus_sync.signals")
        self._redact = Redact(settings.secrets())
        self.service = service
        self.herald = Herald(settings, store, clock, send, worker)
        self._metrics = Metrics(settings, store, clock)
        self._started = clock.now()
        self._working: dict[str, datetime] = {}
        self._began: dict[str, float] = {}
        self._last_call: datetime | None = None
        self._sound: set[str] = set()
        """The connections that are known not to fail."""
        self._cut: dict[str, float] = {}
        """Until when a cycle counts as under way that was cut short: another worker may go on with it."""
        self._shown: dict[str, ShowsCalls] = {}
        self.observe(connectors)

    def observe(self, connectors: Mapping[str, object]) -> None:
        """Look at the calls of these connectors, by system name, in place of those that had their names."""
        for name, connector in connectors.items():
            if isinstance(connector, ShowsCalls):
                self._shown[name] = connector
                connector.watch(self._watcher(name))

    def renew(self, settings: Settings) -> None:
        """Go on with these settings."""
        self._settings = self.herald.settings = self._metrics.settings = settings
        self._redact = Redact(settings.secrets())
        systems = {*settings.crms, *(settings.of(one.name).hub for one in settings.connections)}
        self._shown = {name: one for name, one in self._shown.items() if name in systems}

    def routes(self) -> list[Route]:
        """What the server beside the cycles answers."""
        return http.routes(lambda: self._settings, self._store, self._clock, self._metrics)

    async def beat(self) -> None:
        """Give a sign of life."""
        budget = {name: dict(one.budget_left()) for name, one in self._shown.items()}
        for name, left in budget.items():
            self._metrics.budget(name, left)
        now = self._clock.now()
        self._cut = {name: until for name, until in self._cut.items() if self._clock.monotonic() < until}
        working = {**dict.fromkeys(self._cut, now), **self._working}
        sign = Beat(now, self._started, os.getpid(), machine(), working, self._last_call, budget)
        try:
            with self._store.session() as session:
                running.beat(session, sign, self._worker)
            if self.service.listens:
                with self._store.read() as session:
                    self.service.status(in_short(judge(session, self._settings, now)))
        except StoreError as error:
            self._log.warning("heartbeat.failed", error=str(error))

    async def alive(self) -> None:
        """For systemd's watchdog."""
        self.service.alive()

    def ended(self) -> None:
        """`run` ends as it should."""
        try:
            with self._store.session() as session:
                running.ended(session, self._worker)
        except StoreError as error:
            self._log.warning("heartbeat.failed", error=str(error))

    def cycle_began(self, connection: str) -> None:
        """A cycle of the connection is under way."""
        self._working[connection], self._began[connection] = self._clock.now(), self._clock.monotonic()

    def cycle_ended(self, connection: str, *, goes_on: bool = False) -> None:
        """It is not any more, however it ended. `goes_on`: it was cut short, and is gone on with."""
        self._working.pop(connection, None)
        self._cut.pop(connection, None)
        if goes_on:
            self._cut[connection] = self._clock.monotonic() + CUT_LASTS

    def seconds(self, connection: str) -> float:
        """How long its cycle has taken so far."""
        return self._clock.monotonic() - self._began.get(connection, self._clock.monotonic())

    def cycle_worked(self, connection: str, writes: Mapping[str, int], *, braked: bool) -> None:
        """It went well, or a brake stopped it; `writes` are by "side kind"."""
        self._metrics.cycle(connection, "braked" if braked else "done", self.seconds(connection), writes)
        if connection not in self._sound:
            self._note(connection, None)
            self._sound.add(connection)

    def cycle_failed(self, connection: str, error: str) -> None:
        """It failed with this error, which is kept without the known secrets."""
        self._metrics.cycle(connection, "failed", self.seconds(connection), {})
        self._sound.discard(connection)
        self._note(connection, str(self._redact(None, "", {"error": error})["error"]))

    def _note(self, connection: str, error: str | None) -> None:
        try:
            with self._store.session() as session:
                if error is None:
                    running.worked(session, connection)
                else:
                    running.failed(session, connection, error, self._clock.now())
        except StoreError as problem:
            self._log.warning("heartbeat.failed", error=str(problem))

    def _watcher(self, system: str) -> Watcher:
        def told(kind: str, seconds: float) -> None:
            self._last_call = self._clock.now()
            self._metrics.call(system, kind, seconds)

        return told
