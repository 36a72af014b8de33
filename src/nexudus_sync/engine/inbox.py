"""What waits for people: conflicts, failures, and whose error an exception is."""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as MappingABC
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError

from nexudus_sync.engine.connection import Connection
from nexudus_sync.errors import (
    AnotherRecord,
    AuthenticationFailed,
    ConnectorError,
    LimitReached,
    NotFound,
    Refused,
    RoleMissing,
    StoreError,
    SyncError,
    Unforeseen,
    storable,
)
from nexudus_sync.mapping import Field, Side
from nexudus_sync.merge import STORED_DIFFERENTLY, Outcome, Policy, Resolution, Verdict
from nexudus_sync.opportunity import Value, hear, say
from nexudus_sync.store import Session, conflicts, failures, records
from nexudus_sync.store.open_items import OpenItems
from nexudus_sync.store.tables import Conflict, ConflictKind, Failure, Link

log = structlog.get_logger()
FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(hours=6)
RECORD = conflicts.RECORD
"""The field name of a question about a record as a whole."""
ANOTHER = "another-record"
"""The kind of a record for which a system answers with another one."""
REFUSED = failures.REFUSED
"""The kind of what a system refused."""
UNEXPECTED = "unexpected"
"""The kind of an error that the program does not foresee: always a bug as well."""
ACCEPTED = "stage-acts"
"""The kind of what a backfill leaves undone and counts as seen: no merge shows it again."""


def of_record(error: Exception) -> SyncError:
    """The error as one record's own. Raises it if it ends the cycle.

    To be called in the handler. An unforeseen exception is that record's error like any other, so the other records go
    on; the log has its traceback at level debug.
    """
    if isinstance(error, RoleMissing) and error.alone:
        return error.of_record()
    if isinstance(error, AuthenticationFailed | RoleMissing | StoreError):
        raise error
    if isinstance(error, SyncError):
        return error
    log.debug("record.unforeseen", exc_info=error)
    return Unforeseen(error)


def record_outcomes(
    session: Session,
    connection: Connection,
    link: Link,
    outcomes: Iterable[Outcome],
    items: OpenItems,
    *,
    both_read: bool,
    written: bool,
    settled: bool,
) -> None:
    """Show the conflicts and parked fields of this merge, and close those of earlier merges that it does not show.

    `items`: what waits about the link, as read in this transaction.

    Unless `both_read`, a field that seems unchanged closes nothing: the side that was not read may have changed.
    `written`: what travels has arrived. `settled`: nothing is left to do, so failures of the whole link are over.
    """
    found, about, asked = tuple(outcomes), items.failures, items.conflicts
    _show(session, connection, link, found, about)
    if not items:
        return  # nothing waited, as is usual
    over, left = _parted(found, _unfinished_verdicts(both_read=both_read, written=written))
    restored: set[int | None] = {link.id} if both_read else set()
    settles = _field_names(over) - _field_names(left)  # a value may go to one side and wait on the other
    conflicts.close([one for one in asked if _is_settled(one, restored, settles)], connection.clock.now())
    says = {
        o.field.name: (o.field, {side: o.says(side) for side in Side})
        for o in found
        if o.verdict is Verdict.AGREED or o.waits
    }
    close_rewritten(asked, says, connection.clock.now())
    _reopen_unwritable(asked, _unwritable(found, about))
    _solve_over(about, link, found, over, settled=settled)


def _field_names(outcomes: Iterable[Outcome]) -> set[str]:
    """The names of the outcomes' fields."""
    return {one.field.name for one in outcomes}


def _show(
    session: Session, connection: Connection, link: Link, found: Iterable[Outcome], about: Iterable[Failure]
) -> None:
    """Show a merge's conflicts and parked fields."""
    for outcome in found:
        if outcome.verdict is Verdict.CONFLICT:
            shown = {Side.NEXUDUS: say(outcome.nexudus), Side.CRM: say(outcome.crm)}
            ask(session, connection, link, outcome.field.name, shown, base=say(outcome.base))
            failures.solve(about, fields={outcome.field.name}, kinds={REFUSED})
        elif outcome.kind and outcome.kind != REFUSED:  # a refusal is noted when it happens, with its next attempt
            _park(session, connection, link, outcome, about)


