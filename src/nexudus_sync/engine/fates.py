"""Links whose records are not both where they were.

Closed, deleted under the rules, asked about, or moved to another connection.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from sqlalchemy import update
from sqlmodel import Session, col, select

from nexudus_sync.connectors.base import Priority, Record, Written
from nexudus_sync.engine.agree import differing
from nexudus_sync.engine.bridge import FRESH, Bridge
from nexudus_sync.engine.outcomes import ACCEPTED, RECORD, end
from nexudus_sync.engine.remap import forget, newly_heard
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.sight import Sight, id_of, read
from nexudus_sync.engine.write import Intent, perform
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.merge import STORED_DIFFERENTLY
from nexudus_sync.opportunity import say
from nexudus_sync.plan import Fate, LinkPlan, Presence, plan_link
from nexudus_sync.store import conflicts, failures
from nexudus_sync.store.tables import Conflict, ConnectionState, Link

LASTS = {ACCEPTED, STORED_DIFFERENTLY}
"""What stays true of a pair wherever its card goes, and no merge shows again."""
EDITED, DELETED = "edited", "deleted"
"""What a question about a deletion shows for the side whose record is there, and for the other."""


async def carry_out(bridge: Bridge, report: Report, link: Link, sights: Mapping[Side, Sight]) -> None:
    """Do what becomes of a link of which a record is gone or elsewhere. Raises the `ConnectorError` tree."""
    seen = dict(sights)
    for side in Side:
        if seen[side.other].presence is Presence.GONE:
            seen[side] = await _left(bridge, side, link, seen[side])
    presence = {side: sight.presence for side, sight in seen.items()}
    contested = _contested(bridge, link)
    edited = {
        side: sight.presence is Presence.HERE and bool(contested | differing(bridge, link, side, sight, unsent=True))
        for side, sight in seen.items()
    }
    plan = plan_link(presence, edited, bridge.rules.deletes)
    if plan.fate is Fate.ASK and plan.side is not None:
        names = contested | differing(bridge, link, plan.side, seen[plan.side], unsent=True)
        edits = _edits(bridge, names, plan.side, seen[plan.side])
        plan = _answered(bridge, link, replace(plan, reason=f"{plan.reason}: {edits}"))
    if plan.fate is Fate.MOVE:
        move(bridge, report, link, seen[Side.NEXUDUS].record)
    elif plan.fate is Fate.CLOSE:
        with bridge.store.session() as session:
            close(session, bridge, report, link, plan.reason)
    elif plan.fate is Fate.DELETE and plan.side is not None:
        await _delete(bridge, report, link, plan.side, plan.reason)
    else:
        _ask(bridge, link, plan)


def _contested(bridge: Bridge, link: Link) -> set[str]:
    """The fields about which a person is asked: there the other side never had this one's value."""
    with bridge.store.read() as session:
        about = conflicts.unclosed(session, link.connection, link.nexudus_id, link.crm_id)
    return {one.field for one in about if one.link_id == link.id and bridge.mapping.find(one.field) is not None}


async def _left(bridge: Bridge, side: Side, link: Link, known: Sight) -> Sight:
    """What the record whose counterpart is gone says; where it may be deleted too, what it says at this moment."""
    if bridge.rules.deletes == "ignore":
        return known if known.real else await read(bridge, side, link)
    await bridge.connector(side).reserve(Priority.LIVE)  # else the delete might wait after the look
    if known.read_at is not None and known.whole and bridge.clock.monotonic() - known.read_at <= FRESH:
        return known
    return await read(bridge, side, link)


def _edits(bridge: Bridge, names: Collection[str], side: Side, sight: Sight) -> str:
    """What the fields of a record that were edited since both sides agreed say, for a person."""
    said = []
    for name in sorted(names):
        field = bridge.mapping.find(name)
        assert field is not None
        try:
            value = say(field.get(side, sight.record, sight.context))
        except Unreadable:
            value = field.lens(side).raw(sight.record)
        said.append(f"{name} is {value!r}")
    return ", ".join(said)


def close(session: Session, bridge: Bridge, report: Report, link: Link, reason: str) -> None:
    """End a link: neither record is created again by itself."""
    end(session, link, reason, bridge.clock.now())
    report.closed += 1


