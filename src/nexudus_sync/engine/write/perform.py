"""Perform one write: planned in the journal, sent, and confirmed."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from nexudus_sync.connectors import permit
from nexudus_sync.connectors.answers import expect_reply
from nexudus_sync.connectors.base import Record, Step, Written
from nexudus_sync.connectors.optional import ReviewsRules
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import of_record
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.another import note_reply
from nexudus_sync.engine.write.refused import refused_fields
from nexudus_sync.errors import (
    AnsweredForAnother,
    AuthenticationFailed,
    LeaseLost,
    OutcomeUnknown,
    Refused,
    RoleMissing,
    Stale,
    SyncError,
    Unavailable,
)
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, journal
from nexudus_sync.store.tables import Journal

NOT_SENT = (Unavailable, Stale, RoleMissing, AuthenticationFailed)
"""Errors after which the write is known not to have been done and may be planned again."""
_log = structlog.get_logger("nexudus_sync.engine")
MADE = "made"
"""The key in a given-up create's journal step with the identity of the record that it made after all."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a journal row says of a write: where it goes, for which pair, and what it means to change.

    `fields` is {field: {"old", "new", "lost", "raw", "over", "sent"}}: canonical values, the source's raw value at the
    time, the raw value to be replaced, and the one sent. Of the record that a create copies: `identity`, its customer's
    `email`, and the external `key` sent for it. `accepted` is {field: {"raw", "kind", "reason"}}: what a create leaves
    out and counts as seen.
    """

    side: Side
    nexudus_id: str = ""
    crm_id: str = ""
    link_id: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""
    email: str = ""
    key: str = ""
    accepted: Mapping[str, Any] = field(default_factory=dict)


def step_json(step: Step, intent: Intent | None = None) -> dict[str, Any]:
    """A step as the journal keeps it, with what the intent says of the record being copied."""
    origin = (
        {"identity": intent.identity, "email": intent.email, "key": intent.key, "accepted": dict(intent.accepted)}
        if intent
        else {}
    )
    return {
        **origin,
        "kind": step.kind,
        "payload": step.payload,
        "keys": sorted(step.keys),
        "record_id": step.record_id,
        "verify": step.verify,
    }


def step_from(kept: Mapping[str, Any]) -> Step:
    """The step that the journal keeps."""
    return Step(
        kept["kind"], kept["payload"], frozenset(kept["keys"]), record_id=kept["record_id"], verify=kept["verify"]
    )


def plan_row(session: Session, connection: Connection, intent: Intent, kind: str) -> int:
    """Note a write to come; returns the journal row's id."""
    row = journal.plan_write(
        session,
        connection=connection.name,
        side=intent.side,
        kind=kind,
        now=connection.clock.now(),
        link_id=intent.link_id,
        nexudus_id=intent.nexudus_id,
        crm_id=intent.crm_id,
        fields=intent.fields,
    )
    session.flush()
    assert row.id is not None
    return row.id


async def rules_moved(connection: Connection, side: Side, before: Record | None, after: Record) -> bool:
    """Right before a write: has anything changed that the system's rules judge by? Then they judge again."""
    connector = connection.connector(side)
    return isinstance(connector, ReviewsRules) and await connector.review(before, after, connection.scope(side))


def drop_row(connection: Connection, row_id: int | None) -> None:
    """Drop a planned write that is no longer needed."""
    if row_id is not None:
        with connection.store.session() as session:
            journal.mark_dropped(session, row_id, connection.clock.now(), "no longer needed")


def drop_rows(connection: Connection, *planned: dict[Side, int]) -> None:
    """Drop the planned writes of pairs that are not written now."""
    for rows in planned:
        for row_id in rows.values():
            drop_row(connection, row_id)
        rows.clear()


async def perform(
    connection: Connection,
    report: Report,
    intent: Intent,
    step: Step,
    confirm: Callable[[Session, Journal, Written], None],
    *,
    record: Record | None = None,
    row_id: int | None = None,
) -> Written:
    """Send one step and store its outcome; `confirm` runs in the transaction that confirms the step.

    If `confirm` raises Refused, because the result is not what was meant, the write counts as refused; if it raises
    AnsweredForAnother, because the reply is about another record, the outcome is unknown. In a rehearsal nothing is
    sent: the journal row stays planned, for `plan` to show.

    Raises what the connector raises. After OutcomeUnknown the row stays `sent`, for recovery to resolve by reading.
    """
    if connection.dry:
        with connection.store.session() as session:
            plan_row(session, connection, intent, step.kind)
        return Written("", record or {})
    row_id = _mark_sent(connection, intent, step, row_id)
    written = await _send(connection, intent, step, record, row_id)
    try:
        row = _confirm(connection, row_id, step, written, confirm)
    except SyncError:
        raise
    except Exception as error:
        raise _unknown(connection, intent, error) from error
    report.writes[f"{intent.side.value} {step.kind}"] += 1
    tell_written(connection, row)
    return written


