"""All pairs of crashes of the story, each played only from its second crash on: the process forks where it might end.

At every commit, and after every write before its answer is read, a child process dies the simulated death while its
parent goes on; the child's next process forks again at each such moment. What comes of two crashes is compared with
the undisturbed run, as `disturbed` does it for one pair from the start.

A moment at which the store and both systems are as they were at the moment before is left out: a process that ends
leaves nothing else behind. What differs then is how many calls of the budget are taken, a third of all commits.
"""

import json
import os
import traceback
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from sim_scenario import Moment, Point, ScenarioWorld, play, troubles, whole
from sim_world import Crash
from sqlalchemy import select
from sqlmodel import SQLModel

from nexudus_sync.mapping import Side

FORKS_AT: tuple[Moment, ...] = ("commit", "after")
"""The moment before a write is the one after the commit that announces it."""
DEATHS = 2
_ALL_BUT_SPENT = [select(table) for name, table in SQLModel.metadata.tables.items() if name != "spent"]


@dataclass(slots=True)
class Explored:
    """How many runs with one crash and with two there were, and what was wrong: where they crashed, and the text."""

    singles: int = 0
    pairs: int = 0
    troubles: list[tuple[tuple[str, ...], str]] = field(default_factory=list)


class ForkingWorld(ScenarioWorld):
    """A world whose process ends at every moment in turn: the first time at every `slices`th from `slice_` on."""

    def __init__(self, folder: Path, installation: str, slice_: int = 0, slices: int = 1) -> None:
        self.deaths: tuple[Point, ...] = ()
        self.moments, self.slice, self.slices = 0, slice_, slices
        self.left: Hashable = None
        super().__init__(folder, installation=installation)

    def passed(self, what: Moment) -> None:
        """Count a moment, and let a child end there."""
        super().passed(what)
        if not self.counting or what not in FORKS_AT or len(self.deaths) == DEATHS:
            return
        before, self.left = self.left, self._left_behind()
        if self.left == before:
            return
        self.moments += 1
        if not self.deaths and self.moments % self.slices != self.slice:
            return
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        self.deaths += (Point(what, self.passing[what]),)
        self.crashed = True
        raise Crash

    def _left_behind(self) -> Hashable:
        """What a process that ends now leaves behind, but for what it spent of the budget."""
        with self.store.read() as session:
            rows = [session.connection().execute(query).all() for query in _ALL_BUT_SPENT]
        return repr(rows), *(len(self.double(side).changes) for side in Side)


def explore(folder: Path, installation: str, slice_: int = 0, slices: int = 1) -> Explored:
    """Crash at every moment of the slice, and after that at every moment of what follows."""
    whole(installation)
    found = folder / "endings"
    found.touch()
    world = ForkingWorld(folder, installation, slice_, slices)
    try:
        play(world)
        wrong = troubles(world)
    except BaseException as error:
        wrong = (f"{type(error).__name__}: {error}",)
        if not isinstance(error, AssertionError):
            traceback.print_exc()
    with found.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps([[str(point) for point in world.deaths], wrong]) + "\n")
    if world.deaths:
        os._exit(0)
    world.close()
    return _read(found)


def _read(found: Path) -> Explored:
    explored = Explored()
    for line in found.read_text(encoding="utf-8").splitlines():
        deaths, wrong = json.loads(line)
        explored.singles += len(deaths) == 1
        explored.pairs += len(deaths) == DEATHS
        explored.troubles += [(tuple(deaths), text) for text in wrong]
    return explored
