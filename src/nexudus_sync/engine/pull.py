"""Pull: list what may have changed on a side, and remember durably what has to be read, before the cursor moves.

A changed record leaves a mark in the store (`recheck`) in the same transaction that moves the cursor: from then on a
crash cannot lose it. The rows themselves live for one cycle only.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import bindparam, update
from sqlmodel import Session, col

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Page, Priority, Row, Scope
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.guard import of_record
from nexudus_sync.engine.outcomes import note_failure, nothing_left
from nexudus_sync.engine.reading import fetch, is_old, odd
from nexudus_sync.engine.sight import Listed
from nexudus_sync.engine.uptake import as_unlinked, solve_odd, take_up
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import records
from nexudus_sync.store.records import Remembered
from nexudus_sync.store.renames import overshadowed
from nexudus_sync.store.tables import SET_ASIDE, ConnectionState, Link, Unlinked

CLOSER = 100
"""So many doubtful rows of one listing are read by id."""
_IDS = ("nexudus_id", "crm_id")
_THESE = col(Link.id).in_(bindparam("ids", expanding=True))
_MARK = {
    Side.NEXUDUS: update(Link).where(_THESE).values(nexudus_recheck=True),
    Side.CRM: update(Link).where(_THESE).values(crm_recheck=True),
}


@dataclass(slots=True)
class Seen:
    """What one listing of a side showed.

    `rows` are those kept for this cycle, by record id; `moved` the links whose record moved or is marked, `news`
    those of them that moved since they were last read, `learnt` row fingerprints that were missing, `minor` those
    that only the system itself moved; `fresh` the rows of records without a link that are new or changed; `absent`
    the active links whose record a complete listing lacked, or whose id another record bears; `doubtful` the rows that
    prove nothing by themselves: one id `twice` in a page with other content, or with another identity than is known;
    `closer` counts how many of them were looked at. `odd` are records without a link whose row makes no sense, and why.
    `listed` counts records, `inside` the rows of this connection's own.
    """

    side: Side
    rows: dict[str, Listed] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    news: dict[int, datetime | None] = field(default_factory=dict)
    minor: set[int] = field(default_factory=set)
    learnt: dict[int, str] = field(default_factory=dict)
    fresh: dict[str, Row] = field(default_factory=dict)
    odd: dict[str, SyncError] = field(default_factory=dict)
    gone_unlinked: set[str] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)
    doubtful: dict[str, Listed] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    closer: int = 0
    listed: int = 0
    inside: int = 0
    cursor: str | None = None
    complete: bool = False


async def pull(
    bridge: Bridge,
    side: Side,
    *,
    full: bool = False,
    keep: Iterable[str] = (),
    priority: Priority = Priority.LIVE,
) -> Seen:
    """List a side.

    `full`: everything there is, not only what moved since the cursor; `keep`: ids whose rows are wanted anyway.
    """
    with bridge.store.read() as session:
        alone = records.unlinked(session, bridge.name, side)
        known = records.remembered(session, bridge.crm, bridge.name, side, alone)
        namesakes = records.namesakes(session, bridge.crm) if side is Side.CRM else {}
        state = session.get(ConnectionState, bridge.name)
        replaced = overshadowed(session, bridge.name, side)
    cursor = None if full or state is None else cursor_of(state, side)
    seen, ids = Seen(side, absent=set(replaced) if full or side is Side.CRM else set()), set[str]()
    traits = bridge.connector(side).traits
    before = _Before(known, alone, namesakes, set(keep), _spelt(known) if traits.ignores_case else {})
    at = bridge.clock.monotonic()
    async for page in _pages(bridge, side, bridge.scope(side), cursor, priority, before):
        seen.twice |= _twice(page)
        for row in page.rows:
            ids.add(row.id)
            _sort_guarded(bridge, seen, Listed(row, at), before)
        at = bridge.clock.monotonic()
        _finish(seen, page, can_be_complete=traits.lists_everything or cursor is None)
    await _look_closer(bridge, seen, before, priority)
    seen.listed = len(ids)
    if seen.complete:
        _note_absences(bridge, seen, before, ids)
        if seen.absent - replaced:
            await _find_elsewhere(bridge, seen, before, priority)
    return seen


def _is_ours(bridge: Bridge, side: Side, row: Row, known: Remembered | None) -> bool:
    """Is it in this connection's scope, or linked by it?"""
    linked = known is not None and known.link_id is not None and known.connection == bridge.name
    return linked or bridge.connector(side).in_scope(row.record, bridge.scope(side))


