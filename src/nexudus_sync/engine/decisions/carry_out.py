"""Carry out what people decided: link, unlink, ignore, undo."""

from dataclasses import dataclass

from nexudus_sync.engine.agenda import Cycle, RestoredValues
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.decisions import bring_back, undo
from nexudus_sync.engine.decisions.pairing import fetch_if_there, link_by_hand, no_such_record
from nexudus_sync.engine.inbox import RECORD, of_record
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.confirm import close_and_count
from nexudus_sync.errors import (
    AuthenticationFailed,
    ConnectorError,
    NotPlanned,
    OutcomeUnknown,
    StoreError,
    Unavailable,
)
from nexudus_sync.mapping import Side
from nexudus_sync.store import conflicts, decisions, failures, records
from nexudus_sync.store.tables import Decision, Link, Unlinked


@dataclass(frozen=True, slots=True)
class Restore:
    """The values that the settling has to bring back, and the undos and answers (by id) to close after it."""

    values: RestoredValues
    undone: list[Decision]
    answered: set[int]


async def carry_out(cycle: Cycle) -> Restore:
    """Carry out the decisions that wait; returns what the settling has to bring back.

    A decision about a record that cannot be read is refused; while its system does not answer, it waits for the next
    cycle. Neither stops the others. Raises AuthenticationFailed, StoreError.
    """
    connection, report = cycle.connection, cycle.report
    with connection.store.read() as session:
        waiting = decisions.waiting(session, connection.name)
    restored: RestoredValues = {}
    undone = []
    for decision in waiting:
        try:
            outcome = await _carry_out_one(connection, report, decision, restored)
        except AuthenticationFailed:
            raise
        except NotPlanned:
            continue
        except (Unavailable, OutcomeUnknown) as error:
            report.errors.append(str(error))
            continue
        except StoreError:
            raise
        except Exception as error:
            outcome = f"refused: {error if isinstance(error, ConnectorError) else of_record(error)}"
        if outcome is not None:
            close_decision(connection, decision, outcome)
        elif decision.connection == connection.name:
            undone.append(decision)
    return Restore(restored, undone, await bring_back.prepare(connection, report, restored))


def conclude(cycle: Cycle, restore: Restore) -> None:
    """Close the undos and answers that were carried out; the next cycle tries those of unsettled links again."""
    for decision in restore.undone:
        outcome = undo.outcome_of(cycle.connection, decision, restore.values)
        if outcome is not None:
            close_decision(cycle.connection, decision, outcome)
    if restore.answered:
        bring_back.conclude(cycle.connection, restore.answered, restore.values)


def close_decision(connection: Connection, decision: Decision, outcome: str) -> None:
    """Close a decision with its outcome."""
    with connection.store.session() as session:
        decision.done_at, decision.outcome = connection.clock.now(), outcome
        session.add(decision)


async def _carry_out_one(
    connection: Connection, report: Report, decision: Decision, restored: RestoredValues
) -> str | None:
    """The outcome of a decision; None for an undo, which the settling carries out."""
    if decision.kind == "undo":
        return await undo.prepare(connection, decision, restored)
    if decision.kind == "link":
        return await link_by_hand(connection, decision.args["nexudus_id"], decision.args["crm_id"])
    if decision.kind == "unlink":
        return _unlink(connection, report, decision.args["link_id"])
    return await _ignore(connection, Side(decision.args["side"]), decision.args["record_id"])


def _unlink(connection: Connection, report: Report, link_id: int) -> str:
    with connection.store.session() as session:
        link = session.get(Link, link_id)
        if link is None or link.state == "closed":
            return "the link no longer exists"
        close_and_count(session, connection, report, link, "parted by hand")
    return "unlinked"


async def _ignore(connection: Connection, side: Side, record_id: str) -> str:
    key = (connection.name, side.value, record_id)
    with connection.store.read() as session:
        known = session.get(Unlinked, key)
    if known is not None:
        identity = known.identity
    else:
        record = await fetch_if_there(connection, side, record_id)
        if record is None:
            return no_such_record(connection, side, record_id)
        facts = connection.facts(side, record)
        record_id, identity = facts.id or record_id, facts.identity
        key = (connection.name, side.value, record_id)
    with connection.store.session() as session:
        link = next(iter(records.links_of(session, connection.crm, side, record_id, identity)), None)
        if link is not None and link.state != "closed":
            return f"refused: {link.nexudus_id} is linked with {link.crm_id}; unlink them first"
        row = session.get(Unlinked, key)
        row = row or Unlinked(connection=connection.name, side=side.value, record_id=record_id, identity=identity)
        row.state, row.reason = "ignored", "by hand"
        session.add(row)
        ids = {Side.NEXUDUS: "", Side.CRM: "", side: record_id}
        pair_ids = ids[Side.NEXUDUS], ids[Side.CRM]
        conflicts.close_conflicts(session, connection.name, *pair_ids, now=connection.clock.now(), fields={RECORD})
        failures.solve_failures(session, connection.name, *pair_ids)
    return "ignored"
