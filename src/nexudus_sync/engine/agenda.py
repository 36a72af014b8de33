"""One cycle as its stages see it: what is left to do, and when to stop or to poll."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine import brakes
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read.dates import Dates
from nexudus_sync.engine.read.sight import Listed, Listing, Sight
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.merge import Apart
from nexudus_sync.opportunity import Value
from nexudus_sync.plan import Candidate
from nexudus_sync.store import Session, failures, links, records
from nexudus_sync.store.tables import Failure, Unlinked

ROUNDS = 3
"""How often a cycle repeats for what became due while it worked (lost answers, failures that woke)."""
AT_LEAST = 20
"""Links that are settled between two polls, however often these are due."""
_FAR = timedelta(days=3650)
RestoredValues = MutableMapping[int, dict[str, Value | Apart]]
"""Values that both sides of a link are to have again, by link id; taken out when the link is settled."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a cycle. `one_shot`: retry failures now (a command, not the daemon); `limit` caps creates."""

    reconcile: bool = False
    one_shot: bool = True
    limit: int | None = None
    stopping: Callable[[], bool] = lambda: False


class Cycle:
    """One cycle of one connection.

    `seen` holds the last listing of each side, and `missed` the links whose record was missing from any complete
    listing of this cycle. `backfill`: the first match was never finished. `just_read` holds records that were read a
    moment ago (the source of a copy), by link; `just_listed` holds the rows of CRM records that were matched, which
    serve in place of a read where rows are whole. `paired_early` are links that were made before settling was due,
    `to_create` the records without a match, `candidates` the records that were compared to find that out. `poll` lists
    both sides and settles what is new. `dates` tells when values of CRM records were set.
    """

    def __init__(
        self,
        connection: Connection,
        options: Options,
        report: Report | None = None,
        poll: Callable[["Cycle"], Awaitable[None]] | None = None,
    ) -> None:
        self.connection, self.options = connection, options
        self.report = report or Report(connection.name)
        self.seen: dict[Side, Listing] = {side: Listing(side) for side in Side}
        self.missed: dict[Side, set[int]] = {side: set() for side in Side}
        self.backfill = False
        self.backfilled_at: datetime | None = None
        self.just_read: dict[int, dict[Side, Sight]] = {}
        self.just_listed: dict[str, Listed] = {}
        self.paired_early: list[int] = []
        self.to_create: list[Unlinked] = []
        self.candidates: frozenset[Candidate] = frozenset()
        self.dates = Dates(connection)
        self.polled_at = connection.clock.monotonic()
        self._poll = poll
        self._tried: set[int | None] = set()
        self._offered: set[int] = set()

    @property
    def live(self) -> bool:
        """May stages that act on customers be entered? Not in a backfill."""
        return not self.backfill

    @property
    def priority(self) -> Priority:
        """The priority of its calls."""
        return Priority.BACKFILL if self.backfill else Priority.LIVE

    def stop(self, brake: str) -> Report:
        """A brake is set: nothing more is written."""
        self.report.stop(brake)
        return self.report

    def stopping(self) -> bool:
        """Was it asked to stop, or has a poll in between set a brake?"""
        return self.report.brake is not None or self.options.stopping()

    async def stretches(self, link_ids: Iterable[int], *, polls: bool = False) -> AsyncIterator[Iterator[int]]:
        """The links in stretches, until it has to stop: the one checkpoint of long work.

        `polls`: a stretch ends when a poll is due, which then follows. Only what was begun is finished before it, so
        that no link is settled by both.
        """
        left = deque(link_ids)
        while left:
            if self.stopping():
                self.report.finished = False
                return
            yield self._until_due(left, polls=polls)
            if polls:
                await self.poll_if_due()

    def _until_due(self, left: deque[int], *, polls: bool) -> Iterator[int]:
        begun = 0
        while left and not self.stopping() and not (polls and begun >= AT_LEAST and self._is_poll_due()):
            begun += 1
            yield left.popleft()

    async def poll_if_due(self) -> None:
        """In long work: carry live changes of linked records, as often as any cycle would."""
        if self._poll is not None and self._is_poll_due():
            await self._poll(self)

    def _is_poll_due(self) -> bool:
        clock, every = self.connection.clock, self.connection.rules.poll.total_seconds()
        return self._poll is not None and not self.connection.dry and clock.monotonic() - self.polled_at >= every

    def take_listing(self, seen: Listing) -> None:
        """Go on with a new listing, which replaces the earlier one."""
        self.seen[seen.side] = seen
        if seen.side is Side.CRM:
            for record_id in seen.ids & self.just_listed.keys():  # was listed again: what it said before is old
                del self.just_listed[record_id]
        self.missed[seen.side] |= seen.absent

    def row_of(self, side: Side, record_id: str) -> Listed | None:
        """The row of a record, as far as a listing of this cycle shows it."""
        earlier = self.just_listed.get(record_id) if side is Side.CRM else None
        return self.seen[side].rows.get(record_id, earlier)

    def drop_row(self, side: Side, record_id: str) -> None:
        """Drop the row of a settled record: it is out of date."""
        self.seen[side].rows.pop(record_id, None)
        if side is Side.CRM:
            self.just_listed.pop(record_id, None)

    def keep_rows(self, crm_ids: Iterable[str]) -> None:
        """Keep the rows of these CRM records, which were just matched, until they are settled."""
        fresh = self.seen[Side.CRM].fresh
        if self.connection.connector(Side.CRM).traits.rows_are_whole:
            self.just_listed |= {one: fresh[one].listed for one in crm_ids if one in fresh}

    # -- what is to be done -----------------------------------------------------------------------------------------

    def note_due(self, session: Session) -> set[int]:
        """The links with a failure to retry now; a one-shot command does not wait for the next attempt.

        If an outdated list of names may be the cause, the connectors ask for their lists again.
        """
        name, now = self.connection.name, self.connection.clock.now()
        found = failures.due_failures(session, name, now + (_FAR if self.options.one_shot else timedelta(0)))
        for failure in found:
            failure.next_attempt = now
        if any(failure.field or failure.kind == failures.REFUSED for failure in found):
            self.connection.ask_afresh()
        self._tried = {one.id for one in failures.woken(session, name, now)}
        return self._links_of(session, found)

    def rounds(self) -> Iterable[int]:
        """One round, then more while answers are missing or failures woke; what became due is marked for each."""
        for number in range(ROUNDS + 1):
            yield number
            if number == ROUNDS or self.stopping() or not (self._wake() or self.report.unknown):
                return
            self.report.unknown.clear()

    def _wake(self) -> bool:
        """Mark the links with refusals that became due since a neighbour got another answer. Is there any?"""
        with self.connection.store.session() as session:
            woken = failures.woken(session, self.connection.name, self.connection.clock.now())
            new = [one for one in woken if one.id not in self._tried]
            self._tried |= {one.id for one in new}
            for side in Side:
                links.mark(session, side, self._links_of(session, new))
        return bool(new)

    def _links_of(self, session: Session, found: Iterable[Failure]) -> set[int]:
        names = {(failure.nexudus_id, failure.crm_id) for failure in found}
        known = records.links(session, self.connection.name) if names else []
        return {link.id for link in known if link.id is not None and (link.nexudus_id, link.crm_id) in names}

    def links(self, restored: Collection[int] = ()) -> tuple[list[int], list[int]]:
        """The links to settle: those marked and not waiting for a retry, and the `restored` ones.

        Second, those that only the system itself moved: they are in no hurry.
        """
        with self.connection.store.read() as session:
            undecided = brakes.undecided(session, self.connection)
            minor = self._minor() | brakes.passed(session, self.connection)
            marked = self._marked(session, undecided)
        more = set(restored) - self._offered - undecided - set(marked)
        self._offered |= set(restored)
        live = [one for one in marked if one not in minor and one not in self.paired_early]
        return [*live, *sorted(more)], [one for one in marked if one in minor]

    def _minor(self) -> set[int]:
        sides = self.seen.values()
        moved = set[int]().union(*(seen.news.keys() - seen.minor for seen in sides))
        return set[int]().union(*(seen.minor for seen in sides)) - moved

    def _marked(self, session: Session, undecided: Collection[int]) -> list[int]:
        name, now = self.connection.name, self.connection.clock.now()
        found = links.marked(session, name, self.seen[Side.NEXUDUS].moved) - set(undecided)
        failing = failures.failing_links(session, name, now, one_shot=self.options.one_shot)
        waiting = {one: at for one, (at, rests) in failing.items() if rests}
        ids = sorted(one for one in found if not self._waits_for_retry(one, waiting))
        ids.sort(key=failing.__contains__)  # last, or many failing links could starve the others for ever
        return ids

    def _waits_for_retry(self, link_id: int, waiting: dict[int | None, datetime]) -> bool:
        """Does it wait for its next attempt? Not if it was touched since the last one, or missing from a sweep."""
        failed = waiting.get(link_id)
        if failed is None or (self.options.reconcile and any(link_id in seen.absent for seen in self.seen.values())):
            return False
        touched = [seen.news.get(link_id) for seen in self.seen.values()]
        return not any(moment is not None and moment > failed for moment in touched)
