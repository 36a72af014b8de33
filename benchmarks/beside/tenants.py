"""Very many tenants' doubles in one process behind one port: /NAME/nexudus/… and /NAME/crm/….

Notes when each tenant's Nexudus is listed, which is the first thing that a poll asks for, and lets people edit cards.
Commands come by a pipe; the process ends when it is closed.
"""

import asyncio
import random
import time
from collections import defaultdict
from typing import Any

from beside.server import Clock, Front, Wire, _sandbox, without_brakes

LISTING = "/api/crm/crmopportunities?"
"""How the request begins with which a poll of Nexudus lists what changed."""


class Tenants:
    """The doubles by tenant, and what was seen and done there."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.sandboxes: dict[str, Any] = {}
        self._fronts: dict[str, tuple[Front, Front]] = {}
        self._listed: dict[str, list[float]] = defaultdict(list)
        self._edits: dict[tuple[str, int], str] = {}
        self._random = random.Random(7)

    def answer(self, method: str, target: str, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        _, name, system, path = target.split("/", 3)
        if system == "nexudus" and method == "GET" and f"/{path}".startswith(LISTING):
            self._listed[name].append(time.time())
        front = self._fronts[name][0 if system == "nexudus" else 1]
        answer = front.answer(method, f"/{path}", head, body)
        for double in (self.sandboxes[name].nexudus, self.sandboxes[name].crm.double):
            double.log.clear()
        return answer

    async def open(self) -> str:
        clock: Any = Clock()
        front: Any = self
        server = await asyncio.get_running_loop().create_server(lambda: Wire(front, clock), "127.0.0.1", 0)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def add(self, name: str, url: str, counts: dict[str, int], poll: str) -> dict[str, Any]:
        """Add a tenant; what its files hold."""
        sandbox = self.sandboxes[name] = _sandbox("overplane", counts)
        self._fronts[name] = Front(sandbox.nexudus, live=True), Front(sandbox.crm.double, live=True)
        sandbox.nexudus_url, sandbox.crm_url = f"{url}/{name}/nexudus", f"{url}/{name}/crm"
        config = without_brakes(sandbox.config_toml(), creates=False).replace('poll = "1h"', f'poll = "{poll}"')
        return {"config": "[nexudus]" + config.partition("[nexudus]")[2], "environment": sandbox.environment()}

    async def listed(self) -> dict[str, list[float]]:
        """When each tenant's Nexudus was listed since it was last asked."""
        seen, self._listed = dict(self._listed), defaultdict(list)
        return seen

    async def edit(self, count: int) -> None:
        """People give so many cards, of any tenants, another title."""
        for _ in range(count):
            name = self._random.choice(list(self.sandboxes))
            sandbox = self.sandboxes[name]
            card, _ = self._random.choice(sandbox.seeded.equal)
            title = f"Edited {len(self._edits)} at {time.time():.3f}"
            sandbox.nexudus.edit(card, sandbox.people[0].email, Name=title)
            self._edits[name, card] = title

    async def wrong(self) -> list[str]:
        """What the two sides do not agree on: titles that were not carried over, and records made twice."""
        found = []
        for name, sandbox in self.sandboxes.items():
            crm = sandbox.crm.double
            for card, deal in sandbox.seeded.equal:
                here, there = sandbox.nexudus.record(card)["Name"], crm.record(deal)["title"]
                if here != there:
                    found.append(f"{name}: card {card} is called {here!r}, and its counterpart {there!r}")
            made = [one for one in [*sandbox.nexudus.changes, *crm.changes] if one.action == "create"]
            late = [one for one in made if one.by and "sync" in one.by]
            found += [f"{name}: {one.kind} {one.record_id} was created" for one in late]
        return found

    async def edits(self) -> int:
        """How many edits people made."""
        return len(self._edits)
