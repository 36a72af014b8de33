"""What the verbs work on: the settings, the store, the engine, and the record named by an argument."""

import asyncio
import getpass
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from nexudus_sync import logs
from nexudus_sync.cli import collector
from nexudus_sync.cli.frame import Root, shown, tell, worst
from nexudus_sync.cli.reading import read_settings
from nexudus_sync.cli.rows import of_tenant
from nexudus_sync.clock import SystemClock
from nexudus_sync.config import Settings
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.startup import lawful
from nexudus_sync.engine.startup.assemble import Engine, assemble, load_mapping, open_store
from nexudus_sync.engine.startup.missing_names import refuse_missing
from nexudus_sync.errors import storable
from nexudus_sync.mapping import Side
from nexudus_sync.store import Store
from nexudus_sync.store.status import connection_status

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """The settings and the open store: all that the verbs that look and decide need."""

    settings: Settings
    store: Store

    def names(self, connection: str | None = None) -> list[str]:
        """The names of all configured connections, or the one asked for. Raises ConfigError for an unknown name."""
        return [one.name for one in self.settings.named(connection)]


def load_settings(
    root: Root, *, secrets: bool = True, needed: Collection[str] = (), connection: str | None = "", quiet: bool = True
) -> Settings:
    """Read the configuration, as `read_settings` does, and set up the log.

    `quiet`: only warnings are logged unless more is asked for, so that an error stays one line. Raises ConfigError.
    """
    settings = read_settings(root, secrets=secrets, needed=needed, connection=connection)
    start_log(root, settings, quiet=quiet)
    return settings


def start_log(root: Root, settings: Settings, *, quiet: bool = True) -> None:
    """Set up the log by the options before the verb, else by the file, else for warnings only when `quiet`."""
    log = settings.log
    level = "warning" if quiet and "level" not in log.model_fields_set else log.level
    logs.configure(root.log_level or level, root.log_format or log.format, secrets=settings.secrets())


@contextmanager
def open_desk(root: Root) -> Iterator[Desk]:
    """The settings and the store, for verbs that do not talk to a system. Raises ConfigError, StoreError."""
    settings = load_settings(root, secrets=False)
    store = open_store(settings)
    try:
        yield Desk(settings, store)
    finally:
        store.close()


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """The assembled engine. Raises ConfigError, MappingError and StoreError before any request is made."""
    mappings = [load_mapping(settings, one) for one in settings.connections]
    first = not Store.exists(settings.store_url, base_dir=settings.base_dir)
    if first:
        lawful.check(mappings)  # a mapping that breaks them makes no store
    engine = assemble(settings, clock=SystemClock(), rng=random.Random())  # noqa: S311 - spreads retries, no secret
    try:
        lawful.check_once(engine.store, mappings, checked=first)
        collector.settle()
        yield engine
    finally:
        await engine.aclose()


async def each(
    root: Root,
    engine: Engine,
    connections: list[Connection],
    work: Callable[[Connection], Awaitable[int]],
    rows: list[dict[str, Any]] | None = None,
) -> int:
    """Do the work for each connection; a failure of one does not stop the others. Returns the worst exit code.

    `rows`, for JSON, get a row about each connection that failed.
    """
    codes = []
    for connection in connections:
        try:
            for side in Side:
                await connection.connector(side).start()
            await refuse_missing(connection)
            codes.append(await work(connection))
        except Exception as error:
            if rows is not None:
                told = {"connection": connection.name, "error": shown(root, str(error))}
                rows.append({**told, **of_tenant(engine.settings, connection.name)})
            codes.append(tell(root, error, f"connection {connection.name}: " if len(engine.connections) > 1 else ""))
    return worst(codes)


def run(work: Awaitable[T]) -> T:
    """Run a verb's asynchronous part to its end. SIGTERM ends it as Ctrl-C does, and the write under way is recorded.

    SIGTERM has a handler of its own because a shell makes programs in the background ignore Ctrl-C.
    """

    async def body() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def stop(*_: object) -> None:
            if task.cancelling():
                raise KeyboardInterrupt  # the first signal did not end it
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes a waiting loop

        before = signal.signal(signal.SIGTERM, stop)
        try:
            return await work
        finally:
            signal.signal(signal.SIGTERM, before)

    try:
        return asyncio.run(body())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@contextmanager
def asking() -> Iterator[None]:
    """While a person is asked, a signal ends the question at once: nothing else is running."""
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def waiting(store: Store, names: list[str]) -> int:
    """The number of conflicts and failures that wait in these connections."""
    with store.read() as session:
        found = [connection_status(session, name) for name in names]
    return sum(one.waiting for one in found)


def who() -> str:
    """The name of the machine's user; "" where it is not known."""
    try:
        return storable(os.environ.get("SUDO_USER") or getpass.getuser())
    except (KeyError, OSError, ImportError):  # which one is raised depends on the version of Python
        return ""
