"""Match the records without a counterpart: pair them, ask about them, or note that they have to be created."""

from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import RECORD
from nexudus_sync.engine.match.late_copies import LateCopy, LostCreates, SourceState
from nexudus_sync.engine.match.waiting import MATCHED_STATES, Waiting, as_candidate, forget_linked, records_named
from nexudus_sync.engine.read.renames import follow_set_aside
from nexudus_sync.engine.write.created import Match, link_records
from nexudus_sync.mapping import Side
from nexudus_sync.plan import BY_EMAIL, UnlinkedAction, UnlinkedPlan
from nexudus_sync.store import Session, conflicts, failures, journal, records, unlinked
from nexudus_sync.store.concerning import conflicts_about
from nexudus_sync.store.tables import ConflictKind, ConnectionState, Unlinked


async def match(cycle: Cycle) -> list[int]:
    """Pair what matches, ask about what is unclear, and note what is to be created. Returns the new links.

    Links that were paired early (see `no_pairs.judge`) are among them.
    """
    early, cycle.paired_early = cycle.paired_early, []
    cycle.to_create, cycle.candidates = [], frozenset()
    with cycle.connection.store.read() as session:
        if not unlinked.are_any(session, cycle.connection.name):
            return early  # every record has its counterpart, as is usual
    await follow_set_aside(cycle.connection)
    found = Matching(cycle.connection, one_shot=cycle.options.one_shot)
    pairs = found.match()
    cycle.keep_rows(one.ids[1] for one in found.linked.values())
    cycle.to_create, cycle.candidates = found.to_create, found.candidates
    cycle.report.pairs += len(pairs)
    return [*early, *pairs]


class Matching:
    """One look at all unlinked records of a connection: `candidates`; those without any match are `to_create`."""

    def __init__(self, connection: Connection, *, one_shot: bool) -> None:
        self.connection, self.one_shot = connection, one_shot
        forget_linked(connection)
        self.waiting = Waiting.load(connection)
        self.candidates = frozenset(map(as_candidate, self.waiting.rows.values()))
        self.to_create: list[Unlinked] = []
        self.linked: dict[int, Match] = {}
        """The new links."""
        self._matches: list[Match] = []
        """Those that are still to be linked, all at once."""
        self._answered: list[tuple[str, str]] = []
        self._refused: set[tuple[Side, str]] = set()
        """Records whose copy was refused, with nothing changed since."""

    def match(self) -> list[int]:
        """Pair what matches, each record with at most one other, then sort the rest. Returns the new links."""
        waiting, left = self.waiting, dict[tuple[Side, str], UnlinkedPlan]()
        with self.connection.store.session() as session:
            state = session.get(ConnectionState, self.connection.name)
            since = state.create_since if state else None
            done, lost_creates = self._not_now(session), LostCreates(session, self.connection)
            self._refused = records_named(failures.sleeping_pairs(session, self.connection.name))
            for key, row in waiting.rows.items():
                if key in done or row.state not in MATCHED_STATES:  # was just paired, waits, or is not to be matched
                    continue
                plan = waiting.plan(self.connection, row, since)
                plan = self._unless_late_copy(session, lost_creates, row, plan)
                if plan.action is not UnlinkedAction.PAIR or plan.partner is None:
                    left[key] = plan
                    continue
                other = (plan.partner.side, plan.partner.id)
                if other not in done:
                    self._matches += self._permitted(row, waiting.rows[other])
                    done |= {key, other}
            self._link(session)
            alone = {key: plan for key, plan in left.items() if key not in done}
            for key, plan in alone.items():
                self._sort_unpaired(session, waiting.rows[key], plan, lost_creates)
            self._close_questions(session)
        return list(self.linked)

    def _permitted(self, row: Unlinked, partner: Unlinked) -> list[Match]:
        """The match of the two; none if a saved plan is carried out that does not have this pair."""
        allowed, found = self.connection.allowed, _match(row, partner)
        return [found] if allowed is None or allowed.permits(self.connection.link_action(*found.ids)) else []

    def _link(self, session: Session) -> None:
        """Link what was found to match so far."""
        made = link_records(session, self.connection, self._matches)
        self.linked |= dict(zip(made, self._matches, strict=True))
        self._matches = []

    def _unless_late_copy(
        self, session: Session, lost_creates: LostCreates, row: Unlinked, plan: UnlinkedPlan
    ) -> UnlinkedPlan:
        """The plan, unless it pairs two by their e-mail alone and one of them may be the copy of a third: then ASK."""
        if plan.partner is None or plan.reason != BY_EMAIL:
            return plan
        partner = self.waiting.rows[plan.partner.side, plan.partner.id]
        if lost_creates.asks_for_links(row, partner):
            self._link(session)
        for one, other in ((row, partner), (partner, row)):
            late_copy = lost_creates.late_copy(one)
            if late_copy is not None and other.record_id not in {source.record_id for source in late_copy.waiting}:
                return UnlinkedPlan(
                    UnlinkedAction.ASK, candidates=(plan.partner,), reason=f"several records share {row.email}"
                )
        return plan

    def _not_now(self, session: Session) -> set[tuple[Side, str]]:
        """Records that wait: for a write's outcome, their next attempt, or whether they are a renamed linked one."""
        name, crm, now = self.connection.name, self.connection.crm, self.connection.clock.now()
        renamed = unlinked.perhaps_renamed(session, name, crm)
        sent = journal.perhaps_done(session, crm)
        later = [] if self.one_shot else failures.resting_pairs(session, name, now)
        return renamed | records_named([*sent, *later])

    def _sort_unpaired(self, session: Session, row: Unlinked, plan: UnlinkedPlan, lost_creates: LostCreates) -> None:
        late_copy = lost_creates.late_copy(row)
        if late_copy is not None and late_copy.source_state is SourceState.IN_DOUBT:  # was perhaps made by our create
            row.reason = f"it is not known yet whether this is a copy of {late_copy.source}"
            session.add(row)
            return
        plan = _with_late_copy(plan, late_copy, lost_creates.copies(row))
        if plan.action is UnlinkedAction.ASK:  # has several candidates, or was perhaps copied before
            self._ask_or_create(session, row, plan)
            return
        if plan.action is UnlinkedAction.LEAVE:  # was created before the day that `--since` named
            row.state, row.reason = "old", plan.reason
            session.add(row)
        elif (Side(row.side), row.record_id) not in self._refused:  # would only be refused again
            self.to_create.append(row)
        self._answered.append(records.alone(Side(row.side), row.record_id))

    def _close_questions(self, session: Session) -> None:
        """Close the questions about records that are no longer unclear."""
        for about in conflicts_about(session, self.connection.name, self._answered).values():
            conflicts.close((one for one in about if one.field == RECORD), self.connection.clock.now())

    def _ask_or_create(self, session: Session, row: Unlinked, plan: UnlinkedPlan) -> None:
        # A person looked at the candidates and wants a new record.
        if conflicts.is_to_be_copied(session, self.connection.name, Side(row.side), row.record_id):
            self.to_create.append(row)
            return
        row.state, row.reason = "unmatched", plan.reason
        session.add(row)
        self._ask(session, row, plan)

    def _ask(self, session: Session, row: Unlinked, plan: UnlinkedPlan) -> None:
        nexudus_id, crm_id = records.alone(Side(row.side), row.record_id)
        failures.solve_failures(
            session, self.connection.name, nexudus_id, crm_id, fields={""}
        )  # nothing is tried any more
        here = [f"{row.title or 'no title'} ({row.record_id})"]
        there = [f"{candidate.title or 'no title'} ({candidate.id})" for candidate in plan.candidates]
        nexudus, crm = (here, there) if row.side == Side.NEXUDUS else (there, here)
        conflicts.open_conflict(
            session,
            connection=self.connection.name,
            nexudus_id=nexudus_id,
            crm_id=crm_id,
            field=RECORD,
            base=None,
            nexudus=nexudus,
            crm=crm,
            now=self.connection.clock.now(),
            kind=ConflictKind.MATCH,
            reason=f"{plan.reason}; pair it with `link`, set it aside with `ignore`, or take its side to copy it",
        )


