"""Create the counterpart of a record that has none: customer first, then the opportunity."""

from dataclasses import dataclass, replace

from nexudus_sync.connectors.base import Party, Written
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import ANOTHER, drop_unlinked_record, note_failure, of_record, show_failure
from nexudus_sync.engine.match.draft import (
    accepted,
    apply_rules,
    carried,
    changed_since_match,
    draft_of,
    fill_draft,
    find_party,
    intent_of,
    leave_out,
    with_company,
)
from nexudus_sync.engine.match.waiting import as_candidate, ids_by_side, oldest_first
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.another import is_create_held
from nexudus_sync.engine.write.created import (
    Creation,
    Made,
    NotCreated,
    confirm_create,
    foresee,
    refuse_create,
    show_held,
)
from nexudus_sync.engine.write.perform import perform, rules_moved
from nexudus_sync.errors import NotFound, NotPlanned, OutcomeUnknown, Refused, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.merge import UNSENT
from nexudus_sync.store import Session, records, unlinked
from nexudus_sync.store.tables import Journal, Link, Unlinked


@dataclass(frozen=True, slots=True)
class Created:
    """A new link. `pending`: the create could not deliver everything; `source`: its origin, as just read."""

    link_id: int
    pending: bool
    side: Side
    source: Sight


async def create(cycle: Cycle) -> list[int]:
    """Create the counterparts that matching found missing; one that fails does not stop the others.

    Polls in between when that is due. Returns the links with values that the create could not deliver at once.
    """
    report, pending = cycle.report, list[int]()
    for row in sorted(cycle.to_create, key=oldest_first):
        await cycle.poll_if_due()
        if cycle.stopping():
            report.finished = False
            break
        if cycle.options.limit is not None and sum(report.created.values()) >= cycle.options.limit:
            _leave(cycle.connection, row, "limit", "not created: --limit was reached")
        elif _is_still_unlinked(cycle.connection, row) and not _has_new_candidate(cycle, row):
            made = await _try_to_create(cycle, row)
            if made is not None and made.pending:
                cycle.just_read[made.link_id] = {made.side: made.source}
                pending.append(made.link_id)
    return pending


def _has_new_candidate(cycle: Cycle, row: Unlinked) -> bool:
    """Did somebody enter a record since the matching that may be its counterpart? The next cycle matches the two."""
    if not row.email:
        return False
    with cycle.connection.store.read() as session:
        near = unlinked.of_customer(session, cycle.connection.name, Side(row.side).other, row.email)
    return any(as_candidate(one) not in cycle.candidates for one in near)


def _is_still_unlinked(connection: Connection, row: Unlinked) -> bool:
    """Is it still unlinked? Since the matching it may have left the scope, or become a counterpart."""
    with connection.store.read() as session:
        return session.get(Unlinked, (row.connection, row.side, row.record_id)) is not None


async def _try_to_create(cycle: Cycle, row: Unlinked) -> Created | None:
    live = cycle.live and _is_new(cycle, row)
    try:
        made = await _copy_record(cycle.connection, cycle.report, row, live=live)
    except Exception as error:
        _note_error(cycle, row, of_record(error))
        return None
    cycle.report.circuit.worked()
    return made


def _is_new(cycle: Cycle, row: Unlinked) -> bool:
    """Was it created after the backfill? Older records are created under the backfill's rules, even later.

    A backfill that lies in the future was noted while the clock was ahead: any record counts as newer.
    """
    connection, done = cycle.connection, cycle.backfilled_at
    created = connection.our_time(Side(row.side), row.created_at)
    return done is not None and created is not None and (created > done or done > connection.clock.now())


def _note_error(cycle: Cycle, row: Unlinked, error: SyncError) -> None:
    """Keep what went wrong, by its kind. Raises the error when a system no longer answers at all."""
    connection, report = cycle.connection, cycle.report
    if isinstance(error, NotPlanned):  # waits for a cycle without a saved plan
        return
    if isinstance(error, NotCreated):  # was refused by a rule of ours
        _note_refused(connection, row, error)
    elif isinstance(error, NotFound):  # was deleted, or left the scope, since it was listed
        with connection.store.session() as session:
            unlinked.drop(session, connection.name, Side(row.side), [row.record_id])
            drop_unlinked_record(session, connection, Side(row.side), row.record_id)
    elif isinstance(error, OutcomeUnknown):
        report.unknown.append(str(error))
    else:
        with connection.store.session() as session:
            note_failure(session, connection, error, **ids_by_side(row))
        report.errors.append(str(error))
    report.circuit.failed(error)


