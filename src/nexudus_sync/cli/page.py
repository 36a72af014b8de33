"""`page`: the page alone, beside workers or a `run` on another machine: it runs no cycle."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack

from nexudus_sync.cli.desk import run, start_log
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.reading import read_settings
from nexudus_sync.clock import Clock, SystemClock
from nexudus_sync.config import Settings
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.config.toml import is_fleet, place
from nexudus_sync.engine.startup.assemble import open_store
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.page import FleetDesk, desk_beside, served
from nexudus_sync.signals import http
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.signals.systemd import Service
from nexudus_sync.store import Store
from nexudus_sync.web import serve
from nexudus_sync.web.desk import Desk, Hands

_NEEDED = ("web",)
"""The tables whose secrets a page needs; no other one has to be there."""
_POSTGRES = "postgresql"


def page(root: Root) -> int:
    """Serve it until stopped. Returns the exit code."""
    clock = SystemClock()
    with ExitStack() as stack:
        settings, desk = _desk(root, clock, stack)
        if settings.web.off:
            raise ConfigError(place(settings.path, ("web", "off")), "says that there is no page", "remove it")
        root.secrets = settings.secrets()
        start_log(root, settings, quiet=False)
        store = desk().store
        metrics = Metrics(settings, store, clock)

        def now() -> Settings:
            found = desk().settings
            if found is not metrics.settings:
                metrics.settings = found
            return found

        routes = http.routes(now, store, clock, metrics)
        page = serve.start(settings.web, lambda: served(settings, desk, routes))
        if page is None:
            raise SyncError("the page cannot be served; the log says why")
        stack.callback(page.stop)
        run(_until_stopped())
    return 0


async def _until_stopped() -> None:
    stop, loop, service = asyncio.Event(), asyncio.get_running_loop(), Service(os.environ)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service.ready()
    await stop.wait()
    service.stopping()


def _desk(root: Root, clock: Clock, stack: ExitStack) -> tuple[Settings, Callable[[], Desk]]:
    """The settings at the start, and what makes the page's desk."""
    if not is_fleet(root.config) or root.tenant is not None:
        settings = read_settings(root, secrets=False, needed=_NEEDED)
        store = _opened(settings, stack)
        desk = desk_beside(settings, store, clock, _hands(lambda: settings, store, clock))
        return settings, lambda: desk
    fleet = Fleet.load(root.config, os.environ, secrets=False, needed=_NEEDED)
    whole = fleet.whole()
    store = _opened(whole, stack)
    made = FleetDesk(fleet, store, clock)
    made.hands = _hands(made.settings, store, clock)
    return whole, made


def _opened(settings: Settings, stack: ExitStack) -> Store:
    store = open_store(settings)
    stack.callback(store.close)
    return store


def _hands(settings: Callable[[], Settings], store: Store, clock: Clock) -> Hands | None:
    """What the page can ask workers for; None where there can be none."""
    if not settings().store_url.startswith(_POSTGRES):
        return None
    try:
        from nexudus_sync.worker.hands import QueueHands
        from nexudus_sync.worker.queue_schema import prepare
    except ModuleNotFoundError:
        return None
    prepare(store)
    return QueueHands(settings, store, clock)
