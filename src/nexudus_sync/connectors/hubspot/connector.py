"""The HubSpot connector: the seam of `connectors/base.py` over the pieces beside this module.

A poll asks the search what changed. The search lags, and nothing locks a deal, so a deal is read by its id before
anything is written over it.
"""

import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import httpx

from nexudus_sync.clock import Clock
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
    Sent,
    Stamp,
    Step,
    Traits,
    Written,
)
from nexudus_sync.connectors.companies import Companies
from nexudus_sync.connectors.currency import digits
from nexudus_sync.connectors.failed import failed
from nexudus_sync.connectors.http import Http
from nexudus_sync.connectors.hubspot import checks, key, records, rules, setup, stages, steps
from nexudus_sync.connectors.hubspot.account import Account
from nexudus_sync.connectors.hubspot.api import Api, another
from nexudus_sync.connectors.hubspot.contacts import Contacts
from nexudus_sync.connectors.hubspot.dialect import HubSpotDialect
from nexudus_sync.connectors.hubspot.example import StageAndStatus
from nexudus_sync.connectors.hubspot.history import changed_at
from nexudus_sync.connectors.hubspot.lanes import Lanes
from nexudus_sync.connectors.hubspot.listing import Lister
from nexudus_sync.connectors.hubspot.settings import HubSpotSettings
from nexudus_sync.connectors.hubspot.trail import Trail
from nexudus_sync.connectors.hubspot.writer import Writer
from nexudus_sync.connectors.optional import Watcher
from nexudus_sync.connectors.setup import Choice, Further
from nexudus_sync.errors import AnotherRecord, ConnectorError, NotFound, RoleMissing, Unavailable
from nexudus_sync.mapping.context import Context, Directory
from nexudus_sync.store.database import Store

_MARGIN = timedelta(minutes=2)
"""How much earlier than the attempt a deal may seem to have been created."""