def _note_refused(connection: Connection, row: Unlinked, refused: NotCreated) -> None:
    _leave(connection, row, "refused", refused.message)
    with connection.store.session() as session:
        show_failure(session, connection, records.alone(Side(row.side), row.record_id), refused.kind, refused.message)


def _leave(connection: Connection, row: Unlinked, state: str, reason: str) -> None:
    with connection.store.session() as session:
        known = session.get(Unlinked, (row.connection, row.side, row.record_id))
        if known is not None:  # may have left the scope by a poll in between
            known.state, known.reason = state, reason
    row.state, row.reason = state, reason


async def _copy_record(connection: Connection, report: Report, row: Unlinked, *, live: bool) -> Created | None:
    """Create the counterpart of an unlinked record; None in a rehearsal, or if it has to be matched again.

    Raises NotCreated for what the rules refuse, NotFound if the record has gone, and what the connectors raise.
    """
    source = Side(row.side)
    connector = connection.connector(source)
    began = connection.clock.monotonic()
    record = await fetch(connection, source, row.record_id)
    if not connector.in_scope(record, connection.scope(source)):
        raise NotFound(connector.name, "it left this connection's scope", row.record_id)
    if changed_since_match(connection, row, record):  # was edited, so it may match another record now
        return None
    facts = replace(await with_company(connection, source, record), id=row.record_id)  # however the system spells it
    creation = Creation(source, record, facts, await connection.context(source, record))
    with connection.store.read() as session:
        if is_create_held(session, connection, source, facts.id):
            refuse_create(
                connection,
                creation,
                ANOTHER,
                "its last two creates were answered with other records; retry this failure to try again",
            )
    await fill_draft(connection, creation)
    await rules_moved(connection, creation.to, None, creation.after)
    apply_rules(connection, creation, live=live)
    _refuse_unplanned(connection, creation)
    party = await _find_or_create_party(connection, report, creation)
    if await rules_moved(
        connection, creation.to, None, creation.after
    ):  # the customer may have waited long for its turn
        apply_rules(connection, creation, live=live)
    link = await _create_opportunity(connection, report, creation, party)
    if link is None or link.id is None:
        return None
    pending = UNSENT in link.half(source).snapshot.values()
    sight = Sight(record, creation.context, connector.stamp(record), began, whole=True)
    return Created(link.id, pending, source, sight)


def _refuse_unplanned(connection: Connection, creation: Creation) -> None:
    """Raise NotPlanned, before there is a customer, if a saved plan does not have this copy with these values."""
    if connection.allowed is not None:
        intent = intent_of(creation, carried(connection, creation))
        ids = intent.nexudus_id, intent.crm_id
        connection.refuse_unplanned(connection.action("opportunity.create", creation.to, *ids, intent.fields))


async def _find_or_create_party(connection: Connection, report: Report, creation: Creation) -> Party:
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
    written = await perform(connection, report, intent_of(creation), step, lambda session, row, written: None)
    # In a rehearsal the party has no id, and without one the opportunity's own step would be refused.
    return written.party or replace(party, id="0" if connection.dry else written.id)


async def _create_opportunity(connection: Connection, report: Report, creation: Creation, party: Party) -> Link | None:
    """Create it without the values that the other side refuses. Raises Refused if one of them is required."""
    links, key = list[Link](), connection.key(creation.source, creation.facts.id)
    while True:
        step = connection.connector(creation.to).create_step(draft_of(connection, creation, party))

        def confirm(session: Session, row: Journal, written: Written) -> None:
            made = Made(written.id, written.record, creation.there, written)
            link = confirm_create(session, connection, row, creation.origin, made)
            waiting = [hold for hold in creation.held if not hold.counts_as_seen]
            show_held(session, connection, waiting, link.nexudus_id, link.crm_id)
            links.append(link)

        try:
            intent = replace(
                intent_of(creation, carried(connection, creation, step)),
                accepted=accepted(connection, creation),
                key=key,
            )
            await perform(connection, report, intent, step, confirm)
        except Refused as refused:
            leave_out(connection, creation, refused)
            continue
        report.created[creation.to.value] += 1
        if connection.dry:
            foresee(connection, creation.held, *records.alone(creation.source, creation.facts.id))
        return links[0] if links else None
