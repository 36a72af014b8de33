"""The draft of a record to be created: its values, and the rules that may refuse it."""

from dataclasses import replace
from typing import Any

from nexudus_sync import addresses
from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Connector, Draft, Facts, Party, Record, Scope, Step
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import REFUSED, drop_unlinked_record
from nexudus_sync.engine.write.created import Creation, refuse_create
from nexudus_sync.engine.write.perform import Intent
from nexudus_sync.engine.write.refused import blamed
from nexudus_sync.errors import Refused
from nexudus_sync.mapping import Side, Unmapped, Unreadable
from nexudus_sync.merge import UNREADABLE
from nexudus_sync.opportunity import say
from nexudus_sync.plan import Hold, unsaid
from nexudus_sync.store.tables import Unlinked

_SHOWN = 80
"""Characters shown of a text that is not an e-mail address."""


async def fill_draft(connection: Connection, creation: Creation) -> None:
    """Put the values of the source onto an empty record of the other side."""
    creation.there = await connection.context(creation.to, {})
    for mapped in connection.mapping.fields:
        if creation.to.other not in mapped.sources:
            continue
        try:
            value = mapped.get(creation.source, creation.record, creation.context)
            if value is not None:
                creation.after = mapped.put(creation.to, value, creation.after, creation.there)
        except Unreadable as problem:
            creation.held.append(Hold(UNREADABLE, str(problem), mapped.name))
        except Unmapped as problem:
            aside = mapped.is_aside(creation.source, creation.record, creation.context, creation.there)
            creation.held.append(unsaid(mapped, str(problem), aside=aside))


def apply_rules(connection: Connection, creation: Creation, *, live: bool) -> None:
    """Apply the rules for creates; raises NotCreated if one refuses the record as a whole."""
    connector = connection.connector(creation.to)
    currency = connector.facts(creation.after).currency or creation.there.currency
    if creation.facts.currency and currency and creation.facts.currency != currency:  # would only be relabelled
        refuse_create(
            connection, creation, "currency", f"it is in {creation.facts.currency} but the other side uses {currency}"
        )
    if not creation.facts.email:  # has nothing to find its customer by
        refuse_create(connection, creation, "no-email", no_email(creation.facts.spelled))
    for hold in connector.refusals(None, creation.after, connection.scope(creation.to), live=live):
        if hold.whole:  # would, for example, start in a stage that deletes customers
            refuse_create(connection, creation, hold.kind, hold.reason)
        _withhold(connection, creation, hold)


def _withhold(connection: Connection, creation: Creation, hold: Hold) -> None:
    """Leave out what a hold covers: every field that is kept under its key waits."""
    for mapped in connection.mapping.fields:
        if hold.covers(mapped, creation.to) and mapped.lens(creation.to).path.root in creation.after:
            creation.held.append(replace(hold, field=mapped.name, key=""))
    creation.after = {key: value for key, value in creation.after.items() if key != hold.key}


def intent_of(creation: Creation, fields: dict[str, Any] | None = None) -> Intent:
    """What the journal says of a write that belongs to a creation."""
    nexudus_id = creation.facts.id if creation.source is Side.NEXUDUS else ""
    crm_id = creation.facts.id if creation.source is Side.CRM else ""
    facts = creation.facts
    return Intent(
        creation.to, nexudus_id, crm_id, fields=fields or {}, identity=facts.identity, email=facts.email or ""
    )


def draft_of(connection: Connection, creation: Creation, party: Party) -> Draft:
    """The draft as the connector wants it."""
    return Draft(
        creation.after,
        party,
        connection.scope(creation.to),
        connection.key(creation.source, creation.facts.id),
        creation.facts.currency,
        creation.facts.created_at,
    )


