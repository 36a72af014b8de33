"""The ERPNext connector: the seam of `connectors/base.py` over the pieces beside this module.

A poll asks for what was saved since the last one, by `modified`; a document that moved is read whole, child tables
included, and written with the state it was merged from as the lock.
"""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import httpx

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.answers import same_id
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
from nexudus_sync.connectors.companies import Companies
from nexudus_sync.connectors.currency import digits
from nexudus_sync.connectors.erpnext import checks, records, setup, steps
from nexudus_sync.connectors.erpnext.api import Api, Query
from nexudus_sync.connectors.erpnext.dialect import ERPNextDialect
from nexudus_sync.connectors.erpnext.directories import Directories
from nexudus_sync.connectors.erpnext.listing import Lister
from nexudus_sync.connectors.erpnext.parties import Parties
from nexudus_sync.connectors.erpnext.settings import ERPNextSettings
from nexudus_sync.connectors.erpnext.site import OPPORTUNITY, Site, probe
from nexudus_sync.connectors.erpnext.writer import Writer
from nexudus_sync.connectors.failed import failed
from nexudus_sync.connectors.http import Http
from nexudus_sync.connectors.optional import Watcher
from nexudus_sync.connectors.setup import Choice, Further
from nexudus_sync.errors import AnotherRecord, ConnectorError, NotFound, Refused, RoleMissing
from nexudus_sync.mapping.context import Context
from nexudus_sync.store.database import Store

_MARGIN = timedelta(minutes=2)
"""How much earlier than the attempt a document may seem to have been created."""


