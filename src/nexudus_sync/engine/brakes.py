"""Brakes.

What a cycle saw looks so wrong that a person has to release it first. Pure where it judges, short where it stores.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, or_
from sqlmodel import Session, col, func, select

from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.outcomes import RECORD
from nexudus_sync.engine.pull import Seen
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, Link

FLOOR, SHARE = 10, 10
"""`mass-delete` lets this many links go, or this percentage of all, whichever is more."""
CROWD = 100
"""`mass-change` needs at least this many links to judge by."""
MASS_DELETE, EMPTY_SIDE, MASS_CHANGE, NO_PAIRS = NAMES = ("mass-delete", "empty-side", "mass-change", "no-pairs")
DELETING = (MASS_DELETE, EMPTY_SIDE)
"""The brakes about links that would end; a release of one lets them end whatever the other would say."""
STANDING = ("set", "released", "passed")
"""The states of a brake that speaks for its links: no other one is set for them."""
_STANDING = (
    select(Brake)
    .where(col(Brake.connection) == bindparam("connection"), col(Brake.state) == bindparam("state"))
    .order_by(col(Brake.id))
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a brake was set, in one line for a person, and which links it is about."""

    name: str
    text: str
    links: frozenset[int] = frozenset()


def judge(links: int, seen: dict[Side, Seen], names: dict[Side, str], asked: Collection[int] = ()) -> list[Evidence]:
    """The brakes that what was listed calls for.

    `links`: how many are active; `names`: what the two systems are called; `asked`: links about whose missing record a
    person is asked already.
    """
    found = []
    missing = {side: one.absent.difference(asked) for side, one in seen.items()}
    for side, one in seen.items():
        if one.complete and links and one.inside == 0:
            text = f"{names[side]} lists nothing, but {links} links have a record there"
            found.append(Evidence(EMPTY_SIDE, text, frozenset(one.absent)))
    going = frozenset[int]().union(*missing.values())
    if _too_many(len(going), links):
        where = ", ".join(f"{len(gone)} in {names[side]}" for side, gone in missing.items() if gone)
        text = f"the records of {len(going)} of {links} links are missing ({where})"
        found.append(Evidence(MASS_DELETE, text, going))
    return found


def _too_many(going: int, links: int) -> bool:
    return going > max(FLOOR, links * SHARE / 100)


def asked(session: Session, connection: str) -> set[int]:
    """The connection's links about which a person is asked as a whole, or has answered."""
    about = (col(Conflict.connection) == connection, col(Conflict.field) == RECORD, col(Conflict.state) != "closed")
    return {one for one in session.exec(select(Conflict.link_id).where(*about)) if one is not None}


def may_go(bridge: Bridge, report: Report, gone: Collection[int]) -> bool:
    """May links end whose records turned out to be gone though no listing said so? Sets the brake where they may not.

    `report` counts those that the cycle let go so far.
    """
    with bridge.store.session() as session:
        report.gone |= set(gone) - asked(session, bridge.name) - covered(session, bridge.name, MASS_DELETE)
        links = session.exec(
            select(func.count()).where(col(Link.connection) == bridge.name, col(Link.state) == "active")
        ).one()
        links += report.closed
        if not _too_many(len(report.gone), links):
            return True
        text = f"the records of {len(report.gone)} of {links} links are missing, as reading them showed"
        stop = pull_brake(session, bridge, [Evidence(MASS_DELETE, text, frozenset(report.gone))], links)
    if stop is not None:
        report.stop(stop)
    return stop is None


def standing(session: Session, connection: str, state: str = "set") -> list[Brake]:
    """The connection's brakes in a state ("set" or "released"), oldest first."""
    return list(session.exec(_STANDING, params={"connection": connection, "state": state}))


def covered(session: Session, connection: str, name: str) -> set[int]:
    """The links that a brake speaks for already which is set, or was released, about the same as the one of this name.

    A release lasts until they are settled or back.
    """
    alike = DELETING if name in DELETING else (name,)
    query = select(Brake.links).where(
        col(Brake.connection) == connection, col(Brake.name).in_(alike), col(Brake.state).in_(STANDING)
    )
    return {link_id for links in session.exec(query) for link_id in links}


def pull_brake(session: Session, bridge: Bridge, evidence: list[Evidence], links: int = 0) -> str | None:
    """Set the brakes that no person released; returns the first one's name, None when the cycle may go on.

    A release is for what was shown: further links set one if they alone are too many of the `links` there are.
    """
    due = None
    for one in evidence:
        if _may_pass(session, bridge, one, links):
            continue
        brake = Brake(connection=bridge.name, name=one.name, evidence=one.text, set_at=bridge.clock.now())
        brake.links = sorted(one.links)
        session.add(brake)
        session.flush()
        due = due or one.name
    return due


def _may_pass(session: Session, bridge: Bridge, evidence: Evidence, links: int) -> bool:
    if not evidence.links or any(not one.links and one.name == evidence.name for one in _released(session, bridge)):
        sizes = [_size(one.evidence) for one in _released(session, bridge) if one.name == evidence.name]
        return bool(sizes) and _size(evidence.text) <= max(sizes)
    further = evidence.links - covered(session, bridge.name, evidence.name)
    return further != evidence.links and not _too_many(len(further), links)


def _released(session: Session, bridge: Bridge) -> list[Brake]:
    return standing(session, bridge.name, "released")


def _size(evidence: str) -> int:
    """How many links a brake is about that does not tell which: the first number of its line."""
    found = re.search(r"\d+", evidence)
    return 0 if found is None or "lists nothing" in evidence else int(found[0])


def spend_releases(session: Session, bridge: Bridge) -> None:
    """A release, or a judgement, is over when its links are settled, or back: none of them has to be read any more."""
    for state in ("released", "passed"):
        for brake in standing(session, bridge.name, state):
            about = (col(Link.connection) == bridge.name, col(Link.state) == "active")
            marked = or_(col(Link.nexudus_recheck), col(Link.crm_recheck))
            waiting = set(session.exec(select(Link.id).where(*about, marked))).intersection(brake.links)
            brake.links = sorted(one for one in waiting if one is not None)
            brake.state = state if brake.links else "gone"
            session.add(brake)
