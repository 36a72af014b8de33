"""Decide what becomes of a pair's fields: the merge, and what must not be written."""

from dataclasses import replace

from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.pairs.memory import held_fields
from nexudus_sync.engine.pairs.pair import Pair
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.zones import follow_zone
from nexudus_sync.engine.write.refused import refusals
from nexudus_sync.mapping import Side
from nexudus_sync.merge import View
from nexudus_sync.plan import Refusal, agreed_snapshot, plan_fields


async def decide(cycle: Cycle, pair: Pair) -> None:
    """Merge what was seen. A name that is not known is looked for once more before its field is parked."""
    _decide_now(cycle, pair)
    if any(outcome.kind == "unmapped" for outcome in pair.plan.outcomes):
        for side, sight in pair.sights.items():
            pair.sights[side] = replace(sight, context=await cycle.connection.context(side, sight.record))
        _decide_now(cycle, pair)


def _decide_now(cycle: Cycle, pair: Pair) -> None:
    connection, link = cycle.connection, pair.link
    follow_zone(connection, link, pair.sights[Side.NEXUDUS])

    def forbidden(side: Side, before: dict[str, object], after: dict[str, object]) -> list[Refusal]:
        rules = connection.connector(side).refusals(before, after, connection.scope(side), live=cycle.live)
        return [*rules, *refusals(pair.held, side, after)]

    standing = {name: one for name, one in pair.standing.items() if not pair.sights[one.unread].real}
    nexudus, crm = (connection.facts(side, pair.sights[side].record).currency for side in Side)
    pair.plan = plan_fields(
        connection.mapping,
        views_of(connection, pair),
        pair.policy,
        forbidden,
        (nexudus, crm),
        forced=pair.forced,
        held=held_fields(link, pair.sights),
        standing=standing,
    )


def views_of(connection: Connection, pair: Pair) -> dict[Side, View]:
    """Both sides as the merge wants them."""
    return {side: sights.view(connection, side, pair.link, sight) for side, sight in pair.sights.items()}


def agree(connection: Connection, pair: Pair) -> None:
    """Let the link remember what needs no write."""
    link, outcomes, views = pair.link, pair.plan.outcomes, views_of(connection, pair)
    link.nexudus_snapshot = agreed_snapshot(outcomes, Side.NEXUDUS, views[Side.NEXUDUS])
    link.crm_snapshot = agreed_snapshot(outcomes, Side.CRM, views[Side.CRM])
    link.nexudus_changed_at, link.crm_changed_at = views[Side.NEXUDUS].changed_at, views[Side.CRM].changed_at