class ERPNextConnector:
    """One ERPNext site, behind one user's API key."""

    Settings = ERPNextSettings
    title = "ERPNext"
    questions = setup.QUESTIONS
    traits = Traits(
        lists_everything=False,
        rows_are_whole=False,
        names_author=True,
        exact_stamps=True,
        ignores_case=True,
        locks=True,
        escapes_text=True,
    )

    def __init__(
        self,
        name: str,
        settings: ERPNextSettings,
        *,
        clock: Clock,
        rng: random.Random,
        store: Store | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._settings, self._clock = settings, clock
        dialect = ERPNextDialect(name, settings.api_key, settings.api_secret)
        lane = lane_of(settings.base_url, settings.api_key, settings.limits)
        self._budget = budget_for(settings.limits, clock, store, lane, name)
        self._http = Http(
            settings.base_url, dialect, clock=clock, rng=rng, budget=self._budget, transport=transport, network=settings
        )
        self.api = Api(self._http, name)
        self._parties = Parties(self.api, clock)
        self._directories = Directories(self.api, name, clock, create_missing=settings.create_missing)
        overlap = timedelta(seconds=settings.overlap)
        self._lister = Lister(self.api, name, settings.page_size, overlap, self._server_now)
        self._writer = Writer(self.api, self._parties, self._directories, name, clock, rng, self._server_now)
        self._site: Site | None = None

    async def start(self) -> None:
        """Find out whose key it is, the site's time zone and its fields."""
        self._site = await probe(self.api, self.name, self._settings.external_key_field)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

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
        """Login, fields, filters, company, roles, names, clock."""
        try:
            await self.start()
        except ConnectorError as error:
            return [failed("login", error)]
        found = checks.lines(self.api, self._directories, self.site, self._settings, scope)
        return [*[line async for line in found], checks.clock(self._http.offset)]

    async def companies(self, scope: Scope) -> Companies:
        """The site's own list of them, and what its opportunities carry."""
        return await checks.known_companies(self.api, self._settings, scope)

    async def scan(self, scope: Scope, cursor: str | None, priority: Priority = Priority.LIVE) -> AsyncIterator[Page]:
        """What was saved since the cursor, whatever its company: `in_scope` tells. None: all of the scope's company."""
        async for page in self._lister.scan(self.site, scope, cursor, priority):
            await self._parties.learn_listed([row.record for row in page.rows], priority)
            yield page

    async def fetch(
        self, record_id: str, row: Row | None = None, priority: Priority = Priority.LIVE, *, children: bool = True
    ) -> Record:
        """The document, child tables included: one call, with or without them. What is listed has its party known."""
        record = records.seen(await self.api.one(OPPORTUNITY, record_id, priority), self.site)
        if row is None:
            await self._parties.learn([record], priority, again=True)
        return record

    async def absent(self, record_id: str, identity: str, priority: Priority = Priority.LIVE) -> bool:
        """Gone, if no document has that name and it has no other name.

        That its name is borne by another document proves nothing by itself: then it has to be among the deleted ones,
        or two lists of its moment have to lack it.
        """
        try:
            document = await self.api.one(OPPORTUNITY, record_id, priority)
        except AnotherRecord:
            return False
        except Refused:
            return await self._buried(record_id, identity, priority)
        except NotFound:
            return not await self.renamed(record_id, identity, priority)
        if not identity or records.text(document, "creation") == identity:
            return False
        return await self._buried(record_id, identity, priority) or await self._unlisted_twice(identity, priority)

    async def renamed(self, record_id: str, identity: str, priority: Priority = Priority.LIVE) -> list[str]:
        """The names under which the document may now stand: of those created at its moment, for that stays.

        A rename moves no stamp, and the old name is answered 404. An import can give many documents one moment, so one
        that is among the deleted has no other name.
        """
        if not identity:
            return []
        names = await self._created_at(identity, priority)
        others = [name for name in names if name != record_id]
        return [] if others and await self._buried(record_id, identity, priority) else others

    async def _created_at(self, identity: str, priority: Priority) -> list[str]:
        """The names of the documents of that moment; rows are compared, since a filter can be ignored."""
        query = Query(("name", "creation"), (("creation", "=", identity),))
        rows = await self.api.rows(OPPORTUNITY, query, priority)
        return [str(row["name"]) for row in rows if records.text(row, "creation") == identity]

    async def _unlisted_twice(self, identity: str, priority: Priority) -> bool:
        return not any([await self._created_at(identity, priority) for _ in range(2)])

    async def _buried(self, record_id: str, identity: str, priority: Priority) -> bool:
        """Is it among the deleted documents? False where those may not be read (only a System Manager may)."""
        deleted = (("deleted_doctype", "=", OPPORTUNITY), ("deleted_name", "=", record_id), ("restored", "=", 0))
        with suppress(RoleMissing):
            rows = await self.api.rows("Deleted Document", Query(("deleted_name", "data"), deleted), priority)
            mine = (row for row in rows if same_id(record_id, row.get("deleted_name", record_id), fold=True))
            return any(f'"{identity}"' in records.text(row, "data") for row in mine if identity)
        return False

    async def context(self, record: Record, scope: Scope) -> Context:
        """The names its links can say, users, and the digits of its currency; days are plain dates here."""
        directories = await self._directories.of(record, self.site)
        code = records.text(record, "currency")
        return Context(digits=digits(code), directories=directories, escaped=self.traits.escapes_text)

    def ask_afresh(self) -> None:
        """Names that were refused or missing; see `RemembersMisses`."""
        self._directories.ask_afresh()

    def stamp(self, record: Record) -> Stamp:
        """`modified`, and whether it was the sync's own user."""
        return records.stamp(record, self.site, self._server_now())

    def facts(self, record: Record) -> Facts:
        """What the record says, and of its party what was read of it."""
        kind, name = records.text(record, "opportunity_from"), records.text(record, "party_name")
        return records.facts(record, self.site, self._parties.known(kind, name), self._server_now())

    def in_scope(self, record: Record, scope: Scope) -> bool:
        """Is it the scope's company's?"""
        return records.in_scope(record, scope)

    def digest_view(self, record: Record) -> Record:
        """All but the stamps."""
        return records.content(record)

    def refusals(self, before: Record | None, after: Record, scope: Scope, *, live: bool) -> list[Hold]:
        """Values that this site has no place for, or that are too long for it."""
        return records.refusals(before, after, self.site)

    async def find_party(self, email: str, scope: Scope) -> Party | None:
        """Among customers, then leads; among prospects only where those are created."""
        extra = () if scope.party in ("Customer", "Lead") else (scope.party,)
        return await self._parties.find(email, ("Customer", "Lead", *extra))

    def party_step(self, party: Party, scope: Scope) -> Step:
        """A lead, customer or prospect, as the scope says."""
        return steps.party(self.name, party, scope.party, scope.company or self._settings.company)

    def create_step(self, draft: Draft) -> Step:
        """The opportunity with all its values."""
        created = draft.created_at or self._clock.now()
        day = created.astimezone(draft.scope.time_zone or self.site.zone).date()
        company = draft.scope.company or self._settings.company
        return steps.create(draft, self.site, company, day, own_names=self._settings.own_names)

    def update_steps(self, before: Record, after: Record) -> list[Step]:
        """One save."""
        return steps.update(before, after, self.site)

    def delete_step(self, record_id: str) -> Step:
        """Delete it; the site keeps a copy among its deleted documents."""
        return steps.delete(record_id)

    async def reserve(self, priority: Priority = Priority.LIVE) -> None:
        """Take the next write's place in the request budget. See `Connector.reserve`."""
        await self._http.reserve(priority=priority)

    async def perform(self, step: Step, record: Record | None = None) -> Written:
        """Send one step."""
        return await self._writer.perform(step, self.site)

    async def find_created(self, step: Step, since: datetime) -> list[Record]:
        """What an attempt made since then may have left."""
        if step.kind == steps.PARTY:
            return [{"id": party.id} for party in await self._parties.all(step.payload["email"], step.payload["kind"])]
        return await self._writer.created(step, self.site, since + self._offset() - _MARGIN)

    async def choices(self) -> list[Choice]:
        """Companies; see `GuidesSetup`."""
        return await setup.choices(self.api)

    async def further(self, scope: Scope) -> list[Further]:
        """Nothing else has to be decided."""
        return []

    async def vocabulary(self, scope: Scope) -> dict[str, tuple[str, ...]]:
        """Sales stages and lost reasons; see `GuidesSetup`."""
        return await setup.names(self._directories, self.site)

    @property
    def site(self) -> Site:
        """The site, as `start` found it."""
        assert self._site is not None, "start must be called first"
        return self._site

    def _offset(self) -> timedelta:
        return timedelta(seconds=self._http.offset or 0.0)

    def _server_now(self) -> datetime:
        return self._clock.now() + self._offset()
