"""Decide what becomes of a pair's fields: the merge, and what must not be written."""

from dataclasses import replace

from nexudus_sync.connectors.base import Record
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.pairs.memory import unstable_fields
from nexudus_sync.engine.pairs.pair import Pair
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.zones import follow_zone
from nexudus_sync.engine.write.refused import refused_again
from nexudus_sync.mapping import OnConflict, Side
from nexudus_sync.merge import Outcome, Verdict, both_changed
from nexudus_sync.plan import ASKED, Hold, Holds, agreed_snapshot, differing_currencies, plan_fields


async def decide(cycle: Cycle, pair: Pair) -> None:
    """Merge what was seen. A name that is unknown is looked up again before its field is parked."""
    _decide_now(cycle, pair)
    if any(outcome.kind == "unmapped" for outcome in pair.plan.outcomes):  # may have been added in the meantime
        for side, sight in pair.sights.items():
            pair.sights[side] = replace(sight, context=await cycle.connection.context(side, sight.record))
        _decide_now(cycle, pair)
    keys = frozenset(o.field.crm.path.root for o in pair.plan.outcomes if _by_newest(pair, o)) - pair.dated.keys()
    if keys and await _date(cycle, pair, keys):  # both sides were changed where the newest wins
        _decide_now(cycle, pair)


async def _date(cycle: Cycle, pair: Pair, keys: frozenset[str]) -> bool:
    """Ask when these keys of the CRM's record were set; False where it does not tell."""
    nexudus, crm = (cycle.seen[side].news.keys() for side in Side)
    found = await cycle.dates.of(pair.link, pair.sights[Side.CRM].stamp, keys, nexudus & crm)
    pair.dated |= found
    return bool(found)


def _by_newest(pair: Pair, outcome: Outcome) -> bool:
    """Were both sides changed since they agreed, so that the newer change wins? A value may have lost to a blank."""
    differs = outcome.verdict in (Verdict.CONFLICT, Verdict.TRAVELS)
    return differs and outcome.field.on_conflict is OnConflict.NEWEST and both_changed(outcome.field, pair.views)


def _decide_now(cycle: Cycle, pair: Pair) -> None:
    connection, link = cycle.connection, pair.link
    follow_zone(connection, link, pair.sights[Side.NEXUDUS])
    pair.views = {side: sights.view(connection, side, link, sight) for side, sight in pair.sights.items()}
    if pair.dated:
        pair.views[Side.CRM] = replace(pair.views[Side.CRM], dated=pair.dated)
    pair.plan = plan_fields(connection.mapping, pair.views, pair.policy, _holds(cycle, pair))


def _holds(cycle: Cycle, pair: Pair) -> Holds:
    """Everything that must not travel now; the first hold on a field is the one people see (`plan/holds.py`)."""
    connection = cycle.connection

    def rules(side: Side, before: Record, after: Record) -> list[Hold]:
        said = connection.connector(side).refusals(before, after, connection.scope(side), live=cycle.live)
        return [*said, *refused_again(pair.refused, side, after)]

    nexudus, crm = (connection.facts(side, pair.sights[side].record).currency for side in Side)
    known = (*differing_currencies(nexudus, crm), *_open_questions(pair), *unstable_fields(pair.link, pair.sights))
    return Holds(known, rules)


def _open_questions(pair: Pair) -> list[Hold]:
    """The fields with an open question, while one of the two sides has not been read."""
    if pair.unread is None or pair.sights[pair.unread].real:  # were both read: the merge tells
        return []
    return [Hold(ASKED, "", name, side=pair.unread) for name in pair.policy.asked]


def agree(connection: Connection, pair: Pair) -> None:
    """Let the link remember what was decided and needs no write, and by what people know the pair."""
    link = pair.link
    for side, view in pair.views.items():
        half = link.half(side)
        if view.changed_at != half.changed_at:
            stamp = pair.sights[side].stamp
            half.changed_by = stamp.author if stamp is not None and view.changed_at is not None else ""
        half.snapshot, half.changed_at = agreed_snapshot(pair.plan.outcomes, side, view), view.changed_at
    for side in (Side.CRM, Side.NEXUDUS):  # where the two differ, the pair goes by the card's name
        sight = pair.sights[side]
        title, customer = connection.known_by(side, sight.record)
        link.title = title or link.title
        link.customer = (customer if sight.real else "") or link.customer  # one that is rebuilt names nobody
