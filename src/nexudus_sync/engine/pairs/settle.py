"""Settle pairs a chunk at a time: look, decide, write, remember."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from sqlmodel import Session, col, select

from nexudus_sync.connectors.base import Priority, Step, Written
from nexudus_sync.engine.brakes import may_go
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.guard import guarded, ids_of, note
from nexudus_sync.engine.inbox import of_record, policy_for, record_outcomes, standing_for
from nexudus_sync.engine.pairs.gone import carry_out
from nexudus_sync.engine.pairs.memory import bounced, finish, held_fields, note_read
from nexudus_sync.engine.pairs.moved import take_over
from nexudus_sync.engine.pairs.work import Share, Work, foresee, shared_out
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read import snapshots
from nexudus_sync.engine.read.renderings import may_render
from nexudus_sync.engine.read.sight import Listed, Sight
from nexudus_sync.engine.read.zones import follow_zone
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.another import refuse_held
from nexudus_sync.engine.write.confirm import confirm_write, intent_fields, note_begun
from nexudus_sync.engine.write.perform import Intent, drop_row, perform, plan_row, rules_moved
from nexudus_sync.engine.write.refused import Held, blamed, held_for, hold, refusals
from nexudus_sync.errors import Refused, Stale, Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.merge import Outcome
from nexudus_sync.opportunity import Value
from nexudus_sync.plan import Presence, Refusal, Standing, agreed_snapshot, plan_fields
from nexudus_sync.store.tables import Journal, Link

MERGES = 5
"""How often a record that keeps moving is merged again before it is left for the next cycle."""
SMALL_CHUNK = 20
READERS = 8
"""How many records are read side by side."""


class Settler:
    """Settles the links of one connection in one cycle.

    `rows` are what this cycle's listings showed, by side and record id, `absent` the links whose record they lacked;
    `live` False is a backfill (stages that act are not entered); `stopping` is asked between links. `known` holds
    sights that were had a moment ago (a record just copied).
    """

    def __init__(
        self,
        connection: Connection,
        report: Report,
        rows: Mapping[Side, dict[str, Listed]],
        absent: Mapping[Side, Collection[int | None]],
        *,
        live: bool = True,
        priority: Priority = Priority.LIVE,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.known: dict[int, dict[Side, Sight]] = {}
        self.connection, self.report, self.rows, self.absent = connection, report, rows, absent
        self.live, self.priority, self.stopping = live, priority, stopping

    async def settle(
        self,
        link_ids: Iterable[int],
        forced: MutableMapping[int, dict[str, Value]] | None = None,
        *,
        tick: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Settle these links, a chunk at a time; one that fails becomes a failure and does not stop the others.

        `forced`: values that a link's both sides shall have; taken out when the link is settled. `tick` runs between
        chunks, which are then small, so that long work can do what is due.
        """
        ids, size = list(link_ids), self.connection.rules.chunk if tick is None else SMALL_CHUNK
        for start in range(0, len(ids), size):
            if self.stopping():
                self.report.finished = False
                return
            await self._chunk(ids[start : start + size], {} if forced is None else forced)
            if tick is not None:
                await tick()

    async def _chunk(self, ids: list[int], forced: MutableMapping[int, dict[str, Value]]) -> None:
        gate = asyncio.Semaphore(READERS)
        seen = await asyncio.gather(*(self._see(link, gate) for link in self._load(ids)))
        works = [work for work in seen if work is not None]
        gone = [work.link.id or 0 for work in works if work.lacks_a_record]
        if gone and not may_go(self.connection, self.report, gone):
            return
        merging = []
        for work in works:
            if any(sight.presence is not Presence.HERE for sight in work.sights.values()):
                await self._guarded(work.link, carry_out, self.connection, self.report, work.link, work.sights)
            else:
                work.forced = forced.get(work.link.id or 0, {})
                merging.append(work)
        named = [(work, work.link.id or 0, [snapshots.id_of(work.link, side) for side in Side]) for work in works]
        await self._merge(merging, forced)
        for work, link_id, record_ids in named:
            if work.settled:
                forced.pop(link_id, None)
            for side, record_id in zip(Side, record_ids, strict=True):
                self.rows[side].pop(record_id, None)

    def _load(self, ids: list[int]) -> list[Link]:
        """The links to settle, in this order, without those that wait for the outcome of a write."""
        with self.connection.store.read() as session:
            waiting = select(Journal.link_id).where(col(Journal.state) == "sent", col(Journal.link_id).is_not(None))
            query = select(Link).where(col(Link.id).in_(ids), col(Link.state) != "closed", col(Link.id).not_in(waiting))
            found = {link.id: link for link in session.exec(query)}
        return [found[one] for one in ids if one in found]

    async def _see(self, link: Link, gate: asyncio.Semaphore) -> Work | None:
        if link.state == "sleeping" or link.connection != self.connection.name:
            link.nexudus_recheck = link.crm_recheck = True  # nobody here looked at its edits meanwhile
        async with gate:
            found: dict[Side, Sight] = {}

            async def both() -> None:
                for side, marked in ((Side.NEXUDUS, link.nexudus_recheck), (Side.CRM, link.crm_recheck)):
                    listed = self.rows[side].get(snapshots.id_of(link, side))
                    known = self.known.get(link.id or 0, {}).get(side)
                    missed = link.id in self.absent[side]
                    found[side] = known or await sights.look(
                        self.connection, side, link, listed, must_read=marked, missed=missed, priority=self.priority
                    )

            if not await self._guarded(link, both):
                return None
            standing = self._standing(link, found)
            if standing and sights.moved_from(self.connection, found, standing):
                other = next(iter(standing.values())).unread

                async def again() -> None:
                    found[other] = await sights.read(self.connection, other, link, priority=self.priority)

                if not await self._guarded(link, again):
                    return None
        if found[Side.NEXUDUS].presence is Presence.HERE and link.state in {"active", "sleeping"}:
            link.state = "active"
            if link.connection != self.connection.name:
                take_over(self.connection, link)
        with self.connection.store.read() as session:
            policy, held = policy_for(session, self.connection, link), held_for(session, self.connection, link)
        return Work(link, found, policy, standing, held)

    def _standing(self, link: Link, found: Mapping[Side, Sight]) -> dict[str, Standing]:
        """The open conflicts of a link of which one side was not read."""
        unread = [side for side in Side if not found[side].real]
        if len(unread) != 1:
            return {}
        with self.connection.store.read() as session:
            return standing_for(session, self.connection, link, unread[0])

    async def _merge(self, works: list[Work], forced: MutableMapping[int, dict[str, Value]]) -> None:
        """Plan the chunk in one transaction, then apply it link by link."""
        planned = [work for work in works if await self._guarded(work.link, self._plan, work)]
        planned = await self._keep_all(planned, forced)
        if self.connection.dry:
            foresee(self.connection, planned)
            return
        for number, work in enumerate(planned):
            if work.plan.after and self.stopping():
                self.report.finished = False
                self._drop_rows(*planned[number:])
                return
            if work.plan.after:
                await self._guarded(work.link, self._apply, work)

    async def _plan(self, work: Work) -> None:
        """Merge what was seen. A name that is not known is looked for once more before its field is parked."""
        self._plan_now(work)
        if any(outcome.kind == "unmapped" for outcome in work.plan.outcomes):
            for side, sight in work.sights.items():
                work.sights[side] = replace(sight, context=await self.connection.context(side, sight.record))
            self._plan_now(work)

    def _plan_now(self, work: Work) -> None:
        connection, link = self.connection, work.link
        follow_zone(connection, link, work.sights[Side.NEXUDUS])
        views = {side: sights.view(connection, side, link, sight) for side, sight in work.sights.items()}

        def guard(side: Side, before: dict[str, object], after: dict[str, object]) -> list[Refusal]:
            against_rules = connection.connector(side).refusals(before, after, connection.scope(side), live=self.live)
            return [*against_rules, *refusals(work.held, side, after)]

        standing = {name: one for name, one in work.standing.items() if not work.sights[one.unread].real}
        nexudus, crm = (connection.facts(side, work.sights[side].record).currency for side in Side)
        work.plan = plan_fields(
            connection.mapping,
            views,
            work.policy,
            guard,
            (nexudus, crm),
            forced=work.forced,
            held=held_fields(link, work.sights),
            standing=standing,
        )

    async def _keep_all(self, works: list[Work], forced: MutableMapping[int, dict[str, Value]]) -> list[Work]:
        """Keep what was planned; returns the works to apply.

        Where one of them cannot be kept, which undoes it for all, each is settled by itself from the beginning.
        """
        links, settled = [(work.link.id or 0, ids_of(work.link)) for work in works], self.report.settled
        try:
            with self.connection.store.session() as session:
                for work in works:
                    self._keep(session, work)
        except Exception as error:
            problem = of_record(error)
        else:
            return works
        self.report.settled = settled
        for work in works:
            work.settled = False
        if len(works) == 1:
            note(self.connection, self.report, problem, links[0][1])
        else:
            for link_id, _ in links:
                await self._chunk([link_id], forced)
        return []

    def _keep(self, session: Session, work: Work) -> None:
        """In the planning transaction: what agrees, what waits for people, and the writes to come."""
        connection, link = self.connection, work.link
        self._agree(work)
        both, settled = all(sight.real for sight in work.sights.values()), not work.plan.after
        record_outcomes(session, connection, link, work.plan.outcomes, both_read=both, written=False, settled=settled)
        if settled:
            finish(session, connection, link, work.sights, work.again, self.rows)
            self._settled(work)
            return
        session.add(link)
        for side in work.plan.after:
            work.rows[side] = plan_row(session, connection, self._intent(work, side), "opportunity.update")

    def _agree(self, work: Work) -> None:
        link, outcomes = work.link, work.plan.outcomes
        views = {side: sights.view(self.connection, side, link, sight) for side, sight in work.sights.items()}
        link.nexudus_snapshot = agreed_snapshot(outcomes, Side.NEXUDUS, views[Side.NEXUDUS])
        link.crm_snapshot = agreed_snapshot(outcomes, Side.CRM, views[Side.CRM])
        link.nexudus_changed_at, link.crm_changed_at = views[Side.NEXUDUS].changed_at, views[Side.CRM].changed_at

    def _intent(self, work: Work, side: Side) -> Intent:
        link = work.link
        source = sights.view(self.connection, side.other, link, work.sights[side.other])
        target = sights.view(self.connection, side, link, work.sights[side])
        fields = intent_fields(work.plan.writes(side), source, target, work.plan.after[side])
        return Intent(side, link.nexudus_id, link.crm_id, link.id, fields)

    async def _apply(self, work: Work) -> None:
        for side in Side:
            await self._write_side(work, side)
            if work.sights[side].presence is not Presence.HERE:
                self._drop_rows(work)
                if not work.lacks_a_record or may_go(self.connection, self.report, [work.link.id or 0]):
                    await carry_out(self.connection, self.report, work.link, work.sights)
                return
        # The look before the CRM's write may have turned a value round: Nexudus had its turn, the next cycle writes it.
        turned = Side.NEXUDUS in work.plan.after
        work.again |= set(Side) if turned else set()
        with self.connection.store.session() as session:
            both = all(sight.real for sight in work.sights.values())
            found = work.plan.outcomes
            record_outcomes(
                session, self.connection, work.link, found, both_read=both, written=not turned, settled=True
            )
            finish(session, self.connection, work.link, work.sights, work.again, self.rows)
        self._settled(work)

    def _settled(self, work: Work) -> None:
        work.settled = True
        self.report.settled += 1

    def _drop_rows(self, *works: Work) -> None:
        for work in works:
            for row_id in work.rows.values():
                drop_row(self.connection, row_id)
            work.rows.clear()

    async def _write_side(self, work: Work, side: Side) -> None:
        """Write what travels to one side, merged again as long as the record moves under our hands."""
        connection, left, refused = self.connection, MERGES, set[str]()
        while left:
            left -= 1
            await self._plan(work)
            self._agree(work)
            after, before = work.plan.after.get(side), work.sights[side].record
            if after is None:
                drop_row(connection, work.rows.pop(side, None))
                return
            if await rules_moved(
                connection, side, before, after
            ):  # ahead of the last look, so that no edit comes between
                continue
            refuse_held(connection, work.link, side)
            touched = frozenset(key for key in {*before, *after} if before.get(key) != after.get(key))
            await connection.connector(side).reserve(self.priority)
            if not sights.fresh(connection, side, work.sights[side], touched):
                await self._read_again(work, side, touched)
                if work.sights[side].presence is not Presence.HERE:
                    return
                continue
            try:
                await self._steps(work, side, connection.connector(side).update_steps(before, after))
            except Stale:
                work.sights[side] = replace(work.sights[side], read_at=None)
                continue
            except Refused as error:
                if not self._hold_back(work, side, error, refused):
                    raise
                left += 1
                continue
            return
        raise Unavailable(
            connection.connector(side).name, "the record keeps changing", snapshots.id_of(work.link, side)
        )

    def _hold_back(self, work: Work, side: Side, error: Refused, refused: set[str]) -> bool:
        """Let the fields that a refusal names wait; False where it names none that was not `refused` before."""
        fields = blamed(error, (outcome.field for outcome in work.plan.writes(side)), side)
        if {field.name for field in fields} <= refused:
            return False
        refused |= {field.name for field in fields}
        after = work.plan.after[side]
        held = [Held(side, field, field.lens(side).raw(after), error.message) for field in fields]
        work.held += held
        with self.connection.store.session() as session:
            hold(session, self.connection, work.link, error, held)
        return True

    async def _read_again(self, work: Work, side: Side, touched: frozenset[str]) -> None:
        children = bool(touched & self.connection.connector(side).traits.child_keys)
        before = work.sights[side]
        work.sights[side] = await sights.read(
            self.connection, side, work.link, priority=self.priority, children=children, like=before
        )

    async def _steps(self, work: Work, side: Side, steps: list[Step]) -> None:
        connection = self.connection
        for step, begun, delivered in shared_out(steps, work.plan.writes(side), side):
            intent = self._intent(work, side)
            intent = replace(intent, fields={o.field.name: intent.fields[o.field.name] for o in (*begun, *delivered)})

            def confirm(session: Session, written: Written, begun: Share = begun, delivered: Share = delivered) -> None:
                note_begun(work.link, side, (outcome.field for outcome in begun), written.record)
                confirm_write(
                    session, connection, work.link, side, delivered, work.plan.after[side], work.sights, written
                )

            written = await perform(
                connection,
                self.report,
                intent,
                step,
                confirm,
                record=work.sights[side].record,
                row_id=work.rows.pop(side, None),
            )
            work.sights[side] = await self._after(work, side, step, written, delivered)

    async def _after(
        self, work: Work, side: Side, step: Step, written: Written, delivered: tuple[Outcome, ...]
    ) -> Sight:
        """What the side says after a write.

        Anything but what was sent is its own change and is left for the next cycle.
        """
        connection, before = self.connection, work.sights[side]
        sight = replace(
            before, record=written.record, stamp=written.stamp or before.stamp, read_at=connection.clock.monotonic()
        )
        if written.stamp is None:
            work.again.add(side)
        unseen = not written.echoed and any(may_render(outcome, side, before.context) for outcome in delivered)
        if step.verify or unseen:
            try:
                sight = await sights.read(connection, side, work.link, priority=Priority.RETRY)
            except Unavailable:
                work.again.add(side)
                return sight
            note_read(connection, work.link, side, work.plan.after[side], sight, written, delivered)
        if (step.verify or unseen or written.echoed) and bounced(connection, work.link, side, sight, delivered):
            work.again.add(side)
        return sight

    async def _guarded(self, link: Link, action: Callable[..., Awaitable[None]], *args: Any) -> bool:
        return await guarded(self.connection, self.report, link, action, *args)