def _parted(found: Iterable[Outcome], standing: Collection[Verdict]) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes that are over, or that nobody has to do anything about, and those that stand."""
    over, left = list[Outcome](), list[Outcome]()
    for one in found:
        (left if one.verdict in standing and not one.waits_unseen else over).append(one)
    return over, left


def _unfinished_verdicts(*, both_read: bool, written: bool) -> set[Verdict]:
    """The verdicts that close nothing: there is still something to decide, to write, or to read."""
    standing = {Verdict.CONFLICT, Verdict.PARKED}
    if not written:
        standing.add(Verdict.TRAVELS)
    if not both_read:
        standing.add(Verdict.NOTHING)
    return standing


def _unwritable(found: Iterable[Outcome], about: Iterable[Failure]) -> set[str]:
    """The fields whose value cannot be written and is not retried automatically."""
    dismissed = {one.field for one in about if one.kind == REFUSED and one.state == "dismissed"}
    parked = [one for one in found if one.verdict is Verdict.PARKED and not one.waits_unseen]
    return _field_names(one for one in parked if one.kind != REFUSED or one.field.name in dismissed)


def _solve_over(
    about: Iterable[Failure], link: Link, found: Iterable[Outcome], over: Iterable[Outcome], *, settled: bool
) -> None:
    """Solve the failures of fields that are fine now and, when `settled`, the failure of the whole link."""
    unchanged = _field_names(one for one in found if one.verdict is Verdict.NOTHING)
    free = _field_names(one for one in over if not one.kind) - (unchanged & _accepted_fields(about))
    failures.solve(_closable(about, link), fields=free | {""} if settled else free)
    kept = [one for one in about if one.kind == STORED_DIFFERENTLY]
    failures.solve(kept, fields=_field_names(one for one in found if one.verdict is Verdict.AGREED and not one.kind))
    for one in kept:  # was looked at, as a person asked: once is enough
        one.next_attempt = None


def _closable(about: Iterable[Failure], link: Link) -> list[Failure]:
    """The failures that a merge without anything to write may solve.

    Not those of a record that must not be written, nor of texts kept differently: these end when both sides agree.
    """
    kept = {STORED_DIFFERENTLY}
    if any(key.startswith("$") and int(count) > 1 for key, count in link.bounces.items()):
        kept.add(ANOTHER)
    return [one for one in about if one.kind not in kept]


def _is_settled(asked: Conflict, restored: Collection[int | None], fields: Collection[str]) -> bool:
    """Does a merge that settled these fields settle a question?

    Not a question about an overwritten value: there the two sides agree. A question about a gone record, or about
    another one in its place, is settled if the link is among those `restored`: both its records were read.
    """
    back = asked.field == RECORD and asked.link_id in restored
    return back or (asked.field in fields and asked.kind == ConflictKind.FIELD)


def close_rewritten(
    asked: Iterable[Conflict], says: MappingABC[str, tuple[Field, MappingABC[Side, Value]]], now: datetime
) -> None:
    """Close the open questions about overwritten values where a person has written there since our write.

    It may be the lost value or a newer one, perhaps not carried over yet. `says`: what both sides say, by field.
    """
    for one in asked:
        if one.field in says and one.state == "open" and one.kind == ConflictKind.OVERWRITTEN:
            (field, values), side = says[one.field], conflicts.overwritten_on(one)
            kept = one.crm if side is Side.NEXUDUS else one.nexudus
            if not field.same(values[side], _shown_value(one.field, kept)):
                conflicts.close([one], now)


def close_overtaken(session: Session, connection: Connection) -> None:
    """Close the open questions about overwritten values that are of the same class as the kept ones: no loss."""
    for one in conflicts.about_overwritten(session, connection.name, "open"):
        field = connection.mapping.find(one.field)
        if field is not None and field.same(_shown_value(one.field, one.nexudus), _shown_value(one.field, one.crm)):
            conflicts.close([one], connection.clock.now())


def _shown_value(field: str, said: Any) -> Value:
    """The value that was shown; as text if the field cannot hold it (any more)."""
    try:
        return hear(field, said)
    except ValidationError:
        return str(said)


def _reopen_unwritable(asked: Iterable[Conflict], parked: Collection[str]) -> None:
    """Reopen the questions whose chosen value cannot be written: the failure alone would not ask for another answer.

    A refused value is retried by itself, unless a person dismissed it; answers about overwritten values are closed
    elsewhere.
    """
    for one in asked:
        if one.state == "resolved" and one.field in parked and one.kind == ConflictKind.FIELD:
            conflicts.ask_again(one)


def _accepted_fields(about: Iterable[Failure]) -> set[str]:
    """The fields that a backfill left undone: their failures stay visible although nothing changes any more."""
    return {one.field for one in about if one.kind == ACCEPTED and one.state == "open"}


def ask(
    session: Session,
    connection: Connection,
    link: Link,
    field: str,
    shown: MappingABC[Side, Any],
    *,
    base: Any = None,
    kind: ConflictKind = ConflictKind.FIELD,
    side: Side | None = None,
    edits: MappingABC[str, Any] | None = None,
    reason: str | None = None,
) -> Conflict:
    """Ask a person about a field of a link, or about the record as a whole (`RECORD`); see `conflicts.open_conflict`.

    `shown` is what each side says.
    """
    return conflicts.open_conflict(
        session,
        connection=connection.name,
        nexudus_id=link.nexudus_id,
        crm_id=link.crm_id,
        field=field,
        base=base,
        nexudus=shown[Side.NEXUDUS],
        crm=shown[Side.CRM],
        now=connection.clock.now(),
        link_id=link.id,
        kind=kind,
        side=side,
        edits=edits,
        reason=reason,
    )


def _park(session: Session, connection: Connection, link: Link, outcome: Outcome, about: Iterable[Failure]) -> None:
    ids = (link.nexudus_id, link.crm_id)
    show_failure(session, connection, ids, outcome.kind, outcome.reason, outcome.field.name)
    supersede(about, outcome.field.name, outcome.kind)


def supersede(about: Iterable[Failure], field: str, kind: str) -> None:
    """Solve the field's open failures of other kinds: something else holds it back now."""
    for failure in about:
        if failure.field == field and failure.kind not in (kind, STORED_DIFFERENTLY) and failure.state == "open":
            failure.state, failure.next_attempt = "solved", None


