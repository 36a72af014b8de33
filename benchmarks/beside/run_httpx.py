"""The floor: `run_httpx.py SPEC`. The list walked once, one GET for each full record, its JSON parsed, nothing else.

httpx.AsyncClient as it comes: its default transport, and nothing installed beside it.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx


async def listed(client: httpx.AsyncClient, spec: dict[str, Any]) -> AsyncIterator[int]:
    """The ids of all opportunities of the location."""
    page, more = 0, True
    while more:
        page += 1
        answer = await client.get(spec["list"], params={**spec["params"], "page": page})
        body = answer.raise_for_status().json()
        for row in body["Records"]:
            yield row["Id"]
        more = body["HasNextPage"]


async def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    connections, read = spec["connections"], 0
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(base_url=spec["base_url"], limits=limits, timeout=60) as client:
        form = {"grant_type": "password", "username": spec["username"], "password": spec["password"]}
        token = (await client.post("/token", data=form)).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        waiting = iter([one async for one in listed(client, spec)])

        async def reader() -> None:
            nonlocal read
            for one in waiting:
                answer = await client.get(f"{spec['list']}/{one}")
                answer.raise_for_status().json()
                read += 1

        await asyncio.gather(*(reader() for _ in range(connections)))
    (Path(spec["folder"]) / "outcome.json").write_text(json.dumps({"records": read}))


if __name__ == "__main__":
    asyncio.run(main())
