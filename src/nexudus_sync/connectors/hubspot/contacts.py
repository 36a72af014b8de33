"""The contacts that deals are with: of several the one with the lowest id that has an address.

The contacts of a deal are remembered by its id: they are no part of what travels, so a deal that changes need not be
asked again.
"""

from collections.abc import Iterable

from nexudus_sync import addresses
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Party, Priority, Record
from nexudus_sync.connectors.hubspot.api import Api
from nexudus_sync.connectors.hubspot.records import CONTACTS, text

READ = ("email", "firstname", "lastname", "company", "hs_additional_emails", "associatedcompanyid")
_KEEP = 3600.0
"""Seconds after which a contact is read again with the next deal of it."""
KIND = "Contact"


class Contacts:
    """What was read of contacts and of whose they are."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._known: dict[str, tuple[Party, float]] = {}
        self._of: dict[str, list[str]] = {}
        self.companies: dict[str, str] = {}
        """Contact → the company that it belongs to in HubSpot."""

    def ask_afresh(self) -> None:
        """Read each contact again with the next deal of it: somebody may have given it the address that it lacked."""
        self._known.clear()

    def linked(self, deal: str) -> list[str]:
        """The contacts of a deal, as read last."""
        return self._of.get(deal, [])

    def note(self, deal: str, contacts: list[str]) -> None:
        """The contacts of a deal, as just read."""
        self._of[deal] = contacts

    async def learn_links(self, deals: Iterable[str], priority: Priority) -> None:
        """Make sure that `linked` can answer for these deals."""
        unknown = [deal for deal in deals if deal not in self._of]
        if unknown:
            self._of |= await self._api.contacts_of(unknown, priority)

    async def learn(self, records: Iterable[Record], priority: Priority) -> None:
        """Make sure that `party` can answer for these deals: one call for a hundred contacts."""
        wanted = dict.fromkeys(one for record in records for one in record[CONTACTS] if not self._recent(one))
        if wanted:
            for row in await self._api.many("contacts", list(wanted), READ, priority):
                self._add(row)

    async def find(self, email: str, priority: Priority = Priority.LIVE) -> Party | None:
        """The contact whose address this is. Addresses are kept in small letters; none is two contacts'."""
        wanted = email.strip().lower()
        rows = await self._api.many("contacts", [wanted], READ, priority, id_property="email")
        for row in rows:
            party = self._add(row)
            said = row.get("properties") or {}
            spoken = {text(said, "email"), *text(said, "hs_additional_emails").split(";")}
            if addresses.key(wanted) in map(addresses.key, spoken):
                return Party(addresses.key(wanted), party.name, party.company_name, KIND, party.id)
        return None

    def party(self, record: Record) -> Party | None:
        """Who a deal is with."""
        found = [self._known[one][0] for one in record.get(CONTACTS) or () if one in self._known]
        return next((one for one in found if addresses.comparable(one.email)), found[0] if found else None)

    def add(self, party: Party) -> None:
        """A contact that was just created."""
        self._known[party.id] = (party, self._clock.monotonic())

    def _recent(self, contact: str) -> bool:
        known = self._known.get(contact)
        return known is not None and self._clock.monotonic() - known[1] <= _KEEP

    def _add(self, row: Record) -> Party:
        said = row.get("properties") or {}
        name = " ".join(filter(None, (text(said, "firstname"), text(said, "lastname"))))
        party = Party(text(said, "email"), name, text(said, "company") or None, KIND, str(row["id"]))
        company = text(said, "associatedcompanyid")
        if company:
            self.companies[party.id] = company
        self.add(party)
        return party
