"""A cycle of one connection: recover, carry out decisions, pull, brake, settle, match and create, finish.

A connection that never finished its first match runs the same cycle as a backfill: everything in scope is listed
once, stages that act are not entered, and what is due meanwhile is polled in between.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, func, select

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine import agenda, brakes
from nexudus_sync.engine.audit import find_overwritten
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.decisions import carry_out, undo
from nexudus_sync.engine.match import no_pairs
from nexudus_sync.engine.match.create import Created
from nexudus_sync.engine.match.match import Matcher
from nexudus_sync.engine.pairs.settle import Settler
from nexudus_sync.engine.pull import due, judge
from nexudus_sync.engine.pull.due import turn
from nexudus_sync.engine.pull.listing import list_side
from nexudus_sync.engine.pull.remember import remember
from nexudus_sync.engine.read.renames import follow_idle_renames, follow_set_aside
from nexudus_sync.engine.read.sight import Seen, Sight
from nexudus_sync.engine.read.snapshots import mark
from nexudus_sync.engine.recover.attempts import recover
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup import mapping_change
from nexudus_sync.errors import Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store import failures, records
from nexudus_sync.store.tables import Conflict, Link

ROUNDS = 3
"""How often a cycle goes over what became dirty while it worked (lost answers, newly paired records)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a cycle.

    `one_shot`: what failed is tried again at once, whatever its next attempt (a command, not the daemon). `limit`
    caps creates.
    """

    reconcile: bool = False
    one_shot: bool = True
    limit: int | None = None
    stopping: Callable[[], bool] = lambda: False


class Cycle:
    """One run of one connection."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self.connection, self.options = connection, options
        self.report = Report(connection.name)
        self.seen: dict[Side, Seen] = {side: Seen(side) for side in Side}
        self.backfill = False
        self._polled = connection.clock.monotonic()
        self._made: dict[int, dict[Side, Sight]] = {}
        self._tried: set[int | None] = set()

    async def run(self) -> Report:
        """Run it. Raises the errors that end a run (login, role, a system that cannot be listed, the store)."""
        connection = self.connection
        if not await self._begin():
            return self.report
        forced, asked = await carry_out.carry_out(connection, self.report)
        self._mark_more()
        if not await self._pull(full=self.options.reconcile):
            return self.report
        for side, seen in self.seen.items():
            self.report.listed[side.value] = seen.listed
        self._count_marks()
        await follow_idle_renames(connection)
        await self._work(forced)
        if self.options.reconcile and not connection.dry:
            await self._read_trail()
        carry_out.conclude(connection, asked, unsettled=forced)
        self._finish()
        return self.report

    async def _begin(self, *, whole: bool = True) -> bool:
        """See where the connection stands, and find out what became of writes. False when a brake stops the cycle.

        A brake that was released is for what a sweep had found, so a `whole` cycle is one as well then.
        """
        connection = self.connection
        with connection.store.session() as session:
            state = records.connection_state(session, connection.name, connection.crm)
            self.backfill = state.backfilled_at is None
            no_pairs.lift_if_corrected(session, connection)
            found = brakes.standing(session, connection.name)
            set_brakes = [one for one in found if not no_pairs.passes(one, self.options.limit)]
            mapping_change.take_mapping(session, connection, state)
            swept = state.last_reconcile
            released = [
                one
                for one in brakes.standing(session, connection.name, "released")
                if swept is None or one.released_at is None or one.released_at >= swept
            ]
        if set_brakes:
            self._braked(set_brakes[0].name)
            return False
        if released and whole:
            self.options = replace(self.options, reconcile=True)
        connection.sweeping_since = connection.clock.now() if self.options.reconcile and whole else None
        if not connection.dry:
            await recover(connection, self.report)
        return True

    async def _read_trail(self) -> None:
        """What is overwritten unseen; where it cannot be read, the next sweep does, and this cycle has its end."""
        try:
            await find_overwritten(self.connection)
        except Unavailable as error:
            self.report.errors.append(str(error))

    async def run_record(self, side: Side, record_id: str) -> Report:
        """Settle one record: its link, or what it is matched with or copied to.

        For a record without a link both sides are listed first, and all that is new there is matched; nothing else is
        copied.
        """
        if not await self._begin(whole=False):
            return self.report
        await self._settle_record(side, record_id)
        for _ in range(ROUNDS):
            if not self.report.unknown:
                break
            self.report.unknown.clear()
            await recover(self.connection, self.report)
            await self._settle_record(side, record_id)
        return self.report

    async def _settle_record(self, side: Side, record_id: str) -> None:
        connection, settler = self.connection, self._settler()
        with connection.store.session() as session:
            ids = {"nexudus_id" if side is Side.NEXUDUS else "crm_id": record_id}
            link = records.link_by(session, connection.crm, **ids)
            if link is not None and link.state == "closed":
                link = None  # the id may be another record's by now
            if link is not None and link.id is not None:
                mark(session, Side.NEXUDUS, [link.id])
                mark(session, Side.CRM, [link.id])
        self._count_marks()
        await follow_idle_renames(connection)
        if link is not None and link.id is not None:
            await settler.settle({link.id} - self._undecided())
        elif await self._pull():
            await follow_set_aside(connection)
            matcher = self._matcher()
            await settler.settle(matcher.match())
            wanted = [row for row in matcher.to_create if (row.side, row.record_id) == (side.value, record_id)]
            if wanted and no_pairs.undecided(connection):
                no_pairs.may_create(connection, self.report, limit=len(wanted))  # a look at one of them
            await matcher.create_all(self._created(settler), wanted)
            await self._settle_created(settler)

    # -- pull

    async def _pull(self, *, full: bool = False) -> bool:
        """List both sides, let the brakes judge, and remember. False when a brake stops the cycle."""
        connection = self.connection
        priority = Priority.RECONCILE if full else Priority.BACKFILL if self.backfill else Priority.LIVE
        nexudus = await list_side(connection, Side.NEXUDUS, full=full, priority=priority)
        crm = await list_side(connection, Side.CRM, full=full, keep=self._wanted_crm_ids(nexudus), priority=priority)
        for seen in (nexudus, crm):
            self._replace(seen)
        with connection.store.session() as session:
            links = session.exec(select(func.count()).where(*self._active())).one()
            stop = brakes.pull_brake(session, connection, self._judge(session, links), links)
        stop = stop or await self._judge_contents(links)
        if stop is None:
            with connection.store.session() as session:
                state = records.connection_state(session, connection.name, connection.crm)
                for seen in self.seen.values():
                    remember(connection, seen, state, session)
        self._polled = connection.clock.monotonic()
        if stop is not None:
            self._braked(stop)
        return stop is None

    def _replace(self, seen: Seen) -> None:
        """Let those who work through an earlier listing go on with this one: what they have left of it is old now."""
        rows = self.seen[seen.side].rows
        rows.clear()
        rows.update(seen.rows)
        seen.rows = rows
        self.seen[seen.side] = seen

    async def _judge_contents(self, links: int) -> str | None:
        """Where very many records moved: did they change? A command waits for the answer, the daemon reads on later."""
        whole, stopping = self.options.one_shot, self.options.stopping
        return await judge.judge(self.connection, self.report, self.seen, links, whole=whole, stopping=stopping)

    def _judge(self, session: Session, links: int) -> list[brakes.Evidence]:
        names = {side: self.connection.connector(side).name for side in Side}
        return judge.evidence_of(links, self.seen, names, brakes.asked(session, self.connection.name))

    def _active(self) -> tuple[ColumnElement[bool], ...]:
        return (col(Link.connection) == self.connection.name, col(Link.state) == "active")

    def _wanted_crm_ids(self, nexudus: Seen) -> set[str]:
        """The counterparts of what moved in Nexudus, and what is marked: their rows save a read."""
        with self.connection.store.read() as session:
            marked = or_(col(Link.nexudus_recheck), col(Link.crm_recheck))
            wanted = set(session.exec(select(Link.crm_id).where(*self._active(), marked)))
            ids = sorted(nexudus.moved)
            for start in range(0, len(ids), 500):
                wanted |= set(session.exec(select(Link.crm_id).where(col(Link.id).in_(ids[start : start + 500]))))
        return wanted

    # -- settle -----------------------------------------------------------------------------------------------------

    async def _work(self, forced: undo.Forced) -> None:
        early = await no_pairs.first_pairs(self.connection, self._matcher(), self.report)
        if self.report.brake is not None:
            return
        settler, matcher = self._settler(), self._matcher()
        live, minor = self._dirty()
        undecided = self._undecided() if forced else set[int]()
        live = [one for one in live if one not in early]
        await settler.settle([*live, *sorted(forced.keys() - set(live) - set(minor) - undecided)], forced)
        await self._settler(Priority.RECONCILE).settle(minor, tick=self._tick)
        await follow_set_aside(self.connection)
        await settler.settle([*early, *matcher.match()], tick=self._tick if self.backfill else None)
        await matcher.create_all(self._created(settler), tick=self._tick)
        await self._settle_created(settler)
        for _ in range(ROUNDS):
            if self._stopping() or not (agenda.wake(self.connection, self._tried) or self.report.unknown):
                break
            self.report.unknown.clear()
            await self._again(settler, forced)

    def _stopping(self) -> bool:
        """Was the cycle asked to stop, or did a poll in between set a brake? Then nothing more is written."""
        return self.report.brake is not None or self.options.stopping()

    async def _again(self, settler: Settler, forced: undo.Forced) -> None:
        """After lost answers: find out what became of them, and go on with what waited for that."""
        await recover(self.connection, self.report)
        live, minor = self._dirty()
        await settler.settle([*live, *minor], forced)
        await follow_set_aside(self.connection)
        matcher = self._matcher()
        await settler.settle(matcher.match())
        await matcher.create_all(self._created(settler), tick=self._tick)
        await self._settle_created(settler)

    def _settler(self, priority: Priority | None = None) -> Settler:
        rows = {side: seen.rows for side, seen in self.seen.items()}
        absent = {side: seen.absent for side, seen in self.seen.items()}
        if priority is None:
            priority = Priority.BACKFILL if self.backfill else Priority.LIVE
        return Settler(
            self.connection,
            self.report,
            rows,
            absent,
            live=not self.backfill,
            priority=priority,
            stopping=self._stopping,
        )

    def _matcher(self) -> Matcher:
        options = self.options
        return Matcher(
            self.connection,
            self.report,
            live=not self.backfill,
            limit=options.limit,
            stopping=self._stopping,
            one_shot=options.one_shot,
        )

    def _created(self, settler: Settler) -> Callable[[Created], None]:
        def note(made: Created) -> None:
            if made.pending:
                settler.known[made.link_id] = {made.side: made.source}
                self._made = settler.known

        return note

    async def _settle_created(self, settler: Settler) -> None:
        """Deliver what the creates could not say at once."""
        ids = list(settler.known)
        await settler.settle(ids)
        settler.known.clear()

    async def _tick(self) -> None:
        """In long work: when a poll is due, carry live changes of what is linked already."""
        clock, every = self.connection.clock, self.connection.rules.poll.total_seconds()
        if self.connection.dry or clock.monotonic() - self._polled < every:
            return
        if await self._pull():
            for origins in self._made.values():
                origins.clear()  # read before this poll
            news = set[int]().union(*(seen.news.keys() | seen.absent for seen in self.seen.values()))
            live, _ = self._dirty()
            await self._settler(Priority.LIVE).settle(one for one in live if one in news)

    def _dirty(self) -> tuple[list[int], list[int]]:
        """The links to settle.

        Those marked, less those that wait for their next attempt; and those only the system moved.
        """
        sides = self.seen.values()
        live = set().union(*(seen.news.keys() - seen.minor for seen in sides))
        minor = set().union(*(seen.minor for seen in sides)) - live
        with self.connection.store.read() as session:
            marked = or_(col(Link.nexudus_recheck), col(Link.crm_recheck))
            found = set(session.exec(select(Link.id).where(*self._mine(), marked)))
            found -= brakes.undecided(session, self.connection)
            minor |= brakes.passed(session, self.connection)
            now, one_shot = self.connection.clock.now(), self.options.one_shot
            failing = failures.failing_links(session, self.connection.name, now, one_shot=one_shot)
        waiting = {one: at for one, (at, rests) in failing.items() if rests}
        ids = sorted(one for one in found if one is not None and not self._rests(one, waiting))
        ids.sort(key=failing.__contains__)  # else many that fail could keep the others from their turn for ever
        return [one for one in ids if one not in minor], [one for one in ids if one in minor]

    def _undecided(self) -> set[int]:
        with self.connection.store.read() as session:
            return brakes.undecided(session, self.connection)

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        """This connection's active links, and those of the CRM's other connections whose card has come here."""
        claimed = sorted(self.seen[Side.NEXUDUS].moved)
        states = col(Link.state).in_(("active", "sleeping"))
        mine = (col(Link.connection) == self.connection.name) & (col(Link.state) == "active")
        return (or_(mine, col(Link.id).in_(claimed[:30000])), states)

    def _rests(self, link_id: int, waiting: dict[int | None, datetime]) -> bool:
        """Does it wait for its next attempt, and has nobody touched it since the last one, nor a sweep missed it?"""
        failed = waiting.get(link_id)
        if failed is None or (self.options.reconcile and any(link_id in seen.absent for seen in self.seen.values())):
            return False
        touched = [seen.news.get(link_id) for seen in self.seen.values()]
        return not any(moment is not None and moment > failed for moment in touched)

    def _count_marks(self) -> None:
        """How many links have to be read, for the estimates of what that costs."""
        with self.connection.store.read() as session:
            for side, mark in ((Side.NEXUDUS, col(Link.nexudus_recheck)), (Side.CRM, col(Link.crm_recheck))):
                query = select(func.count()).where(*self._active(), mark)
                self.report.marked[side.value] = session.exec(query).one()

    def _mark_more(self) -> None:
        """Mark what no listing shows: resolved conflicts, due attempts, child rows and whole reads in rotation.

        Before the listing, so that it keeps their rows.
        """
        connection = self.connection
        with connection.store.session() as session:
            if self.options.reconcile:
                failures.wake(session, connection.name, connection.clock.now())
            both = carry_out.resolved_links(session, connection)
            both |= agenda.due(session, connection, one_shot=self.options.one_shot)
            children = self._children(session)
            if self.options.reconcile:
                both |= turn(session, connection.name, connection.rules.reconcile_days) | mapping_change.parked(
                    session, connection
                )
                both |= brakes.asked(session, connection.name)  # what was gone may be back, under the stamp it had
                due.retake(session, connection)
            mark(session, Side.NEXUDUS, both)
            mark(session, Side.CRM, both | children)
            self._tried = agenda.noted(session, connection)

    def _children(self, session: Session) -> set[int]:
        """Lost opportunities whose child rows were not read for longest, all at a reconcile.

        They change without a trace.
        """
        if not self.connection.connector(Side.CRM).traits.child_keys:
            return set()
        if self.options.reconcile:
            return mapping_change.linked(session, self.connection)
        asked = select(Conflict.link_id).where(col(Conflict.state) == "open", col(Conflict.link_id).is_not(None))
        free = (col(Link.is_lost), col(Link.crm_recheck).is_(False), col(Link.id).not_in(asked))
        query = select(Link.id).where(*self._active(), *free)
        oldest = query.order_by(col(Link.crm_children_at), col(Link.id)).limit(self.connection.rules.children_per_cycle)
        return {one for one in session.exec(oldest) if one is not None}

    # -- brakes, end ------------------------------------------------------------------------------------------------

    def _braked(self, name: str) -> Report:
        self.report.stop(name)
        return self.report

    def _finish(self) -> None:
        connection, now = self.connection, self.connection.clock.now()
        with connection.store.session() as session:
            state = records.connection_state(session, connection.name, connection.crm)
            state.cycles += 1
            if self.report.finished:
                state.last_success = now
                brakes.spend_releases(session, connection)
                if self.backfill:
                    state.backfilled_at = now
                if self.options.reconcile:
                    state.last_reconcile = now
            session.add(state)
