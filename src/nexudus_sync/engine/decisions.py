"""What people asked for at the command line, carried out at the start of the next cycle."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, or_, select

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Record
from nexudus_sync.engine import regained, undo
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.fates import close
from nexudus_sync.engine.guard import of_record
from nexudus_sync.engine.outcomes import RECORD
from nexudus_sync.engine.reading import fetch, identity_of
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.undo import Forced
from nexudus_sync.engine.unlinked import pair
from nexudus_sync.errors import AuthenticationFailed, ConnectorError, NotFound, OutcomeUnknown, StoreError, Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store import conflicts, failures, records
from nexudus_sync.store.tables import Conflict, Decision, Journal, Link, Unlinked

__all__ = ["Forced", "carried_out", "carry_out", "conclude", "resolved_links"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be closed after the settling: undos, and answers about values that are brought back (their ids)."""

    undone: list[Decision]
    regained: set[int]


async def carry_out(bridge: Bridge, report: Report) -> tuple[Forced, Asked]:
    """Carry out what waits; returns what the settling has to force, with what is to be closed after it.

    A record that cannot be read refuses the decision about it; one of a system that does not answer waits for the next
    cycle. Neither stops the others. Raises AuthenticationFailed, StoreError.
    """
    with bridge.store.read() as session:
        query = select(Decision).where(col(Decision.connection) == bridge.name, col(Decision.done_at).is_(None))
        waiting = list(session.exec(query.order_by(col(Decision.id))))
    forced: Forced = {}
    undone = []
    for decision in waiting:
        try:
            outcome = await _do(bridge, report, decision, forced)
        except AuthenticationFailed:
            raise
        except (Unavailable, OutcomeUnknown) as error:
            report.errors.append(str(error))
            continue
        except StoreError:
            raise
        except Exception as error:
            outcome = f"refused: {error if isinstance(error, ConnectorError) else of_record(error)}"
        if outcome is not None:
            done(bridge, decision, outcome)
        elif decision.connection == bridge.name:
            undone.append(decision)
    return forced, Asked(undone, await regained.prepare(bridge, report, forced))


def conclude(bridge: Bridge, asked: Asked, unsettled: Collection[int]) -> None:
    """Close what was to be brought back; a link that could not be settled now is tried again by the next cycle."""
    for decision in asked.undone:
        outcome = undo.outcome_of(bridge, decision, unsettled)
        if outcome is not None:
            done(bridge, decision, outcome)
    regained.conclude(bridge, asked.regained, unsettled)


def done(bridge: Bridge, decision: Decision, outcome: str) -> None:
    """Close a decision with what came of it."""
    with bridge.store.session() as session:
        decision.done_at, decision.outcome = bridge.clock.now(), outcome
        session.add(decision)


async def _do(bridge: Bridge, report: Report, decision: Decision, forced: Forced) -> str | None:
    """What came of a decision; None for an undo that the settling carries out."""
    if decision.kind == "undo":
        return await undo.prepare(bridge, decision, forced)
    if decision.kind == "link":
        return await _link(bridge, decision.args["nexudus_id"], decision.args["crm_id"])
    if decision.kind == "unlink":
        return _unlink(bridge, report, decision.args["link_id"])
    return await _ignore(bridge, Side(decision.args["side"]), decision.args["record_id"])


async def _link(bridge: Bridge, nexudus_id: str, crm_id: str) -> str:
    ids, identities = {}, {}
    for side, record_id in ((Side.NEXUDUS, nexudus_id), (Side.CRM, crm_id)):
        record = await _fetched(bridge, side, record_id)
        if record is None:
            return _no_record(bridge, side, record_id)
        facts = bridge.facts(side, record)
        ids[side], identities[side] = facts.id or record_id, facts.identity
        if _is_another(bridge, side, ids[side], identities[side]):
            return f"refused: {record_id} is another record by now; ask again if it is the one that you mean"
    pair_ids = ids[Side.NEXUDUS], ids[Side.CRM]
    if _in_doubt(bridge, *pair_ids):
        raise Unavailable(bridge.crm, "whether it was copied already is not known yet", " and ".join(pair_ids))
    with bridge.store.session() as session:
        for side, record_id in ids.items():
            known = next(iter(records.links_of(session, bridge.crm, side, record_id, identities[side])), None)
            if known is not None and known.state != "closed":
                return f"refused: {known.nexudus_id} is linked with {known.crm_id}; unlink them first"
            if known is not None:
                _stay_alone(session, bridge, known, set(pair_ids))
                session.delete(known)
                session.flush()
        pair(session, bridge, pair_ids, (identities[Side.NEXUDUS], identities[Side.CRM]))
    return "linked"


