"""Judge a listing before it counts: is too much missing, or has too much moved?"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine.brakes import (
    CROWD,
    EMPTY_SIDE,
    JUDGING,
    MASS_CHANGE,
    MASS_DELETE,
    PASSED,
    Evidence,
    covered,
    too_many,
)
from nexudus_sync.engine.connection import Connection, fingerprint
from nexudus_sync.engine.inbox import of_record
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.changes import differing, note_stamps, still_now
from nexudus_sync.engine.read.sight import Listing, Sight
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.plan import Presence
from nexudus_sync.store import Session
from nexudus_sync.store.brakes import in_state
from nexudus_sync.store.tables import Brake, Link

FIRST, MOST = 100, 400
"""Records to read before the first verdict, and at most if that one is unclear."""
FEW, MANY = 35, 65
"""Of the first 100: up to 35 changed is not a mass change, 65 or more is one."""
SLICE = 50
"""Records to read in one cycle of the daemon: the polls of other connections go first."""


@dataclass(slots=True)
class Trial:
    """The judgement of what moved on one side. `read` tells, by link, whether its content changed."""

    brake_id: int
    side: Side
    links: list[int]
    total: int
    read: dict[str, bool] = field(default_factory=dict)

    def left(self) -> Iterator[int]:
        """What is still to be read, in a random order that a restart keeps."""
        rest = (one for one in self.links if str(one) not in self.read)
        yield from sorted(rest, key=lambda one: fingerprint(f"{self.brake_id} {one}"))

    @property
    def verdict(self) -> str:
        """The brake's state: "set" for a mass change, PASSED if it is not one, JUDGING while that is open."""
        read, changed = len(self.read), sum(self.read.values())
        if read < FIRST and read < len(self.links):
            return "set" if changed >= MANY else JUDGING
        if read < FIRST:  # all there are
            return "set" if changed * 2 > self.total else PASSED
        first = sum(list(self.read.values())[:FIRST])
        if first <= FEW or first >= MANY:
            return "set" if first >= MANY else PASSED
        if read < min(MOST, len(self.links)):
            return JUDGING
        return "set" if changed * 2 > read else PASSED


async def judge(
    connection: Connection,
    report: Report,
    seen: Mapping[Side, Listing],
    total: int,
    *,
    whole: bool,
    stopping: Callable[[], bool],
) -> str | None:
    """Judge what moved. Returns the brake's name if it is set; undecided links are left alone (`brakes.undecided`).

    `total`: how many links are active. `whole`: read as many as it takes now, not only a slice.
    """
    with connection.store.read() as session:
        begun = {row.judged.get("side") for row in in_state(session, connection.name, JUDGING)}
    for side, one in seen.items():
        if side.value not in begun and not _are_many(len(one.news.keys() - one.minor), total):
            continue
        with connection.store.session() as session:
            trial = _trial(session, connection, side, one, total)
        if trial is None:
            continue
        await _read_sample(connection, report, trial, one, MOST if whole else SLICE, stopping)
        with connection.store.session() as session:
            kept = session.get_one(Brake, trial.brake_id)
            kept.state = trial.verdict
            if kept.state == "set":
                kept.evidence, kept.set_at = _evidence(connection, trial), connection.clock.now()
                return MASS_CHANGE
    return None


def _trial(session: Session, connection: Connection, side: Side, seen: Listing, total: int) -> Trial | None:
    """The open judgement of a side, with what moved since; or a new one if more than half moved."""
    moved = set(seen.news.keys() - seen.minor)
    open_one = next(
        (one for one in in_state(session, connection.name, JUDGING) if one.judged.get("side") == side.value), None
    )
    if open_one is None:
        moved -= covered(session, connection.name, MASS_CHANGE)
        if not _are_many(len(moved), total):
            return None
        open_one = Brake(connection=connection.name, name=MASS_CHANGE, evidence="", set_at=connection.clock.now())
        open_one.state, open_one.judged = JUDGING, {"side": side.value, "read": {}}
    open_one.links = sorted({*open_one.links, *moved})
    session.add(open_one)
    session.flush()
    assert open_one.id is not None
    return Trial(open_one.id, side, list(open_one.links), total, dict(open_one.judged["read"]))


