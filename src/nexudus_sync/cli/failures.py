"""`failures`: what could not be carried over; a person can retry or dismiss it."""

from nexudus_sync.cli.desk import Desk, open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.output import plural, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.engine.write.another import let_create
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, records
from nexudus_sync.store.failures import REFUSED, open_failures
from nexudus_sync.store.tables import Failure, Unlinked


def retry(root: Root, number: int | None, *, every: bool) -> None:
    """Retry failures at the next cycle. Raises ConfigError, SyncError."""
    if (number is None) != every:
        raise ConfigError("failures retry", "needs either an ID or --all", "give one of them")
    with open_desk(root) as desk:
        count, later = _retry_all(desk) if number is None else (_retry_one(desk, number), 0)
    say(f"{plural(count, 'failure')} will be retried at the next cycle.")
    if later:
        say(f"{later:,} of them were refused for the same reason as another: they follow if that one succeeds.")


def _retry_all(desk: Desk) -> tuple[int, int]:
    """Retry all. Of those refused in the same words one goes first; the cycle sends the rest if that one succeeds.

    Returns the number of failures, and how many of them wait for another one.
    """
    first, later = set[tuple[str, str, str]](), 0
    with desk.store.session() as session:
        found = open_failures(session, desk.names())
        for one in found:
            words = (one.connection, one.field, one.reason)
            if one.kind == REFUSED and words in first:
                later += 1
                continue
            _again(session, desk, one)
            if one.kind == REFUSED:
                first.add(words)
    return len(found), later


def _retry_one(desk: Desk, number: int) -> int:
    with desk.store.session() as session:
        one = _get(session, number)
        if one.state == "solved":
            raise SyncError(f"failure {number} is already solved")
        _again(session, desk, one)
    return 1


def _again(session: Session, desk: Desk, failure: Failure) -> None:
    """Make it due now, and forget what held the record back for good."""
    failure.state, failure.next_attempt = "open", SystemClock().now()
    session.add(failure)
    crm = next((one.crm for one in desk.settings.connections if one.name == failure.connection), "")
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


def dismiss(root: Root, number: int) -> None:
    """Hide a failure. Raises ConfigError when no failure has that id, SyncError when it is solved."""
    with open_desk(root) as desk, desk.store.session() as session:
        one = _get(session, number)
        if one.state == "solved":
            raise SyncError(f"failure {number} is already solved")
        one.state, one.next_attempt = "dismissed", None
        session.add(one)
    say(f"Failure {number} is dismissed; it comes back if its reason changes.")


def _get(session: Session, number: int) -> Failure:
    one = session.get(Failure, number)
    if one is None:
        raise no_such("failure", number, "see `nexudus-sync failures list`")
    return one
