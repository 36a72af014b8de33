"""What `run` leaves in the store about itself: a heartbeat, which connections keep failing, and what people were told.

Kept as facts, under names with a space, which no system can have.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from nexudus_sync.clock import moment
from nexudus_sync.errors import storable
from nexudus_sync.store import facts
from nexudus_sync.store.tables import Fact

_RUN, _BEAT = "the run", "heartbeat"
_TOGETHER, _FORGOTTEN = timedelta(seconds=60), timedelta(minutes=10)
"""How far apart the signs of workers may be that are at work together, and after how long a lost one is forgotten."""
_FAILING = "failing connections"
_RESUMED = "resumed connections"
_NOTICES, _TOLD, _TURN = "the notices", "told", "turn"


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life of `run`, written at `at` by the process `pid` of `machine`, which started at `started`.

    `working` says since when a cycle of a connection is under way, `last_call` when a system last answered, and
    `budget` how many calls are left of each limit, and the limit, by system and the limit's name.
    """

    at: datetime
    started: datetime
    pid: int
    machine: str
    working: Mapping[str, datetime] = field(default_factory=dict)
    last_call: datetime | None = None
    budget: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failing:
    """A connection whose cycles have failed since `since`, `times` in a row, the last one because of `error`."""

    since: datetime
    times: int
    error: str


def beat(session: Session, sign: Beat, worker: str = "") -> None:
    """Keep this sign of life in place of the one before. `worker` tells several processes on one store apart."""
    kept = {
        "at": sign.at.isoformat(),
        "started": sign.started.isoformat(),
        "pid": sign.pid,
        "machine": sign.machine,
        "working": {name: since.isoformat() for name, since in sign.working.items()},
        "last_call": None if sign.last_call is None else sign.last_call.isoformat(),
        "budget": {system: {name: list(one) for name, one in left.items()} for system, left in sign.budget.items()},
    }
    if worker:
        for key, other in _beats(session).items():
            if sign.at - other.at > _FORGOTTEN:
                facts.forget(session, _RUN, key)
    facts.keep(session, _RUN, {_key(worker): kept})


def last_beat(session: Session, is_gone: Callable[[Beat], bool] = lambda one: False) -> Beat | None:
    """The last sign of life; None when `run` never ran, or ended as it should.

    Of several workers it is the latest one's, with what all those are at that gave one lately. One whose process
    `is_gone` counts only where all are.
    """
    found = _that_count(sorted(_beats(session).values(), key=lambda one: one.at), is_gone)
    if len(found) < 2:
        return found[0] if found else None
    last, lately = found[-1], [one for one in found if found[-1].at - one.at <= _TOGETHER]
    calls = [one.last_call for one in lately if one.last_call is not None]
    return replace(
        last,
        started=min(one.started for one in lately),
        working=dict(ChainMap(*(dict(one.working) for one in lately))),
        last_call=max(calls, default=None),
        budget=dict(ChainMap(*(dict(one.budget) for one in reversed(lately)))),
    )


def _that_count(found: list[Beat], is_gone: Callable[[Beat], bool]) -> list[Beat]:
    return [one for one in found if not is_gone(one)] or found


def _key(worker: str) -> str:
    return f"{_BEAT} of {worker}" if worker else _BEAT


def _beats(session: Session) -> dict[str, Beat]:
    return {key: _beat(kept) for key, kept in facts.values(session, _RUN).items() if key.startswith(_BEAT)}


def _beat(kept: Mapping[str, Any]) -> Beat:
    budget = {
        system: {name: (int(one[0]), int(one[1])) for name, one in left.items()}
        for system, left in kept["budget"].items()
    }
    working = {name: datetime.fromisoformat(since) for name, since in kept["working"].items()}
    at, started = datetime.fromisoformat(kept["at"]), datetime.fromisoformat(kept["started"])
    return Beat(at, started, int(kept["pid"]), kept["machine"], working, moment(kept["last_call"]), budget)


def ended(session: Session, worker: str = "") -> None:
    """`run`, or a worker, ends as it should: it is not missed."""
    facts.forget(session, _RUN, _key(worker))


def failed(session: Session, connection: str, error: str, now: datetime) -> None:
    """A cycle of the connection failed."""
    known = failing(session).get(connection)
    since, times = (now, 0) if known is None else (known.since, known.times)
    kept = {"since": since.isoformat(), "times": times + 1, "error": storable(error)}
    facts.keep(session, _FAILING, {connection: kept})


def worked(session: Session, connection: str) -> None:
    """A cycle of the connection went well, or was stopped by a brake: it fails no longer."""
    facts.forget(session, _FAILING, connection)


def failing(session: Session) -> dict[str, Failing]:
    """The connections whose last cycle failed."""
    kept = facts.values(session, _FAILING)
    return {
        name: Failing(datetime.fromisoformat(one["since"]), int(one["times"]), one["error"])
        for name, one in kept.items()
    }


def resumed(session: Session, connection: str, now: datetime) -> None:
    """A person let the connection go on: what it was like before it was paused is no news."""
    worked(session, connection)
    facts.keep(session, _RESUMED, {connection: now.isoformat()})


def last_resumed(session: Session) -> dict[str, datetime]:
    """When connections that were paused were let go on, by their names."""
    return {name: datetime.fromisoformat(at) for name, at in facts.values(session, _RESUMED).items()}


def told(session: Session, tenant: str = "") -> dict[str, Any] | None:
    """What people were told, as `keep_told` kept it; None before the first time. `tenant`: whose own people."""
    found = facts.values(session, _NOTICES).get(_book(tenant))
    return None if found is None else dict(found)


def keep_told(session: Session, book: Mapping[str, Any], tenant: str = "") -> None:
    """Keep what people were told."""
    facts.keep(session, _NOTICES, {_book(tenant): dict(book)})


def _book(tenant: str) -> str:
    return f"{tenant}/{_TOLD}" if tenant else _TOLD


def may_tell(session: Session, worker: str, now: datetime, lasts: timedelta) -> bool:
    """Is it this worker's turn to tell people? For so long it then stays with it, unless it looks again before."""
    turn = session.get(Fact, (_NOTICES, _TURN), with_for_update=True)
    if turn is not None and turn.value["worker"] != worker and now - datetime.fromisoformat(turn.value["at"]) < lasts:
        return False
    facts.keep(session, _NOTICES, {_TURN: {"worker": worker, "at": now.isoformat()}})
    return True
