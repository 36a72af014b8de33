"""Create the counterpart of a record that has none: customer first, then the opportunity."""

from dataclasses import dataclass, replace

from sqlmodel import Session

from nexudus_sync.connectors.base import Party, Step, Written
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import ANOTHER
from nexudus_sync.engine.match.draft import (
    accepted,
    apply_rules,
    carried,
    draft_of,
    find_party,
    intent_of,
    leave_out,
    moved_on,
    prepare,
    with_company,
)
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.read.snapshots import snapshot_of
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.another import create_held
from nexudus_sync.engine.write.created import Creation, foresee, link_created, refuse_create
from nexudus_sync.engine.write.perform import perform, rules_moved
from nexudus_sync.errors import NotFound, Refused
from nexudus_sync.mapping import Side
from nexudus_sync.merge import UNSENT
from nexudus_sync.store import records
from nexudus_sync.store.tables import Link, Unlinked


@dataclass(frozen=True, slots=True)
class Created:
    """A new link.

    `pending` says that the create could not deliver everything; `source` is what was just read of its origin.
    """

    link_id: int
    pending: bool
    side: Side
    source: Sight


async def create(connection: Connection, report: Report, unlinked: Unlinked, *, live: bool) -> Created | None:
    """Create the counterpart of an unlinked record; None in a rehearsal, and when it has to be matched anew.

    Raises NotCreated for what the rules refuse, NotFound when the record is gone meanwhile, and what the connectors
    raise.
    """
    source = Side(unlinked.side)
    connector = connection.connector(source)
    began = connection.clock.monotonic()
    record = await fetch(connection, source, unlinked.record_id)
    if not connector.in_scope(record, connection.scope(source)):
        raise NotFound(connector.name, "it left this connection's scope", unlinked.record_id)
    if moved_on(connection, unlinked, record):
        return None
    facts = replace(
        await with_company(connection, source, record), id=unlinked.record_id
    )  # however the system spells it
    creation = Creation(source, record, facts, await connection.context(source, record))
    with connection.store.read() as session:
        if create_held(session, connection, source, facts.id):
            refuse_create(
                connection,
                creation,
                ANOTHER,
                "two replies to its creation were about other records; retry it to try again",
            )
    await prepare(connection, creation)
    await rules_moved(connection, creation.to, None, creation.after)
    apply_rules(connection, creation, live=live)
    party = await _party(connection, report, creation)
    if await rules_moved(
        connection, creation.to, None, creation.after
    ):  # the customer may have waited long for its turn
        apply_rules(connection, creation, live=live)
    link = await _create(connection, report, creation, party)
    if link is None or link.id is None:
        return None
    pending = UNSENT in snapshot_of(link, source).values()
    sight = Sight(record, creation.context, connector.stamp(record), began, whole=True)
    return Created(link.id, pending, source, sight)


async def _party(connection: Connection, report: Report, creation: Creation) -> Party:
    connector, scope, facts = connection.connector(creation.to), connection.scope(creation.to), creation.facts
    assert facts.email is not None
    found = await find_party(connector, facts, scope)
    if found is not None:
        return found
    if not connection.rules.create_parties:
        there = "customer" if creation.to is Side.NEXUDUS else "customer or lead"
        refuse_create(
            connection,
            creation,
            "customer",
            f"{creation.to.word} has no {there} with {facts.email}; create_parties is false",
        )
    name = facts.customer_name or facts.company_name or facts.email
    party = Party(facts.email, name, facts.company_name, scope.party)
    step = connector.party_step(party, scope)
    written = await perform(connection, report, intent_of(creation), step, lambda session, written: None)
    # A rehearsal's party has no id yet, and without one the opportunity's own step would be refused.
    return written.party or replace(party, id="0" if connection.dry else written.id)


async def _create(connection: Connection, report: Report, creation: Creation, party: Party) -> Link | None:
    """Create it, without the values that the other side refuses. Raises Refused where it cannot do without them."""
    links: list[Link] = []
    while True:
        step = connection.connector(creation.to).create_step(draft_of(connection, creation, party))

        def confirm(session: Session, written: Written, step: Step = step) -> None:
            links.append(link_created(session, connection, creation, step, written))

        try:
            intent = replace(intent_of(creation, carried(connection, creation, step)), accepted=accepted(creation))
            await perform(connection, report, intent, step, confirm)
        except Refused as refused:
            leave_out(connection, creation, refused)
            continue
        report.created[creation.to.value] += 1
        if connection.dry:
            foresee(connection, creation.parked, *records.alone(creation.source, creation.facts.id))
        return links[0] if links else None
