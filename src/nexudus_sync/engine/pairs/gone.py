"""Links with a deleted record: close them, delete the other record too, or ask a person."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from nexudus_sync.connectors.base import Priority, Written
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import RECORD, ask
from nexudus_sync.engine.pairs.moved import move
from nexudus_sync.engine.read.changes import differing
from nexudus_sync.engine.read.record import is_recent, read
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.confirm import close_and_count
from nexudus_sync.engine.write.perform import Intent, perform
from nexudus_sync.mapping import Side, Unreadable
from nexudus_sync.opportunity import say
from nexudus_sync.plan import PairAction, PairPlan, Presence, plan_pair
from nexudus_sync.store import Session, conflicts, failures
from nexudus_sync.store.tables import ConflictKind, Journal, Link

EDITED, DELETED = "edited", "deleted"
"""What a question about a deletion shows: for the side that still has its record, and for the other side."""


async def part(connection: Connection, report: Report, link: Link, sights: Mapping[Side, Sight]) -> None:
    """Carry out `plan_pair` for a link with a record that is gone or elsewhere. Raises the `ConnectorError` tree."""
    seen = dict(sights)
    for side in Side:
        if seen[side.other].presence is Presence.GONE:
            seen[side] = await _survivor(connection, side, link, seen[side])
    plan, edits = _plan_parting(connection, link, seen)
    if plan.action is PairAction.MOVE:  # was moved to another board or location: nothing was deleted
        move(connection, report, link, seen[Side.NEXUDUS].record)
    elif plan.action is PairAction.CLOSE:  # was deleted, and the deletion does not travel or has nowhere to go
        with connection.store.session() as session:
            close_and_count(session, connection, report, link, plan.reason)
    elif plan.action is PairAction.DELETE and plan.side is not None:  # was deleted, and nobody edited the other record
        await _delete(connection, report, link, plan.side, plan.reason)
    else:  # was deleted on one side but edited on the other
        _ask_a_person(connection, link, plan, edits)


def _plan_parting(connection: Connection, link: Link, seen: Mapping[Side, Sight]) -> tuple[PairPlan, dict[str, Any]]:
    """What to do with the link; and, where a person is to be asked or has answered, what was edited."""
    contested = _contested(connection, link)
    edited = {
        side: contested | differing(connection, link, side, sight, unsent=True)
        for side, sight in seen.items()
        if sight.presence is Presence.HERE
    }
    presence = {side: sight.presence for side, sight in seen.items()}
    plan = plan_pair(presence, {side: bool(edited.get(side)) for side in seen}, connection.rules.deletes)
    if plan.action is not PairAction.ASK or plan.side is None:
        return plan, {}
    edits = _edited_values(connection, edited[plan.side], plan.side, seen[plan.side])
    said = ", ".join(f"{name} is {value!r}" for name, value in edits.items())
    return _by_answer(connection, link, replace(plan, reason=f"{plan.reason}: {said}"), edits), edits


def _contested(connection: Connection, link: Link) -> set[str]:
    """The fields in conflict: the other side never got this side's value, so it counts as an edit."""
    with connection.store.read() as session:
        about = conflicts.unclosed(session, link.connection, link.nexudus_id, link.crm_id)
    return {one.field for one in about if one.link_id == link.id and connection.mapping.find(one.field) is not None}


async def _survivor(connection: Connection, side: Side, link: Link, known: Sight) -> Sight:
    """The record whose counterpart is gone; read again right now if it may be deleted too."""
    if connection.rules.deletes == "ignore":  # is not deleted in any case, so an earlier read will do
        return known if known.real else await read(connection, side, link)
    await connection.connector(side).reserve(Priority.LIVE)  # so that the delete does not have to wait after the read
    if known.whole and is_recent(connection, known):
        return known
    return await read(connection, side, link)


def _edited_values(connection: Connection, names: Collection[str], side: Side, sight: Sight) -> dict[str, Any]:
    """The values, as people see them, of the fields that were edited since both sides agreed."""
    said = {}
    for name in sorted(names):
        field = connection.mapping.find(name)
        assert field is not None
        try:
            said[name] = say(field.get(side, sight.record, sight.context))
        except Unreadable:  # was edited to something the mapping cannot read: show it as it is
            said[name] = field.lens(side).raw(sight.record)
    return said


async def _delete(connection: Connection, report: Report, link: Link, side: Side, reason: str) -> None:
    connection.refuse_unplanned(connection.action("opportunity.delete", side, *link.pair))
    step = connection.connector(side).delete_step(link.half(side).id)
    intent = Intent(side, link.nexudus_id, link.crm_id, link.id)

    def confirm(session: Session, row: Journal, written: Written) -> None:
        close_and_count(session, connection, report, link, reason)

    await perform(connection, report, intent, step, confirm)
    report.deleted += not connection.dry


def _ask_a_person(connection: Connection, link: Link, plan: PairPlan, edits: Mapping[str, Any]) -> None:
    there = {side: EDITED if side is plan.side else DELETED for side in Side}
    with connection.store.session() as session:
        conflict = ask(
            session,
            connection,
            link,
            RECORD,
            there,
            kind=ConflictKind.DELETED,
            side=plan.side,
            edits=edits,
            reason=plan.reason,
        )
        conflicts.ask_again(conflict)  # an earlier answer was about other edits
        failures.solve_failures(session, connection.name, link.nexudus_id, link.crm_id, fields={""})
        link.mark_both(False)
        session.add(link)


def _by_answer(connection: Connection, link: Link, plan: PairPlan, edits: Mapping[str, Any]) -> PairPlan:
    """The plan after a person answered "deleted here but edited there": keep the edited record, or delete it too."""
    with connection.store.read() as session:
        answer = conflicts.answer_about_link(session, link)
    if answer is None or plan.side is None:
        return plan
    if answer.take == plan.side.value:  # was edited, and the person wants to keep that
        return PairPlan(PairAction.CLOSE, reason=f"{plan.reason}; the edited record was kept")
    if answer.edits != edits:  # was edited again since the person was asked
        return plan
    return PairPlan(PairAction.DELETE, plan.side, f"{plan.reason}; the deletion was taken")
