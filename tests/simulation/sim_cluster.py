"""Workers that are really killed and stopped, on a real PostgreSQL that is restarted, cut off and full.

A few tenants' doubles on sockets, a private server, a proxy in front of it, and workers in processes of their own, each
with a clock that is minutes off. People go on with their work meanwhile. Afterwards the checker reads every tenant.
"""

import ctypes
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cluster_worker import DEADLINE, TTL
from sim_checker import Violation, check
from sim_proxy import Proxy
from sim_tenants import AtRest, RunningClock, Tenant

from nexudus_sync.config.fleet import Fleet
from nexudus_sync.store import Store
from postgres_server import PASSWORD, PostgresServer

SCRIPT = Path(__file__).with_name("cluster_worker.py")
APART = (-290.0, -40.0, 0.0, 310.0)
"""Seconds by which the workers' clocks are off."""
POLL, SWEEP = "2s", "10s"
SHORT, LONG = (0.1, 2.0), (TTL + DEADLINE + 1, TTL + DEADLINE + 6)
"""Seconds for which a worker is stopped: shorter than its lease, or until others have taken over."""
WOKE = 2.0
"""Seconds after a worker woke up in which its write may rest on what it read before."""
QUIET = 3
"""Cycles of each tenant without a write, after which everything has come to rest."""
PENDING = "SELECT id FROM journal WHERE state IN ('planned', 'sent') LIMIT 1"
PATIENCE = 300.0
LOOK_FOR = 1.5
"""Seconds for which a worker is looked for that is at work, to be killed or stopped."""
AT_WORK = "SELECT holder FROM leases WHERE until > now() AT TIME ZONE 'UTC'"


class SmallDisk(PostgresServer):
    """A server whose data lie on a disk of their own, which can be full. It has to be run by root."""

    def _initialise(self) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=220m,mode=0700", "none", self.folder], check=True)
        if self._user:
            shutil.chown(self.folder, self._user)
        super()._initialise()

    def fill(self) -> None:
        """Nothing more fits on it."""
        left = shutil.disk_usage(self.folder).free
        with (self.folder / "filler").open("wb") as file, suppress(OSError):
            file.write(b"\0" * left)

    def free(self) -> None:
        """There is room again. A server that ended for lack of it is started."""
        (self.folder / "filler").unlink(missing_ok=True)
        if self._process is not None and self._process.poll() is not None:
            self.restart()

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        subprocess.run(["umount", "-l", self.folder], check=True)
        super().close()


def _end_with_parent() -> None:
    """Ask Linux to end the process when the one that started it is gone, however that ended."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextmanager
def a_server(*, small_disk: bool) -> Iterator[PostgresServer]:
    """A durable server, with a small disk of its own if that is wanted."""
    settings = {"max_wal_size": "64MB", "min_wal_size": "32MB"}
    server = (SmallDisk if small_disk else PostgresServer)(durable=True, **settings)
    try:
        yield server.start()
    finally:
        server.close()


@dataclass(slots=True)
class Worker:
    """A worker's process. `wakes`: when it goes on, if it is stopped (monotonic)."""

    process: "subprocess.Popen[bytes]"
    wakes: float | None = None


@dataclass(slots=True)
class Outcome:
    """What happened, by kind and number, and what is not as it should be."""

    events: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)


