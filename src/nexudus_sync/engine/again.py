"""What failed and is tried again: when its next attempt is due, or when a neighbour got another answer."""

from collections.abc import Iterable
from datetime import timedelta

from sqlmodel import Session

from nexudus_sync.connectors.optional import RemembersMisses
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.pull import mark
from nexudus_sync.mapping import Side
from nexudus_sync.store import failures, records
from nexudus_sync.store.tables import Failure

_FAR = timedelta(days=3650)


def due(session: Session, bridge: Bridge, *, one_shot: bool) -> set[int]:
    """Links with a failure to be tried again: a one-shot command waits for no next attempt.

    What the connectors know of names is asked for afresh where that may be why; a passing trouble is no reason.
    """
    now = bridge.clock.now()
    found = failures.due_failures(session, bridge.name, now + (_FAR if one_shot else timedelta(0)))
    for failure in found:
        failure.next_attempt = now
    if any(failure.field or failure.kind == failures.REFUSED for failure in found):
        _ask_afresh(bridge)
    return _links_of(session, bridge, found)


def _ask_afresh(bridge: Bridge) -> None:
    for connector in map(bridge.connector, Side):
        if isinstance(connector, RemembersMisses):
            connector.ask_afresh()


def noted(session: Session, bridge: Bridge) -> set[int | None]:
    """What was refused and is due as a cycle begins."""
    return {one.id for one in failures.woken(session, bridge.name, bridge.clock.now())}


def wake(bridge: Bridge, tried: set[int | None]) -> bool:
    """Mark what became due beside what was `tried`, since a neighbour got another answer. Is there any?"""
    with bridge.store.session() as session:
        new = [one for one in failures.woken(session, bridge.name, bridge.clock.now()) if one.id not in tried]
        tried |= {one.id for one in new}
        for side in Side:
            mark(session, side, _links_of(session, bridge, new))
    return bool(new)


def _links_of(session: Session, bridge: Bridge, found: Iterable[Failure]) -> set[int]:
    names = {(failure.nexudus_id, failure.crm_id) for failure in found}
    known = records.links(session, bridge.name) if names else []
    return {link.id for link in known if link.id is not None and (link.nexudus_id, link.crm_id) in names}