def tell_written(connection: Connection, row: Journal) -> None:
    """Log a confirmed write: where it went, which records and fields it was about, but no value of theirs."""
    _log.info(
        "write.done",
        connection=connection.name,
        system=connection.connector(Side(row.side)).name,
        kind=row.kind,
        fields=sorted(row.fields),
        nexudus_id=row.nexudus_id,
        crm_id=row.crm_id,
    )


def _confirm(
    connection: Connection,
    row_id: int,
    step: Step,
    written: Written,
    confirm: Callable[[Session, Journal, Written], None],
) -> Journal:
    """Store that the write was done, and all that follows from it. Returns its journal row."""
    try:
        with connection.store.session() as session:
            if step.kind == "opportunity.create":
                row = journal.mark_created(session, row_id, connection.clock.now(), written.id, written.id)
            else:
                row = journal.mark_confirmed(session, row_id, connection.clock.now(), written.id)
            confirm(session, row, written)
            return row
    except AnsweredForAnother as error:
        _note_unknown(connection, row_id, error)
        raise
    except Refused as error:  # was answered with a record that belongs to another pair
        with connection.store.session() as session:
            journal.mark_failed(session, row_id, connection.clock.now(), str(error))
        raise


def _note_unknown(connection: Connection, row_id: int, error: OutcomeUnknown) -> None:
    """The row stays `sent`; a reply about another record is counted."""
    if isinstance(error, AnsweredForAnother):
        with connection.store.session() as session:
            note_reply(session, connection, session.get_one(Journal, row_id))


async def _send(connection: Connection, intent: Intent, step: Step, record: Record | None, row_id: int) -> Written:
    """Make the call, and note in the journal if it is known not to have been done."""
    connector, allowed = connection.connector(intent.side), permit.IN_FORCE.get()
    try:
        with allowed.step():
            written = await connector.perform(step, record)
        if step.record_id:
            expect_reply(connector.name, step.record_id, written.id, fold=True)
    except OutcomeUnknown as error:
        _note_unknown(connection, row_id, error)
        raise
    except LeaseLost as error:
        if not allowed.calls:
            _note_not_sent(connection, row_id, error)
        raise
    except SyncError as error:
        settle = journal.mark_dropped if isinstance(error, NOT_SENT) else journal.mark_failed
        with connection.store.session() as session:
            row = settle(session, row_id, connection.clock.now(), str(error))
            if isinstance(error, Refused):
                row.refused = refused_fields(connection.mapping, error, intent.side, intent.fields)
        raise
    except Exception as error:
        raise _unknown(connection, intent, error) from error
    return written


def _note_not_sent(connection: Connection, row_id: int, error: LeaseLost) -> None:
    """The write never left. A successor that took over already has seen it as `sent`, and finds out by reading."""
    with suppress(LeaseLost), connection.store.session() as session:
        journal.mark_dropped(session, row_id, connection.clock.now(), f"not sent: {error}")


def _unknown(connection: Connection, intent: Intent, error: Exception) -> OutcomeUnknown:
    """The error after `sent`: whatever went wrong, it is unknown what the system did."""
    record = intent.nexudus_id if intent.side is Side.NEXUDUS else intent.crm_id
    return OutcomeUnknown(connection.connector(intent.side).name, str(of_record(error)), record or None)


def _mark_sent(connection: Connection, intent: Intent, step: Step, row_id: int | None) -> int:
    with connection.store.session() as session:
        if row_id is None:
            row_id = plan_row(session, connection, intent, step.kind)
        row = journal.mark_sent(session, row_id, connection.clock.now())
        row.kind, row.step, row.fields = step.kind, step_json(step, intent), dict(intent.fields)
        row.nexudus_id, row.crm_id, row.link_id = intent.nexudus_id, intent.crm_id, intent.link_id
    return row_id


def note_made(attempt: Journal, record_id: str, identity: str) -> None:
    """Note which record a given-up create made after all, by id and identity: its id may change or be reused."""
    journal.name_made(attempt, record_id)
    attempt.step = {**attempt.step, MADE: identity}
