"""The leads, customers and prospects that opportunities are with, by e-mail and by name.

Facts from erpnext (selling/doctype/customer, crm/doctype/lead, crm/doctype/prospect): a lead has its e-mail itself, a
customer and a prospect have contacts; a customer shows its main contact's.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from nexudus_sync import addresses
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.answers import same_id
from nexudus_sync.connectors.base import Party, Priority, Record
from nexudus_sync.connectors.erpnext.api import Api, Filter, Query
from nexudus_sync.connectors.erpnext.records import said, text
from nexudus_sync.errors import RoleMissing

_BATCH = 20
"""The number of a contact's parties that are read."""
_LONGEST = 3000
"""Characters of names in one call, as they are sent: an address may have 4,094."""
_KEEP = 3600.0
"""Seconds after which a party is read again with the next change of an opportunity."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where a kind of party keeps its names and its e-mail ("" where only its contacts have one)."""

    name: str
    firm: str = ""
    email: str = ""
    form: str = ""

    def fields(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(filter(None, ("name", self.name, self.firm, self.email, self.form))))


KINDS = {
    "Customer": _Kind("customer_name", email="email_id", form="customer_type"),
    "Lead": _Kind("lead_name", "company_name", "email_id"),
    "Prospect": _Kind("company_name", "company_name"),
}


class Parties:
    """Finds parties; who may not read a kind finds none of it. Of several with one e-mail the oldest counts."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._known: dict[tuple[str, str], tuple[Party, float]] = {}
        self._asked: dict[str, tuple[str, ...]] = {}

    async def find(self, email: str, kinds: Iterable[str]) -> Party | None:
        """The oldest party with that e-mail, of the first kind that has one."""
        for kind in kinds:
            found = await self.all(email, kind)
            if found:
                return found[0]
        return None

    async def all(self, email: str, kind: str) -> list[Party]:
        """All parties of a kind with that e-mail, the oldest first; those found by a contact last."""
        wanted, found = email.strip(), dict[str, Party]()
        if KINDS[kind].email:
            by_email = await self._rows(kind, ((KINDS[kind].email, "=", wanted),))
            found |= {party.id: party for party in by_email if same_id(wanted, party.email, fold=True)}
        if not found and kind != "Lead":
            names = await self._contacts(wanted, kind)
            found |= {party.id: party for party in await self._named(kind, names)} if names else {}
        return [Party(addresses.key(wanted), one.name, one.company_name, kind, one.id) for one in found.values()]

    async def learn(self, records: list[Record], priority: Priority = Priority.LIVE, *, again: bool = False) -> None:
        """Make sure that `known` can answer for the opportunities that do not say an e-mail themselves.

        `again`: read their parties again. An e-mail is corrected, and the name of a deleted lead is given to the next.
        """
        for kind in ("Lead", "Customer"):
            silent = [r for r in records if text(r, "opportunity_from") == kind and not _has_email(r)]
            names = dict.fromkeys(text(record, "party_name") for record in silent)
            for batch in _batches([name for name in names if name and (again or not self._recent(kind, name))]):
                for party in await self._named(kind, batch, priority):
                    self.add(party)

    async def learn_listed(self, records: list[Record], priority: Priority = Priority.LIVE) -> None:
        """The same for rows of a list; an unchanged row costs no call."""
        said = {text(r, "name"): tuple(text(r, key) for key in ("modified", "creation", "party_name")) for r in records}
        news = [record for record in records if self._asked.get(text(record, "name")) != said[text(record, "name")]]
        await self.learn(news, priority)
        self._asked |= said

    def known(self, kind: str, name: str) -> Party | None:
        """The party, if it was ever read."""
        return self._known.get((kind, name), (None, 0.0))[0]

    def _recent(self, kind: str, name: str) -> bool:
        party, read_at = self._known.get((kind, name), (None, 0.0))
        return party is not None and self._clock.monotonic() - read_at <= _KEEP

    def add(self, party: Party) -> None:
        """A party just read or created."""
        self._known[party.kind, party.id] = (party, self._clock.monotonic())

    async def _named(self, kind: str, names: list[str], priority: Priority = Priority.LIVE) -> list[Party]:
        return await self._rows(kind, (("name", "in", names),), priority)

    async def _rows(self, kind: str, filters: tuple[Filter, ...], priority: Priority = Priority.LIVE) -> list[Party]:
        with suppress(RoleMissing):
            rows = await self._api.rows(kind, Query(KINDS[kind].fields(), filters), priority)
            return [from_row(kind, row) for row in rows]
        return []

    async def _contacts(self, email: str, kind: str) -> list[str]:
        """The parties of a kind that contacts with that e-mail belong to, the oldest contact first."""
        fields = ("name", "creation", "email_id", "links.link_doctype", "links.link_name")
        rows: list[Record] = []
        with suppress(RoleMissing):
            rows = await self._api.rows("Contact", Query(fields, (("email_id", "=", email),), order_by=""))
        rows = [row for row in rows if same_id(email, row.get("email_id"), fold=True)]
        rows.sort(key=lambda row: (text(row, "creation"), text(row, "name")))
        return [text(row, "link_name") for row in rows if row.get("link_doctype") == kind][:_BATCH]


def _has_email(record: Record) -> bool:
    return addresses.comparable(said(record, "contact_email")) is not None


def from_row(kind: str, row: Record) -> Party:
    """The party that a listed or created document is."""
    of = KINDS[kind]
    name = said(row, of.name)
    firm = said(row, of.firm) if of.firm else name if of.form and row.get(of.form) != "Individual" else ""
    return Party(addresses.key(said(row, of.email)) if of.email else "", name, firm or None, kind, str(row["name"]))


def _batches(names: list[str]) -> Iterator[list[str]]:
    """The names in batches that fit into one call."""
    batch, length = list[str](), 0
    for name in names:
        more = len(quote(f'"{name}",'))
        if batch and length + more > _LONGEST:
            yield batch
            batch, length = [], 0
        batch.append(name)
        length += more
    if batch:
        yield batch
