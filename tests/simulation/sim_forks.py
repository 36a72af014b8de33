"""The story with something going wrong at every moment of it, each played only from there on: the process forks.

At every commit, and after every write before its answer is read, a child process dies the simulated death while its
parent goes on; the child's next process may fork again at each such moment. Or every call fails, in a child process for
each way. What comes of it is compared with the undisturbed run, as `disturbed` does it for one run from the start.

A process dies at no moment at which the store and both systems are as they were at the moment before: it would leave
nothing else behind. What differs then is how many calls of the budget are taken, a third of all commits.
"""

import asyncio
import json
import os
import traceback
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
from sim_scenario import LASTS, Fault, Moment, Point, ScenarioWorld, kinds, play, troubles, whole
from sqlalchemy import select
from sqlmodel import SQLModel

from nexudus_sync.mapping import Side

FORKS_AT: tuple[Moment, ...] = ("commit", "after")
"""The moment before a write is the one after the commit that announces it."""
_ALL_BUT_SPENT = [select(table) for name, table in SQLModel.metadata.tables.items() if name != "spent"]

Ways = Callable[[Side, int], Iterable[str]]
"""The kinds of faults that the n-th call of a side meets, each in a run of its own."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One run: what went wrong in it on purpose, as `str` shows it, and what is not as it should be at its end."""

    met: tuple[str, ...]
    troubles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong: so many deaths in a run, or a fault; the first at every `slices`th moment from `slice_` on.

    `at`: only at these moments, if any are named.
    """

    deaths: int = 0
    at: frozenset[Point] = frozenset()
    ways: Ways | None = None
    slice_: int = 0
    slices: int = 1
    forks_at: tuple[Moment, ...] = FORKS_AT


class ForkingWorld(ScenarioWorld):
    """A world that goes more than one way at every moment in turn."""

    def __init__(self, folder: Path, installation: str, plan: Plan) -> None:
        self.plan, self.moments = plan, 0
        self.met: tuple[Point | Fault, ...] = ()
        self.begun = dict.fromkeys(Side, 0)
        self.left: Hashable = None
        super().__init__(folder, installation=installation)

    def passed(self, what: Moment) -> None:
        """Count a moment, and let a child end there."""
        super().passed(what)
        if not self.counting or what not in self.plan.forks_at or len(self.met) >= self.plan.deaths:
            return
        if self.plan.at and not self.met and Point(what, self.passing[what]) not in self.plan.at:
            return
        before, self.left = self.left, self._left_behind()
        if self.left != before and (self.met or self._is_next()) and _in_a_child():
            self.met += (Point(what, self.passing[what]),)
            self.strike()

    def calling(self, side: Side) -> None:
        """Count a call, and let a child meet each fault there. Calls come through in the order they are made in."""
        if self.plan.ways is None or self.met or self.calls[side]:
            return
        self.begun[side] += 1
        number, answered = self.begun[side], len(self.double(side).log)
        for kind in self.plan.ways(side, number) if self._is_next() else ():
            if _in_a_child():
                self.met = (Fault(side, kind, number),)
                self.faults[side].add(kind, nth=number - answered, seconds=LASTS.get(kind))
                return

    def transport(self, side: Side) -> httpx.AsyncBaseTransport:
        """With a fork before each call."""
        return _Calling(self, side, super().transport(side))

    def ended(self) -> Ended:
        """What came of the run, which is at its end."""
        wrong = troubles(self)
        for met in self.met:
            if isinstance(met, Fault) and len(self.faults[met.side].injected) != 1:
                wrong += ("the fault was not met",)
        return Ended(tuple(map(str, self.met)), wrong)

    def _is_next(self) -> bool:
        self.moments += 1
        return self.moments % self.plan.slices == self.plan.slice_

    def _left_behind(self) -> Hashable:
        """What a process that ends now leaves behind, but for what it spent of the budget."""
        with self.store.read() as session:
            rows = [session.connection().execute(query).all() for query in _ALL_BUT_SPENT]
        return repr(rows), *(len(self.double(side).changes) for side in Side)


class _Calling(httpx.AsyncBaseTransport):
    def __init__(self, world: ForkingWorld, side: Side, inner: httpx.AsyncBaseTransport) -> None:
        self._world, self._side, self._inner = world, side, inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._world.calling(self._side)
        return await self._inner.handle_async_request(request)


def _in_a_child() -> bool:
    """Go on in a child process first (True there), then in this one (False)."""
    loop = asyncio.get_running_loop()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    else:
        asyncio._set_running_loop(loop)  # it is known by its process
    return child == 0


def explore(folder: Path, installation: str, plan: Plan, kind: type[ForkingWorld] = ForkingWorld) -> list[Ended]:
    """Play the story in every way that the plan has, and undisturbed."""
    whole(installation)
    found, parent = folder / "endings", os.getpid()
    found.touch()
    world = kind(folder, installation, plan)
    try:
        play(world)
        ended = world.ended()
    except BaseException as error:
        if not isinstance(error, AssertionError):
            traceback.print_exc()
        ended = Ended(tuple(map(str, world.met)), (f"{type(error).__name__}: {error}",))
    with found.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps([ended.met, ended.troubles]) + "\n")
    if os.getpid() != parent:
        os._exit(0)
    world.close()
    read = (json.loads(line) for line in found.read_text(encoding="utf-8").splitlines())
    return [Ended(tuple(met), tuple(wrong)) for met, wrong in read]


def every_way(installation: str) -> Ways:
    """Each call fails in every way."""
    return lambda side, _: kinds(installation, side)
