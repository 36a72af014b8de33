"""The brake `no-pairs`: two sides full of people of which not one record is on both look like a mistaken scope.

Judged once a connection, before its first create. What it came to stays in the store, as a fact beside the brake.
"""

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.renames import follow_set_aside
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.unlinked import Matcher, has_email
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import SET_ASIDE, Brake, Fact, Journal, Link, Unlinked

NAME = "no-pairs"
ENOUGH = 20
"""Records with an e-mail address that each side has at least, before it is odd that none is on both."""
FEW = 20
"""A `--limit` of at most so many creates is a look, which needs no answer."""
FINE, LOOKED = "fine", "looked"
"""What it came to: pairs were found, or a side is nearly empty; or nothing yet, for only a few were to be looked at."""


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


def passes(brake: Brake, limit: int | None) -> bool:
    """May a run of so few creates go by a set brake? It stays set for all the others: nobody answered it."""
    return brake.name == NAME and limit is not None and limit <= FEW


def undecided(bridge: Bridge) -> bool:
    """Was it never judged whether this connection may make its creates?"""
    with bridge.store.read() as session:
        answered = select(Brake.id).where(*_mine(bridge), col(Brake.state).in_(("released", "gone")))
        if session.exec(answered).first() is not None:
            return False
        verdict = session.get(Fact, _key(bridge))
        if verdict is not None:
            return bool(verdict.value == LOOKED)
        return _made(session, bridge) <= FEW  # more: a store from before there was this brake


def may_create(bridge: Bridge, report: Report, limit: int | None) -> bool:
    """May the first creates be made, now that everything was matched? Sets the brake where nobody said so yet."""
    with bridge.store.session() as session:
        counts = {side: _reachable(session, bridge, side) for side in Side}
        if _links(session, bridge) > _made(session, bridge) or min(counts.values()) < ENOUGH:
            session.merge(Fact(**_key(bridge), value=FINE))
            return True
        if limit is not None and limit <= FEW:
            session.merge(Fact(**_key(bridge), value=LOOKED))
            return True
        said = " and ".join(f"{count} in {bridge.connector(side).name}" for side, count in counts.items())
        evidence = f"not one of the records with e-mail addresses ({said}) is on both sides"
        brake = Brake(connection=bridge.name, name=NAME, evidence=evidence, set_at=bridge.clock.now())
        brake.judged = {"scope": _scope(bridge)}
        session.add(brake)
    report.stop(NAME)
    return False


def answer(bridge: Bridge) -> None:
    """A person at a terminal said that it is right."""
    with bridge.store.session() as session:
        for brake in session.exec(select(Brake).where(*_mine(bridge), col(Brake.state) == "set")).all():
            brake.state, brake.released_at = "gone", bridge.clock.now()
            session.add(brake)


def lift_if_corrected(session: Session, bridge: Bridge) -> None:
    """Forget the brake where it was set for another scope: a person corrected that, and it is judged anew."""
    for brake in session.exec(select(Brake).where(*_mine(bridge), col(Brake.state) == "set")).all():
        if brake.judged.get("scope", _scope(bridge)) != _scope(bridge):
            session.delete(brake)
    session.flush()


def _scope(bridge: Bridge) -> list[int | str | None]:
    """What of both systems takes part, as the store keeps it."""
    cards, deals = bridge.scope(Side.NEXUDUS), bridge.scope(Side.CRM)
    return [cards.business_id, cards.board_id, deals.company]


def _mine(bridge: Bridge) -> tuple[ColumnElement[bool], ...]:
    return (col(Brake.connection) == bridge.name, col(Brake.name) == NAME)


def _key(bridge: Bridge) -> dict[str, str]:
    return {"system": bridge.crm, "key": f"{NAME}: {bridge.name}"}


def _reachable(session: Session, bridge: Bridge, side: Side) -> int:
    """How many records of a side have an e-mail address; those that are linked have."""
    alone = select(Unlinked).where(
        col(Unlinked.connection) == bridge.name,
        col(Unlinked.side) == side.value,
        col(Unlinked.state).not_in(SET_ASIDE),
        col(Unlinked.email).is_not(None),
    )
    return sum(map(has_email, session.exec(alone))) + _links(session, bridge)


def _links(session: Session, bridge: Bridge) -> int:
    return session.exec(select(func.count()).where(col(Link.connection) == bridge.name)).one()


def _made(session: Session, bridge: Bridge) -> int:
    """How many of its links came to be by a create."""
    created = (col(Journal.kind) == "opportunity.create", col(Journal.state) == "confirmed")
    return session.exec(select(func.count()).where(col(Journal.connection) == bridge.name, *created)).one()
