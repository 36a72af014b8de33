"""A cycle of one connection, stage by stage.

A connection that never finished its first match runs the same cycle as a backfill: everything in scope is listed once,
stages that act on customers are not entered, and what is due meanwhile is polled in between.
"""

from dataclasses import replace

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine import brakes
from nexudus_sync.engine.agenda import ROUNDS, Cycle, Options
from nexudus_sync.engine.audit import audit
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.decisions import carry_out as decisions
from nexudus_sync.engine.match import no_pairs
from nexudus_sync.engine.match.create import create
from nexudus_sync.engine.match.match import match
from nexudus_sync.engine.pairs.settle import settle
from nexudus_sync.engine.pull import due
from nexudus_sync.engine.pull.pull import pull
from nexudus_sync.engine.read.renames import follow_idle_renames
from nexudus_sync.engine.recover.attempts import recover
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.mapping_change import adopt_mapping
from nexudus_sync.mapping import Side
from nexudus_sync.store import records, running
from nexudus_sync.store.brakes import in_state
from nexudus_sync.store.links import mark
from nexudus_sync.store.tables import ConnectionState

__all__ = ["Cycle", "Options", "run_cycle", "settle_record"]


async def run_cycle(connection: Connection, options: Options | None = None, report: Report | None = None) -> Report:
    """One cycle of one connection. Each call is a stage, and the room of that name, in this order.

    `report` fills as it goes on. In a rehearsal (`connection.dry`) nothing is written, so there is nothing to recover
    and nothing to audit. Raises the errors that end a run: a login, a role, a system that cannot be listed, the store.
    """
    cycle = Cycle(connection, options or Options(), report, poll=_poll)
    if _is_paused(connection, cycle.report):
        return cycle.report
    if brake := _begin(cycle):  # a person has to release it first
        return cycle.stop(brake)
    await recover(cycle)  # 1 what became of writes nobody answered
    restore = await decisions.carry_out(cycle)  # 2 link, unlink, ignore, undo
    due.mark_due(cycle)  # 3 retries, answers, rotation: no listing shows them
    if brake := await pull(cycle, full=cycle.options.reconcile):  # list both sides; one transaction remembers it
        return cycle.stop(brake)
    due.count_due(cycle)
    await follow_idle_renames(connection)
    await no_pairs.judge(cycle)
    for again in cycle.rounds():  # while answers were lost, or woke what had failed
        if again:
            await recover(cycle)
        pairs, in_no_hurry = cycle.links(restore.values)
        await settle(cycle, pairs, restore.values)  # 4 look, decide, write, remember
        await settle(cycle, in_no_hurry, priority=Priority.RECONCILE, polls=True)
        await settle(cycle, await match(cycle), polls=cycle.backfill)  # 5 records that turned out to be one
        await settle(cycle, await create(cycle))  # the rest is copied; deliver what the create could not
    if cycle.options.reconcile:
        await audit(cycle)  # 6 what our own writes took away unseen
    decisions.conclude(cycle, restore)
    return _finish(cycle)


def _is_paused(connection: Connection, report: Report) -> bool:
    """Has a person paused the connection? A rehearsal may still tell what would happen."""
    with connection.store.read() as session:
        state = session.get(ConnectionState, connection.name)
    report.paused = state is not None and state.paused_at is not None and not connection.dry
    report.finished = report.finished and not report.paused
    return report.paused


def _begin(cycle: Cycle, *, whole: bool = True) -> str | None:
    """See where the connection stands, and adopt an edited mapping. Returns the brake that is set.

    A released brake is for what a sweep found, so after a release a `whole` cycle is a sweep as well.
    """
    connection = cycle.connection
    with connection.store.session() as session:
        state = records.connection_state(session, connection.name, connection.crm)
        cycle.backfill, cycle.backfilled_at = state.backfilled_at is None, state.backfilled_at
        found = no_pairs.lift_if_corrected(session, connection, in_state(session, connection.name))
        standing = [one for one in found if not no_pairs.passes(one, cycle.options.limit)]
        if connection.mapping_known != (state.mapping_digest, state.mapped_paths):
            adopt_mapping(session, connection, state)
        released = brakes.released_since(session, connection.name, state.last_reconcile)
    if standing:
        return standing[0].name
    if released and whole:
        cycle.options = replace(cycle.options, reconcile=True)
    connection.sweeping_since = connection.clock.now() if cycle.options.reconcile and whole else None
    return None


async def _poll(cycle: Cycle) -> None:
    """In long work: list again, and carry the live changes of what is linked already."""
    if brake := await pull(cycle):
        cycle.stop(brake)
        return
    for sources in cycle.just_read.values():
        sources.clear()  # read before this poll
    news = set[int]().union(*(seen.news.keys() | seen.absent for seen in cycle.seen.values()))
    pairs, _ = cycle.links()
    await settle(cycle, (one for one in pairs if one in news), priority=Priority.LIVE)


def _finish(cycle: Cycle) -> Report:
    """Note the success; a released brake is used up."""
    connection, now = cycle.connection, cycle.connection.clock.now()
    with connection.store.session() as session:
        state = records.connection_state(session, connection.name, connection.crm)
        state.cycles += 1
        if cycle.report.finished:
            state.last_success = now
            running.worked(session, connection.name)  # also where a person ran this cycle, not the daemon
            brakes.spend_releases(session, connection)
            if cycle.backfill:
                state.backfilled_at = now
            if cycle.options.reconcile:
                state.last_reconcile = now
        session.add(state)
    return cycle.report


async def settle_record(
    connection: Connection, side: Side, record_id: str, options: Options | None = None, report: Report | None = None
) -> Report:
    """Settle one record: its link, or what it is matched with or copied to.

    For a record without a link both sides are listed first, and all that is new there is matched; nothing else is
    copied. Raises what `run_cycle` raises.
    """
    cycle = Cycle(connection, options or Options(), report)
    if _is_paused(connection, cycle.report):
        return cycle.report
    if brake := _begin(cycle, whole=False):
        return cycle.stop(brake)
    for again in range(ROUNDS + 1):
        if again and not cycle.report.unknown:
            break
        cycle.report.unknown.clear()
        await recover(cycle)
        await _settle_one(cycle, side, record_id)
    return cycle.report


async def _settle_one(cycle: Cycle, side: Side, record_id: str) -> None:
    connection = cycle.connection
    with connection.store.session() as session:
        ids = {"nexudus_id" if side is Side.NEXUDUS else "crm_id": record_id}
        link = records.link_by(session, connection.crm, **ids)
        undecided = brakes.undecided(session, connection)
        # The id of a closed link's record may have been reused by now.
        known = [] if link is None or link.id is None or link.state == "closed" else [link.id]
        for each in Side:
            mark(session, each, known)
    due.count_due(cycle)
    await follow_idle_renames(connection)
    if known:
        await settle(cycle, set(known) - undecided)
    elif brake := await pull(cycle):
        cycle.stop(brake)
    else:
        await settle(cycle, await match(cycle))
        cycle.to_create = [row for row in cycle.to_create if (row.side, row.record_id) == (side.value, record_id)]
        if cycle.to_create and no_pairs.undecided(connection):
            no_pairs.may_create(connection, cycle.report, limit=len(cycle.to_create))  # a look at one of them
        await settle(cycle, await create(cycle))
