"""The seam between the engine and a system: what a connector must offer, and the few shapes that cross it.

A connector is thin. It knows one API's paths, traps and errors; it decides nothing about which value wins. A record
is the system's own object with every field kept. Where a system keeps part of an opportunity elsewhere (child rows),
the connector shows it as one more key of the record and turns a change of that key into the calls it takes.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from nexudus_sync.mapping.context import Context
from nexudus_sync.plan import Hold as Hold

Record = dict[str, Any]
"""A system's own raw object, as `codec.loads` gives it."""


class Priority(IntEnum):
    """Which calls go first when the request budget is short.

    RECONCILE and BACKFILL get 70 % of the long windows, and BACKFILL what the others leave idle.
    """

    LIVE = 0
    RETRY = 1
    RECONCILE = 2
    BACKFILL = 3


@dataclass(frozen=True, slots=True)
class Traits:
    """What the engine has to know about how a system works."""

    lists_everything: bool
    """A scan lists every record there is, so an id it lacks is an absence (still to be proven)."""
    rows_are_whole: bool
    """A scan's rows carry the record with all its mapped keys, except those in `child_keys`."""
    child_keys: frozenset[str] = frozenset()
    """Keys whose content is kept in child rows that can change without moving the record's stamp."""
    names_author: bool = False
    """A stamp says who wrote, so the sync's own writes are told from others'."""
    reads_before_write: bool = False
    """An update needs the whole record just read (no partial update)."""
    exact_stamps: bool = False
    """No two states of a record share a stamp: a stamp that is still "now" when it is read hides no later change."""
    escapes_text: bool = False
    """Free text is kept as HTML writes it: `&` and `<` may stand there as `&amp;` and `&lt;`."""
    ignores_case: bool = False
    """Ids that differ only in case are the same, and a list may spell an id in another case than before."""
    locks: bool = False
    """An update names the state it was made from, and raises Stale when the record moved since."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a system that one connection works on, and what a create in it carries.

    `business_id` or `board_id` (Nexudus) select the cards; `company` (CRM) selects the CRM's opportunities, None all
    of them; `new_company` says that none may carry it yet.
    """

    business_id: int | None = None
    board_id: int | None = None
    company: str | None = None
    new_company: bool = False
    time_zone: ZoneInfo | None = None
    create_board: int | None = None
    party: str = "Lead"
    allow_stages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells two states of a record apart.

    `token` holds all the system offers (equal tokens: no change is known); `at` is the time in it, by the server's
    clock; `own` says that it names the sync's own user, `minor` that it names the system itself: when a person last
    changed the record is not known then. `author` is whom it names, "" where the system names nobody.
    """

    token: str
    at: datetime | None
    own: bool = False
    minor: bool = False
    author: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a scan. `record` is what the list carries: partial unless `Traits.rows_are_whole`.

    `hot`: the stamp was still "now" (by the server's clock) when it was read and names no own write, so a further edit
    could hide behind the same stamp: the engine reads the record once more at the next poll.
    """

    id: str
    stamp: Stamp
    record: Record
    hot: bool = False
    minor: bool = False
    """The system itself moved the stamp (Nexudus: "[System]" renumbering neighbours): read at reconcile's priority."""
    lagging: bool = False
    """It comes from an index that may be behind: `fetch` reads the record itself before anything is written over it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a scan. Rows may come twice; the later one is the newer.

    `cursor` stands on the last page only: where the next scan begins (opaque to the engine). `complete` on the last
    page: every id that existed throughout the scan was listed (only meaningful where `Traits.lists_everything`, or
    without a cursor). `total` is the number of records the system says match, None where it does not say. `asked_at`
    (monotonic seconds) is when the page was asked for; None where that was only when the engine wanted it.
    """

    rows: list[Row]
    total: int | None = None
    cursor: str | None = None
    complete: bool = False
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What scope, matching and creating need to know of a record, beside its mapped fields.

    `id` is the record's id as text; `identity` tells two records apart that bore one id in turn ("" where it is not
    known, or ids are never reused); `email` is the party's, in the form in which addresses are compared, None where it
    says none; `spelled` is what stands there; `external_key` is what the external-key field holds; `created_at` is
    aware UTC; `merged` are the ids of records that people merged into this one.
    """

    id: str
    identity: str = ""
    created_at: datetime | None = None
    email: str | None = None
    spelled: str = ""
    customer_name: str | None = None
    company_name: str | None = None
    company: str | None = None
    currency: str | None = None
    external_key: str | None = None
    party: "Party | None" = None
    merged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Party:
    """The person or organisation an opportunity is with. `id` is empty for one that is yet to be created.

    `kind` is the system's word: Coworker, Lead, Customer, Prospect.
    """

    email: str
    name: str
    company_name: str | None = None
    kind: str = "Lead"
    id: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An opportunity to be created: `record` holds the mapped values as the lenses put them on an empty record.

    `key` is the external key to leave on the new record where the system has a place for one:
    "<crm name>:<id of the other side>".
    """

    record: Record
    party: Party
    scope: Scope
    key: str
    currency: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One write call, as the journal keeps it: `payload` is JSON and holds all that `perform` needs.

    `kind` is for people and for dispatch ("opportunity.create", "opportunity.update", "party.create",
    "lost-reason.create" …); `keys` are the record's top-level keys the step delivers; `record_id` is the opportunity's
    id ("" before it exists); `verify` asks for a read afterwards, because the server may change more than it was told.
    `over`: the keys that the step can only replace together, with what the record that was read says there.
    """

    kind: str
    payload: Record
    keys: frozenset[str] = frozenset()
    record_id: str = ""
    verify: bool = False
    over: Record = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A write of ours to a record, as the journal has it.

    `at` is when it was sent, `done` when it was known to be done or not (None: it is unknown), by the server's clock.
    `record_id` is the record's id now.
    """

    record_id: str
    step: Step
    at: datetime
    done: datetime | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a step did. `record` is the whole record as far as it is known now.

    `echoed` says that the reply itself carried it. `stamp` is the one the reply named, None where it named none (the
    engine then reads it at the next poll). `found`: a create made nothing, for the record was there already under the
    key or name that was sent.
    """

    id: str
    record: Record
    stamp: Stamp | None = None
    echoed: bool = False
    party: Party | None = None
    found: bool = False


@dataclass(frozen=True, slots=True)
class Audited:
    """One change of one value, as a system's own trail tells it.

    `number` never falls from entry to entry; `own` says that the sync did it, and `sent` when it sent that, where it is
    known and was long before; `old` and `new` are raw values, `author` is whom people are told, "" for nobody known.
    """

    number: int
    record_id: str
    key: str
    old: Any
    new: Any
    own: bool
    at: datetime
    author: str = ""
    sent: datetime | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `check`.

    `level` is "ok", "warn" or "fail"; `exit_code` is what a failure makes the command return; `remedy` is what a person
    can do about it.
    """

    subject: str
    level: Literal["ok", "warn", "fail"]
    detail: str
    exit_code: int = 1
    remedy: str = ""

    @property
    def told(self) -> str:
        """What was found, and what to do about it, in one line."""
        return f"{self.detail}; {self.remedy}" if self.remedy else self.detail


