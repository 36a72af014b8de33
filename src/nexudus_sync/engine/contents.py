"""Did more than half of a connection's records change at once? Their contents are judged, not their stamps.

A vendor moves all stamps in a minute and changes nothing; an import changes all contents. So a sample is read, in a
random order, and nothing of what moved is written while it is undecided. What was read is kept: a restart goes on.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from nexudus_sync.connectors.base import Priority
from nexudus_sync.engine import sight as sights
from nexudus_sync.engine.agree import differing, note_stamps, set_digest, set_mark, still_now
from nexudus_sync.engine.brakes import CROWD, MASS_CHANGE, covered
from nexudus_sync.engine.bridge import Bridge, fingerprint
from nexudus_sync.engine.guard import of_record
from nexudus_sync.engine.pull import Seen
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.sight import Sight
from nexudus_sync.errors import Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.plan import Presence
from nexudus_sync.store.tables import Brake, Link

FIRST, MOST = 100, 400
"""So many are read before the first verdict, and for one that is not clear then."""
FEW, MANY = 35, 65
"""Of the first: so many changed are no mass change, so many are one."""
SLICE = 50
"""So many are read in one cycle of the daemon: the polls of other connections go first."""
JUDGING, PASSED = "judging", "passed"
"""The states of a brake that is undecided, and of one that is not set: its links are still being read."""


@dataclass(slots=True)
class Trial:
    """The judgement of what moved on one side. `read` tells by link whether its content changed."""

    row: int
    side: Side
    links: list[int]
    total: int
    read: dict[str, bool] = field(default_factory=dict)

    def left(self) -> Iterator[int]:
        """What is still to be read, in a random order that a restart keeps."""
        rest = (one for one in self.links if str(one) not in self.read)
        yield from sorted(rest, key=lambda one: fingerprint(f"{self.row} {one}"))

    @property
    def verdict(self) -> str:
        """ "set" for a mass change, PASSED for none, JUDGING while it is open."""
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
    bridge: Bridge,
    report: Report,
    seen: Mapping[Side, Seen],
    total: int,
    *,
    whole: bool,
    stopping: Callable[[], bool],
) -> str | None:
    """Judge what moved. The brake's name when it is set; what stays undecided is left alone (`undecided`).

    `total`: how many links are active. `whole`: read as many as it takes now, not a slice.
    """
    with bridge.store.read() as session:
        begun = {row.judged.get("side") for row in _rows(session, bridge, JUDGING)}
    for side, one in seen.items():
        if side.value not in begun and not _are_many(len(one.news.keys() - one.minor), total):
            continue
        with bridge.store.session() as session:
            trial = _trial(session, bridge, side, one, total)
        if trial is None:
            continue
        await _read(bridge, report, trial, one, MOST if whole else SLICE, stopping)
        with bridge.store.session() as session:
            kept = session.get_one(Brake, trial.row)
            kept.state = trial.verdict
            if kept.state == "set":
                kept.evidence, kept.set_at = _evidence(bridge, trial), bridge.clock.now()
                return MASS_CHANGE
    return None


def _trial(session: Session, bridge: Bridge, side: Side, seen: Seen, total: int) -> Trial | None:
    """The judgement that is open for a side, with what moved since; or a new one, where more than half moved."""
    moved = set(seen.news.keys() - seen.minor)
    open_one = next((one for one in _rows(session, bridge, JUDGING) if one.judged.get("side") == side.value), None)
    if open_one is None:
        moved -= covered(session, bridge.name, MASS_CHANGE)
        if not _are_many(len(moved), total):
            return None
        open_one = Brake(connection=bridge.name, name=MASS_CHANGE, evidence="", set_at=bridge.clock.now())
        open_one.state, open_one.judged = JUDGING, {"side": side.value, "read": {}}
    open_one.links = sorted({*open_one.links, *moved})
    session.add(open_one)
    session.flush()
    assert open_one.id is not None
    return Trial(open_one.id, side, list(open_one.links), total, dict(open_one.judged["read"]))


def _are_many(moved: int, total: int) -> bool:
    """Did so many of the links move that their contents are to be judged?"""
    return total >= CROWD and moved * 2 > total


async def _read(
    bridge: Bridge, report: Report, trial: Trial, seen: Seen, most: int, stopping: Callable[[], bool]
) -> None:
    """Read on until it is decided, or so many were read. What cannot be read keeps no verdict from the others."""
    unread = list[int]()
    for number, link_id in enumerate(trial.left()):
        if trial.verdict != JUDGING or number >= most or stopping():
            return
        with bridge.store.read() as session:
            link = session.get(Link, link_id)
        gone = link is None or link.state != "active"
        changed = False if gone or link is None else await _changed(bridge, report, trial.side, link, seen)
        if changed is None:
            unread.append(link_id)
        else:
            _keep(bridge, trial, {link_id: changed})
    _keep(bridge, trial, dict.fromkeys(unread, False))


def _keep(bridge: Bridge, trial: Trial, read: Mapping[int, bool]) -> None:
    trial.read |= {str(link_id): changed for link_id, changed in read.items()}
    with bridge.store.session() as session:
        session.get_one(Brake, trial.row).judged = {"side": trial.side.value, "read": dict(trial.read)}


async def _changed(bridge: Bridge, report: Report, side: Side, link: Link, seen: Seen) -> bool | None:
    """Does the record say anything else than when the sides agreed? None when it cannot be read now."""
    listed = seen.rows.get(sights.id_of(link, side))
    try:
        sight = await sights.read(bridge, side, link, listed, priority=Priority.RECONCILE, children=False)
        changed = sight.presence is Presence.HERE and bool(differing(bridge, link, side, sight))
    except Exception as error:
        problem = of_record(error)
        if not isinstance(problem, Unavailable):
            return False  # its own failure, when it is settled
        report.circuit.failed(problem)
        return None
    report.circuit.worked()
    if not changed and sight.presence is Presence.HERE:
        _remember(bridge, side, link, sight, seen)
    return changed


def _remember(bridge: Bridge, side: Side, link: Link, sight: Sight, seen: Seen) -> None:
    """What was read and says nothing new need not be read again; child rows are another matter."""
    marked = link.nexudus_recheck if side is Side.NEXUDUS else link.crm_recheck
    if marked or bridge.connector(side).traits.child_keys or link.id is None:
        return
    with bridge.store.session() as session:
        note_stamps(session, link, {side: sight}, bridge.clock.now())
        set_mark(link, side, still_now(bridge, side, sight))
        set_digest(link, side, "")
    seen.moved.discard(link.id)
    seen.news.pop(link.id, None)


def undecided(session: Session, bridge: Bridge) -> set[int]:
    """The links that moved and are not judged yet: nothing of them is written."""
    return {one for row in _rows(session, bridge, JUDGING) for one in row.links}


def passed(session: Session, bridge: Bridge) -> set[int]:
    """The links of which many moved without a mass change: they are read as the budget allows."""
    return {one for row in _rows(session, bridge, PASSED) for one in row.links}


def _rows(session: Session, bridge: Bridge, state: str) -> list[Brake]:
    query = select(Brake).where(col(Brake.connection) == bridge.name, col(Brake.state) == state)
    return list(session.exec(query.order_by(col(Brake.id))))


def _evidence(bridge: Bridge, trial: Trial) -> str:
    moved, changed = len(trial.links), sum(trial.read.values())
    text = f"{moved} of {trial.total} linked records changed in {bridge.connector(trial.side).name} at once"
    return f"{text}; of {len(trial.read)} that were read, {changed} say something else"