class HubSpotConnector:
    """One HubSpot account, behind one service key."""

    Settings = HubSpotSettings
    title = "HubSpot"
    questions = setup.QUESTIONS
    part = records.PIPELINE
    needs_part = True
    compound = StageAndStatus()
    traits = Traits(lists_everything=False, rows_are_whole=True)

    def __init__(
        self,
        name: str,
        settings: HubSpotSettings,
        *,
        clock: Clock,
        rng: random.Random,
        store: Store | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._settings, self._clock = settings, clock
        self._wanted: frozenset[str] = frozenset()
        self.lanes = Lanes(name, settings, clock, store)
        dialect = HubSpotDialect(name, settings.token, clock, self.lanes.heed, lambda: self.account.zone)
        self._http = Http(
            settings.base_url,
            dialect,
            clock=clock,
            rng=rng,
            budget=self.lanes.usual,
            lanes=self.lanes.special,
            transport=transport,
            network=settings,
        )
        self.api = Api(self._http, name, settings.api_version)
        self.account = Account(self.api, settings, clock)
        self.contacts = Contacts(self.api, clock)
        overlap = timedelta(seconds=settings.overlap)
        self._lister = Lister(
            self.api, self.account, self.contacts, settings.page_size, overlap, self._server_now, self.asked
        )
        self._writer = Writer(self.api, self.account, self.contacts, self._lister, name, self.asked)
        self._key, self._apps = "", set[str]()

    def want(self, keys: frozenset[str]) -> None:
        """The properties that a mapping names: HubSpot shows only those that are asked for."""
        self._wanted |= {key for key in keys if not key.startswith("@")}

    def asked(self) -> tuple[str, ...]:
        """All properties that are read."""
        return tuple(sorted({*records.USUAL, *self._wanted, *([self._key] if self._key else [])}))

    @property
    def wanted(self) -> frozenset[str]:
        """The properties that the mappings name."""
        return self._wanted

    async def start(self) -> None:
        """Read whose key it is, the pipelines, and whether there is a property for the external key."""
        await self.account.start()
        known = (await self.account.properties()).get(self._settings.nexudus_id)
        self._key = self._settings.nexudus_id if key.is_unique(known) else ""

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
        """How many calls are left of each limit, and the limit. See `ShowsCalls`."""
        return self.lanes.left()

    async def check(self, scope: Scope) -> list[Check]:
        """Key, account, scopes, properties, pipeline and its stages, owners, currency, day, clock."""
        try:
            await self.start()
        except RoleMissing as error:
            known = bool(self.account.details)
            return [line async for line in checks.scopes(self.api, known=known)] or [failed("login", error)]
        except ConnectorError as error:
            return [failed("login", error)]
        found = checks.lines(
            self.api, self.account, self.lanes, self._settings, self._wanted, scope, self._clock.now().date()
        )
        return [*[line async for line in found], checks.clock(self._http.offset)]

    async def wrong_scope(self, scope: Scope, *, first: bool) -> list[Check]:
        """A pipeline that is not there, perhaps because somebody renamed it: then no deal is in the scope any more."""
        return [line for line in checks.pipeline(self.account, self._settings, scope) if line.level == "fail"]

    async def companies(self, scope: Scope) -> Companies:
        """HubSpot's word is pipeline; its list of them is complete."""
        labels = tuple(one.label for one in await self.account.fresh_pipelines())
        if scope.company is None:
            return Companies(None, labels, what=records.PIPELINE)
        found = stages.named(self.account.pipelines, scope.company)
        return Companies(scope.company, labels, found is not None, bool(labels), found is not None, records.PIPELINE)

    async def scan(self, scope: Scope, cursor: str | None, priority: Priority = Priority.LIVE) -> AsyncIterator[Page]:
        """What changed since the cursor, whatever its pipeline: `in_scope` tells. None: all deals, by the list.

        Raises Unavailable if the scope's pipeline is gone: no deal would be in scope, and that would pass unseen.
        """
        for line in await self.wrong_scope(scope, first=False) if scope.company is not None else ():
            raise Unavailable(self.name, line.told)
        async for page in self._lister.scan(cursor, priority):
            yield page

    async def fetch(
        self, record_id: str, row: Row | None = None, priority: Priority = Priority.LIVE, *, children: bool = True
    ) -> Record:
        """The deal: as the list showed it, else read by its id, for the search may be behind.

        Without `children` nobody asks who it is with: that is not synced.

        Raises AnotherRecord with the survivor for one that was merged away, also where only the search tells.
        """
        if row is not None and not row.lagging:
            return row.record
        try:
            return await self._writer.one(record_id, priority, party=children)
        except NotFound:
            survivor = await self._survivor(record_id, priority)
            if survivor is None:
                raise
            raise another(self.name, record_id, survivor) from None

    async def absent(self, record_id: str, identity: str, priority: Priority = Priority.LIVE) -> bool:
        """Gone, if HubSpot itself says that there is none, and it is in the recycle bin or not part of another."""
        try:
            await self.api.one(record_id, (records.MERGED,), priority)
        except AnotherRecord:
            return False
        except NotFound:
            return await self._is_archived(record_id, priority) or await self._survivor(record_id, priority) is None
        return False

    async def _is_archived(self, record_id: str, priority: Priority) -> bool:
        try:
            found = await self.api.one(record_id, (records.MERGED,), priority, archived="true")
        except (NotFound, AnotherRecord):
            return False
        return found.get("archived") is True

    async def _survivor(self, record_id: str, priority: Priority) -> Record | None:
        """The deal that one was merged into, as the search has it."""
        merged = {"propertyName": records.MERGED, "operator": "CONTAINS_TOKEN", "value": record_id}
        rows = await self.api.search([merged], (records.MERGED,), 1, priority)
        return rows[0] if rows else None

    async def context(self, record: Record, scope: Scope) -> Context:
        """The stages of its pipeline, owners, lists of options, and the account's zone and currency."""
        known = await self.account.properties()
        known_stages = await self.account.stages_of(record, scope.company)
        directories: dict[str, Directory] = {
            "stage": known_stages,
            records.STAGE: known_stages,  # for a mapping that gives it no type
            "user": await self.account.owners(record.get("hubspot_owner_id")),
        }
        for name in self._wanted | {"closed_lost_reason"}:
            definition = known.get(name) or {}
            if definition.get("options") and not definition.get("externalOptions"):
                directories[name] = self.account.options(definition)
        code = records.text(record, records.CURRENCY) or self.account.currency
        fixed = self.account.currency if len(self.account.currencies) <= 1 else None
        return Context(time_zone=self.account.zone, digits=digits(code), currency=fixed, directories=directories)

    def ask_afresh(self) -> None:
        """Pipelines, owners, definitions and contacts; see `RemembersMisses`."""
        self.account.ask_afresh()
        self.contacts.ask_afresh()

    def stamp(self, record: Record) -> Stamp:
        """`updatedAt`, and whom the deal names as its last editor."""
        return records.stamp(record, self.account.editor(record))

    def facts(self, record: Record) -> Facts:
        """What the deal says, and of its contact what was read of it."""
        pipeline = self.account.pipeline_of(record, None) if record.get(records.PIPELINE) else None
        several = len(self.account.currencies) > 1
        currency = None if several and not record.get(records.ID) else self.account.currency
        label = pipeline.label if pipeline else None
        return records.facts(record, self.contacts.party(record), label, currency, self._key)

    def in_scope(self, record: Record, scope: Scope) -> bool:
        """Is it in the scope's pipeline?"""
        if scope.company is None:
            return True
        found = stages.named(self.account.pipelines, scope.company)
        return found is not None and record.get(records.PIPELINE) == found.id

    def digest_view(self, record: Record) -> Record:
        """All but the stamps and the contacts."""
        return records.content(record)

    def refusals(self, before: Record | None, after: Record, scope: Scope, *, live: bool) -> list[Hold]:
        """A status without a stage, a stage that is closed to programs, a column of a card whose deal is closed."""
        return rules.refusals(before, after, self.account.pipeline_of(before or after, scope.company))

    async def find_party(self, email: str, scope: Scope) -> Party | None:
        """The contact with that address: read, not searched, so that a new one is found too."""
        return await self.contacts.find(email)

    def party_step(self, party: Party, scope: Scope) -> Step:
        """A contact."""
        return steps.party(self.name, party)

    def create_step(self, draft: Draft) -> Step:
        """The deal with all its values, its contact, and the contact's company if it has one."""
        pipeline = self.account.pipeline_of({}, draft.scope.company)
        company = self.contacts.companies.get(draft.party.id)
        return steps.create(self.name, draft, pipeline, self._key, self.account.currencies, company)

    def update_steps(self, before: Record, after: Record) -> list[Step]:
        """One partial update."""
        return steps.update(before, after, self.account.pipeline_of(before, None))

    def delete_step(self, record_id: str) -> Step:
        """Move it to the recycle bin, where it stays for 90 days."""
        return steps.delete(record_id)

    async def reserve(self, priority: Priority = Priority.LIVE) -> None:
        """Take the next write's place in the request budget. See `Connector.reserve`."""
        await self._http.reserve(priority=priority)

    async def perform(self, step: Step, record: Record | None = None) -> Written:
        """Send one step."""
        return await self._writer.perform(step, record)

    async def find_created(self, step: Step, since: datetime) -> list[Record]:
        """What an attempt made since then may have left: found by the external key, without the search."""
        if step.kind == steps.PARTY:
            found = await self.contacts.find(step.payload["email"])
            return [] if found is None else [{"id": found.id}]
        return await self._writer.created(step, since + self._offset() - _MARGIN)

    async def choices(self) -> list[Choice]:
        """Pipelines; see `GuidesSetup`."""
        return await setup.choices(self.api, self.account)

    async def further(self, scope: Scope) -> list[Further]:
        """Nothing else has to be decided."""
        return []

    async def vocabulary(self, scope: Scope) -> dict[str, tuple[str, ...]]:
        """Stages and, if they are a list, lost reasons; see `GuidesSetup`."""
        return setup.names(self.account, scope.company, await self.account.properties())

    async def lacks_key(self) -> str:
        """The unique deal property, where there is none; see `MakesKey`."""
        return await key.lacking(self.account, self._settings.nexudus_id)

    async def make_key(self) -> str:
        """Make that property; creates use it from now on."""
        made = await key.make(self.api, self.account, self._settings.nexudus_id)
        await self.start()
        return made

    def learned(self) -> dict[str, str]:
        """The account's number; see `TellsOfItself`."""
        return setup.learned(self.account, self._settings)

    async def changed_at(self, record_ids: Collection[str], keys: frozenset[str]) -> dict[str, dict[str, datetime]]:
        """When each of these keys was last set, by the server's clock. See `DatesValues`."""
        own = {records.STAGE if key == records.STATUS else key for key in keys}
        past = await self.api.histories([*record_ids], sorted(own), Priority.LIVE)
        return {deal: changed_at(history, keys) for deal, history in past.items()}

    async def histories(self, sent: Sequence[Sent]) -> list[Audited] | None:
        """Who changed what of the deals that we wrote to, 50 a call. See `KeepsHistories`."""
        deals, keys = [one.record_id for one in sent], {*self._wanted, records.STAGE, records.PIPELINE}
        try:
            past = await self.api.histories(deals, sorted(keys), Priority.RECONCILE)
        except RoleMissing:
            return None
        owners = await self.account.owners(None)
        return Trail(self.account.statuses, owners.user, self._apps).read(past, sent)

    def _offset(self) -> timedelta:
        return timedelta(seconds=self._http.offset or 0.0)

    def _server_now(self) -> datetime:
        return self._clock.now() + self._offset()