class Connector(Protocol):
    """One system, behind one login. All methods may raise the `ConnectorError` tree.

    Reads are retried inside and wait out throttling; a write is sent once and raises `OutcomeUnknown` where it may
    have been done.
    """

    name: str
    """The configured name, for people and for external keys: "nexudus", "overplane"."""
    traits: Traits

    async def start(self) -> None:
        """Log in, if the system needs it. Raises AuthenticationFailed, RoleMissing, Unavailable."""
        ...

    async def aclose(self) -> None:
        """Close connections; afterwards the connector cannot be used."""
        ...

    def clock_offset(self) -> float | None:
        """Seconds the server's clock is ahead of ours (from its `Date` header), None before the first answer."""
        ...

    async def check(self, scope: Scope) -> list[Check]:
        """Look at credentials, roles, filters and what the scope names, without writing a record."""
        ...

    def scan(self, scope: Scope, cursor: str | None, priority: Priority = Priority.LIVE) -> AsyncIterator[Page]:
        """List what may have changed since `cursor` (None: all there is in the scope).

        With a cursor the rows may lie outside the scope: the engine looks at each with `in_scope`. Raises Unavailable
        when no trustworthy listing can be had.
        """
        ...

    async def fetch(
        self, record_id: str, row: Row | None = None, priority: Priority = Priority.LIVE, *, children: bool = True
    ) -> Record:
        """The whole record, child rows included. `row`: one just listed, whose content may be used if it is whole.

        `children` False saves the calls that child rows cost: the record then lacks `Traits.child_keys`. Raises
        NotFound when the system says that the record does not exist, AnotherRecord when it answers with another.
        """
        ...

    async def absent(self, record_id: str, identity: str, priority: Priority = Priority.LIVE) -> bool:
        """Is it proven that the record is gone? False when in doubt."""
        ...

    async def context(self, record: Record, scope: Scope) -> Context:
        """What lenses need to read and write this record; reads directories once a process and on a miss."""
        ...

    def stamp(self, record: Record) -> Stamp:
        """The stamp a whole or listed record carries."""
        ...

    def facts(self, record: Record) -> Facts:
        """What matching needs to know. A partial row may lack some of it (None)."""
        ...

    def in_scope(self, record: Record, scope: Scope) -> bool:
        """Does the record (whole or listed) belong to the scope?"""
        ...

    def digest_view(self, record: Record) -> Record:
        """The part of a listed record whose change means a change of content (no positions, counters or stamps)."""
        ...

    def refusals(self, before: Record | None, after: Record, scope: Scope, *, live: bool) -> list[Hold]:
        """Which changes must not be written (stages that act, …), each by the record's key that it is about.

        `before` None means a create, which a hold without a key refuses entirely; `live` False: a backfill.
        """
        ...

    async def find_party(self, email: str, scope: Scope) -> Party | None:
        """The party with that e-mail for an opportunity of this scope, or None."""
        ...

    def party_step(self, party: Party, scope: Scope) -> Step:
        """The step that creates the party. Raises Refused when it lacks what the system requires."""
        ...

    def create_step(self, draft: Draft) -> Step:
        """The step that creates the opportunity with all that one call can carry; the step's `keys` say what."""
        ...

    def update_steps(self, before: Record, after: Record) -> list[Step]:
        """The steps that turn `before` (just read) into `after`, in order; none when nothing differs."""
        ...

    def delete_step(self, record_id: str) -> Step:
        """The step that deletes the opportunity."""
        ...

    async def reserve(self, priority: Priority = Priority.LIVE) -> None:
        """Take the next write's place in the request budget, so that the read just before it stays fresh.

        The place is kept for two seconds; an unused one costs nothing. A system without limits does nothing.
        """
        ...

    async def perform(self, step: Step, record: Record | None = None) -> Written:
        """Send one write. `record` is the whole record as known before it, None for creates.

        Deleting what is gone already is a success. Raises Refused, Stale (HeldUp when it had to wait), NotFound,
        LimitReached, OutcomeUnknown (AnsweredForAnother where the reply is about another record), Unavailable (nothing
        was sent), RoleMissing.
        """
        ...

    async def find_created(self, step: Step, since: datetime) -> list[Record]:
        """Whole records created since `since` (our clock, less a margin for offsets) that could be what `step` created.

        For a party step the list holds `{"id": …}` of the parties with that e-mail. Only a read; what is linked
        elsewhere is the engine's to leave out.
        """
        ...