def cursor_of(state: ConnectionState, side: Side) -> str | None:
    """Where the next listing of a side begins; None: it never ended."""
    return state.nexudus_cursor if side is Side.NEXUDUS else state.crm_cursor


def _finish(seen: Seen, page: Page, *, can_be_complete: bool) -> None:
    if page.cursor is not None:
        seen.cursor = page.cursor
        seen.complete = page.complete and can_be_complete


@dataclass(frozen=True, slots=True)
class _Before:
    """What a listing is compared with: the remembered records, links by identity, and the ids whose rows are wanted.

    `alone` are the unlinked records, also those whose id a link goes by whose own record lost it. `spelt` are the ids
    as they are known, by what they are where the case of letters is ignored.
    """

    known: dict[str, Remembered]
    alone: dict[str, Remembered]
    namesakes: dict[str, list[int]]
    wanted: set[str]
    spelt: dict[str, str]


def _spelt(known: dict[str, Remembered]) -> dict[str, str]:
    """The known ids by what they are in small letters; where two are one, that of a link in force counts."""
    in_force = sorted(known, key=lambda one: known[one].link_id is not None and known[one].state != "closed")
    return {record_id.casefold(): record_id for record_id in in_force}


async def _pages(
    bridge: Bridge, side: Side, scope: Scope, cursor: str | None, priority: Priority, before: _Before
) -> AsyncIterator[Page]:
    """The pages of a listing, each record under the id that it is known by."""
    connector = bridge.connector(side)
    async for page in connector.scan(scope, cursor, priority):
        if not connector.traits.ignores_case:
            yield page
            continue
        spelt = [before.spelt.setdefault(row.id.casefold(), row.id) for row in page.rows]
        yield replace(page, rows=[replace(row, id=one) for row, one in zip(page.rows, spelt, strict=True)])


async def _find_elsewhere(bridge: Bridge, seen: Seen, before: _Before, priority: Priority) -> None:
    """A counterpart of another company is not listed with this one's, but it is there: no absence, and perhaps news."""
    connector, scope = bridge.connector(seen.side), bridge.scope(seen.side)
    if seen.side is Side.NEXUDUS or scope.company is None or connector.traits.lists_everything:
        return
    at = bridge.clock.monotonic()
    async for page in _pages(bridge, seen.side, replace(scope, company=None), None, priority, before):
        for row in page.rows:
            there = before.known.get(row.id)
            if there is None or there.link_id not in seen.absent:
                continue
            if same_identity(there.identity, bridge.facts(seen.side, row.record).identity):
                seen.absent.discard(there.link_id)
                _sort_linked(bridge, seen, Listed(row, at), there, there.link_id, before.wanted)
        at = bridge.clock.monotonic()


def _twice(page: Page) -> set[str]:
    """The ids that a page lists twice, with other content: one of the rows is another record's."""
    found, twice = dict[str, Row](), set[str]()
    for row in page.rows:
        if found.setdefault(row.id, row).record != row.record:
            twice.add(row.id)
    return twice


def _sort_guarded(bridge: Bridge, seen: Seen, listed: Listed, before: _Before) -> None:
    """Sort a row, which may make no sense."""
    known = before.known.get(listed.row.id)
    try:
        _sort(bridge, seen, listed, before)
        seen.inside += _is_ours(bridge, seen.side, listed.row, known)
    except Exception as error:
        _note_odd(bridge, seen, listed.row, known, error)


