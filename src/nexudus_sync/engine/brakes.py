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
"""`mass-delete` lets this many links go, or this percentage of all, whichever is more."""
CROWD = 100
"""`mass-change` needs at least this many links to judge by."""
MASS_DELETE, EMPTY_SIDE, MASS_CHANGE, NO_PAIRS = NAMES = ("mass-delete", "empty-side", "mass-change", "no-pairs")
DELETING = (MASS_DELETE, EMPTY_SIDE)
"""The brakes about links that would end; a release of one lets them end whatever the other would say."""
JUDGING, PASSED = "judging", "passed"
"""The states of a brake that is undecided, and of one that is not set: its links are still being read."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a brake was set, in one line for a person, and which links it is about."""

    name: str
    text: str
    links: frozenset[int] = frozenset()
    size: int = 0
    """How many links it is about, where it does not tell which."""

    @property
    def count(self) -> int:
        """How many links it is about."""
        return len(self.links) or self.size


def too_many(going: int, total: int) -> bool:
    """Are so many closings too many for a connection of so many links?"""
    return going > max(FLOOR, total * SHARE / 100)


def may_go(connection: Connection, report: Report, gone: Collection[int]) -> bool:
    """May links end whose records turned out to be gone though no listing said so? Sets the brake where they may not.

    `report` counts those that the cycle let go so far.
    """
    with connection.store.session() as session:
        asked = links_asked_about(session, connection.name)
        report.gone |= set(gone) - asked - covered(session, connection.name, MASS_DELETE)
        total = links.count_active(session, connection.name) + report.closed
        if not too_many(len(report.gone), total):
            return True
        text = f"the records of {len(report.gone)} of {total} links are missing, as reading them showed"
        stop = pull_brake(session, connection, [Evidence(MASS_DELETE, text, frozenset(report.gone))], total)
    if stop is not None:
        report.stop(stop)
    return stop is None


def released_since(session: Session, connection: str, moment: datetime | None) -> list[Brake]:
    """The released brakes that no sweep has come after: `moment` is the last one's, None where there was none."""
    found = in_state(session, connection, "released")
    return [one for one in found if moment is None or one.released_at is None or one.released_at >= moment]


def covered(session: Session, connection: str, name: str) -> set[int]:
    """The links that a brake speaks for already which is set, or was released, about the same as the one of this name.

    A release lasts until they are settled or back.
    """
    return links_spoken_for(session, connection, DELETING if name in DELETING else (name,))


def pull_brake(session: Session, connection: Connection, evidence: list[Evidence], total: int = 0) -> str | None:
    """Set the brakes that no person released; returns the first one's name, None when the cycle may go on.

    A release is for what was shown: further links set one if they alone are too many of the `total` there are.
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
    """A release, or a judgement, is over when its links are settled, or back: none of them has to be read any more."""
    for state in ("released", "passed"):
        for brake in in_state(session, connection.name, state):
            brake.links = sorted(links.to_read(session, connection.name).intersection(brake.links))
            brake.state = state if brake.links else "gone"
            session.add(brake)


def undecided(session: Session, connection: Connection) -> set[int]:
    """The links that moved and are not judged yet: nothing of them is written."""
    return {one for row in in_state(session, connection.name, JUDGING) for one in row.links}


def passed(session: Session, connection: Connection) -> set[int]:
    """The links of which many moved without a mass change: they are read as the budget allows."""
    return {one for row in in_state(session, connection.name, PASSED) for one in row.links}
