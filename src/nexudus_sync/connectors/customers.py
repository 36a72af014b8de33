"""Who a record's customer is, by what the record itself says and by the party it names."""

from dataclasses import dataclass

from nexudus_sync import addresses
from nexudus_sync.connectors.base import Party


@dataclass(frozen=True, slots=True)
class Customer:
    """`email` is in the form that addresses are compared in, `spelled` as the system has it."""

    email: str | None
    spelled: str
    name: str | None
    company_name: str | None

    def party(self, kind: str, party_id: str) -> Party | None:
        """The party that the record names; None for one without an address, which nothing can be matched by."""
        if not self.email:
            return None
        return Party(self.email, self.name or self.email, self.company_name, kind, party_id)


def customer_of(contact: str, name: str, known: Party | None) -> Customer:
    """The customer of a record with this contact and name. These come before what is known of the party it names."""
    party = known or Party("", "", None)
    email = addresses.comparable(contact) or addresses.comparable(party.email)
    return Customer(email, contact or party.email, name or party.name or None, party.company_name)
