"""Records without a counterpart: what a listing's row makes of them in the store."""

from collections.abc import Iterable

from sqlmodel import Session, col, select

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Row
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.outcomes import UNEXPECTED, nothing_left
from nexudus_sync.mapping import Side
from nexudus_sync.store import failures, records
from nexudus_sync.store.tables import Failure, Unlinked


def take_up(session: Session, bridge: Bridge, side: Side, row: Row) -> None:
    """Remember a record without a counterpart as it is now; nothing of what was said of another one of its id."""
    before = session.get(Unlinked, (bridge.name, side.value, row.id))
    if before is not None and not same_identity(before.identity, bridge.facts(side, row.record).identity):
        nothing_left(session, bridge, side, row.id)
        session.delete(before)
        session.flush()
        before = None
    after = as_unlinked(bridge, side, row)
    ignored = records.set_aside(session, bridge.crm, side, row.id, after.identity)
    if ignored is not None:
        after.state, after.reason = "ignored", ignored.reason
    if before is not None and before.digest != after.digest:
        _try_again(session, bridge, side, row.id)
    session.merge(after)


def _try_again(session: Session, bridge: Bridge, side: Side, record_id: str) -> None:
    """What failed of an unlinked record need not wait for its next attempt when somebody changed it."""
    for failure in failures.unsolved(session, bridge.name, *records.alone(side, record_id)):
        if failure.state == "open":
            failure.next_attempt = bridge.clock.now()


def solve_odd(session: Session, bridge: Bridge, side: Side, record_ids: Iterable[str]) -> None:
    """Rows that made no sense and do so now."""
    ids = {records.alone(side, record_id) for record_id in record_ids}
    odd = select(Failure).where(
        col(Failure.connection) == bridge.name, col(Failure.kind) == UNEXPECTED, col(Failure.state) != "solved"
    )
    failures.solve(one for one in session.exec(odd) if (one.nexudus_id, one.crm_id) in ids)


def as_unlinked(bridge: Bridge, side: Side, row: Row) -> Unlinked:
    """The store's row for a record without a counterpart. Raises what a row without sense makes of it."""
    candidate, facts = bridge.candidate(side, row.record), bridge.facts(side, row.record)
    for text in (row.id, row.stamp.token, facts.identity, candidate.email or "", candidate.external_key or ""):
        text.encode()  # no database takes a half of a character
    return Unlinked(
        connection=bridge.name,
        side=side.value,
        record_id=row.id,
        identity=facts.identity,
        stamp=row.stamp.token,
        digest=bridge.digest(side, row.record),
        recheck=False,
        email=candidate.email,
        title=candidate.title,
        is_open=candidate.is_open,
        external_key=candidate.external_key,
        created_at=candidate.created_at,
        state="waiting",
    )