def _are_many(moved: int, total: int) -> bool:
    """Did so many links move that their contents have to be judged?"""
    return total >= CROWD and moved * 2 > total


async def _read_sample(
    connection: Connection, report: Report, trial: Trial, seen: Listing, most: int, stopping: Callable[[], bool]
) -> None:
    """Read until it is decided, or until `most` were read. A record that cannot be read counts as unchanged."""
    unread = list[int]()
    for number, link_id in enumerate(trial.left()):
        if trial.verdict != JUDGING or number >= most or stopping():
            return
        with connection.store.read() as session:
            link = session.get(Link, link_id)
        gone = link is None or link.state != "active"
        changed = False if gone or link is None else await _changed(connection, report, trial.side, link, seen)
        if changed is None:
            unread.append(link_id)
        else:
            _store_readings(connection, trial, {link_id: changed})
    _store_readings(connection, trial, dict.fromkeys(unread, False))


def _store_readings(connection: Connection, trial: Trial, read: Mapping[int, bool]) -> None:
    trial.read |= {str(link_id): changed for link_id, changed in read.items()}
    with connection.store.session() as session:
        session.get_one(Brake, trial.brake_id).judged = {"side": trial.side.value, "read": dict(trial.read)}


async def _changed(connection: Connection, report: Report, side: Side, link: Link, seen: Listing) -> bool | None:
    """Has the record's content changed since the sides agreed? None if it cannot be read now."""
    listed = seen.rows.get(link.half(side).id)
    try:
        sight = await sights.read(connection, side, link, listed, priority=Priority.RECONCILE, children=False)
        changed = sight.presence is Presence.HERE and bool(differing(connection, link, side, sight))
    except Exception as error:
        problem = of_record(error)
        if not isinstance(problem, Unavailable):
            return False  # becomes a failure when it is settled
        report.circuit.failed(problem)
        return None
    report.circuit.worked()
    if not changed and sight.presence is Presence.HERE:
        _note_unchanged(connection, side, link, sight, seen)
    return changed


def _note_unchanged(connection: Connection, side: Side, link: Link, sight: Sight, seen: Listing) -> None:
    """A record that was read and has not changed need not be read again, unless it has child rows."""
    marked = link.half(side).must_read
    if marked or connection.connector(side).traits.child_keys or link.id is None:
        return
    with connection.store.session() as session:
        note_stamps(session, link, {side: sight}, connection.clock.now())
        link.half(side).must_read = still_now(connection, side, sight)
        link.half(side).digest = ""
    seen.moved.discard(link.id)
    seen.news.pop(link.id, None)


def _evidence(connection: Connection, trial: Trial) -> str:
    moved, changed = len(trial.links), sum(trial.read.values())
    text = f"{moved} of {trial.total} linked records changed in {connection.connector(trial.side).name} at once"
    return f"{text}; of {len(trial.read)} that were read, {changed} have other content"


def evidence_of(
    links: int, seen: dict[Side, Listing], names: dict[Side, str], asked: Collection[int] = ()
) -> list[Evidence]:
    """The brakes that a listing calls for.

    `links`: how many are active; `names`: the two systems' names; `asked`: links with a missing record that a person is
    already asked about.
    """
    found = []
    missing = {side: one.absent.difference(asked) for side, one in seen.items()}
    for side, one in seen.items():
        if one.complete and links and one.inside == 0:
            text = f"{names[side]} lists nothing, but {links} links have a record there"
            found.append(Evidence(EMPTY_SIDE, text, frozenset(one.absent)))
    going = frozenset[int]().union(*missing.values())
    if too_many(len(going), links):
        where = ", ".join(f"{len(gone)} in {names[side]}" for side, gone in missing.items() if gone)
        text = f"the records of {len(going)} of {links} links are missing ({where})"
        found.append(Evidence(MASS_DELETE, text, going))
    return found
