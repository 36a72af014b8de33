"""Brakes: what stops a cycle until a person has looked. See the table in docs/operations.md."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.report import Report
from nexudus_sync.store import Session, links
from nexudus_sync.store.brakes import in_state, links_spoken_for
from nexudus_sync.store.conflicts import links_asked_about
from nexudus_sync.store.tables import Brake

FLOOR, SHARE = 10, 10
"""`mass-delete` lets this many links end, or this percentage of all, whichever is more."""
CROWD = 100
"""`mass-change` needs at least this many links to judge by."""
MASS_DELETE, EMPTY_SIDE, MASS_CHANGE, NO_PAIRS = NAMES = ("mass-delete", "empty-side", "mass-change", "no-pairs")
DELETING = (MASS_DELETE, EMPTY_SIDE)
"""The brakes about links that would end: releasing one of them permits what the other would stop."""
JUDGING, PASSED = "judging", "passed"
"""The states of a brake that is not decided yet, and of one that need not be set while its links are being read."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a brake was set, in one line for a person, and which links it is about."""

    name: str
    text: str
    links: frozenset[int] = frozenset()
    size: int = 0
    """How many links it is about, if it does not tell which."""

    @property
    def count(self) -> int:
        """How many links it is about."""
        return len(self.links) or self.size


def too_many(going: int, total: int) -> bool:
    """Is it too much if N of a connection's links end at once?"""
    return going > max(FLOOR, total * SHARE / 100)


def may_go(connection: Connection, report: Report, gone: Collection[int]) -> bool:
    """May these links end, whose records turned out to be gone when they were read? Sets the brake if not.

    `report` counts the links that ended in this cycle so far.
    """
    with connection.store.session() as session:
        asked = links_asked_about(session, connection.name)
        report.gone |= set(gone) - asked - covered(session, connection.name, MASS_DELETE)
        total = links.count_active(session, connection.name) + report.closed
        if not too_many(len(report.gone), total):
            return True
        text = f"the records of {len(report.gone)} of {total} links turned out to be missing when they were read"
        stop = pull_brake(session, connection, [Evidence(MASS_DELETE, text, frozenset(report.gone))], total)
    if stop is not None:
        report.stop(stop)
    return stop is None


def released_since(session: Session, connection: str, moment: datetime | None) -> list[Brake]:
    """The brakes released since the last sweep, which was at `moment` (None: there was none)."""
    found = in_state(session, connection, "released")
    return [one for one in found if moment is None or one.released_at is None or one.released_at >= moment]


def covered(session: Session, connection: str, name: str) -> set[int]:
    """The links already covered by a set or released brake of this name, or of one about the same.

    A release lasts until its links are settled or back.
    """
    return links_spoken_for(session, connection, DELETING if name in DELETING else (name,))


def pull_brake(session: Session, connection: Connection, evidence: list[Evidence], total: int = 0) -> str | None:
    """Set the brakes that no release permits; returns the name of the first, None if the cycle may go on.

    A release is for the evidence shown: further links set a brake if they alone are too many of the `total`.
    """
    due = None
    for one in evidence:
        if _may_pass(session, connection, one, total):
            continue
        brake = Brake(connection=connection.name, name=one.name, evidence=one.text, set_at=connection.clock.now())
        brake.links, brake.size = sorted(one.links), one.count
        session.add(brake)
        session.flush()
        due = due or one.name
    return due


def _may_pass(session: Session, connection: Connection, evidence: Evidence, total: int) -> bool:
    if not evidence.links or any(not one.links and one.name == evidence.name for one in _released(session, connection)):
        sizes = [one.size for one in _released(session, connection) if one.name == evidence.name]
        return bool(sizes) and evidence.count <= max(sizes)
    further = evidence.links - covered(session, connection.name, evidence.name)
    return further != evidence.links and not too_many(len(further), total)


def _released(session: Session, connection: Connection) -> list[Brake]:
    return in_state(session, connection.name, "released")


def spend_releases(session: Session, connection: Connection) -> None:
    """End the releases and judgements whose links are settled or back: none of them has to be read any more."""
    spent = [brake for state in ("released", PASSED) for brake in in_state(session, connection.name, state)]
    to_read = links.to_read(session, connection.name) if spent else set[int]()
    for brake in spent:
        brake.links = sorted(to_read.intersection(brake.links))
        brake.state = brake.state if brake.links else "gone"
        session.add(brake)


def undecided(session: Session, connection: Connection) -> set[int]:
    """The links that moved and are not judged yet: they are not written."""
    return {one for row in in_state(session, connection.name, JUDGING) for one in row.links}


def passed(session: Session, connection: Connection) -> set[int]:
    """The links of a crowd that moved and was judged harmless: they are read as the budget allows."""
    return {one for row in in_state(session, connection.name, PASSED) for one in row.links}
