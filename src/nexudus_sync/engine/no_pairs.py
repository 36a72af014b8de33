"""The brake `no-pairs`: two sides full of people of which not one record is on both look like a mistaken scope.

Judged once a connection, before its first create. What it came to stays in the store: a row of the brake that is
"gone" (pairs were found, a side is nearly empty, or a person said yes), or "passed" (only a look at a few was wanted).
"""

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.renames import follow_set_aside
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.unlinked import Matcher
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import SET_ASIDE, Brake, Journal, Link, Unlinked

NAME = "no-pairs"
ENOUGH = 20
"""Records with an e-mail address that each side has at least, before it is odd that none is on both."""
FEW = 20
"""A `--limit` of at most so many creates is a look, which needs no answer."""


async def first_pairs(bridge: Bridge, matcher: Matcher, report: Report) -> list[int]:
    """Before a connection's first create, and before anything is written: does matching find pairs?

    Returns the links of what was matched. Sets the brake where there are none and nobody said that this is right.
    """
    if not undecided(bridge):
        return []
    await follow_set_aside(bridge)
    pairs = matcher.match()
    if pairs or matcher.to_create:
        may_create(bridge, report, matcher.limit)
    return pairs


def undecided(bridge: Bridge) -> bool:
    """Was it never judged whether this connection may make its creates?"""
    with bridge.store.read() as session:
        known = set(session.exec(select(Brake.state).where(*_mine(bridge))))
        if known & {"released", "gone"}:
            return False
        # a store from before there was this brake
        return "passed" in known or _made(session, bridge) <= FEW


def may_create(bridge: Bridge, report: Report, limit: int | None) -> bool:
    """May the first creates be made, now that everything was matched? Sets the brake where nobody said so yet."""
    with bridge.store.session() as session:
        counts = {side: _reachable(session, bridge, side) for side in Side}
        paired = _links(session, bridge) - _made(session, bridge)
        if paired > 0 or min(counts.values()) < ENOUGH:
            _note(session, bridge, "gone", f"{max(paired, 0)} pairs were found")
            return True
        said = " and ".join(f"{count} in {bridge.connector(side).name}" for side, count in counts.items())
        evidence = f"not one of the records with e-mail addresses ({said}) is on both sides"
        looking = limit is not None and limit <= FEW
        _note(session, bridge, "passed" if looking else "set", evidence)
    if not looking:
        report.stop(NAME)
    return looking


def answer(bridge: Bridge) -> None:
    """A person at a terminal said that it is right."""
    with bridge.store.session() as session:
        for brake in session.exec(select(Brake).where(*_mine(bridge), col(Brake.state) == "set")).all():
            brake.state, brake.released_at = "gone", bridge.clock.now()
            session.add(brake)


def _mine(bridge: Bridge) -> tuple[ColumnElement[bool], ...]:
    return (col(Brake.connection) == bridge.name, col(Brake.name) == NAME)


def _note(session: Session, bridge: Bridge, state: str, evidence: str) -> None:
    brake = Brake(connection=bridge.name, name=NAME, evidence=evidence, state=state, set_at=bridge.clock.now())
    session.add(brake)


def _reachable(session: Session, bridge: Bridge, side: Side) -> int:
    """How many records of a side have an e-mail address; those that are linked have."""
    alone = select(func.count()).where(
        col(Unlinked.connection) == bridge.name,
        col(Unlinked.side) == side.value,
        col(Unlinked.state).not_in(SET_ASIDE),
        col(Unlinked.email).is_not(None),
        col(Unlinked.email) != "",
    )
    return session.exec(alone).one() + _links(session, bridge)


def _links(session: Session, bridge: Bridge) -> int:
    return session.exec(select(func.count()).where(col(Link.connection) == bridge.name)).one()


def _made(session: Session, bridge: Bridge) -> int:
    """How many of its links came to be by a create."""
    created = (col(Journal.kind) == "opportunity.create", col(Journal.state) == "confirmed")
    return session.exec(select(func.count()).where(col(Journal.connection) == bridge.name, *created)).one()
