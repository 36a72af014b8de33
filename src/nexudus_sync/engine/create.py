"""Create the counterpart of a record that has none: party, then opportunity, each a journal step, then a settling.

What a create cannot say at once (a later stage, lost reasons) is marked `UNSENT` in the source's snapshot, so the
merge that follows delivers it like any other change, now or after a crash.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel import Session

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Draft, Facts, Party, Record, Step, Written
from nexudus_sync.engine.agree import differing, set_digest, set_mark, set_stamp, still_now
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.customers import find_party, no_email, with_company
from nexudus_sync.engine.doubts import create_held
from nexudus_sync.engine.outcomes import ANOTHER, RECORD, REFUSED
from nexudus_sync.engine.parked import Parked, foresee, show_parked
from nexudus_sync.engine.reading import fetch
from nexudus_sync.engine.refused import blamed
from nexudus_sync.engine.renderings import REPLY, made_of, reply_of, show_all
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.sight import Sight, snapshot_of, with_zone
from nexudus_sync.engine.source import moved_on
from nexudus_sync.engine.write import Intent, perform, rules_moved
from nexudus_sync.errors import AnsweredForAnother, NotFound, Refused
from nexudus_sync.mapping import Context, OnUnmapped, Side, Unmapped, Unreadable
from nexudus_sync.merge import UNREADABLE, UNSENT
from nexudus_sync.opportunity import say
from nexudus_sync.plan import Refusal
from nexudus_sync.store import conflicts, failures, records
from nexudus_sync.store.tables import Link, Unlinked


class NotCreated(Refused):
    """A record that must not be created on the other side; `kind` names the rule."""

    def __init__(self, system: str, kind: str, message: str, record: str) -> None:
        super().__init__(system, message, record)
        self.kind = kind


@dataclass(slots=True)
class Creation:
    """One record on its way to the other side."""

    source: Side
    record: Record
    facts: Facts
    context: Context
    after: Record = field(default_factory=dict)
    there: Context = field(default_factory=Context)
    parked: list[Parked] = field(default_factory=list)

    @property
    def to(self) -> Side:
        """Where it is created."""
        return self.source.other


@dataclass(frozen=True, slots=True)
class Created:
    """A new link.

    `pending` says that the create could not deliver everything; `source` is what was just read of its origin.
    """

    link_id: int
    pending: bool
    side: Side
    source: Sight


async def create(bridge: Bridge, report: Report, unlinked: Unlinked, *, live: bool) -> Created | None:
    """Create the counterpart of an unlinked record; None in a rehearsal, and when it has to be matched anew.

    Raises NotCreated for what the rules refuse, NotFound when the record is gone meanwhile, and what the connectors
    raise.
    """
    source = Side(unlinked.side)
    connector = bridge.connector(source)
    began = bridge.clock.monotonic()
    record = await fetch(bridge, source, unlinked.record_id)
    if not connector.in_scope(record, bridge.scope(source)):
        raise NotFound(connector.name, "it left this connection's scope", unlinked.record_id)
    if moved_on(bridge, unlinked, record):
        return None
    facts = replace(await with_company(bridge, source, record), id=unlinked.record_id)  # however the system spells it
    creation = Creation(source, record, facts, await bridge.context(source, record))
    with bridge.store.read() as session:
        if create_held(session, bridge, source, facts.id):
            _no(
                bridge, creation, ANOTHER, "two replies to its creation were about other records; retry it to try again"
            )
    await _prepare(bridge, creation)
    await rules_moved(bridge, creation.to, None, creation.after)
    _refuse(bridge, creation, live=live)
    party = await _party(bridge, report, creation)
    if await rules_moved(bridge, creation.to, None, creation.after):  # the customer may have waited long for its turn
        _refuse(bridge, creation, live=live)
    link = await _create(bridge, report, creation, party)
    if link is None or link.id is None:
        return None
    pending = UNSENT in snapshot_of(link, source).values()
    sight = Sight(record, creation.context, connector.stamp(record), began, whole=True)
    return Created(link.id, pending, source, sight)


async def _prepare(bridge: Bridge, creation: Creation) -> None:
    """Put what the source says on an empty record of the other side."""
    creation.there = await bridge.context(creation.to, {})
    for mapped in bridge.mapping.fields:
        if creation.to.other not in mapped.sources:
            continue
        try:
            value = mapped.get(creation.source, creation.record, creation.context)
            if value is not None:
                creation.after = mapped.put(creation.to, value, creation.after, creation.there)
        except Unreadable as problem:
            creation.parked.append(Parked(mapped, UNREADABLE, str(problem)))
        except Unmapped as problem:
            skip = mapped.on_unmapped == OnUnmapped.SKIP
            creation.parked.append(Parked(mapped, "" if skip else "unmapped", str(problem), accept=skip))


def _refuse(bridge: Bridge, creation: Creation, *, live: bool) -> None:
    """Apply the rules for creates; raises NotCreated where one refuses the record as a whole."""
    connector = bridge.connector(creation.to)
    currency = connector.facts(creation.after).currency or creation.there.currency
    if creation.facts.currency and currency and creation.facts.currency != currency:
        _no(bridge, creation, "currency", f"it is in {creation.facts.currency}, the other side in {currency}")
    if not creation.facts.email:
        _no(bridge, creation, "no-email", no_email(creation.facts.spelled))
    for refusal in connector.refusals(None, creation.after, bridge.scope(creation.to), live=live):
        if refusal.whole:
            _no(bridge, creation, refusal.kind, refusal.reason)
        _withhold(bridge, creation, refusal)


def _no(bridge: Bridge, creation: Creation, kind: str, reason: str) -> None:
    raise NotCreated(bridge.connector(creation.source).name, kind, reason, creation.facts.id)


def _withhold(bridge: Bridge, creation: Creation, refusal: Refusal) -> None:
    for mapped in bridge.mapping.fields:
        root = mapped.lens(creation.to).path.root
        if root in refusal.keys and root in creation.after:
            creation.parked.append(Parked(mapped, refusal.kind, refusal.reason, accept=refusal.accept))
    creation.after = {key: value for key, value in creation.after.items() if key not in refusal.keys}


async def _party(bridge: Bridge, report: Report, creation: Creation) -> Party:
    connector, scope, facts = bridge.connector(creation.to), bridge.scope(creation.to), creation.facts
    assert facts.email is not None
    found = await find_party(connector, facts, scope)
    if found is not None:
        return found
    if not bridge.rules.create_parties:
        there = "customer" if creation.to is Side.NEXUDUS else "customer or lead"
        _no(
            bridge,
            creation,
            "customer",
            f"{creation.to.word} has no {there} with {facts.email}; create_parties is false",
        )
    name = facts.customer_name or facts.company_name or facts.email
    party = Party(facts.email, name, facts.company_name, scope.party)
    step = connector.party_step(party, scope)
    written = await perform(bridge, report, _intent(creation), step, lambda session, written: None)
    # A rehearsal's party has no id yet, and without one the opportunity's own step would be refused.
    return written.party or replace(party, id="0" if bridge.dry else written.id)


def _intent(creation: Creation, fields: dict[str, Any] | None = None) -> Intent:
    nexudus_id = creation.facts.id if creation.source is Side.NEXUDUS else ""
    crm_id = creation.facts.id if creation.source is Side.CRM else ""
    facts = creation.facts
    return Intent(
        creation.to, nexudus_id, crm_id, fields=fields or {}, identity=facts.identity, email=facts.email or ""
    )


async def _create(bridge: Bridge, report: Report, creation: Creation, party: Party) -> Link | None:
    """Create it, without the values that the other side refuses. Raises Refused where it cannot do without them."""
    links: list[Link] = []
    while True:
        step = bridge.connector(creation.to).create_step(_draft(bridge, creation, party))

        def confirm(session: Session, written: Written, step: Step = step) -> None:
            links.append(link_created(session, bridge, creation, step, written))

        try:
            intent = replace(_intent(creation, _fields(bridge, creation, step)), accepted=_accepted(creation))
            await perform(bridge, report, intent, step, confirm)
        except Refused as refused:
            _leave_out(bridge, creation, refused)
            continue
        report.created[creation.to.value] += 1
        if bridge.dry:
            foresee(bridge, creation.parked, *records.alone(creation.source, creation.facts.id))
        return links[0] if links else None


def _draft(bridge: Bridge, creation: Creation, party: Party) -> Draft:
    return Draft(
        creation.after,
        party,
        bridge.scope(creation.to),
        bridge.key(creation.source, creation.facts.id),
        creation.facts.currency,
        creation.facts.created_at,
    )


def _leave_out(bridge: Bridge, creation: Creation, refused: Refused) -> None:
    """Park what a refusal names. Raises it where that cannot be left out, and the first one where it had been."""
    said = [mapped for mapped in bridge.mapping.fields if mapped.lens(creation.to).path.root in creation.after]
    fields = blamed(refused, said, creation.to)
    earlier = [
        held.reason for held in creation.parked if held.kind == REFUSED and blamed(refused, [held.field], creation.to)
    ]
    if earlier and not fields:
        raise Refused(refused.system, earlier[0], refused.record, refused.keys) from refused
    if not fields or any(mapped.lens(creation.to).required for mapped in fields):
        raise refused
    _withhold(bridge, creation, Refusal(REFUSED, refused.message, refused.keys))


def _fields(bridge: Bridge, creation: Creation, step: Step) -> dict[str, Any]:
    """What the journal row says the create carries.

    Every mapped value, and what its source says in its own spelling.
    """
    fields = {}
    for mapped in bridge.mapping.fields:
        lens = mapped.lens(creation.to)
        if (bridge.dry or lens.path.root in step.keys) and lens.raw(creation.after) is not None:
            value = mapped.get(creation.to, creation.after, creation.there)
            raw = mapped.lens(creation.source).raw(creation.record)
            sent = lens.raw(creation.after)
            fields[mapped.name] = {"old": None, "new": say(value), "lost": None, "raw": raw, "sent": sent}
    return fields


def _accepted(creation: Creation) -> dict[str, Any]:
    """What the journal row says of the values that are left out and count as seen, as their source says them."""
    return {
        held.field.name: {
            "raw": held.field.lens(creation.source).raw(creation.record),
            "kind": held.kind,
            "reason": held.reason,
        }
        for held in creation.parked
        if held.accept
    }


def link_created(session: Session, bridge: Bridge, creation: Creation, step: Step, written: Written) -> Link:
    """The link of a record and the counterpart just created, in the confirming transaction.

    Raises NotCreated where the system had one under the key or name that was sent, and that is linked with another.
    """
    now = bridge.clock.now()
    ids = {creation.source: creation.facts.id, creation.to: written.id}
    identities = {
        creation.source: creation.facts.identity,
        creation.to: bridge.facts(creation.to, written.record).identity,
    }
    _refuse_taken(session, bridge, creation, written, identities[creation.to])
    told = made_of(bridge.mapping, creation.to, creation.after, written.record, creation.there)
    snapshots = _snapshots(bridge, creation, step, written, told)
    crm_record = creation.record if creation.source is Side.CRM else written.record
    link = Link(
        crm=bridge.crm,
        connection=bridge.name,
        nexudus_id=ids[Side.NEXUDUS],
        nexudus_identity=identities[Side.NEXUDUS],
        crm_id=ids[Side.CRM],
        crm_identity=identities[Side.CRM],
        nexudus_snapshot=snapshots[Side.NEXUDUS],
        crm_snapshot=snapshots[Side.CRM],
        created_at=now,
        is_lost=bridge.is_lost(Side.CRM, crm_record),
    )
    set_stamp(link, creation.source, bridge.connector(creation.source).stamp(creation.record), now)
    if written.stamp is not None:
        set_stamp(link, creation.to, written.stamp, now)
    _mark(bridge, creation, link, written)
    session.add(link)
    forget(session, bridge, creation.source, creation.facts.id)
    forget(session, bridge, creation.to, written.id)  # a record that had this id before
    failures.solve_failures(session, bridge.name, ids[Side.NEXUDUS], ids[Side.CRM])
    conflicts.close_conflicts(session, bridge.name, ids[Side.NEXUDUS], ids[Side.CRM], now=now, fields={RECORD})
    session.flush()
    records.mark_namesakes(session, link)
    show_parked(session, bridge, creation.parked, link.nexudus_id, link.crm_id)
    show_all(session, bridge, link, told.items())
    return link


def _refuse_taken(session: Session, bridge: Bridge, creation: Creation, written: Written, identity: str) -> None:
    """A reply that names a record which was known before is about that one, unless the system said so itself."""
    known = records.links_of(session, bridge.crm, creation.to, written.id, identity)
    if known and written.found:
        pair = f"{known[0].nexudus_id} is linked with {known[0].crm_id}"
        _no(bridge, creation, "taken", f"its copy would be known by the key or name of {written.id}, and {pair}")
    waiting = session.get(Unlinked, (bridge.name, creation.to.value, written.id))
    if known or (not written.found and waiting is not None and same_identity(waiting.identity, identity)):
        problem = f"the reply to a create is about {written.id}, which was there before; what was made is not known"
        raise AnsweredForAnother(bridge.connector(creation.to).name, problem, creation.facts.id)


def _mark(bridge: Bridge, creation: Creation, link: Link, written: Written) -> None:
    """Which of the two records have to be read once more.

    What is still to be delivered, and what may have moved meanwhile.
    """
    pending = UNSENT in snapshot_of(link, creation.source).values()
    read = Sight(creation.record, creation.context, bridge.connector(creation.source).stamp(creation.record))
    made = Sight(written.record, creation.there, written.stamp)
    set_mark(link, creation.source, pending or still_now(bridge, creation.source, read))
    different = written.echoed and bool(differing(bridge, link, creation.to, made))
    again = different or written.stamp is None or still_now(bridge, creation.to, made)
    unknown = creation.to is Side.NEXUDUS and not link.nexudus_identity  # which no reply to a create tells
    set_mark(link, creation.to, pending or again or unknown)
    if bridge.connector(creation.to).traits.rows_are_whole:
        set_digest(link, creation.to, bridge.digest(creation.to, written.record))
    if bridge.connector(creation.source).traits.rows_are_whole:
        set_digest(link, creation.source, bridge.digest(creation.source, creation.record))


def _snapshots(
    bridge: Bridge, creation: Creation, step: Step, written: Written, told: Collection[str]
) -> dict[Side, dict[str, Any]]:
    """What each side is taken to have said when the counterpart came to be."""
    parked = {id(p.field): p for p in creation.parked}
    source: dict[str, Any] = {}
    target: dict[str, Any] = {}
    for mapped in bridge.mapping.fields:
        here, there = mapped.lens(creation.source), mapped.lens(creation.to)
        raw, sent = here.raw(creation.record), there.raw(creation.after)
        held = parked.get(id(mapped))
        if held is not None or (there.path.root not in step.keys and sent is not None):
            accepted = held is not None and held.accept
            source[here.path.text] = raw if accepted else dict(UNSENT)
            target[there.path.text] = there.raw(written.record)
        else:
            kept = there.raw(written.record) if mapped.name in told else sent
            source[here.path.text], target[there.path.text] = raw, kept
    carried = {mapped.name for mapped in bridge.mapping.fields if mapped.lens(creation.to).path.root in step.keys}
    target[REPLY] = reply_of(written.stamp, carried, {})
    return {creation.source: with_zone(source, creation.context), creation.to: with_zone(target, creation.there)}


def forget(session: Session, bridge: Bridge, side: Side, record_id: str) -> None:
    """A record that has a counterpart now is no longer among the unlinked."""
    row = session.get(Unlinked, (bridge.name, side.value, record_id))
    if row is not None:
        session.delete(row)
