"""What people asked for at the command line, carried out at the start of the next cycle."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, select

from nexudus_sync.engine import sight as sights
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.fates import close
from nexudus_sync.engine.outcomes import RECORD
from nexudus_sync.engine.pull import mark
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.trail import OVERWRITTEN
from nexudus_sync.engine.unlinked import pair
from nexudus_sync.errors import NotFound
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.opportunity import Value, hear, say
from nexudus_sync.store import conflicts, failures, records
from nexudus_sync.store.tables import Conflict, Decision, Failure, History, Link, Unlinked

Forced = dict[int, dict[str, Value]]
"""By link: the values that an `undo` brings back to both sides."""


async def carry_out(bridge: Bridge, report: Report) -> tuple[Forced, list[Decision]]:
    """Carry out what waits; returns what the settling has to force, with the decisions to be closed after it."""
    with bridge.store.read() as session:
        query = select(Decision).where(col(Decision.connection) == bridge.name, col(Decision.done_at).is_(None))
        waiting = list(session.exec(query.order_by(col(Decision.id))))
    forced: Forced = {}
    undone = []
    for decision in waiting:
        if decision.kind == "undo":
            if await _undo(bridge, decision, forced):
                undone.append(decision)
            continue
        outcome = await _do(bridge, report, decision)
        done(bridge, decision, outcome)
    _bring_back(bridge, forced)
    return forced, undone


def _bring_back(bridge: Bridge, forced: Forced) -> None:
    """What our write took away unseen and a person wants back; the other answer leaves things as they are."""
    with bridge.store.session() as session:
        for conflict in _answered(session, bridge):
            if conflict.take == Side.NEXUDUS and conflict.link_id is not None:
                forced.setdefault(conflict.link_id, {})[conflict.field] = hear(conflict.field, conflict.nexudus)
                mark(session, Side.NEXUDUS, [conflict.link_id])
                mark(session, Side.CRM, [conflict.link_id])


def _answered(session: Session, bridge: Bridge) -> Sequence[Conflict]:
    """The resolved conflicts about what our write took away unseen."""
    query = select(Conflict).where(
        col(Conflict.connection) == bridge.name,
        col(Conflict.state) == "resolved",
        col(Conflict.reason).startswith(OVERWRITTEN),
    )
    return session.exec(query).all()


def conclude(bridge: Bridge, undone: Iterable[Decision], unsettled: Collection[int]) -> None:
    """Close what was to be brought back; a link that could not be settled now is tried again by the next cycle."""
    for decision in undone:
        _conclude(bridge, decision, unsettled)
    with bridge.store.session() as session:
        for conflict in _answered(session, bridge):
            if conflict.link_id not in unsettled:
                conflict.state, conflict.closed_at = "closed", bridge.clock.now()
                session.add(conflict)


def _conclude(bridge: Bridge, decision: Decision, unsettled: Collection[int]) -> None:
    """Close an undo: brought back, or the reason why not."""
    with bridge.store.read() as session:
        entry = session.get_one(History, decision.args["history_id"])
        link = records.link_by(session, bridge.crm, nexudus_id=entry.nexudus_id, crm_id=entry.crm_id)
        waiting = select(Failure.reason).where(
            col(Failure.state) == "open",
            col(Failure.kind) != "unavailable",
            col(Failure.nexudus_id) == entry.nexudus_id,
            col(Failure.crm_id) == entry.crm_id,
            col(Failure.field).in_((entry.field, "")),
        )
        reason = session.exec(waiting).first()
    if link is None or link.state != "active":
        reason = "the records are not linked any more"
    elif reason is None and link.id in unsettled:
        return
    done(bridge, decision, "brought back" if reason is None else f"refused: {reason}")


def done(bridge: Bridge, decision: Decision, outcome: str) -> None:
    """Close a decision with what came of it."""
    with bridge.store.session() as session:
        decision.done_at, decision.outcome = bridge.clock.now(), outcome
        session.add(decision)


async def _do(bridge: Bridge, report: Report, decision: Decision) -> str:
    if decision.kind == "link":
        return await _link(bridge, decision.args["nexudus_id"], decision.args["crm_id"])
    if decision.kind == "unlink":
        return _unlink(bridge, report, decision.args["link_id"])
    return _ignore(bridge, Side(decision.args["side"]), decision.args["record_id"])


async def _link(bridge: Bridge, nexudus_id: str, crm_id: str) -> str:
    identities = {}
    for side, record_id in ((Side.NEXUDUS, nexudus_id), (Side.CRM, crm_id)):
        try:
            record = await bridge.connector(side).fetch(record_id)
        except NotFound:
            return f"refused: {bridge.connector(side).name} has no record {record_id}"
        identities[side] = bridge.facts(side, record).identity
    with bridge.store.session() as session:
        for ids in ({"nexudus_id": nexudus_id}, {"crm_id": crm_id, "crm_identity": identities[Side.CRM]}):
            known = records.link_by(session, bridge.crm, **ids)
            if known is not None and known.state != "closed":
                return f"refused: {known.nexudus_id} is linked with {known.crm_id}; unlink them first"
            if known is not None:
                session.delete(known)
                session.flush()
        pair(session, bridge, nexudus_id, crm_id, identities[Side.CRM])
    return "linked"


def _unlink(bridge: Bridge, report: Report, link_id: int) -> str:
    with bridge.store.session() as session:
        link = session.get(Link, link_id)
        if link is None or link.state == "closed":
            return "there is no such link any more"
        close(session, bridge, report, link, "parted by hand")
    return "unlinked"


def _ignore(bridge: Bridge, side: Side, record_id: str) -> str:
    with bridge.store.session() as session:
        row = session.get(Unlinked, (bridge.name, side.value, record_id))
        row = row or Unlinked(connection=bridge.name, side=side.value, record_id=record_id)
        row.state, row.reason = "ignored", "by hand"
        session.add(row)
        ids = {Side.NEXUDUS: "", Side.CRM: "", side: record_id}
        pair_ids = ids[Side.NEXUDUS], ids[Side.CRM]
        conflicts.close_conflicts(session, bridge.name, *pair_ids, now=bridge.clock.now(), fields={RECORD})
        failures.solve_failures(session, bridge.name, *pair_ids)
    return "ignored"


async def _undo(bridge: Bridge, decision: Decision, forced: Forced) -> bool:
    """Prepare to bring a value back.

    Refused when it moved on since, unless forced; left to the connection that has the link now. Returns whether it is
    to be done.
    """
    with bridge.store.read() as session:
        entry = session.get(History, decision.args["history_id"])
        ids = {"nexudus_id": entry.nexudus_id, "crm_id": entry.crm_id} if entry else {}
        link = records.link_by(session, bridge.crm, **ids) if entry else None
    if entry is None or link is None or link.state != "active" or link.id is None:
        done(bridge, decision, "refused: the records are not linked any more")
        return False
    if link.connection != bridge.name:
        with bridge.store.session() as session:
            decision.connection = link.connection
            session.add(decision)
        return False
    moved = await _moved_on(bridge, link, entry)
    if moved is not None and not decision.args.get("force"):
        done(bridge, decision, f"refused: {entry.field} says {moved!r} now; use --force to bring {entry.old!r} back")
        return False
    forced.setdefault(link.id, {})[entry.field] = hear(entry.field, entry.old)
    with bridge.store.session() as session:
        mark(session, Side.NEXUDUS, [link.id])
        mark(session, Side.CRM, [link.id])
    return True


async def _moved_on(bridge: Bridge, link: Link, entry: History) -> Any:
    """What the field says now, if that is neither what the sync wrote nor the old value already."""
    mapped = bridge.mapping.find(entry.field)
    if mapped is None:
        return None
    for side in Side:
        sight = await sights.read(bridge, side, link)
        try:
            now = mapped.get(side, sight.record, sight.context)
            if not any(mapped.same(now, hear(entry.field, value)) for value in (entry.new, entry.old)):
                return say(now)
        except (Unreadable, ValidationError):
            return mapped.lens(side).raw(sight.record)
    return None


def resolved_links(session: Session, bridge: Bridge) -> set[int]:
    """Links with a conflict that a person resolved and no cycle has carried out yet."""
    query = select(Conflict.link_id).where(col(Conflict.connection) == bridge.name, col(Conflict.state) == "resolved")
    return {link_id for link_id in session.exec(query) if link_id is not None}


def carried_out(session: Session, connection: str, since: datetime) -> list[Decision]:
    """The decisions that cycles since that moment have carried out or refused, with their outcome."""
    query = select(Decision).where(col(Decision.connection) == connection, col(Decision.done_at) >= since)
    return list(session.exec(query.order_by(col(Decision.id))))