def _note_odd(bridge: Bridge, seen: Seen, row: Row, known: Remembered | None, error: Exception) -> None:
    """Of a row that makes no sense, a linked record is read by itself; an unlinked one becomes a failure."""
    problem = odd(bridge, seen.side, row.record) or of_record(error)
    seen.fresh.pop(row.id, None)
    seen.rows.pop(row.id, None)
    if known is None or known.link_id is None:
        seen.odd[row.id] = problem
    elif known.connection == bridge.name:
        seen.moved.add(known.link_id)


def _sort(bridge: Bridge, seen: Seen, listed: Listed, before: _Before) -> None:
    """Is this row news, and whose?"""
    row = listed.row
    known, identity = before.known.get(row.id), bridge.facts(seen.side, row.record).identity
    alone = before.alone.get(row.id)
    if row.id in seen.twice:
        seen.doubtful[row.id] = listed
    elif known is not None and not same_identity(known.identity, identity):
        if alone is not None and alone.identity == identity:  # that it is another one is proven already
            _sort_unlinked(bridge, seen, row, alone)
        else:
            seen.doubtful[row.id] = listed
    elif known is None or known.link_id is None:
        _sort_unlinked(bridge, seen, row, known)
        _mark_namesake(bridge, seen, row, before.namesakes)
    elif known.state != "closed":
        _sort_linked(bridge, seen, listed, known, known.link_id, before.wanted)


async def _look_closer(bridge: Bridge, seen: Seen, before: _Before, priority: Priority) -> None:
    """Read by id what rows leave in doubt: only the whole record proves that it is another one.

    Beyond `CLOSER` there are too many for a mistake of a row: the brakes judge, and nothing new is taken up.
    """
    for record_id, listed in list(seen.doubtful.items()):
        seen.rows.pop(record_id, None)
        seen.closer += 1
        row = await _read_closer(bridge, seen, listed.row, priority) if seen.closer <= CLOSER else None
        if row is None and seen.side is Side.CRM and record_id not in seen.twice:
            row = listed.row  # names are given again every day there: it may wait as what it is listed as
        try:
            _settle_doubt(bridge, seen, before, record_id, row)
        except Exception as error:
            _note_odd(bridge, seen, listed.row if row is None else row, before.known.get(record_id), error)


async def _read_closer(bridge: Bridge, seen: Seen, row: Row, priority: Priority) -> Row | None:
    """The row as the whole record says it; None where it cannot be read now."""
    connector = bridge.connector(seen.side)
    try:
        record = await fetch(bridge, seen.side, row.id, priority=priority)
    except Exception as error:
        of_record(error)
        return None
    return Row(row.id, connector.stamp(record), record, hot=row.hot)


def _settle_doubt(bridge: Bridge, seen: Seen, before: _Before, record_id: str, row: Row | None) -> None:
    """Whose the doubtful row is, by the whole record; where that is not known, the link is looked at again."""
    known = before.known.get(record_id)
    linked = known is not None and known.link_id is not None
    same = row is None or known is None
    if row is not None and known is not None:
        same = same_identity(known.identity, bridge.facts(seen.side, row.record).identity)
    if known is not None and known.link_id is not None and known.state == "active":
        (seen.moved if same and seen.closer <= CLOSER else seen.absent).add(known.link_id)
    if row is not None and not (linked and same):
        _sort_unlinked(bridge, seen, row, before.alone.get(record_id))
        _mark_namesake(bridge, seen, row, before.namesakes)


def _mark_namesake(bridge: Bridge, seen: Seen, row: Row, namesakes: dict[str, list[int]]) -> None:
    """A record of the same identity under another id may be a linked one that was renamed: reading that will tell."""
    if namesakes:
        seen.moved.update(namesakes.get(bridge.facts(seen.side, row.record).identity, ()))