def close_link(session: Session, link: Link, reason: str, now: datetime) -> None:
    """Close a link with its questions and failures: neither record is ever created again by itself."""
    link.state, link.closed_reason = "closed", reason
    link.mark_both(False)
    session.add(link)
    conflicts.close_conflicts(session, link.connection, link.nexudus_id, link.crm_id, now=now)
    failures.solve_failures(session, link.connection, link.nexudus_id, link.crm_id)


def policy_for(connection: Connection, link: Link, items: OpenItems) -> Policy:
    """What people decided about a link's conflicts, and the connection's rule for first matches."""
    resolved = {c.field: _resolution(c) for c in _field_questions(link, items) if c.state == "resolved"}
    return Policy(connection.rules.first_match, resolved, shown_for(link, items))


def shown_for(link: Link, items: OpenItems) -> dict[str, tuple[Any, Any]]:
    """What a link's open field conflicts show, Nexudus's value first; in those of other kinds the sides agree."""
    about = _field_questions(link, items)
    return {c.field: (c.nexudus, c.crm) for c in about if c.state == "open" and c.kind == ConflictKind.FIELD}


def _field_questions(link: Link, items: OpenItems) -> list[Conflict]:
    """The conflicts about this link's fields, open or resolved."""
    return [conflict for conflict in items.conflicts if conflict.link_id == link.id and conflict.field != RECORD]


def _resolution(conflict: Conflict) -> Resolution:
    if conflict.take == conflicts.THIRD_VALUE:
        return Resolution(None, conflict.nexudus, conflict.crm, _shown_value(conflict.field, conflict.value))
    return Resolution(Side(conflict.take or ""), conflict.nexudus, conflict.crm)


def drop_unlinked_record(session: Session, connection: Connection, side: Side, record_id: str) -> None:
    """Close the questions and failures about an unlinked record that is gone: its id may be another record's by now."""
    ids = records.alone(side, record_id)
    conflicts.close_conflicts(session, connection.name, *ids, now=connection.clock.now(), fields={RECORD})
    failures.solve_failures(session, connection.name, *ids)


def show_failure(
    session: Session, connection: Connection, ids: tuple[str, str], kind: str, reason: str, field: str = ""
) -> Failure:
    """Show a failure about a pair (`ids`, Nexudus's first), or count the one that is shown already."""
    nexudus_id, crm_id = ids
    return failures.open_failure(
        session,
        connection=connection.name,
        kind=kind,
        reason=reason,
        now=connection.clock.now(),
        field=field,
        nexudus_id=nexudus_id,
        crm_id=crm_id,
    )


def note_failure(
    session: Session,
    connection: Connection,
    error: SyncError,
    *,
    nexudus_id: str = "",
    crm_id: str = "",
    field: str = "",
) -> Failure:
    """Keep an error of one record, or of one of its fields, as a failure with the time of its next attempt.

    A refusal has none: see `failures.REFUSED`.
    """
    ids = (storable(nexudus_id), storable(crm_id))
    reason = error.message if isinstance(error, ConnectorError) else str(error)
    failure = show_failure(session, connection, ids, kind_of(error), reason, field)
    if failure.kind != REFUSED:
        failure.next_attempt = connection.clock.now() + backoff(failure.attempts)
    return failure


def backoff(attempts: int) -> timedelta:
    """How long to wait after N attempts: a minute, doubled each time, at most six hours."""
    return min(FIRST_RETRY * (1 << min(attempts - 1, 12)), LAST_RETRY)


def kind_of(error: SyncError) -> str:
    """A failure's kind, by the sort of error."""
    kinds = {
        AnotherRecord: ANOTHER,
        Refused: REFUSED,
        LimitReached: "limit",
        NotFound: "not-found",
        Unforeseen: UNEXPECTED,
    }
    return next((kind for sort, kind in kinds.items() if isinstance(error, sort)), "unavailable")
