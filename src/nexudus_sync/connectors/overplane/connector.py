"""The Overplane connector: the seam of `connectors/base.py` over the pieces beside this module.

Overplane cannot say what changed, so a poll is a sweep of the whole list; its rows carry all but the lost-reason rows.
"""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta

import httpx

from nexudus_sync.clock import Clock
from nexudus_sync.connectors import companies
from nexudus_sync.connectors.base import (
    Check,
    Draft,
    Facts,
    Hold,
    Page,
    Party,
    Priority,
    Record,
    Row,
    Scope,
    Stamp,
    Step,
    Traits,
    Written,
)
from nexudus_sync.connectors.budget import budget_for, lane_of
from nexudus_sync.connectors.cached import Cached
from nexudus_sync.connectors.companies import Companies
from nexudus_sync.connectors.currency import digits
from nexudus_sync.connectors.http import Http
from nexudus_sync.connectors.optional import Watcher
from nexudus_sync.connectors.overplane import checks, reading, setup, steps
from nexudus_sync.connectors.overplane.api import Api, Resource
from nexudus_sync.connectors.overplane.dialect import OverplaneDialect
from nexudus_sync.connectors.overplane.directories import Names, stages, users
from nexudus_sync.connectors.overplane.parties import Parties
from nexudus_sync.connectors.overplane.settings import OverplaneSettings
from nexudus_sync.connectors.overplane.sweep import Sweeper
from nexudus_sync.connectors.overplane.writer import Writer
from nexudus_sync.connectors.page_size import PageSize
from nexudus_sync.connectors.setup import Choice, Further
from nexudus_sync.connectors.totals import Totals
from nexudus_sync.errors import AnotherRecord, NotFound, RoleMissing
from nexudus_sync.mapping.context import Context, Directory
from nexudus_sync.store.database import Store

_MARGIN = timedelta(minutes=2)
"""How much earlier than the attempt a record may seem to have been created."""


