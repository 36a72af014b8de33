"""Is all well? One verdict for the command line, for monitoring and for the page.

Read from the store alone, so that it can be asked beside `run`, and after `run` was killed.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from nexudus_sync.config import ConnectionSettings, Settings
from nexudus_sync.errors import ConfigError
from nexudus_sync.store import Session, running
from nexudus_sync.store.ask import over
from nexudus_sync.store.glance import Glance, SetBrake, glances
from nexudus_sync.store.running import Beat, Failing
from nexudus_sync.texts import lasting, plural

BEAT_EVERY = timedelta(seconds=20)
"""How often `run` gives a sign of life."""
BEAT_LASTS = timedelta(seconds=60)
"""How old its last sign of life may be."""
FAILS_FOR = timedelta(minutes=5)
"""A connection that has failed for this long stays failed: what passes by itself is over by then."""
LEAST_STALE, STALE_POLLS = timedelta(minutes=15), 10
"""Unless `[run] stale_after` says otherwise, a connection is stale after this many polls, and this long at least."""

Kind = Literal["run", "config", "brake", "failing", "stale"]
State = Literal["ok", "brake", "failing", "stale", "paused", "unknown"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a person has to see to: `what` is wrong since when, and what to `do`.

    `connection` None: all of them, or all of a `tenant` whose configuration is broken.
    """

    kind: Kind
    connection: str | None
    what: str
    do: str
    since: datetime | None = None
    name: str = ""
    """Of a brake: which one."""
    tenant: str = ""
    """In a fleet: whose problem it is; "" where it is everybody's."""

    @property
    def line(self) -> str:
        """The problem as one line."""
        where = self.connection or self.tenant
        return f"{where}: {self.what}; {self.do}" if where else f"{self.what}; {self.do}"

    @property
    def title(self) -> str:
        """The problem in a few words."""
        said: dict[Kind, str] = {
            "run": "the sync is not running",
            "config": f"the configuration of {self.tenant} is broken",
            "brake": f"a brake stopped {self.connection}",
            "failing": f"{self.connection} keeps failing",
            "stale": f"{self.connection} has finished no cycle for long",
        }
        return said[self.kind]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one connection stands. `state` is "unknown" while `run` does not run."""

    name: str
    state: State
    last_success: datetime | None
    conflicts: int
    failures: int
    """Those that wait for a person, without those that only inform."""
    brake: str | None
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the sync is at the moment `at`. `beat` is the last sign of life of `run`, None if it is not meant to run."""

    at: datetime
    alive: bool
    beat: Beat | None
    connections: tuple[Standing, ...]
    problems: tuple[Problem, ...]

    def only(self, tenant: str) -> "Verdict":
        """The same about one tenant of a fleet alone; what is wrong with all of them is its problem too."""
        problems = tuple(one for one in self.problems if one.tenant in (tenant, ""))
        return replace(
            self, connections=tuple(one for one in self.connections if one.tenant == tenant), problems=problems
        )

    @property
    def healthy(self) -> bool:
        """Is all well? What waits for a person is part of the day's work, and no problem."""
        return not self.problems

    @property
    def waiting(self) -> int:
        """How many conflicts and failures wait for a person."""
        return sum(one.conflicts + one.failures for one in self.connections)

    def as_json(self) -> dict[str, Any]:
        """What `health --json`, `/healthz` and `/readyz` say."""
        run: dict[str, Any] = {"alive": self.alive, "started": None, "last_sign": None, "process": None}
        if self.beat is not None:
            run |= {"started": _utc(self.beat.started), "last_sign": _utc(self.beat.at), "process": self.beat.pid}
        connections = [
            {
                "name": one.name,
                "state": one.state,
                "last_success": _utc(one.last_success),
                "conflicts": one.conflicts,
                "failures": one.failures,
                "brake": one.brake,
                **_whose(one.tenant),
            }
            for one in self.connections
        ]
        problems = [
            {
                "kind": one.kind,
                "connection": one.connection,
                "what": one.what,
                "do": one.do,
                "since": _utc(one.since),
                **_whose(one.tenant),
            }
            for one in self.problems
        ]
        return {"healthy": self.healthy, "run": run, "connections": connections, "problems": problems}


def machine() -> str:
    """What tells where a process number means something: the machine, and on Linux the container."""
    try:
        container = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        container = ""
    return f"{platform.node()} {container}".strip()


def runs(pid: int) -> bool:
    """Is there a process of that number on this machine?"""
    if sys.platform == "win32":  # pragma: no cover - there this call would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it belongs to somebody else
    return True


def judge(
    session: Session,
    settings: Settings,
    now: datetime,
    *,
    names: Sequence[str] | None = None,
    exists: Callable[[int], bool] = runs,
) -> Verdict:
    """The verdict on these connections (None: all configured ones). `exists` tells whether a process is there."""
    beat = running.last_beat(session, lambda one: _is_gone(one, exists))
    dead = _dead(beat, now, exists, "nexudus-sync worker" if settings.in_fleet else "nexudus-sync run")
    problems, found = [] if dead is None else [dead], list[Standing]()
    wanted = list(settings.connections)
    if names is None:
        problems += [_broken(tenant, error) for tenant, error in settings.broken.items()]
    else:
        wanted = [one for one in wanted if one.name in names]
    known = glances(over(session), [one.name for one in wanted])
    ill = _Ill(
        settings, None if dead is not None else beat, running.failing(session), running.last_resumed(session), now
    )
    for one in wanted:
        problem, tenant = ill.with_(one, known[one.name]), settings.owner(one.name)
        problems += [] if problem is None else [replace(problem, tenant=tenant)]
        found.append(_standing(one.name, tenant, known[one.name], problem, dead=dead is not None))
    return Verdict(now, dead is None, beat, tuple(found), tuple(problems))


