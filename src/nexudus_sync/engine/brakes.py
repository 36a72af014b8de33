"""Brakes.

What a cycle saw looks so wrong that a person has to release it first. Pure where it judges, short where it stores.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam
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
NAMES = ("mass-delete", "empty-side", "mass-change", "no-pairs")
_STANDING = (
    select(Brake)
    .where(col(Brake.connection) == bindparam("connection"), col(Brake.state) == bindparam("state"))
    .order_by(col(Brake.id))
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a brake was set, in one line for a person."""

    name: str
    text: str


def judge(links: int, seen: dict[Side, Seen], names: dict[Side, str], asked: Collection[int] = ()) -> list[Evidence]:
    """The brakes that what was listed calls for.

    `links`: how many are active; `names`: what the two systems are called; `asked`: links about whose missing record a
    person is asked already.
    """
    found = []
    missing = {side: one.absent.difference(asked) for side, one in seen.items()}
    for side, one in seen.items():
        if one.complete and links and one.inside == 0:
            found.append(Evidence("empty-side", f"{names[side]} lists nothing, but {links} links have a record there"))
    going = len(set().union(*missing.values()))
    if _too_many(going, links):
        where = ", ".join(f"{len(gone)} in {names[side]}" for side, gone in missing.items() if gone)
        found.append(Evidence("mass-delete", f"the records of {going} of {links} links are missing ({where})"))
    for side, one in seen.items():
        changed = len(one.news.keys() - one.minor)
        if links >= CROWD and changed * 2 > links:
            found.append(
                Evidence("mass-change", f"{changed} of {links} linked records changed in {names[side]} at once")
            )
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
        report.gone |= set(gone) - asked(session, bridge.name)
        links = session.exec(
            select(func.count()).where(col(Link.connection) == bridge.name, col(Link.state) == "active")
        ).one()
        links += report.closed
        if not _too_many(len(report.gone), links):
            return True
        text = f"the records of {len(report.gone)} of {links} links are missing, as reading them showed"
        stop = pull_brake(session, bridge, [Evidence("mass-delete", text)])
    if stop is not None:
        report.stop(stop)
    return stop is None


def standing(session: Session, connection: str, state: str = "set") -> list[Brake]:
    """The connection's brakes in a state ("set" or "released"), oldest first."""
    return list(session.exec(_STANDING, params={"connection": connection, "state": state}))


def pull_brake(session: Session, bridge: Bridge, evidence: list[Evidence]) -> str | None:
    """Set the brakes that no person released; returns the first one's name, None when the cycle may go on.

    A release is for what was shown: where it is more by now, a person is asked again.
    """
    released = dict[str, int]()
    for brake in standing(session, bridge.name, "released"):  # several of one name where both sides showed it
        released[brake.name] = max(_size(brake.evidence), released.get(brake.name, 0))
    due = [one for one in evidence if one.name not in released or _size(one.text) > released[one.name]]
    for one in due:
        session.add(Brake(connection=bridge.name, name=one.name, evidence=one.text, set_at=bridge.clock.now()))
    return due[0].name if due else None


def _size(evidence: str) -> int:
    """How many links a brake is about: the first number of its line, 0 for a side that lists nothing."""
    found = re.search(r"\d+", evidence)
    return 0 if found is None or "lists nothing" in evidence else int(found[0])


def spend_release(session: Session, bridge: Bridge) -> None:
    """A release is good for one cycle."""
    for brake in standing(session, bridge.name, "released"):
        brake.state = "gone"
        session.add(brake)
