"""`worker`: one of several processes that share the connections of a store on PostgreSQL."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from nexudus_sync.cli import collector
from nexudus_sync.cli.desk import run, start_log
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.reading import read_settings
from nexudus_sync.clock import SharedClock, SystemClock
from nexudus_sync.config import Settings
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.config.toml import is_fleet
from nexudus_sync.engine.startup.assemble import open_store
from nexudus_sync.errors import ConfigError
from nexudus_sync.page import served
from nexudus_sync.web import serve

_POSTGRES = "postgresql"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a worker. `port` None: no server for health and metrics."""

    polls: int
    sweeps: int
    backfills: int
    port: int | None = None


def worker(root: Root, wanted: Wanted) -> int:
    """Work until stopped. Returns the exit code."""
    from nexudus_sync.worker.roster import Roster

    if not wanted.polls + wanted.sweeps + wanted.backfills:
        raise ConfigError("--concurrency, --sweeps, --backfills", "are all 0", "leave one of them something to do")
    roster = Roster(_reader(root))
    settings = roster.settings
    root.secrets = settings.secrets()
    _refuse_files(settings)
    kinds, made = _parts()
    slots = {kinds.POLL: wanted.polls, kinds.RECONCILE: wanted.sweeps}
    slots |= {kinds.CATCH_UP: wanted.backfills, kinds.BACKFILL: wanted.backfills}
    start_log(root, settings, quiet=False)

    def renewed(settings: Settings) -> None:
        root.secrets = settings.secrets()
        start_log(root, settings, quiet=False)  # it masks the secrets of new tenants too

    async def body() -> int:
        with ExitStack() as stack:
            store = open_store(settings)
            stack.callback(store.close)
            one = made(roster, store, SharedClock(SystemClock()), slots, renewed=renewed)
            collector.settle()
            if wanted.port is not None:
                web = settings.web.model_copy(update={"off": False, "port": wanted.port})
                page = serve.start(web, lambda: served(settings, None, one.watch.routes()))
                if page is not None:
                    stack.callback(page.stop)
            await one.run()
        return 0

    return run(body())


def _reader(root: Root) -> Callable[[], Settings]:
    """What reads the configuration, again each time for a fleet."""
    if is_fleet(root.config):
        if root.tenant is not None:  # what is due for the others would be overlooked whenever it looks
            raise ConfigError("--tenant", "a worker works for all tenants", "leave it out")
        return Fleet.load(root.config).whole
    settings = read_settings(root, secrets=True)
    return lambda: settings


def _refuse_files(settings: Settings) -> None:
    """Raise ConfigError for a store that only one machine can use."""
    if not settings.store_url.startswith(_POSTGRES):
        remedy = 'write url = "postgresql+psycopg://USER:${PASSWORD}@HOST/DATABASE" (docs/cluster.md), or use `run`'
        raise ConfigError(f"{settings.path}: store.url", "is a file, and workers share a store on PostgreSQL", remedy)


def _parts() -> tuple[Any, Any]:
    """What needs the libraries of the extra. Raises ConfigError where they are missing."""
    try:
        from nexudus_sync.worker.due import Kind
        from nexudus_sync.worker.worker import Worker
    except ModuleNotFoundError as error:
        missing = f"{error.name} is not installed"
        raise ConfigError("worker", missing, "pip install 'nexudus-sync[cluster]'") from error
    return Kind, Worker
