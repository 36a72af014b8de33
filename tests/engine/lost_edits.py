"""An edit that falls between the sync's GET and its PUT, and the question that shows it."""

from pathlib import Path
from typing import Any

from sim_desks import BEN
from sim_people import ANA
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.wire import Request, Response
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.store.tables import Conflict, Link


def cycle_soon(world: SimWorld, *, reconcile: bool = False) -> Report:
    """A cycle of the first connection, half a minute later."""

    async def work() -> Report:
        await world.engine.start()
        return await run_cycle(world.connection, Options(reconcile=reconcile))

    world.clock.seconds += 30
    return world.clock.run(work())


def world_with_a_lost_edit(folder: Path, **settings: Any) -> tuple[SimWorld, Link]:
    """The sync carries a title to Nexudus; between its GET and its PUT Ana sets the value, which the PUT takes away."""
    world = SimWorld(5, folder, nexudus=4, crm=3, shared=2, **settings)
    cycle_soon(world)
    cycle_soon(world)
    with world.store.read() as session:
        link = next(link for link in session.exec(select(Link)) if int(link.nexudus_id) in world.seeded.nexudus_ids)
    world.crm.edit(link.crm_id, BEN, title="A better title")
    card = int(link.nexudus_id)
    armed = [True]

    def in_the_gap(request: Request, _: Response) -> None:
        if armed and request.method == "GET" and request.path.endswith(f"/crmopportunities/{card}"):
            armed.clear()
            world.nexudus.edit(card, ANA, Value=4321)

    world.nexudus.watchers.append(in_the_gap)
    cycle_soon(world)
    assert world.nexudus.record(card)["Name"] == "A better title"
    assert world.nexudus.record(card)["Value"] != 4321
    return world, link


def shown(world: SimWorld) -> list[Conflict]:
    """The open questions that say why they are asked."""
    with world.store.read() as session:
        return [one for one in session.exec(select(Conflict)) if one.state == "open" and one.reason]