class Cluster:
    """Tenants, a server behind a proxy, and workers."""

    def __init__(
        self, folder: Path, server: PostgresServer, seed: int, *, tenants: int = 4, workers: int = 4, plant: str = ""
    ) -> None:
        self.folder, self.server, self.rng, self._plant = folder, server, random.Random(seed), plant
        self.outcome, self._woke = Outcome(), 0.0
        self.database = server.create()
        self.proxy = Proxy(server.port)
        self.tenants = [
            Tenant(f"t{number}", ("overplane", "erpnext")[number % 2], seed + number, self._is_waking)
            for number in range(tenants)
        ]
        self._lay_out()
        self._log = (folder / "workers.log").open("ab")
        self.workers = [self._started(number) for number in range(workers)]

    # -- what happens

    def kill(self) -> None:
        """A worker is killed, and another one started in its place."""
        number = self.workers.index(self._victim(self.workers))
        self.workers[number].process.kill()
        self.workers[number].process.wait()
        self.workers[number] = self._started(number)
        self.outcome.events["kills"] += 1

    def stop(self) -> None:
        """A worker is stopped for a while: shortly, or until others have taken over."""
        awake = [one for one in self.workers if one.wakes is None]
        if len(awake) > 1:
            one, is_long = self._victim(awake), self.rng.random() < 0.6
            one.process.send_signal(signal.SIGSTOP)
            one.wakes = time.monotonic() + self.rng.uniform(*(LONG if is_long else SHORT))
            self.outcome.events["long stops" if is_long else "short stops"] += 1

    def wake(self, *, everybody: bool = False) -> None:
        """Those whose time has come go on."""
        for one in self.workers:
            if one.wakes is not None and (everybody or time.monotonic() >= one.wakes):
                one.process.send_signal(signal.SIGCONT)
                one.wakes, self._woke = None, time.monotonic()

    def restart(self) -> None:
        """The server is restarted, orderly or as if its machine had stopped."""
        self.server.restart(self.rng.choice([signal.SIGINT, signal.SIGQUIT]))
        self.outcome.events["restarts of the server"] += 1

    def cut(self) -> None:
        """All connections to the server are cut."""
        self.outcome.events["cut connections"] += self.proxy.cut()

    def fill(self) -> None:
        """The server's disk is full for a while."""
        if isinstance(self.server, SmallDisk):
            self.server.fill()
            self._go_on(self.rng.uniform(1.0, 4.0))
            self.server.free()
            self.outcome.events["full disks"] += 1

    def people(self) -> None:
        """Somebody does something, somewhere."""
        self.rng.choice(self.tenants).act()
        self.outcome.events["edits"] += 1

    def _go_on(self, seconds: float) -> None:
        """Time passes, and people go on with their work."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.wake()
            self._revive()
            self.people()
            time.sleep(min(seconds, 0.1))

    # -- from the beginning to the end

    def first_runs(self) -> None:
        """Wait until every tenant had its first run."""
        done = "SELECT count(*) FROM connection_state WHERE backfilled_at IS NOT NULL"
        self._until(lambda: self.server.run(done, self.database)[0][0] == len(self.tenants), "the first runs end")

    def trouble(self, events: dict[str, int], pause: tuple[float, float] = (0.3, 3.0)) -> None:
        """So many of each event, in any order."""
        todo = [name for name, count in events.items() for _ in range(count)]
        self.rng.shuffle(todo)
        for name in todo:
            getattr(self, name)()
            self._go_on(self.rng.uniform(*pause))

    def rest(self) -> None:
        """Everybody is awake and nobody disturbs; wait until each tenant was swept, and then nothing is written.

        A rename leaves no trace that a poll could see, so there has to be a sweep.
        """
        self.wake(everybody=True)
        began = self.server.run("SELECT now() AT TIME ZONE 'UTC'", self.database)[0][0]
        seen, cycles = -1, dict[str, int]()

        def is_quiet() -> bool:
            nonlocal seen, cycles
            states = self.server.run("SELECT name, cycles, last_reconcile FROM connection_state", self.database)
            written, now = sum(tenant.writes() for tenant in self.tenants), {name: count for name, count, _ in states}
            if written != seen or self.server.run(PENDING, self.database) or min(one for *_, one in states) < began:
                seen, cycles = written, now
            return all(count >= cycles[name] + QUIET for name, count in now.items())

        self._until(is_quiet, "everything comes to rest")

    def end(self) -> None:
        """Stop all workers, and the doubles."""
        for one in self.workers:
            one.process.send_signal(signal.SIGCONT)
            one.process.terminate()
        for one in self.workers:
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(20)
            one.process.kill()
            one.process.wait()
        self._log.close()

    def close(self) -> None:
        """Stop everything but the server."""
        self.end()
        self.proxy.close()
        for tenant in self.tenants:
            tenant.world.close()

    def check(self) -> list[Violation]:
        """All invariants of all tenants."""
        store, clock = Store.open(self.server.url(self.database)), RunningClock()
        fleet, found = Fleet.load(self.folder / "config.toml"), list[Violation]()
        for tenant in self.tenants:
            at_rest = AtRest(tenant, store, fleet, clock)
            violations, exempt = check(at_rest)  # type: ignore[arg-type]
            at_rest.close()
            found += [Violation(one.invariant, f"{tenant.name}: {one.text}") for one in violations]
            self.outcome.events["edits in the stated gap"] += exempt
        store.close()
        clock.close()
        self.outcome.troubles += [f"{one.invariant}: {one.text}" for one in found]
        return found

    # -- the parts

    def _victim(self, among: list[Worker]) -> Worker:
        """One of these workers: if some are at work on a tenant within a second or two, one of those."""
        until = time.monotonic() + LOOK_FOR
        while time.monotonic() < until:
            with suppress(Exception):  # the server may be away
                holders = [said.split()[-1] for (said,) in self.server.run(AT_WORK, self.database)]
                at_work = [one for one in among if str(one.process.pid) in holders]
                if at_work:
                    time.sleep(self.rng.uniform(0.0, 0.3))
                    return self.rng.choice(at_work)
            self._go_on(0.02)
        return self.rng.choice(among)

    def _lay_out(self) -> None:
        url = self.server.network_url(self.database, password="${STORE_PASSWORD}")
        url = url.replace(f":{self.server.port}/", f":{self.proxy.port}/")
        (self.folder / "secrets.env").write_text(f"STORE_PASSWORD='{PASSWORD.replace(' ', '%20')}'\n")
        run = f'[run]\nabsence_wait = "{DEADLINE:.0f}s"\n'
        text = f'[store]\nurl = "{url}"\n{run}[log]\nformat = "json"\n[fleet]\nfolder = "tenants"\n'
        (self.folder / "config.toml").write_text(text)
        for tenant in self.tenants:
            place = self.folder / "tenants" / tenant.name
            place.mkdir(parents=True)
            own = tenant.world.config_toml().partition("[nexudus]")
            config = own[1] + own[2].replace('poll = "5s"', f'poll = "{POLL}"')
            (place / "config.toml").write_text(config.replace('reconcile = "24h"', f'reconcile = "{SWEEP}"'))
            secrets = tenant.world.environment().items()
            (place / "secrets.env").write_text("\n".join(f"{name}='{value}'" for name, value in secrets))

    def _started(self, number: int) -> Worker:
        command = [sys.executable, str(SCRIPT), str(APART[number % len(APART)]), self._plant]
        command += ["--config", str(self.folder / "config.toml"), "worker"]
        log = self._log
        return Worker(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, preexec_fn=_end_with_parent))

    def _revive(self) -> None:
        """Start again what ended by itself, as a service manager does: a worker that found no server at its start."""
        for number, one in enumerate(self.workers):
            if one.process.poll() is not None:
                if one.process.returncode != 1:
                    self.outcome.troubles.append(f"a worker ended with {one.process.returncode}")
                self.workers[number] = self._started(number)
                self.outcome.events["starts without a server"] += 1

    def _is_waking(self) -> bool:
        return time.monotonic() - self._woke < WOKE

    def _until(self, done: Callable[[], bool], what: str) -> None:
        since = time.monotonic()
        while time.monotonic() - since < PATIENCE:
            self._revive()
            with suppress(Exception):  # the first worker is still making the tables; the server is starting
                if done():
                    return
            time.sleep(0.25)
        self.outcome.troubles.append(f"it took more than {PATIENCE:.0f} s until {what}")
