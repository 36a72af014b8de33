"""A cheap estimate of what a backfill would do: both sides are listed and matched on a copy of the store."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.match.match import Matching
from nexudus_sync.engine.match.waiting import has_email, oldest_first
from nexudus_sync.engine.pull.listing import list_side
from nexudus_sync.engine.pull.remember import remember
from nexudus_sync.engine.rehearse.costs import Calls, of_run
from nexudus_sync.mapping import Side
from nexudus_sync.store import Store, links, records, unlinked
from nexudus_sync.store.in_memory import copy_of
from nexudus_sync.store.tables import Unlinked

DIFFER = 4
"""One in this many pairs is taken to need a write to each side."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to come. `creates` and `calls` are by the side written to or called.

    `listed` counts all rows, `inside` those in the scope; `compare` the pairs to read and merge, new `pairs` included;
    `customers` is the most that are created in Nexudus; `left` counts the records that stay unlinked, by reason.
    """

    listed: Mapping[Side, int]
    inside: Mapping[Side, int]
    pairs: int
    compare: int
    creates: Mapping[Side, int]
    customers: int
    left: Mapping[str, int]
    calls: Mapping[Side, Calls]


async def estimate(connection: Connection, *, limit: int | None = None, since: date | None = None) -> Estimate:
    """Look at what a backfill with these options has before it. Raises what listing raises."""
    copy = copy_of(connection.store, connection.name)
    try:
        stage = replace(connection, store=copy, siblings=[], dry=True)
        seen = [await list_side(stage, side, priority=Priority.BACKFILL) for side in Side]
        with copy.session() as session:
            state = records.connection_state(session, connection.name, connection.crm)
            state.create_since = state.create_since if since is None else since.isoformat()
            for one in seen:
                remember(stage, one, state, session)
        inside = _inside(connection, copy)
        matching = Matching(stage, one_shot=True)
        pairs = len(matching.match())
        listed = {one.side: one.listed for one in seen}
        return _sum_up(stage, copy, listed, inside, pairs, matching.to_create, limit)
    finally:
        copy.close()


def _inside(connection: Connection, copy: Store) -> dict[Side, int]:
    """How many records of each side belong to the connection."""
    with copy.read() as session:
        linked = len(records.links(session, connection.name))
        alone = unlinked.count_by_side(session, connection.name)
    return {side: linked + alone.get(side.value, 0) for side in Side}


def _sum_up(
    connection: Connection,
    copy: Store,
    listed: dict[Side, int],
    inside: dict[Side, int],
    pairs: int,
    to_create: list[Unlinked],
    limit: int | None,
) -> Estimate:
    left = _staying_alone(connection, copy)
    left["no e-mail to find or create a customer by"] = sum(not has_email(row) for row in to_create)
    can = sorted((row for row in to_create if has_email(row)), key=oldest_first)
    taken = can if limit is None else can[:limit]
    left[f"beyond --limit {limit}"] = len(can) - len(taken)
    creates = Counter(Side(row.side).other for row in taken)
    compare, parties = (
        _count_to_read(connection, copy),
        {side: _parties(copy, connection.name, side, taken) for side in Side},
    )
    actions = {("create", side): count for side, count in creates.items()}
    actions |= {("create-party", side): count for side, count in parties.items()}
    actions |= {("update", side): -(-compare // DIFFER) for side in Side}
    traits = {side: connection.connector(side).traits for side in Side}
    calls = of_run(traits, listed, dict.fromkeys(Side, compare), actions)
    return Estimate(listed, inside, pairs, compare, creates, parties[Side.NEXUDUS], +left, calls)


def _staying_alone(connection: Connection, copy: Store) -> Counter[str]:
    """How many records stay unlinked, by reason."""
    with copy.read() as session:
        kept = unlinked.staying_alone(session, connection.name)
    words = {"unmatched": "several candidates: a person decides", "ignored": "ignored by hand"}
    return Counter(words.get(state, reason or state) for state, reason in kept)


def _count_to_read(connection: Connection, copy: Store) -> int:
    with copy.read() as session:
        return links.count_to_read(session, connection.name)


def _parties(copy: Store, connection: str, to: Side, rows: list[Unlinked]) -> int:
    """How many customers the creates on a side need: e-mail addresses that none of its known records has."""
    with copy.read() as session:
        known = unlinked.addresses(session, connection, to)
    return len({row.email for row in rows if row.side == to.other} - known)
