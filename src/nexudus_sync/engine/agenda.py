"""What a cycle has still to do, and what becomes due while it works."""

from collections.abc import Iterable
from datetime import timedelta

from sqlmodel import Session

from nexudus_sync.connectors.optional import RemembersMisses
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read.snapshots import mark
from nexudus_sync.mapping import Side
from nexudus_sync.store import failures, records
from nexudus_sync.store.tables import Failure

_FAR = timedelta(days=3650)


def due(session: Session, connection: Connection, *, one_shot: bool) -> set[int]:
    """Links with a failure to be tried again: a one-shot command waits for no next attempt.

    What the connectors know of names is asked for afresh where that may be why; a passing trouble is no reason.
    """
    now = connection.clock.now()
    found = failures.due_failures(session, connection.name, now + (_FAR if one_shot else timedelta(0)))
    for failure in found:
        failure.next_attempt = now
    if any(failure.field or failure.kind == failures.REFUSED for failure in found):
        _ask_afresh(connection)
    return _links_of(session, connection, found)


def _ask_afresh(connection: Connection) -> None:
    for connector in map(connection.connector, Side):
        if isinstance(connector, RemembersMisses):
            connector.ask_afresh()


def noted(session: Session, connection: Connection) -> set[int | None]:
    """What was refused and is due as a cycle begins."""
    return {one.id for one in failures.woken(session, connection.name, connection.clock.now())}


def wake(connection: Connection, tried: set[int | None]) -> bool:
    """Mark what became due beside what was `tried`, since a neighbour got another answer. Is there any?"""
    with connection.store.session() as session:
        new = [one for one in failures.woken(session, connection.name, connection.clock.now()) if one.id not in tried]
        tried |= {one.id for one in new}
        for side in Side:
            mark(session, side, _links_of(session, connection, new))
    return bool(new)


def _links_of(session: Session, connection: Connection, found: Iterable[Failure]) -> set[int]:
    names = {(failure.nexudus_id, failure.crm_id) for failure in found}
    known = records.links(session, connection.name) if names else []
    return {link.id for link in known if link.id is not None and (link.nexudus_id, link.crm_id) in names}