def _match(row: Unlinked, partner: Unlinked) -> Match:
    nexudus, crm = (row, partner) if row.side == Side.NEXUDUS else (partner, row)
    return Match((nexudus.record_id, crm.record_id), (nexudus.identity, crm.identity))


def _with_late_copy(plan: UnlinkedPlan, late_copy: LateCopy | None, copies: list[Unlinked]) -> UnlinkedPlan:
    """The plan, but ASK about late copies, and about records that may have been copied: these are not copied again."""
    if late_copy is not None and late_copy.source_state is SourceState.WAITING:  # was made from a record still unlinked
        candidates = dict.fromkeys([*plan.candidates, *map(as_candidate, late_copy.waiting)])
        return UnlinkedPlan(UnlinkedAction.ASK, None, tuple(candidates), f"it may be a late copy of {late_copy.source}")
    if plan.action is UnlinkedAction.ASK:
        return plan
    if late_copy is not None and late_copy.source_state is SourceState.LINKED:  # was made from a record with a pair
        return UnlinkedPlan(
            UnlinkedAction.ASK, reason=f"it is a late copy of {late_copy.source}, which already has a counterpart"
        )
    if late_copy is not None:  # was made from a record that is gone: nothing is copied back
        reason = f"it may be a late copy of {late_copy.source}, which has since been deleted or moved away"
        return UnlinkedPlan(UnlinkedAction.ASK, reason=reason)
    if copies:  # was perhaps copied before, by a create whose answer was lost
        reason = f"an attempt to copy it may have created {', '.join(one.record_id for one in copies)}"
        return UnlinkedPlan(UnlinkedAction.ASK, None, tuple(map(as_candidate, copies)), reason)
    return plan
