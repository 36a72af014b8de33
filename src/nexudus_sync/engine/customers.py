"""The customer of a record, looked for on the other side by an e-mail that may be spelled in several ways."""

from dataclasses import replace

from nexudus_sync import addresses
from nexudus_sync.connectors.base import Connector, Facts, Party, Record, Scope
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.mapping import Side

_SHOWN = 80
"""So much of what is no e-mail is shown."""


async def find_party(connector: Connector, facts: Facts, scope: Scope) -> Party | None:
    """The party with the record's e-mail: systems compare texts, so its own spelling is looked for too."""
    for spelling in addresses.spellings(facts.email or "", facts.spelled):
        found = await connector.find_party(spelling, scope)
        if found is not None:
            return found
    return None


def no_email(spelled: str) -> str:
    """Why a record without exactly one address cannot be copied."""
    if not spelled:
        return "it has no e-mail to find or create its customer by; add one"
    shown = spelled if len(spelled) <= _SHOWN else f"{spelled[:_SHOWN]}…"
    return f'its e-mail says "{shown}", which is not one address to find or create its customer by; correct it'


async def with_company(bridge: Bridge, side: Side, record: Record) -> Facts:
    """The facts of a record; where it names its party by id, the company stands with the party and is looked up."""
    connector = bridge.connector(side)
    facts = connector.facts(record)
    if facts.party is not None and facts.email and not facts.company_name:
        party = await connector.find_party(facts.email, bridge.scope(side))
        facts = connector.facts(record)  # which now knows what was read of parties
        if party is not None and not facts.company_name:
            facts = replace(facts, company_name=party.company_name)
    return facts
