"""Pairs of a world whose answers are twisted: the pairs, what they say, and their failures."""

from pathlib import Path
from typing import Any

from engine_worlds import cycle_of
from sim_people import ANA, BEN
from sim_stories import links, rows
from sim_twists import TwistedWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure


def twisted_world(folder: Path) -> TwistedWorld:
    """At rest, with two pairs that were there and those that were copied."""
    world = TwistedWorld(folder)
    for _ in range(2):
        cycle_of(world, "london")
    return world


def pairs(world: TwistedWorld) -> list[tuple[int, str]]:
    return [(int(link.nexudus_id), link.crm_id) for link in links(world) if link.state == "active"]


def edit(world: TwistedWorld, side: Side, pair: tuple[int, str], title: str) -> None:
    if side is Side.NEXUDUS:
        world.nexudus.edit(pair[0], ANA, Name=title)
    else:
        world.crm.edit(pair[1], BEN, title=title)


def titles(world: TwistedWorld, pair: tuple[int, str]) -> tuple[Any, Any]:
    return world.nexudus.record(pair[0])["Name"], world.crm.record(pair[1])["title"]


def failed(world: TwistedWorld, **values: Any) -> list[Failure]:
    return rows(world, Failure, state="open", **values)