def leave_out(connection: Connection, creation: Creation, refused: Refused) -> None:
    """Leave out the fields that a refusal names. Raises it if they cannot be left out or were left out before."""
    said = [mapped for mapped in connection.mapping.fields if mapped.lens(creation.to).path.root in creation.after]
    fields = blamed(refused, said, creation.to)
    earlier = _left_out_before(connection, creation, refused)
    if earlier is not None and not fields:
        raise Refused(refused.system, earlier.reason, refused.record, refused.keys) from refused
    if not fields or any(mapped.lens(creation.to).required for mapped in fields):
        raise refused
    for mapped in fields:
        hold = Hold(REFUSED, refused.message, key=mapped.lens(creation.to).path.root)
        _withhold(connection, creation, hold)


def _left_out_before(connection: Connection, creation: Creation, refused: Refused) -> Hold | None:
    """The earlier refusal of a field that this one names, though the field was no longer sent."""
    for hold in creation.held:
        if hold.kind == REFUSED and blamed(refused, [connection.mapping.field(hold.field)], creation.to):
            return hold
    return None


def carried(connection: Connection, creation: Creation, step: Step | None = None) -> dict[str, Any]:
    """The values that a create carries, as the journal row keeps them: mapped, and as the source spells them.

    Without a `step` also those that it leaves to later writes, as a plan shows them.
    """
    fields = {}
    for mapped in connection.mapping.fields:
        lens = mapped.lens(creation.to)
        is_sent = step is None or connection.dry or lens.path.root in step.keys
        if is_sent and lens.raw(creation.after) is not None:
            value = mapped.get(creation.to, creation.after, creation.there)
            raw = mapped.lens(creation.source).raw(creation.record)
            sent = lens.raw(creation.after)
            fields[mapped.name] = {"old": None, "new": say(value), "lost": None, "raw": raw, "sent": sent}
    return fields


def accepted(connection: Connection, creation: Creation) -> dict[str, Any]:
    """The values that a create leaves out and that count as seen, as the journal row keeps them."""
    return {
        hold.field: {
            "raw": connection.mapping.field(hold.field).lens(creation.source).raw(creation.record),
            "kind": hold.kind,
            "reason": hold.reason,
        }
        for hold in creation.held
        if hold.counts_as_seen
    }


def changed_since_match(connection: Connection, unlinked: Unlinked, record: Record) -> bool:
    """Would the record be matched differently by now? Then its row is updated, for the next matching.

    A customer's address can change without a trace in the record, and its id can be given to another record.
    """
    side = Side(unlinked.side)
    now, identity = connection.candidate(side, record), connection.facts(side, record).identity
    found, before = (now.email, now.title, now.external_key), (unlinked.email, unlinked.title, unlinked.external_key)
    same = same_identity(unlinked.identity, identity)
    if same and found == before:
        return False
    with connection.store.session() as session:
        row = session.get(Unlinked, (unlinked.connection, unlinked.side, unlinked.record_id))
        if row is not None:  # may have left the scope by a poll in between
            if not same:
                drop_unlinked_record(session, connection, side, row.record_id)
            row.email, row.title, row.external_key = found
            row.identity = identity or row.identity
            row.is_open, row.created_at = now.is_open, now.created_at
    return True


async def find_party(connector: Connector, facts: Facts, scope: Scope) -> Party | None:
    """The party with the record's e-mail address; systems compare texts, so its own spelling is tried as well."""
    for spelling in addresses.spellings(facts.email or "", facts.spelled):
        found = await connector.find_party(spelling, scope)
        if found is not None:
            return found
    return None


def no_email(spelled: str) -> str:
    """The reason why a record without exactly one e-mail address cannot be copied."""
    if not spelled:
        return "it has no e-mail to find or create its customer by; add one"
    shown = spelled if len(spelled) <= _SHOWN else f"{spelled[:_SHOWN]}…"
    return f'its e-mail is "{shown}", not a single address to find or create its customer by; correct it'


async def with_company(connection: Connection, side: Side, record: Record) -> Facts:
    """The facts of a record; where it names its party by id, the company is looked up with the party."""
    connector = connection.connector(side)
    facts = connector.facts(record)
    if facts.party is not None and facts.email and not facts.company_name:
        party = await connector.find_party(facts.email, connection.scope(side))
        facts = connector.facts(record)  # which now knows what was read of parties
        if party is not None and not facts.company_name:
            facts = replace(facts, company_name=party.company_name)
    return facts
