"""Settle pairs a chunk at a time: look, decide, write, remember."""

from collections.abc import Iterable
from dataclasses import replace

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine.agenda import Cycle, RestoredValues
from nexudus_sync.engine.brakes import may_go
from nexudus_sync.engine.guard import guard, ids_of, note_error
from nexudus_sync.engine.inbox import of_record, record_outcomes
from nexudus_sync.engine.pairs.apply import apply, intent_of
from nexudus_sync.engine.pairs.decide import agree, decide
from nexudus_sync.engine.pairs.gone import part
from nexudus_sync.engine.pairs.look import look
from nexudus_sync.engine.pairs.memory import finish
from nexudus_sync.engine.pairs.pair import Pair, foresee
from nexudus_sync.engine.write.perform import drop_rows, plan_row
from nexudus_sync.store import Session


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
    async for chunk in cycle.chunks(link_ids, polls=polls):
        await _settle_chunk(cycle, chunk, wanted, priority or cycle.priority)


async def _settle_chunk(cycle: Cycle, link_ids: list[int], restore: RestoredValues, priority: Priority) -> None:
    connection, report = cycle.connection, cycle.report
    pairs = await look(cycle, link_ids, priority)
    gone = [pair.id for pair in pairs if pair.lacks_a_record]
    if gone and not may_go(connection, report, gone):  # too many are gone: a person has to look first
        return
    for pair in pairs:
        if not pair.complete:
            with guard(connection, report, pair.link):
                await part(connection, report, pair.link, pair.sights)
    await _decide_all(cycle, [pair for pair in pairs if pair.complete], restore)
    for pair in pairs:
        if pair.settled:
            restore.pop(pair.id, None)
        for side, record_id in pair.ids.items():
            cycle.drop_row(side, record_id)


async def _decide_all(cycle: Cycle, pairs: list[Pair], restore: RestoredValues) -> None:
    """Decide for the whole chunk, store the decisions in one transaction, then write pair by pair."""
    connection, report = cycle.connection, cycle.report
    decided = []
    for pair in pairs:
        pair.policy = replace(pair.policy, restore=restore.get(pair.id, {}))
        with guard(connection, report, pair.link, pair.sights) as guarded:
            await decide(cycle, pair)
        if guarded.ok:
            decided.append(pair)
    decided = await _remember(cycle, decided, restore)
    if connection.dry:
        foresee(connection, decided)
        return
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
            for pair in pairs:
                _remember_one(cycle, session, pair)
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
            await _settle_chunk(cycle, [link_id], restore, priority)
    return []


def _remember_one(cycle: Cycle, session: Session, pair: Pair) -> None:
    """In the planning transaction: store what agrees, what waits for people, and the planned writes."""
    connection, link = cycle.connection, pair.link
    agree(connection, pair)
    settled = not pair.plan.after
    record_outcomes(
        session, connection, link, pair.plan.outcomes, both_read=pair.both_read, written=False, settled=settled
    )
    if settled:
        finish(session, connection, link, pair.sights, pair.reread, cycle.seen)
        pair.settled = True
        cycle.report.settled += 1
        return
    session.add(link)
    for side in pair.plan.after:
        pair.rows[side] = plan_row(session, connection, intent_of(connection, pair, side), "opportunity.update")