def _sort_linked(bridge: Bridge, seen: Seen, listed: Listed, known: Remembered, link_id: int, wanted: set[str]) -> None:
    row, mine = listed.row, known.connection == bridge.name
    inside = bridge.connector(seen.side).in_scope(row.record, bridge.scope(seen.side))
    claimed = seen.side is Side.NEXUDUS and inside and (not mine or known.state == "sleeping")
    if not (mine and known.state == "active") and not claimed:
        return
    news = known.stamp != "" and _moved(bridge, seen.side, row, known)
    if news:
        seen.news[link_id] = bridge.our_time(seen.side, row.stamp.at)
        if row.minor and known.digest in {"", bridge.digest(seen.side, row.record)}:
            seen.minor.add(link_id)
    elif not known.digest:
        seen.learnt[link_id] = bridge.digest(seen.side, row.record)
    moved = claimed or known.recheck or news or known.stamp == ""
    if moved:
        seen.moved.add(link_id)
    if (moved or row.id in wanted) and not _is_doubtful(bridge, seen.side, row, known):
        seen.rows[row.id] = listed
    else:
        seen.rows.pop(row.id, None)


def _is_doubtful(bridge: Bridge, side: Side, row: Row, known: Remembered) -> bool:
    """Is it an older state than what is known, or as old with other content? A list can be behind: then it is read."""
    if row.stamp.token != known.stamp:
        return is_old(bridge, known, row.stamp)
    return _moved(bridge, side, row, known)


def _moved(bridge: Bridge, side: Side, row: Row, known: Remembered) -> bool:
    if row.stamp.token != known.stamp:
        return True
    return bool(known.digest) and bridge.digest(side, row.record) != known.digest


def _sort_unlinked(bridge: Bridge, seen: Seen, row: Row, known: Remembered | None) -> None:
    if not bridge.connector(seen.side).in_scope(row.record, bridge.scope(seen.side)):
        if known is not None:
            seen.gone_unlinked.add(row.id)
        return
    if known is None or known.recheck or row.hot or _moved(bridge, seen.side, row, known):
        as_unlinked(bridge, seen.side, row)  # which has to work, ahead of the transaction that keeps it with all others
        seen.fresh[row.id] = row


def _note_absences(bridge: Bridge, seen: Seen, before: _Before, ids: set[str]) -> None:
    seen.gone_unlinked.update(before.alone.keys() - ids)
    for record_id, remembered in before.known.items():
        if record_id in ids or remembered.connection != bridge.name:
            continue
        if remembered.link_id is not None and remembered.state == "active":
            seen.absent.add(remembered.link_id)


def remember(bridge: Bridge, seen: Seen, state: ConnectionState, session: Session) -> None:
    """Keep what a listing showed.

    Marks on the links that moved, the unlinked records, and the cursor, in one transaction.
    """
    mark(session, seen.side, seen.moved | seen.absent)
    for link_id, digest in seen.learnt.items():
        column = f"{seen.side.value}_digest"
        session.execute(update(Link).where(col(Link.id) == link_id).values({column: digest}))
    solve_odd(session, bridge, seen.side, seen.fresh)
    for row in seen.fresh.values():
        take_up(session, bridge, seen.side, row)
    for record_id, problem in seen.odd.items():
        note_failure(session, bridge, problem, **dict(zip(_IDS, records.alone(seen.side, record_id), strict=True)))
    for record_id in seen.gone_unlinked:
        lost = session.get(Unlinked, (bridge.name, seen.side.value, record_id))
        if lost is not None and lost.state in SET_ASIDE:
            lost.state = "away"  # a person's word about it stands, wherever it goes
        elif lost is not None:
            session.delete(lost)
            nothing_left(session, bridge, seen.side, record_id)
    if seen.cursor is not None:
        if seen.side is Side.NEXUDUS:
            state.nexudus_cursor = seen.cursor
        else:
            state.crm_cursor = seen.cursor
        session.add(state)


def mark(session: Session, side: Side, link_ids: Iterable[int]) -> None:
    """These links' records have to be read."""
    ids = sorted(link_ids)
    for start in range(0, len(ids), 500):
        session.execute(_MARK[side], {"ids": ids[start : start + 500]})