def _in_doubt(bridge: Bridge, nexudus_id: str, crm_id: str) -> bool:
    """Was one of the two perhaps copied? Linked now, it would have that copy as well."""
    query = select(Journal.id).where(
        col(Journal.state) == "sent",
        col(Journal.kind) == "opportunity.create",
        col(Journal.connection).in_(records.family(bridge.crm)),
        or_(col(Journal.nexudus_id) == nexudus_id, col(Journal.crm_id) == crm_id),
    )
    with bridge.store.read() as session:
        return session.exec(query).first() is not None


def _is_another(bridge: Bridge, side: Side, record_id: str, identity: str) -> bool:
    """Was the id given to another record since a cycle last saw what people were shown?"""
    with bridge.store.read() as session:
        known = session.get(Unlinked, (bridge.name, side.value, record_id))
    return known is not None and not same_identity(known.identity, identity)


def _stay_alone(session: Session, bridge: Bridge, parted: Link, taken: Collection[str]) -> None:
    """The other half of a parted pair is still not to be copied when the first is linked with another record."""
    for side, record_id in ((Side.NEXUDUS, parted.nexudus_id), (Side.CRM, parted.crm_id)):
        if record_id not in taken:
            identity = identity_of(parted, side)
            row = Unlinked(connection=bridge.name, side=side.value, record_id=record_id, identity=identity)
            row.state, row.reason = "ignored", "parted by hand"
            session.merge(row)


async def _fetched(bridge: Bridge, side: Side, record_id: str) -> Record | None:
    """The record; None when there is none. Raises the `ConnectorError` tree."""
    try:
        return await fetch(bridge, side, record_id)
    except NotFound:
        return None
    except Unavailable:
        # Nexudus may answer 500 for a record that is not there, so that alone is no reason to wait for it
        if await bridge.connector(side).absent(record_id, ""):
            return None
        raise


def _no_record(bridge: Bridge, side: Side, record_id: str) -> str:
    return f"refused: {bridge.connector(side).name} has no record {record_id}"


def _unlink(bridge: Bridge, report: Report, link_id: int) -> str:
    with bridge.store.session() as session:
        link = session.get(Link, link_id)
        if link is None or link.state == "closed":
            return "there is no such link any more"
        close(session, bridge, report, link, "parted by hand")
    return "unlinked"


async def _ignore(bridge: Bridge, side: Side, record_id: str) -> str:
    key = (bridge.name, side.value, record_id)
    with bridge.store.read() as session:
        known = session.get(Unlinked, key)
    if known is not None:
        identity = known.identity
    else:
        record = await _fetched(bridge, side, record_id)
        if record is None:
            return _no_record(bridge, side, record_id)
        facts = bridge.facts(side, record)
        record_id, identity = facts.id or record_id, facts.identity
        key = (bridge.name, side.value, record_id)
    with bridge.store.session() as session:
        link = next(iter(records.links_of(session, bridge.crm, side, record_id, identity)), None)
        if link is not None and link.state != "closed":
            return f"refused: {link.nexudus_id} is linked with {link.crm_id}; unlink parts them"
        row = session.get(Unlinked, key)
        row = row or Unlinked(connection=bridge.name, side=side.value, record_id=record_id, identity=identity)
        row.state, row.reason = "ignored", "by hand"
        session.add(row)
        ids = {Side.NEXUDUS: "", Side.CRM: "", side: record_id}
        pair_ids = ids[Side.NEXUDUS], ids[Side.CRM]
        conflicts.close_conflicts(session, bridge.name, *pair_ids, now=bridge.clock.now(), fields={RECORD})
        failures.solve_failures(session, bridge.name, *pair_ids)
    return "ignored"


def resolved_links(session: Session, bridge: Bridge) -> set[int]:
    """Links with a conflict that a person resolved and no cycle has carried out yet."""
    query = select(Conflict.link_id).where(col(Conflict.connection) == bridge.name, col(Conflict.state) == "resolved")
    return {link_id for link_id in session.exec(query) if link_id is not None}


def carried_out(session: Session, connection: str, since: datetime) -> list[Decision]:
    """The decisions that cycles since that moment have carried out or refused, with their outcome."""
    query = select(Decision).where(col(Decision.connection) == connection, col(Decision.done_at) >= since)
    return list(session.exec(query.order_by(col(Decision.id))))
