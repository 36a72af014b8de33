"""Answers that are wrong though they are well made: another record's, an older state, dates that cannot be."""

import random
import re
from collections.abc import Callable
from typing import Any

from sim_world import SimWorld

from nexudus_sandbox.wire import Response, json_response
from nexudus_sync import codec
from nexudus_sync.mapping import Side

LISTS = {Side.NEXUDUS: "^GET .*/crmopportunities$", Side.CRM: "^GET .*/crm/opportunity$"}
KEPT = ((), (), (), ("lower",), ("cut", "squashed"), ("ascii",))
"""What a server makes of texts: mostly nothing."""


def _told(world: SimWorld, side: Side, change: Callable[[dict[str, Any]], object], rng: random.Random) -> None:
    """Let some lists of a side say something else; what is no list of records stays as it is."""

    def changed(answer: Response) -> Response:
        body = answer.json()
        if not isinstance(body, dict) or not isinstance(body.get("Records", body.get("data")), list):
            return answer
        change(body)
        return Response(answer.status, answer.headers, codec.dumps(body).encode())

    world.faults[side].change(LISTS[side], changed, nth=rng.randint(1, 3), times=rng.choice([1, 1, 3]))


def another_record(world: SimWorld, rng: random.Random) -> str:
    """Reads of one record by id are answered with another one."""
    side = rng.choice(list(Side))
    ids = sorted(map(str, world.double(side).records()))
    if len(ids) < 2:
        return "nobody to be taken for"
    one, other = rng.sample(ids, 2)
    record = world.double(side).record(int(other) if side is Side.NEXUDUS else other)
    body = {"data": record} if world.desk.system == "erpnext" and side is Side.CRM else record
    match = f"^GET .*/{re.escape(one)}$"
    world.faults[side].change(match, lambda _: json_response(200, body), times=rng.choice([1, 1, 2, 5]))
    return f"{side} answers for {one} with {other}"


def older_rows(world: SimWorld, rng: random.Random) -> str:
    """Overplane's list shows one opportunity as it is now also after it was changed."""
    ids = sorted(world.crm.records()) if world.desk.system == "overplane" else []
    if not ids:
        return "no list that could be behind"
    one = rng.choice(ids)
    old = dict(world.crm.record(one))
    _told(world, Side.CRM, lambda body: body.update(data=[old if r["id"] == one else r for r in body["data"]]), rng)
    return f"the list goes on showing {one} as it is"


def odd_dates(world: SimWorld, rng: random.Random) -> str:
    """Nexudus's list shows one card as created much later than it was."""
    ids = sorted(world.nexudus.records())
    if not ids:
        return "no card"
    one = rng.choice(ids)

    def later(body: dict[str, Any]) -> None:
        for row in body["Records"]:
            if row["Id"] == one:
                row["CreatedOn"] = rng.choice(["2031-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "soon"])

    _told(world, Side.NEXUDUS, later, rng)
    return f"the list shows {one} as created much later"


WRONG = (another_record, older_rows, odd_dates)


def go_wrong(world: SimWorld, rng: random.Random) -> str:
    """One of these; says which, for the trace."""
    return rng.choice(WRONG)(world, rng)
