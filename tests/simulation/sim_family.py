"""Families of histories: they share their beginning, then part, and part again.

Each member is a whole history of its own, and `run_history` with its path replays it alone; but what they have in
common is played only once, in a process that forks where they part. So many more long histories fit into a night.
"""

import json
import os
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sim_history import Played, forks, history

WAYS, FORKS = 5, 3
"""Into how many ways a family parts at each fork, and how often: 125 members."""
FIGURES = ("cycles", "edits", "crashes", "faults", "exempt")


@dataclass(frozen=True, slots=True)
class Member:
    """What came of one history of a family."""

    path: tuple[int, ...]
    figures: dict[str, int] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Family:
    """How a family is played: its members' length, when and into how many ways they part, and where they report."""

    steps: int
    turns: list[int]
    ways: int
    found: Path


def run_family(
    seed: int,
    folder: Path,
    *,
    steps: int,
    records: int,
    system: str | None = None,
    ways: int = WAYS,
    number: int = FORKS,
) -> list[Member]:
    """Play all members of a family, which parts `number` times into so many `ways`.

    One that breaks down is among them, with the error as its trouble.
    """
    family = Family(steps, forks(steps, number), ways, folder / "members")
    family.found.touch()
    with history(seed, folder, steps=steps, records=records, system=system) as played:
        _play_on(played, family, step=0, path=())
    return list(_members(family.found))


def _play_on(played: Played, family: Family, *, step: int, path: tuple[int, ...]) -> None:
    """Go on from a step, in this process up to the next fork, then in one process after the other for each way."""
    is_last = len(path) == len(family.turns)
    until = family.steps if is_last else family.turns[len(path)]
    try:
        for _ in range(step, until):
            played.step()
        if is_last:
            trace = played.end()
            figures = {name: getattr(trace, name) for name in FIGURES}
            _tell(family.found, Member(path, figures, [f"{one.invariant}: {one.text}" for one in trace.violations]))
            return
    except BaseException as error:
        _tell(family.found, Member(path, {}, [f"{type(error).__name__}: {error}"]))
        return
    for way in range(family.ways):
        _in_a_process_of_its_own(played, family, step=until, path=(*path, way))


def _in_a_process_of_its_own(played: Played, family: Family, *, step: int, path: tuple[int, ...]) -> None:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        played.turn(path)
        _play_on(played, family, step=step, path=path)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _tell(found: Path, member: Member) -> None:
    with found.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(member)) + "\n")


def _members(found: Path) -> Iterator[Member]:
    for line in found.read_text(encoding="utf-8").splitlines():
        said: dict[str, Any] = json.loads(line)
        yield Member(tuple(said["path"]), said["figures"], said["troubles"])
