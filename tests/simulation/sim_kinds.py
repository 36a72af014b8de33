"""Which moments and calls of the story are alike, so that one of each kind can stand for all.

All of them are the long profile: `python benchmarks/reliability.py --faults --pairs`.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sim_forks import Ways
from sim_scenario import Point, ScenarioWorld, kind_of_call, kinds, play
from sqlmodel import SQLModel, select

from nexudus_sandbox.faults import KINDS
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Journal

ALWAYS = {"spent", "journal"}
"""Tables whose changes tell nothing: calls are counted all along, and the journal is looked at row by row."""


class NotingWorld(ScenarioWorld):
    """Notes what came about at each of its moments, in words that are the same for all of a kind."""

    def __init__(self, folder: Path, *, installation: str) -> None:
        self.noted: list[tuple[Point, frozenset[str]]] = []
        self._tables: dict[str, list[Any]] = {}
        self._journal: dict[int | None, str] = {}
        super().__init__(folder, installation=installation)

    def note(self, point: Point) -> None:
        """After a commit: which tables changed, and to which state rows of the journal; else which write it is."""
        what = self._changed() if point.at == "commit" else [f"{point.at} {self.writing}"]
        self.noted.append((point, frozenset(what)))

    def _changed(self) -> Iterator[str]:
        with self.store.read() as session:
            for table in SQLModel.metadata.sorted_tables:
                before = self._tables.get(table.name, [])
                rows = self._tables[table.name] = list(session.connection().execute(table.select()))
                if table.name not in ALWAYS and rows != before:
                    yield f"{table.name} {'-=+'[1 + (len(rows) > len(before)) - (len(rows) < len(before))]}"
            states = {row.id: f"{row.side} {row.kind} {row.state}" for row in session.exec(select(Journal))}
        yield from {state for number, state in states.items() if self._journal.get(number) != state}
        self._journal = states


@cache
def _noted(
    installation: str, kind: type[NotingWorld] = NotingWorld
) -> tuple[list[tuple[Point, frozenset[str]]], dict[Side, list[str]]]:
    """The moments of the undisturbed story and its calls before it comes to rest, each by its kind."""
    with TemporaryDirectory() as folder:
        world = kind(Path(folder), installation=installation)
        try:
            play(world)
            calls = {
                side: [kind_of_call(entry.method, entry.path) for entry in world.double(side).log[:number]]
                for side, number in world.calls.items()
            }
            return world.noted, calls
        finally:
            world.close()


def moments(installation: str, kind: type[NotingWorld] = NotingWorld) -> list[tuple[Point, frozenset[str]]]:
    """The moments of the story, each with what came about."""
    return _noted(installation, kind)[0]


def calls(installation: str) -> dict[Side, list[str]]:
    """The calls of the story before it comes to rest, in their order, each by its kind."""
    return _noted(installation)[1]


def one_of_each_kind(installation: str, kind: type[NotingWorld] = NotingWorld) -> frozenset[Point]:
    """The first moment after each way in which a table or a row of the journal changes, and each kind of write."""
    seen, chosen = set[str](), set[Point]()
    for point, what in moments(installation, kind):
        if point.at != "before" and not what <= seen:
            seen |= what
            chosen.add(point)
    return frozenset(chosen)


@cache
def failing(installation: str) -> dict[tuple[Side, int], str]:
    """Which calls fail, by side and number, and in which way.

    The first of each kind of call, in one way after the other, and more of them until both reads and writes have failed
    in every way.
    """
    chosen = dict[tuple[Side, int], str]()
    asked = [(side, n, one) for side, these in calls(installation).items() for n, one in enumerate(these, 1)]
    for is_read in (True, False):
        these = [(side, n, one) for side, n, one in asked if one.startswith("GET ") is is_read]
        firsts = {(side, one): (side, n) for side, n, one in reversed(these)}
        others = [(side, n) for side, n, one in these if firsts[side, one] != (side, n)]
        rotation = sorted(KINDS)
        lacking = set(rotation)
        for side, n in (*firsts.values(), *others):
            if (side, n) in others and not lacking:
                break
            way = next(one for one in rotation if one in kinds(installation, side))
            rotation.remove(way)
            rotation.append(way)
            lacking.discard(way)
            chosen[side, n] = way
    return chosen


def one_call_of_each_kind(installation: str) -> Ways:
    """One call of each kind fails, each in another way."""
    chosen = failing(installation)
    return lambda side, number: [chosen[side, number]] if (side, number) in chosen else []