class OverplaneConnector:
    """One Overplane account, behind one token."""

    Settings = OverplaneSettings
    title = "Overplane"
    questions = setup.QUESTIONS
    traits = Traits(lists_everything=True, rows_are_whole=True, child_keys=frozenset({steps.CHILDREN}))

    def __init__(
        self,
        name: str,
        settings: OverplaneSettings,
        *,
        clock: Clock,
        rng: random.Random,
        store: Store | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        dialect = OverplaneDialect(name, settings.token)
        lane = lane_of(settings.base_url, settings.token.get_secret_value(), settings.limits)
        self._budget = budget_for(settings.limits, clock, store, lane, name)
        self._http = Http(
            settings.base_url, dialect, clock=clock, rng=rng, budget=self._budget, transport=transport, network=settings
        )
        self.api = Api(self._http, name)
        self._sweeper = Sweeper(clock, PageSize(name, settings.page_size, store, clock))
        self._totals = Totals(name, store)
        self._parties = Parties(self.api, self._sweeper, clock)
        self._writer = Writer(self.api, self._parties, self._sweeper, name)
        self._users = Cached(self._read_users, clock)
        self._stages = Cached(self._read_stages, clock)

    async def start(self) -> None:
        """Nothing to do: a token needs no login."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def read_ahead(self, pages: int) -> None:
        """Ask for up to N pages of a list at the same time. See `ReadsAhead`."""
        self._sweeper.ahead = pages

    def clock_offset(self) -> float | None:
        """Seconds the server's clock is ahead of ours, None before the first answer."""
        return self._http.offset

    def latencies(self) -> list[float]:
        """How many seconds each of the last answers took."""
        return list(self._http.took)

    def watch(self, watcher: Watcher) -> None:
        """Tell this watcher of every call from now on."""
        self._http.watcher = watcher

    def budget_left(self) -> Mapping[str, tuple[int, int]]:
        """How many calls are left of each limit, and the limit."""
        return self._budget.left()

    async def check(self, scope: Scope) -> list[Check]:
        """Token, listing, company, lists of names, clock."""
        found = await checks.run(self.api, scope, lambda: self.companies(scope))
        if self._http.offset is None and all(line.level == "fail" for line in found):
            return found  # nobody answered at all, so nothing is to be said of a clock
        learnt = [] if any(line.subject == "totals" for line in found) else self._totals.checks()
        return [*found, *learnt, checks.clock(self._http.offset)]

    async def companies(self, scope: Scope) -> Companies:
        """Overplane has no list of companies: those that opportunities carry are used."""
        if scope.company is None:
            return Companies(self._settings.company)
        return await companies.carried(self, scope)

    async def scan(self, scope: Scope, cursor: str | None, priority: Priority = Priority.LIVE) -> AsyncIterator[Page]:
        """All opportunities whatever the cursor, those outside the scope too: `in_scope` tells them apart.

        So a linked record that was given to another company is seen there and not missed.
        """
        async with aclosing(self._sweeper.sweep(self.api.opportunities, priority)) as sweep:
            async for stretch in sweep:
                await self._learn_parties(stretch.rows)
                server_time = stretch.asked_at + self._offset()
                rows = [reading.row(row, server_time) for row in stretch.rows]
                last = stretch.complete is not None
                if last:
                    self._totals.note(stretch.sure)
                yield Page(rows, stretch.total, "" if last else None, stretch.complete is True, stretch.began)

    async def fetch(
        self, record_id: str, row: Row | None = None, priority: Priority = Priority.LIVE, *, children: bool = True
    ) -> Record:
        """The opportunity, with its lost-reason rows if they are wanted; a listed row saves reading the former."""
        record = row.record if row else await self.api.opportunities.one(record_id, priority=priority)
        await self._learn_parties([record])
        if not children:
            return record
        return record | {steps.CHILDREN: await self.api.lost_reason_details.of(record_id, priority=priority)}

    async def absent(self, record_id: str, identity: str, priority: Priority = Priority.LIVE) -> bool:
        """Gone, if the server says so by id (a web page with status 404 does not count: the dialect sees to that)."""
        try:
            await self.api.opportunities.one(record_id, priority=priority)
        except NotFound:
            return True
        except AnotherRecord:
            pass
        return False

    async def context(self, record: Record, scope: Scope) -> Context:
        """Users and stages, and the digits of the record's currency; days are plain dates here."""
        people = await self._directory(self._users, record.get("opportunity_owner"))
        known_stages = await self._directory(self._stages, record.get("sales_stage"))
        directories: dict[str, Directory] = {"user": people}
        if len(known_stages):
            directories["sales_stage"] = known_stages
        return Context(digits=digits(reading.text(record, "currency")), directories=directories)

    def ask_afresh(self) -> None:
        """Users and stages that were missing; see `RemembersMisses`."""
        self._users.ask_afresh()
        self._stages.ask_afresh()

    def stamp(self, record: Record) -> Stamp:
        """`updated_at` without its stray spaces."""
        return reading.stamp(record)

    def facts(self, record: Record) -> Facts:
        """What the record says, and of its party what was read of it."""
        kind, party_id = reading.text(record, "opportunity_from"), reading.text(record, "party_name")
        return reading.facts(record, self._parties.known(kind, party_id))

    def in_scope(self, record: Record, scope: Scope) -> bool:
        """Is it the scope's company's?"""
        return reading.in_scope(record, scope)

    def digest_view(self, record: Record) -> Record:
        """All but the stamp, a counter and the child rows."""
        return reading.content(record)

    def refusals(self, before: Record | None, after: Record, scope: Scope, *, live: bool) -> list[Hold]:
        """None: no change in Overplane acts on anything else."""
        return []

    async def find_party(self, email: str, scope: Scope) -> Party | None:
        """Among customers, then leads; among prospects only where those are created."""
        extra = () if scope.party in ("Customer", "Lead") else (scope.party,)
        return await self._parties.find(email, ("Customer", "Lead", *extra))

    def party_step(self, party: Party, scope: Scope) -> Step:
        """A customer, lead or prospect, as the scope says."""
        return steps.party(self.name, party, scope.party)

    def create_step(self, draft: Draft) -> Step:
        """The opportunity without its lost-reason rows."""
        created = draft.created_at or self._clock.now()
        day = created.astimezone(draft.scope.time_zone or UTC).date()
        return steps.create(self.name, draft, draft.scope.company or self._settings.company, day)

    def update_steps(self, before: Record, after: Record) -> list[Step]:
        """A partial update, then one step for each lost-reason row that differs."""
        return steps.update(before, after)

    def delete_step(self, record_id: str) -> Step:
        """Delete it for good."""
        return steps.delete(record_id)

    async def reserve(self, priority: Priority = Priority.LIVE) -> None:
        """Take the next write's place in the request budget. See `Connector.reserve`."""
        await self._http.reserve(priority=priority)

    async def perform(self, step: Step, record: Record | None = None) -> Written:
        """Send one step."""
        return await self._writer.perform(step, record)

    async def find_created(self, step: Step, since: datetime) -> list[Record]:
        """What an attempt made since then may have left; child rows included."""
        if step.kind == "party.create":
            found = await self._parties.now_with(step.payload["body"]["email_id"], step.payload["kind"])
            return [{"id": party.id} for party in found]
        if (
            self._http.offset is None
        ):  # after a restart this is the first call, and nothing is known of the server's clock
            await self.api.opportunities.page(checks.SAMPLE)
        rows = await self._writer.created(step, since + self._offset() - _MARGIN)
        return [row | {steps.CHILDREN: await self.api.lost_reason_details.of(str(row["id"]))} for row in rows]

    async def choices(self) -> list[Choice]:
        """Companies; see `GuidesSetup`."""
        return await setup.choices(self.api, self._sweeper)

    async def further(self, scope: Scope) -> list[Further]:
        """Nothing else has to be decided."""
        return []

    async def vocabulary(self, scope: Scope) -> dict[str, tuple[str, ...]]:
        """Sales stages and lost reasons; see `GuidesSetup`."""
        lists = {"sales_stage": self.api.sales_stages, "lost_reasons": self.api.lost_reasons}
        return setup.names({field: await self._rows(resource) for field, resource in lists.items()})

    def _offset(self) -> timedelta:
        return timedelta(seconds=self._http.offset or 0.0)

    async def _learn_parties(self, rows: list[Record]) -> None:
        """An opportunity without a contact e-mail is matched by its party's, where the token may read parties."""
        for row in rows:
            if reading.text(row, "contact_email"):
                continue
            with suppress(RoleMissing):
                await self._parties.learn(reading.text(row, "opportunity_from"), reading.text(row, "party_name"))

    async def _directory(self, cached: Cached[Names], raw: object) -> Names:
        """The names, read again where this record, or a lens since the last time, asked for one that is not there."""
        names = await cached.value()
        if raw:
            names.name(raw)
        misses, names.missed = names.missed, set()
        return await cached.despite(misses) if misses else names

    async def _read_users(self) -> Names:
        return users(await self._rows(self.api.users))

    async def _read_stages(self) -> Names:
        return stages(await self._rows(self.api.sales_stages))

    async def _rows(self, resource: Resource) -> list[Record]:
        """A list that may be missing or closed to this token; the names are then empty."""
        with suppress(NotFound, RoleMissing):
            return await self._sweeper.rows(resource)
        return []
