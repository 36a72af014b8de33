"""Nexudus behind the connector protocol: the parts of this package put together for one login."""

import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx

from nexudus_sync.clock import Clock
from nexudus_sync.connectors import currency
from nexudus_sync.connectors.base import (
    Audited,
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
from nexudus_sync.connectors.budget import Limiter, lane_of
from nexudus_sync.connectors.http import Http
from nexudus_sync.connectors.nexudus import check, listing, records, safety, scopes, setup, steps, trail
from nexudus_sync.connectors.nexudus.absence import Absence
from nexudus_sync.connectors.nexudus.api import NexudusApi
from nexudus_sync.connectors.nexudus.dialect import NexudusDialect
from nexudus_sync.connectors.nexudus.directory import Board, Directory
from nexudus_sync.connectors.nexudus.external_key import ExternalKey
from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.connectors.nexudus.writes import Writer
from nexudus_sync.connectors.optional import Watcher
from nexudus_sync.connectors.setup import Choice, Further
from nexudus_sync.connectors.totals import Totals
from nexudus_sync.errors import NotFound, RoleMissing
from nexudus_sync.mapping.context import Context
from nexudus_sync.store import Store
from nexudus_sync.store.ledger import Ledger


class NexudusConnector:
    """Nexudus under one login. `store` keeps the budget spent and what was learnt; `transport` replaces the network."""

    Settings = NexudusSettings
    title = "Nexudus"
    questions = setup.QUESTIONS
    traits = Traits(lists_everything=False, rows_are_whole=False, names_author=True, reads_before_write=True)

    def __init__(
        self,
        name: str,
        settings: NexudusSettings,
        *,
        clock: Clock,
        rng: random.Random,
        store: Store | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._store = store
        lane = lane_of(settings.base_url, settings.username, settings.limits)
        ledger = None if store is None else Ledger(store)
        self._budget = Limiter(settings.limits, clock=clock, ledger=ledger, lane=lane, system=name)
        self._dialect = NexudusDialect(name, settings, clock)
        self._http = Http(
            settings.base_url,
            self._dialect,
            clock=clock,
            rng=rng,
            budget=self._budget,
            transport=transport,
            network=settings,
        )
        self._api = NexudusApi(self._http, name)
        self._directory = Directory(self._api, clock)
        self._key = ExternalKey(name, store)
        self._absence = Absence(self._api)
        self._writer = Writer(name, settings.username, self._api, self._directory, self._key, clock, self._absence)
        self._totals = Totals(name, store)
        self._reader = listing.Reader(self._api, name, clock)

    async def start(self) -> None:
        """Log in; with Basic only a real call shows it. Raises AuthenticationFailed, RoleMissing, Unavailable."""
        await self._dialect.headers(self._http)
        if self._settings.auth == "basic":
            await self._api.opportunities({}, size=1)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    def read_ahead(self, pages: int) -> None:
        """Ask for up to N pages of a list at the same time. See `ReadsAhead`."""
        self._reader = replace(self._reader, ahead=pages)

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
        """Look at credentials, roles, filters and what the scope names, without writing a record."""
        subject = check.Subject(
            settings=self._settings,
            api=self._api,
            directory=self._directory,
            key=self._key,
            store=self._store,
            start=self.start,
            server_now=self._server_now,
            offset=self.clock_offset,
        )
        return [*[line async for line in check.lines(subject, scope)], *self._totals.checks()]

    async def wrong_scope(self, scope: Scope, *, first: bool) -> list[Check]:
        """The names in the scope that Nexudus does not have. See `ChecksScopes`."""
        return await scopes.problems(self._directory, scope, first=first)

    async def scan(self, scope: Scope, cursor: str | None, priority: Priority = Priority.LIVE) -> AsyncIterator[Page]:
        """List what changed since `cursor` (a server's moment, ISO 8601), or all cards of the scope if it is None."""
        began = self._clock.now()
        if cursor is None:
            self._directory.renew()  # a sweep looks at everything again
        where = records.scope_filter(scope) if cursor is None else records.since_filter(cursor, self._settings.overlap)
        async with aclosing(listing.read(self._reader, where, priority)) as batches:
            async for batch in batches:
                # A filter the server ignores lists other scopes' cards as well.
                listed = batch.rows if cursor is not None else [row for row in batch.rows if self.in_scope(row, scope)]
                # By what the answers say of the server's clock now: ours may have been set since the last poll.
                offset = timedelta(seconds=self._http.offset or 0.0)
                rows = self._rows(listed, batch.asked_at + offset)
                reached = records.next_cursor(cursor, began + offset, self._settings.lag) if batch.last else None
                if batch.last:
                    self._totals.note(batch.sure)
                whole = batch.last and batch.complete and cursor is None
                yield Page(rows, batch.total, reached, whole, batch.began)

    def _rows(self, listed: Iterable[Record], read_at: datetime) -> list[Row]:
        """Cards as rows. That they are listed shows that they are there."""
        rows = []
        for card in listed:
            self._absence.saw(card["Id"])
            rows.append(records.row(card, self._settings.username, read_at))
        return rows

    async def fetch(
        self, record_id: str, row: Row | None = None, priority: Priority = Priority.LIVE, *, children: bool = True
    ) -> Record:
        """The whole record; a row is partial and cannot replace it. Raises NotFound."""
        record = await self._api.opportunity(record_id, priority)
        self._absence.saw(int(record_id))
        self._key.saw(record)
        return record

    async def absent(self, record_id: str, identity: str, priority: Priority = Priority.LIVE) -> bool:
        """Is it proven that the record is gone? Another card under its id is not a proof, so `identity` is not used."""
        return await self._absence.proven(record_id, priority)

    async def context(self, record: Record, scope: Scope) -> Context:
        """Stages of the record's board, users, the location's zone and its currency's digits.

        A record without a stage is a draft: it is seen on the board it would be created on.
        """
        await self._directory.refresh(record.get(safety.STAGE), record.get("ResponsibleId"))
        board = self._directory.board_of(record) or self._directory.home(scope)
        named = record.get(records.BUSINESS)
        business_id = board.business_id if board else named if type(named) is int else scope.business_id
        zone = scope.time_zone or await self._zone(business_id, scope)
        code = await self._currency(record, board)
        return Context(
            time_zone=zone,
            digits=currency.digits(code),
            currency=code,
            directories={"stage": self._directory.stage_names(board), "user": self._directory.user_names()},
        )

    def ask_afresh(self) -> None:
        """Stages and users that were missing; see `RemembersMisses`."""
        self._directory.ask_afresh()

    def stamp(self, record: Record) -> Stamp:
        """`UpdatedOn` with `UpdatedBy`."""
        return records.stamp(record, self._settings.username)

    def facts(self, record: Record) -> Facts:
        """What matching needs to know of a record."""
        return records.facts(record)

    def in_scope(self, record: Record, scope: Scope) -> bool:
        """By the board or location the record names, else by those of its stage."""
        by_board = scope.board_id is not None
        named = record.get(records.BOARD if by_board else records.BUSINESS)
        if type(named) is not int and (board := self._directory.board_of(record)):
            named = board.id if by_board else board.business_id
        return bool(named == (scope.board_id if by_board else scope.business_id))

    def digest_view(self, record: Record) -> Record:
        """The content that rows carry, without positions and stamps."""
        return records.digest_view(record)

    def refusals(self, before: Record | None, after: Record, scope: Scope, *, live: bool) -> list[Hold]:
        """Stages that delete, deactivate, message or create tasks; needs the directory that `context` has read."""
        return safety.refusals(self._directory, before, after, scope, live=live)

    async def review(self, before: Record | None, after: Record, scope: Scope) -> bool:
        """Read the stages that the card would enter again: what they do may have changed."""
        stages = safety.entered(self._directory, before, after, scope)
        return any([await self._directory.look_again(stage) for stage in stages])

    async def find_party(self, email: str, scope: Scope) -> Party | None:
        """The customer with that e-mail: in the location first, then the oldest."""
        await self._directory.refresh()
        return await self._writer.find_party(email, self._directory.business_of(scope))

    def party_step(self, party: Party, scope: Scope) -> Step:
        """The step that creates a customer in the scope's location. Raises Refused."""
        return steps.party(self.name, party, self._directory.business_of(scope), scope)

    def create_step(self, draft: Draft) -> Step:
        """The step that creates a card in the first stage of the board it goes to. Raises Refused."""
        board = self._directory.home(draft.scope)
        return steps.create(self.name, draft, board, with_key=self._key.sticks() is not False)

    def update_steps(self, before: Record, after: Record) -> list[Step]:
        """One PUT of the whole record; none when nothing differs."""
        return steps.update(before, after, self.stamp(before).token)

    def delete_step(self, record_id: str) -> Step:
        """The step that deletes a card."""
        return steps.delete(record_id)

    async def reserve(self, priority: Priority = Priority.LIVE) -> None:
        """Take the next write's place in the request budget. See `Connector.reserve`."""
        await self._http.reserve(priority=priority)

    async def perform(self, step: Step, record: Record | None = None) -> Written:
        """Send one write. See `Connector.perform`."""
        return await self._writer.perform(step, record)

    async def trail(self, since: datetime) -> list[Audited] | None:
        """Who changed what since then; None without the role to read the audit trail."""
        return await trail.read(self._api, self._settings.username, since)

    async def find_created(self, step: Step, since: datetime) -> list[Record]:
        """Whole records created since then with the step's external key, else for its customer under its name."""
        return await self._writer.find_created(step, since + timedelta(seconds=self._http.offset or 0.0))

    async def choices(self) -> list[Choice]:
        """Locations and boards; see `GuidesSetup`."""
        return await setup.choices(self._api, self._directory)

    async def further(self, scope: Scope) -> list[Further]:
        """The board for new cards and the time zone, where they are not known; see `GuidesSetup`."""
        return await setup.further(self._directory, scope)

    async def vocabulary(self, scope: Scope) -> dict[str, tuple[str, ...]]:
        """The stages of the scope's boards; see `GuidesSetup`."""
        return {"sales_stage": await setup.stages(self._directory, scope)}

    def _server_now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._http.offset or 0.0)

    async def _zone(self, business_id: int | None, scope: Scope) -> ZoneInfo | None:
        """The zone of a location. Of the scope's own it has to be known: without it, a due date is another day."""
        try:
            return await self._directory.time_zone(business_id) if business_id else None
        except (RoleMissing, NotFound):
            if business_id == self._directory.business_of(scope):
                raise
            return None

    async def _currency(self, record: Record, board: Board | None) -> str | None:
        code = records.text(record, records.CURRENCY) or (board.currency if board else None)
        if code or board is None:
            return code
        try:
            return records.text(await self._directory.location(board.business_id), "CurrencyCode")
        except (RoleMissing, NotFound):
            return None
