"""Settle pairs in batches, as they are read: look, decide, write, remember."""

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine.agenda import Cycle, RestoredValues
from nexudus_sync.engine.brakes import may_go
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.guard import guard, ids_of, note_error
from nexudus_sync.engine.inbox import of_record, policy_for, record_outcomes
from nexudus_sync.engine.pairs.apply import apply, intent_of
from nexudus_sync.engine.pairs.decide import agree, decide
from nexudus_sync.engine.pairs.gone import part
from nexudus_sync.engine.pairs.look import look
from nexudus_sync.engine.pairs.memory import finish
from nexudus_sync.engine.pairs.pair import Pair, foresee
from nexudus_sync.engine.read.record import is_recent, read
from nexudus_sync.engine.write.perform import drop_rows, plan_row
from nexudus_sync.engine.write.refused import refused_for
from nexudus_sync.mapping import Side
from nexudus_sync.plan import Presence
from nexudus_sync.store import Session, open_items
from nexudus_sync.store.open_items import OpenItems
from nexudus_sync.store.tables import Link


async def settle(
    cycle: Cycle,
    link_ids: Iterable[int],
    restore: RestoredValues | None = None,
    *,
    priority: Priority | None = None,
    polls: bool = False,
) -> None:
    """Settle these links; one that cannot be settled becomes a failure and does not stop the others.

    `polls`: carry live changes of other records in between when a poll is due.
    """
    wanted: RestoredValues = {} if restore is None else restore
    async for stretch in cycle.stretches(link_ids, polls=polls):
        incomplete = list[Pair]()
        async with aclosing(look(cycle, stretch, priority or cycle.priority)) as batches:
            async for pairs in batches:
                incomplete += [pair for pair in pairs if not pair.complete]
                complete = [pair for pair in pairs if pair.complete]
                if _may_part(cycle, pairs) and complete:
                    await _settle_batch(cycle, complete, wanted)
        await _part(cycle, incomplete)


def _may_part(cycle: Cycle, pairs: Iterable[Pair]) -> bool:
    """May the links with a missing record end? Too many set the brake, and a person has to look first."""
    gone = [pair.id for pair in pairs if pair.lacks_a_record]
    return not gone or may_go(cycle.connection, cycle.report, gone)


async def _part(cycle: Cycle, pairs: Iterable[Pair]) -> None:
    """Part the pairs with a missing record, at the end of a stretch: by then it is known whether too many are gone."""
    for pair in pairs:
        if cycle.stopping():
            cycle.report.finished = False
        elif _is_still_ours(cycle.connection, pair):
            with guard(cycle.connection, cycle.report, pair.link):
                await _look_again(cycle, pair)
                if not pair.complete:
                    await part(cycle.connection, cycle.report, pair.link, pair.sights)
        _forget_rows(cycle, pair)


def _is_still_ours(connection: Connection, pair: Pair) -> bool:
    """Take the link as it is stored now. False if it was closed, or a sibling has taken it over since it was read."""
    seen = pair.link
    with connection.store.read() as session:
        link = session.get(Link, pair.id)
    if link is None or link.state == "closed" or link.connection != seen.connection:
        return False
    if seen.state == "active":  # a sleeping one whose card came back is so from now on
        link.state = seen.state
    for side in Side:
        link.half(side).identity = seen.half(side).identity  # may have been learnt when it was read
    pair.link = link
    return True


async def _look_again(cycle: Cycle, pair: Pair) -> None:
    """Read what was missing once more, if that was a while ago: somebody may have restored it since."""
    connection = cycle.connection
    for side, sight in pair.sights.items():
        if sight.presence is not Presence.HERE and not is_recent(connection, sight):
            missed = pair.id in cycle.missed[side]
            pair.sights[side] = await read(connection, side, pair.link, priority=pair.priority, missed=missed)


def _forget_rows(cycle: Cycle, pair: Pair) -> None:
    for side, record_id in pair.ids.items():
        cycle.drop_row(side, record_id)


async def _settle_batch(cycle: Cycle, pairs: list[Pair], restore: RestoredValues) -> None:
    """Decide for all of them, store the decisions in one transaction, then write pair by pair."""
    connection, report = cycle.connection, cycle.report
    _note_answers(connection, pairs, restore)
    decided = []
    for pair in pairs:
        with guard(connection, report, pair.link, pair.sights) as guarded:
            await decide(cycle, pair)
        if guarded.ok:
            decided.append(pair)
    decided = await _remember(cycle, decided, restore)
    if connection.dry:
        foresee(connection, decided)
    else:
        await _write(cycle, decided)
    for pair in pairs:
        if pair.settled:
            restore.pop(pair.id, None)
        _forget_rows(cycle, pair)


def _note_answers(connection: Connection, pairs: Iterable[Pair], restore: RestoredValues) -> None:
    """Let the pairs know what people decided about them, and what was refused."""
    with connection.store.read() as session:
        items = open_items.about(session, connection.name, (pair.link.pair for pair in pairs))
        for pair in pairs:
            about = items[pair.link.pair]
            pair.policy = replace(policy_for(connection, pair.link, about), restore=restore.get(pair.id, {}))
            pair.refused = refused_for(session, connection, pair.link, about)


async def _write(cycle: Cycle, decided: list[Pair]) -> None:
    """Write what was decided, pair by pair, until it has to stop."""
    connection, report = cycle.connection, cycle.report
    for number, pair in enumerate(decided):
        if not pair.plan.after:
            continue
        if cycle.stopping():
            report.finished = False
            drop_rows(connection, *(one.rows for one in decided[number:]))
            return
        with guard(connection, report, pair.link, pair.sights):
            await apply(cycle, pair)


async def _remember(cycle: Cycle, pairs: list[Pair], restore: RestoredValues) -> list[Pair]:
    """Store what was decided, in one transaction; returns the pairs to write.

    If one of them cannot be stored, which rolls back all, each is settled by itself from the start.
    """
    connection, settled = cycle.connection, cycle.report.settled
    named = [(pair.id, pair.priority, ids_of(pair.link)) for pair in pairs]
    try:
        with connection.store.session() as session:
            items = open_items.about(session, connection.name, (pair.link.pair for pair in pairs))
            for pair in pairs:
                _remember_one(cycle, session, pair, items[pair.link.pair])
    except Exception as error:
        problem = of_record(error)
    else:
        return pairs
    cycle.report.settled = settled
    for pair in pairs:
        pair.settled = False
    if len(named) == 1:
        note_error(connection, cycle.report, problem, named[0][2])
    else:
        for link_id, priority, _ in named:
            await settle(cycle, [link_id], restore, priority=priority)
    return []


def _remember_one(cycle: Cycle, session: Session, pair: Pair, items: OpenItems) -> None:
    """In the planning transaction: store what agrees, what waits for people, and the planned writes."""
    connection, link, found = cycle.connection, pair.link, pair.plan.outcomes
    agree(pair)
    settled = not pair.plan.after
    both = pair.both_read
    record_outcomes(session, connection, link, found, items, both_read=both, written=False, settled=settled)
    if settled:
        finish(session, connection, link, pair.sights, pair.reread, cycle.seen)
        pair.settled = True
        cycle.report.settled += 1
        return
    session.add(link)
    pair.planned = True
    for side in pair.plan.after:
        pair.rows[side] = plan_row(session, connection, intent_of(connection, pair, side), "opportunity.update")
