"""One configured connection at work: its two ends, its mapping, and the rules the engine follows."""

from collections.abc import Mapping as FieldMapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any

from nexudus_sync import addresses, codec
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Connector, Facts, Record, Scope
from nexudus_sync.connectors.optional import RemembersMisses
from nexudus_sync.engine.actions import VERBS, Action, Allowed, refuse_unplanned
from nexudus_sync.errors import storable
from nexudus_sync.mapping import Context, Mapping, Side, Unreadable
from nexudus_sync.opportunity import Status
from nexudus_sync.plan import Candidate
from nexudus_sync.store import Store

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""A stamp before this moment means that there is none (.NET writes the year 1)."""
FRESH = 0.5
"""Seconds after which a record is read again before it is written."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration decides about a connection's behaviour.

    `absence_wait`: seconds after an attempt before a second look may conclude that a write was not done.
    `reconcile_days`: within N days every linked record is read whole once.
    """

    deletes: str = "ignore"
    create_parties: bool = True
    first_match: str = "manual"
    absence_wait: float = 10.0
    chunk: int = 100
    readers: int = 10
    reconcile_days: int = 30
    children_per_cycle: int = 10
    poll: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class End:
    """One side of a connection."""

    side: Side
    connector: Connector
    scope: Scope


@dataclass(slots=True)
class Connection:
    """A connection, ready to work.

    `siblings` are the other connections to the same CRM; `dry`: nothing is written (`plan`); `allowed`: a saved
    plan, and nothing else is done; `where` is its place in the configuration, for errors.
    """

    name: str
    crm: str
    mapping: Mapping
    ends: dict[Side, End]
    store: Store
    clock: Clock
    rules: Rules = field(default_factory=Rules)
    siblings: list["Connection"] = field(default_factory=list)
    dry: bool = False
    allowed: Allowed | None = None
    where: str = "the connection"
    sweeping_since: datetime | None = None
    """When the reconcile that is under way began; None in any other cycle."""
    mapping_known: tuple[str, list[str]] | None = None
    """The mapping in force as the store remembers it: computed once, for a running program does not read it again."""

    def connector(self, side: Side) -> Connector:
        """The connector of a side."""
        return self.ends[side].connector

    def scope(self, side: Side) -> Scope:
        """What of a side belongs to this connection."""
        return self.ends[side].scope

    def action(
        self, kind: str, side: Side, nexudus_id: str, crm_id: str, fields: FieldMapping[str, Any] | None = None
    ) -> Action:
        """A write of that kind to a side, as `plan` shows it."""
        said = {name: {"old": one["old"], "new": one["new"]} for name, one in (fields or {}).items()}
        return Action(self.name, VERBS.get(kind, kind), self.connector(side).name, nexudus_id, crm_id, said)

    def link_action(self, nexudus_id: str, crm_id: str) -> Action:
        """Two records that become a pair, as `plan` shows it."""
        return Action(self.name, "link", "", nexudus_id, crm_id, {})

    def refuse_unplanned(self, action: Action) -> None:
        """Raise NotPlanned for what the saved plan that is being carried out does not have."""
        refuse_unplanned(self.allowed, action)

    def key(self, side: Side, record_id: str) -> str:
        """The external key by which the other side can name a record of `side`."""
        return f"{self.connector(side).name}:{record_id}"

    def ask_afresh(self) -> None:
        """Let the connectors ask again for the names they keep."""
        for end in self.ends.values():
            if isinstance(end.connector, RemembersMisses):
                end.connector.ask_afresh()

    async def context(self, side: Side, record: Record) -> Context:
        """What the lenses need to read and write a record of `side`."""
        return await self.connector(side).context(record, self.scope(side))

    def our_time(self, side: Side, moment: datetime | None) -> datetime | None:
        """A server's moment on our clock, by the measured offset."""
        if moment is None or moment < NEVER:
            return None
        return moment - timedelta(seconds=self.connector(side).clock_offset() or 0.0)

    def candidate(self, side: Side, record: Record, *, facts: Facts | None = None) -> Candidate:
        """What matching knows of a listed or whole record; `facts` are the record's, where they were asked for."""
        facts = facts or self.facts(side, record)
        return Candidate(
            side=side,
            id=facts.id,
            email=facts.email or _whole(addresses.oddity(facts.spelled)) or None,
            title=_whole(self._title(side, record)),
            is_open=self.is_open(side, record),
            external_key=facts.external_key,
            created_at=facts.created_at,
        )

    def known_by(self, side: Side, record: Record) -> tuple[str, str]:
        """The title and the customer by which people know a record, each "" where the record does not say it."""
        facts = self.facts(side, record)
        customer = facts.customer_name or facts.company_name or facts.email or ""
        return storable(self._title(side, record) or ""), storable(customer)

    def facts(self, side: Side, record: Record) -> Facts:
        """What scope, matching and creating need to know of a record."""
        return self.connector(side).facts(record)

    def is_open(self, side: Side, record: Record) -> bool:
        """Is the opportunity still open? True where the mapping does not say."""
        return self._is(side, record, Status.OPEN, default=True)

    def is_lost(self, side: Side, record: Record) -> bool:
        """Is the opportunity lost?"""
        return self._is(side, record, Status.LOST, default=False)

    def digest(self, side: Side, record: Record) -> str:
        """A short fingerprint of what a listed row carries, without positions and stamps.

        "" for a row that JSON cannot represent (NaN): it equals no other, so its record is read.
        """
        connector = self.connector(side)
        shown, children = connector.digest_view(record), connector.traits.child_keys
        if not children.isdisjoint(shown):
            shown = {key: value for key, value in shown.items() if key not in children}
        try:
            return _fingerprint(codec.canonical(shown))
        except (ValueError, RecursionError):
            return ""

    def digest_alone(self, side: Side, record: Record) -> str:
        """The fingerprint of a row without a counterpart: its customer's e-mail counts too, for a match hangs on it.

        The address may stand on a record of its own, whose edits leave the row as it was.
        """
        own = self.digest(side, record)
        return own and f"{own} {fingerprint(self.facts(side, record).email or '')}"

    def _plain(self, side: Side) -> Context:
        """A context for reading a record when its surroundings were not asked for."""
        return Context(escaped=self.connector(side).traits.escapes_text)

    def _is(self, side: Side, record: Record, status: Status, *, default: bool) -> bool:
        found = self.mapping.find("status")
        if found is None:
            return default
        try:
            value = found.get(side, record, self._plain(side))
        except Unreadable:
            return default
        return found.same(value, status.value)

    def _title(self, side: Side, record: Record) -> str | None:
        found = self.mapping.find("title")
        if found is None:
            return None
        try:
            value = found.get(side, record, self._plain(side))
        except Unreadable:
            return None
        return None if value is None else str(value)


def fingerprint(text: str) -> str:
    """Sixteen hexadecimal digits that, for all practical purposes, differ when the text does."""
    return _fingerprint(text.encode(errors="surrogatepass"))


def _fingerprint(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def _whole(text: str | None) -> str | None:
    """The text without half characters, which no database accepts: some programs cut an emoji in two."""
    return None if text is None else text.encode(errors="replace").decode()


def day(text: str | None) -> date | None:
    """A stored YYYY-MM-DD as a day."""
    return None if text is None else date.fromisoformat(text)
