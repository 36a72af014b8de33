"""The engines of the tenants that this worker works for, each assembled when it is first needed."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from nexudus_sync.clock import Clock
from nexudus_sync.config import Settings
from nexudus_sync.engine.startup import lawful
from nexudus_sync.engine.startup.assemble import Engine, Transports, assemble
from nexudus_sync.errors import StoreError
from nexudus_sync.store import Store

MOST = 5000
"""So many engines are kept; of more, those are closed that have not been used for longest."""


class Held:
    """A tenant's engine in use. `worked`: the connections whose mapped names were found in the systems."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings, self.engine = settings, engine
        self.worked: set[str] = set()
        self.users = 0
        self.over = False


class Engines:
    """The engines by tenant. `opened` is told of each new one; `transports` replace the network, by system."""

    def __init__(
        self, store: Store, clock: Clock, opened: Callable[[Engine], None], transports: Transports | None = None
    ) -> None:
        self._store, self._clock, self._opened, self._transports = store, clock, opened, transports
        self._kept: OrderedDict[str, Held] = OrderedDict()

    @asynccontextmanager
    async def of(self, settings: Settings) -> AsyncIterator[Held]:
        """The engine of these settings: the one that is there, or a new one where they have changed.

        Raises ConfigError and MappingError.
        """
        held = self._kept.get(settings.tenant)
        if held is None or held.settings is not settings:
            made = await self._made(settings)
            if held is not None:
                await self._end(held)
            held = self._kept[settings.tenant] = made
        self._kept.move_to_end(settings.tenant)
        held.users += 1
        try:
            yield held
        finally:
            held.users -= 1
            if held.over:
                await self._end(held)
            while len(self._kept) > MOST:
                await self._end(self._kept.popitem(last=False)[1])

    async def keep(self, tenants: set[str]) -> None:
        """Close the engines of all other tenants: they were removed."""
        for tenant in self._kept.keys() - tenants:
            await self._end(self._kept.pop(tenant))

    async def close(self) -> None:
        """Close all of them."""
        await self.keep(set())

    async def _made(self, settings: Settings) -> Held:
        engine = assemble(
            settings,
            clock=self._clock,
            rng=random.Random(),  # noqa: S311 - spreads retries, no secret
            store=self._store.scoped(f"tenant {settings.tenant}"),
            transports=self._transports,
        )
        # to check a mapping takes a good part of a second, in which others are to go on
        await asyncio.to_thread(
            lawful.check_once, self._store.scoped("mapping laws"), [one.mapping for one in engine.connections]
        )
        self._opened(engine)
        return Held(settings, engine)

    async def _end(self, held: Held) -> None:
        """Close it, when the last cycle that uses it has ended."""
        held.over = True
        if held.users == 0:
            for connector in held.engine.connectors.values():
                with suppress(StoreError):  # what it had reserved of its budget counts as spent
                    await connector.aclose()
