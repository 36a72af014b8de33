"""The customers, leads and prospects that opportunities name, by e-mail and by id.

Lists have no filter (page "List all opportunitys" and its conventions), so each kind is read whole, once a process.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from nexudus_sync import addresses
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Party, Record
from nexudus_sync.connectors.cached import Cached
from nexudus_sync.connectors.overplane.api import Api, Resource
from nexudus_sync.connectors.overplane.moments import moment
from nexudus_sync.connectors.overplane.sweep import Sweeper
from nexudus_sync.errors import NotFound

NAME_KEY = {"Customer": "customer_name", "Lead": "lead_name", "Prospect": "company_name"}
"""The key that holds a party's own name, by kind: the values of `opportunity_from`."""
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Book:
    """The parties of one kind; of several with one e-mail the oldest comes first."""

    by_id: dict[str, Party] = field(default_factory=dict)
    by_email: dict[str, list[Party]] = field(default_factory=dict)

    def add(self, party: Party) -> None:
        self.by_id[party.id] = party
        if party.email:
            self.by_email.setdefault(party.email, []).append(party)


class Parties:
    """Finds parties. Whoever creates one must `add` it, since the lists are not read again at once."""

    def __init__(self, api: Api, sweeper: Sweeper, clock: Clock) -> None:
        self._sweeper = sweeper
        self._resources = {"Customer": api.customers, "Lead": api.leads, "Prospect": api.prospects}
        self._books = {kind: Cached(partial(self._read, kind), clock) for kind in self._resources}

    async def find(self, email: str, kinds: tuple[str, ...]) -> Party | None:
        """The oldest party with that e-mail, of the first kind that has one; after a miss lists are read again."""
        wanted = addresses.key(email)
        for kind in kinds:
            if found := (await self._books[kind].value()).by_email.get(wanted):
                return found[0]
        for kind in kinds:
            if found := (await self._books[kind].recent()).by_email.get(wanted):
                return found[0]
        return None

    async def now_with(self, email: str, kind: str) -> list[Party]:
        """All parties of a kind with that e-mail, by a list read now."""
        book = await self._books[kind].fresh()
        return book.by_email.get(addresses.key(email), [])

    async def learn(self, kind: str, party_id: str) -> None:
        """Make sure that `known` can answer for this party, if the record has one."""
        if kind in self._books and party_id not in (await self._books[kind].value()).by_id:
            await self._books[kind].recent()

    def known(self, kind: str, party_id: str) -> Party | None:
        """The party, if it is in what was read."""
        cached = self._books.get(kind)
        return cached.known.by_id.get(party_id) if cached and cached.known else None

    def resource(self, kind: str) -> Resource:
        """The endpoint of a kind."""
        return self._resources[kind]

    def add(self, party: Party) -> None:
        """A party just created."""
        book = self._books[party.kind].known
        if book is not None:
            book.add(party)

    async def _read(self, kind: str) -> _Book:
        try:
            rows = await self._sweeper.rows(self._resources[kind])
        except NotFound:
            rows = []
        book = _Book()
        for row in sorted(rows, key=lambda row: (moment(row.get("created_at")) or _LAST, str(row["id"]))):
            book.add(from_row(kind, row))
        return book


def from_row(kind: str, row: Record) -> Party:
    """The party a listed or created customer, lead or prospect is."""
    email, name = addresses.key(str(row.get("email_id") or "")), str(row.get(NAME_KEY[kind]) or "")
    firm = name if kind == "Prospect" or row.get("customer_type") == "Company" else row.get("company_name")
    return Party(email, name, str(firm) if firm else None, kind, str(row["id"]))