@dataclass(frozen=True, slots=True)
class _Ill:
    """What is wrong with connections; `beat` None: nothing runs, and what follows from that is not news."""

    settings: Settings
    beat: Beat | None
    failing: Mapping[str, Failing]
    resumed: Mapping[str, datetime]
    now: datetime

    def with_(self, one: ConnectionSettings, glance: Glance) -> Problem | None:
        """What is wrong with one of them. One that a person paused rests, and nothing is missed of it."""
        problem = _brake(one.name, glance.brake)
        if problem is not None or self.beat is None or glance.paused_at is not None:
            return problem
        resumed, own = self.resumed.get(one.name), self.settings.of(one.name)
        return _failing(one.name, self.failing.get(one.name), self.now) or _stale(
            one, own, glance, self.beat, resumed, self.now
        )


def _broken(tenant: str, error: ConfigError) -> Problem:
    remedy = "correct the file; the others run" if error.remedy == "" else f"{error.remedy}; the others run"
    return Problem("config", None, f"does not run: {error.where}: {error.problem}", remedy, tenant=tenant)


def _standing(name: str, tenant: str, glance: Glance, problem: Problem | None, *, dead: bool) -> Standing:
    state: State = "unknown" if dead else "ok" if glance.paused_at is None else "paused"
    if problem is not None and problem.kind in ("brake", "failing", "stale"):
        state = problem.kind
    brake = None if glance.brake is None else glance.brake.name
    return Standing(name, state, glance.last_success, glance.conflicts, glance.failures, brake, tenant)


def stale_after(connection: ConnectionSettings, settings: Settings) -> timedelta:
    """How old a connection's last success may be."""
    return settings.run.stale_after or max(LEAST_STALE, STALE_POLLS * connection.poll)


def _dead(beat: Beat | None, now: datetime, exists: Callable[[int], bool], command: str) -> Problem | None:
    """What is wrong with `run` itself, or with all workers."""
    start = f"start it again (`{command}`, or its service)"
    if beat is None:
        return Problem("run", None, f"`{command}` is not running", start)
    here = beat.machine == machine()
    if _is_gone(beat, exists):
        what = f"`{command}` ended unexpectedly (process {beat.pid}; its last sign of life: {_at(beat.at)})"
        return Problem("run", None, what, start, beat.at)
    silent = now - beat.at
    if silent <= BEAT_LASTS:
        return None
    hangs = f"hangs: process {beat.pid} has" if here else f"is gone or hangs: process {beat.pid} on {beat.machine} has"
    what = f"`{command}` {hangs} given no sign of life for {lasting(silent)}"
    return Problem("run", None, what, "stop it and start it again", beat.at)


def _is_gone(beat: Beat, exists: Callable[[int], bool]) -> bool:
    """Is it known that the process which gave that sign is not there any more?"""
    return beat.machine == machine() and not exists(beat.pid)


def _brake(name: str, brake: SetBrake | None) -> Problem | None:
    if brake is None:
        return None
    release = f"nexudus-sync brake release {brake.name} --connection {name}"
    do = f"see `nexudus-sync brake show`; if it is intended: `{release}`"
    what = f"the brake {brake.name} is set, so nothing is written: {brake.evidence}"
    return Problem("brake", name, what, do, brake.at, brake.name)


def _failing(name: str, found: Failing | None, now: datetime) -> Problem | None:
    if found is None or now - found.since < FAILS_FOR:
        return None
    what = f"has been failing for {lasting(now - found.since)}: {found.error}"
    return Problem("failing", name, what, "`nexudus-sync check` tells more", found.since)


def _stale(
    connection: ConnectionSettings,
    settings: Settings,
    glance: Glance,
    beat: Beat,
    resumed: datetime | None,
    now: datetime,
) -> Problem | None:
    """What is wrong if no cycle has finished for long, although `run` had the time, and none is getting on now."""
    longest = stale_after(connection, settings)
    seen = max(glance.last_success or beat.started, beat.started, resumed or beat.started)  # it rested until then
    if connection.name in beat.working:
        seen = max(seen, beat.last_call or seen)  # a first run, or a large change, takes as long as it takes
    if now - seen <= longest:
        return None
    last = "never yet" if glance.last_success is None else _at(glance.last_success)
    what = f"no cycle has finished for {lasting(now - seen)} (the last success: {last})"
    return Problem("stale", connection.name, what, "see the log of `nexudus-sync run`", seen)


def _whose(tenant: str) -> dict[str, str]:
    return {"tenant": tenant} if tenant else {}


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def in_short(verdict: Verdict) -> str:
    """The verdict as one line: that all is well, or how many problems there are and the first of them."""
    if verdict.problems:
        count, first = len(verdict.problems), verdict.problems[0].line
        return first if count == 1 else f"{count} problems, the first: {first}"
    parts = list(_parts(verdict.connections))
    if verdict.waiting:
        waits = "waits" if verdict.waiting == 1 else "wait"
        parts += [f"{plural(verdict.waiting, 'conflict or failure', 'conflicts and failures')} {waits} for a person"]
    return f"All is well: {'; '.join(parts) or 'there is no connection yet'}."


def _parts(connections: Sequence[Standing]) -> Iterator[str]:
    """How the connections are that have no problem."""
    paused = [one.name for one in connections if one.state == "paused"]
    new = [one.name for one in connections if one.last_success is None and one.name not in paused]
    count = len(connections) - len(new) - len(paused)
    if count:
        yield f"{plural(count, 'connection')} in step"
    if new:
        yield f"the first run of {', '.join(new)} is under way"
    if paused:
        yield f"{', '.join(paused)} {'is' if len(paused) == 1 else 'are'} paused"
