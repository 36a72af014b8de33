"""Failures: try again, or dismiss."""

from collections.abc import Iterable
from datetime import datetime

from nexudus_sync.config import Settings
from nexudus_sync.deciding.records import no_such
from nexudus_sync.engine.write.another import let_create
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, records
from nexudus_sync.store.failures import REFUSED
from nexudus_sync.store.tables import Failure, Unlinked


def retry(session: Session, settings: Settings, number: int, *, now: datetime) -> Failure:
    """Try one again at the next cycle. Raises ConfigError when no failure has that id, SyncError when it is solved."""
    one = _unsolved(session, settings, number)
    _again(session, settings, one, now)
    return one


def retry_all(session: Session, settings: Settings, failures: Iterable[Failure], *, now: datetime) -> int:
    """Try all of these again. Of those refused in the same words one goes first; the rest follow if that one succeeds.

    Returns how many of them wait for another one.
    """
    first, later = set[tuple[str, str, str]](), 0
    for one in failures:
        words = (one.connection, one.field, one.reason)
        if one.kind == REFUSED and words in first:
            later += 1
            continue
        _again(session, settings, one, now)
        if one.kind == REFUSED:
            first.add(words)
    return later


def dismiss(session: Session, settings: Settings, number: int) -> Failure:
    """Hide one until its reason changes. Raises ConfigError where no failure has that id, SyncError if it is solved."""
    one = _unsolved(session, settings, number)
    one.state, one.next_attempt = "dismissed", None
    session.add(one)
    return one


def _unsolved(session: Session, settings: Settings, number: int) -> Failure:
    one = session.get(Failure, number)
    if one is None or not settings.sees(one.connection):
        raise no_such("failure", number, "see `nexudus-sync failures list`")
    if one.state == "solved":
        raise SyncError(f"failure {number} is already solved")
    return one


def _again(session: Session, settings: Settings, failure: Failure, now: datetime) -> None:
    """Make it due now, and forget what held the record back for good."""
    failure.state, failure.next_attempt = "open", now
    session.add(failure)
    crm = next((one.crm for one in settings.connections if one.name == failure.connection), "")
    ids = {"nexudus_id": failure.nexudus_id or None, "crm_id": failure.crm_id or None}
    link = records.link_by(session, crm, **ids)
    if link is not None:
        link.bounces = {}
        session.add(link)
    for side, record_id in ((Side.NEXUDUS, failure.nexudus_id), (Side.CRM, failure.crm_id)):
        alone = session.get(Unlinked, (failure.connection, side.value, record_id))
        if alone is not None and alone.state == "refused":
            let_create(session, failure.connection, side, record_id)
            alone.state = "waiting"
            session.add(alone)