async def _delete(bridge: Bridge, report: Report, link: Link, side: Side, reason: str) -> None:
    step = bridge.connector(side).delete_step(id_of(link, side))
    intent = Intent(side, link.nexudus_id, link.crm_id, link.id)

    def confirm(session: Session, written: Written) -> None:
        close(session, bridge, report, link, reason)

    await perform(bridge, report, intent, step, confirm)
    report.deleted += not bridge.dry


def _ask(bridge: Bridge, link: Link, plan: LinkPlan) -> None:
    there = {side: EDITED if side is plan.side else DELETED for side in Side}
    with bridge.store.session() as session:
        conflict = conflicts.open_conflict(
            session,
            connection=bridge.name,
            nexudus_id=link.nexudus_id,
            crm_id=link.crm_id,
            field=RECORD,
            base=None,
            nexudus=there[Side.NEXUDUS],
            crm=there[Side.CRM],
            now=bridge.clock.now(),
            link_id=link.id,
            reason=plan.reason,
        )
        conflict.state, conflict.take = "open", None  # what was answered concerned other edits
        failures.solve_failures(session, bridge.name, link.nexudus_id, link.crm_id, fields={""})
        link.nexudus_recheck = link.crm_recheck = False
        session.add(link)


def _answered(bridge: Bridge, link: Link, plan: LinkPlan) -> LinkPlan:
    """A person's word on "deleted here and edited there".

    The edited side stays and the link closes, or it is deleted too; not if it was edited again since it was asked
    about.
    """
    with bridge.store.read() as session:
        query = select(Conflict).where(
            col(Conflict.link_id) == link.id, col(Conflict.field) == RECORD, col(Conflict.state) == "resolved"
        )
        answer = session.exec(query).first()
    if answer is None or plan.side is None:
        return plan
    if answer.take == plan.side.value:
        return LinkPlan(Fate.CLOSE, reason=f"{plan.reason}; the edited record was kept")
    if answer.reason != plan.reason:
        return plan
    return LinkPlan(Fate.DELETE, plan.side, f"{plan.reason}; the deletion was taken")


def take_over(bridge: Bridge, link: Link) -> None:
    """Take a link from the connection that had it: its card is in this one's scope now.

    The conflicts about it come along, but for fields that do not travel here, and so does what a backfill left undone
    and what a system keeps differently; what else failed there shows itself anew. A field whose edits did not travel
    there is a first match of its own here. What travelled is kept with the connection: its mapping may be another
    since, or it may be no more.
    """
    names = {RECORD, *(field.name for field in bridge.mapping.fields)}
    with bridge.store.session() as session:
        failed = failures.unsolved(session, link.connection, link.nexudus_id, link.crm_id)
        failures.solve(failed, kinds={one.kind for one in failed} - LASTS)
        for one in (one for one in failed if one.kind in LASTS):
            one.connection = bridge.name
        about = (col(Conflict.connection) == link.connection, col(Conflict.link_id) == link.id)
        session.execute(update(Conflict).where(*about, col(Conflict.state) != "closed").values(connection=bridge.name))
        asked = conflicts.unclosed(session, bridge.name, link.nexudus_id, link.crm_id)
        conflicts.close((one for one in asked if one.field not in names), bridge.clock.now())
        before = session.get(ConnectionState, link.connection)
        link.connection = bridge.name
        if before is not None:
            forget(link, newly_heard(bridge.mapping, before.mapped_paths))
        session.add(link)


def move(bridge: Bridge, report: Report, link: Link, card: Record) -> None:
    """Give a link to the connection whose scope holds the card now, or let it sleep.

    What failed of one that sleeps is no matter of this connection, and shows itself anew when the card comes back.
    """
    home = next((b for b in bridge.siblings if b.connector(Side.NEXUDUS).in_scope(card, b.scope(Side.NEXUDUS))), None)
    if home is not None:
        link.nexudus_recheck = link.crm_recheck = True  # kept with the rest when it is taken over
        take_over(home, link)
    else:
        link.state = "sleeping"
        with bridge.store.session() as session:
            failed = failures.unsolved(session, link.connection, link.nexudus_id, link.crm_id)
            failures.solve(one for one in failed if one.state == "open" and one.kind not in LASTS)
            session.add(link)
    report.moved += 1
