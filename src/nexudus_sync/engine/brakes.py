"""Brakes.

What a cycle saw looks so wrong that a person has to release it first. Pure where it judges, short where it stores.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.pull import Seen
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake

FLOOR, SHARE = 10, 10
"""`mass-delete` lets this many links go, or this percentage of all, whichever is more."""
CROWD = 100
"""`mass-change` needs at least this many links to judge by."""
NAMES = ("mass-delete", "empty-side", "mass-change")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a brake was set, in one line for a person."""

    name: str
    text: str


def judge(links: int, seen: dict[Side, Seen], names: dict[Side, str]) -> list[Evidence]:
    """The brakes that what was listed calls for.

    `links`: how many are active; `names`: what the two systems are called.
    """
    found = []
    absent = {side: len(one.absent) for side, one in seen.items()}
    for side, one in seen.items():
        if one.complete and links and one.listed == 0:
            found.append(Evidence("empty-side", f"{names[side]} lists nothing, but {links} links have a record there"))
    going = len(set().union(*(one.absent for one in seen.values())))
    if going > max(FLOOR, links * SHARE / 100):
        where = ", ".join(f"{count} in {names[side]}" for side, count in absent.items() if count)
        found.append(Evidence("mass-delete", f"the records of {going} of {links} links are missing ({where})"))
    for side, one in seen.items():
        changed = len(one.news.keys() - one.minor)
        if links >= CROWD and changed * 2 > links:
            found.append(
                Evidence("mass-change", f"{changed} of {links} linked records changed in {names[side]} at once")
            )
    return found


def standing(session: Session, connection: str, state: str = "set") -> list[Brake]:
    """The connection's brakes in a state ("set" or "released"), oldest first."""
    query = select(Brake).where(col(Brake.connection) == connection, col(Brake.state) == state)
    return list(session.exec(query.order_by(col(Brake.id))))


def pull_brake(session: Session, bridge: Bridge, evidence: list[Evidence]) -> str | None:
    """Set the brakes that no person released; returns the first one's name, None when the cycle may go on."""
    released = {brake.name for brake in standing(session, bridge.name, "released")}
    due = [one for one in evidence if one.name not in released]
    for one in due:
        session.add(Brake(connection=bridge.name, name=one.name, evidence=one.text, set_at=bridge.clock.now()))
    return due[0].name if due else None


def spend_release(session: Session, bridge: Bridge) -> None:
    """A release is good for one cycle."""
    for brake in standing(session, bridge.name, "released"):
        brake.state = "gone"
        session.add(brake)
