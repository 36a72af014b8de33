"""Workers that share a store: one is stopped at a moment, another takes over, and then the first wakes up.

As SIGSTOP does it, or a machine that swaps or sleeps. The stopped worker's calls stay on Python's stack while its
successor works inside of them, in a loop of its own, until the cycle has come to its end.
"""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

import httpx
from sim_forks import ForkingWorld
from sim_kinds import NotingWorld
from sim_scenario import LATENCY, ScenarioWorld, Seam
from sim_time import SimClock
from sim_world import SimWorld

from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.assemble import Engine
from nexudus_sync.engine.startup.leased import under
from nexudus_sync.mapping import Side
from nexudus_sync.store import leases
from nexudus_sync.store.leases import Lease

LOST_IN_THE_WINDOW = (
    *("cards: missing [], surplus", "deals: missing [], surplus", "reasons: missing [], surplus"),
    *("deals: 12 instead of 11", "reasons: 12 instead of 11", "conflicts: missing [], surplus [('record', "),
    *("parties: 13 instead of 12", "customers: 13 instead of 12", "3 duplicate: strays in", "8 budget: 1 calls were"),
)
"""What may come of a create that leaves late: a surplus opportunity, which a question shows, or a second customer."""
LOOK = 5.0
"""Seconds after which a worker looks again whether it can have the lease."""


def taken(engine: Engine, worker: str) -> Lease | None:
    """The lease of the CRM, if this worker can have it now."""
    return leases.take(engine.store, engine.clock, engine.connections[0].crm, worker)


async def leased_cycle(engine: Engine, worker: str, *, reconcile: bool = False) -> Report:
    """One cycle of the first connection, as soon as the worker has the lease."""
    await engine.start()
    while (lease := taken(engine, worker)) is None:
        await engine.clock.sleep(LOOK)
    async with under(lease, engine.connections[0]) as held:
        return await run_cycle(held, Options(reconcile=reconcile))


def meanwhile(world: SimWorld, work: Coroutine[Any, Any, Any]) -> None:
    """While the worker that calls this stands still, another one does this, to its end."""
    loop, own = asyncio.get_running_loop(), world.clock
    world.clock = SimClock(own)
    asyncio._set_running_loop(None)
    try:
        contextvars.Context().run(world.clock.run, work)
        world.clock.close()
    finally:
        world.clock = own
        asyncio._set_running_loop(loop)


class _OnTheWay(httpx.AsyncBaseTransport):
    """A request first takes its time, and then is answered without a pause: a stop before a write is one at the socket.

    Nothing lies between that and the first byte: the worker that wakes up sends it.
    """

    def __init__(self, world: SimWorld, inner: httpx.AsyncBaseTransport) -> None:
        self._world, self._inner = world, inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._world.clock.sleep(LATENCY)
        return await self._inner.handle_async_request(request)


class LeasedWorld(ScenarioWorld):
    """A world whose cycles need a lease, and whose worker is stopped at each of the given points."""

    reconciling = False

    def transport(self, side: Side) -> httpx.AsyncBaseTransport:
        """With a stop at the socket."""
        at_once = Seam(self, DoubleTransport(self.double(side), self.faults[side], clock=self.clock))
        return _OnTheWay(self, at_once)

    async def cycle(self, *, reconcile: bool) -> int:
        """One cycle; how many writes it did."""
        self.reconciling = reconcile
        report = await leased_cycle(self.engine, "the first", reconcile=reconcile)
        assert report.brake is None
        return report.written

    def strike(self) -> None:
        """The worker is stopped until another has ended its cycle."""
        own, self.counting = self.engine, False
        meanwhile(self, self._follow())
        self.engine, self.counting = own, True

    async def _follow(self) -> None:
        self.engine = self._assemble()
        await leased_cycle(self.engine, "its successor", reconcile=self.reconciling)


class NotingLeases(LeasedWorld, NotingWorld):
    """Notes what came about at each moment of the story by one worker that is never stopped."""


class StoppingWorld(LeasedWorld, ForkingWorld):
    """A worker is stopped at every moment in turn, each in a process of its own."""


class PausingWorld(StoppingWorld):
    """At the moment that is chosen, the worker is stopped until its lease has ended, and nobody takes over."""

    def strike(self) -> None:
        """The worker stands still."""
        self.clock.seconds += leases.TTL + leases.DEADLINE + 1
