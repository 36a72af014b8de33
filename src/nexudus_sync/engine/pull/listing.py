"""List a side: every page, then a closer look at what its rows leave in doubt."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Page, Priority, Row, Scope
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import of_record
from nexudus_sync.engine.pull.compare import Baseline, mark_namesake, note_odd, sort_linked, sort_row, sort_unlinked
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.engine.read.sight import Listed, Listing
from nexudus_sync.mapping import Side
from nexudus_sync.store import records
from nexudus_sync.store.records import Remembered
from nexudus_sync.store.tables import ConnectionState

CLOSER = 100
"""At most this many doubtful rows of one listing are read by id."""


async def list_side(
    connection: Connection,
    side: Side,
    *,
    full: bool = False,
    keep: Iterable[str] = (),
    priority: Priority = Priority.LIVE,
) -> Listing:
    """List a side.

    `full`: everything there is, not only what moved since the cursor; `keep`: ids whose rows are wanted anyway.
    """
    traits = connection.connector(side).traits
    cursor = None if full else _cursor(connection, side)
    # by its cursor, Nexudus lists few records; a CRM's are also looked for by identity, and by an id spelt otherwise
    partly = cursor is not None and side is Side.NEXUDUS and not traits.lists_everything
    before, replaced = _remembered(connection, side, keep, partly=partly)
    seen = Listing(side, absent=set(replaced) if full or side is Side.CRM else set())
    at = connection.clock.monotonic()
    async for page in _pages(connection, side, connection.scope(side), cursor, priority, before):
        seen.twice |= _twice(page)
        if partly:
            _recall(connection, side, before, page)
        _sort(connection, seen, page, at, before)
        at = connection.clock.monotonic()
        _finish(seen, page, can_be_complete=traits.lists_everything or cursor is None)
    if seen.doubtful:
        await _look_closer(connection, seen, before, priority)
    if seen.complete:
        _note_absences(connection, seen, before)
        if seen.absent - replaced:
            await _find_elsewhere(connection, seen, before, priority)
    return seen


def _sort(connection: Connection, seen: Listing, page: Page, at: float, before: Baseline) -> None:
    """Sort a page's rows, which are as old as its request: that of `at`, or an earlier one."""
    asked_at = at if page.asked_at is None else page.asked_at
    for row in page.rows:
        seen.ids.add(row.id)
        sort_row(connection, seen, Listed(row, asked_at), before)


def _remembered(connection: Connection, side: Side, keep: Iterable[str], *, partly: bool) -> tuple[Baseline, set[int]]:
    """What the rows are compared with, and the links whose id another record bears.

    `partly`: few records will be listed, and each page's are recalled when it comes.
    """
    ids = () if partly else None
    with connection.store.read() as session:
        known, alone, replaced = records.remembered(session, connection.crm, connection.name, side, ids)
        namesakes = records.namesakes(session, connection.crm) if side is Side.CRM else {}
    spelt = _spelt(known) if connection.connector(side).traits.ignores_case else {}
    return Baseline(known, alone, namesakes, set(keep), spelt), replaced


def _recall(connection: Connection, side: Side, before: Baseline, page: Page) -> None:
    """Add what is remembered of a page's records."""
    ids = {row.id for row in page.rows} - before.known.keys()
    if not ids:
        return
    with connection.store.read() as session:
        known, alone, _ = records.remembered(session, connection.crm, connection.name, side, ids)
    before.alone.update(alone)
    before.known.update(known)


def _cursor(connection: Connection, side: Side) -> str | None:
    """Where the listing of a side continues."""
    with connection.store.read() as session:
        state = session.get(ConnectionState, connection.name)
    return None if state is None else cursor_of(state, side)


def cursor_of(state: ConnectionState, side: Side) -> str | None:
    """Where the next listing of a side begins; None if no listing was ever finished."""
    return state.nexudus_cursor if side is Side.NEXUDUS else state.crm_cursor


def _finish(seen: Listing, page: Page, *, can_be_complete: bool) -> None:
    if page.cursor is not None:
        seen.cursor = page.cursor
        seen.complete = page.complete and can_be_complete


def _spelt(known: dict[str, Remembered]) -> dict[str, str]:
    """The known ids by their case-folded form; of two that are the same there, a link's that is in force counts."""
    in_force = sorted(known, key=lambda one: known[one].link_id is not None and known[one].state != "closed")
    return {record_id.casefold(): record_id for record_id in in_force}


async def _pages(
    connection: Connection, side: Side, scope: Scope, cursor: str | None, priority: Priority, before: Baseline
) -> AsyncIterator[Page]:
    """The pages of a listing, with each record's id spelled as the store knows it."""
    connector = connection.connector(side)
    async for page in connector.scan(scope, cursor, priority):
        if not connector.traits.ignores_case:
            yield page
            continue
        spelt = [before.spelt.setdefault(row.id.casefold(), row.id) for row in page.rows]
        yield replace(page, rows=[replace(row, id=one) for row, one in zip(page.rows, spelt, strict=True)])


async def _find_elsewhere(connection: Connection, seen: Listing, before: Baseline, priority: Priority) -> None:
    """Look for absent counterparts in other companies: there they are not absent, and may be news."""
    connector, scope = connection.connector(seen.side), connection.scope(seen.side)
    if seen.side is Side.NEXUDUS or scope.company is None or connector.traits.lists_everything:
        return
    at = connection.clock.monotonic()
    async for page in _pages(connection, seen.side, replace(scope, company=None), None, priority, before):
        for row in page.rows:
            there = before.known.get(row.id)
            if there is None or there.link_id not in seen.absent:
                continue
            if same_identity(there.identity, connection.facts(seen.side, row.record).identity):
                seen.absent.discard(there.link_id)
                asked_at = at if page.asked_at is None else page.asked_at
                sort_linked(connection, seen, Listed(row, asked_at), there, there.link_id, before.wanted)
        at = connection.clock.monotonic()


def _twice(page: Page) -> set[str]:
    """The ids that a page lists twice with different content: one of the rows is another record's."""
    if len({row.id for row in page.rows}) == len(page.rows):
        return set()
    found, twice = dict[str, Row](), set[str]()
    for row in page.rows:
        if found.setdefault(row.id, row).record != row.record:
            twice.add(row.id)
    return twice


async def _look_closer(connection: Connection, seen: Listing, before: Baseline, priority: Priority) -> None:
    """Read doubtful rows by id: only the full record proves that it is another one.

    Beyond `CLOSER` there are too many for a mistake in a row: the brakes judge, and nothing new is taken up.
    """
    for record_id, listed in list(seen.doubtful.items()):
        seen.rows.pop(record_id, None)
        seen.closer += 1
        row = await _read_closer(connection, seen, listed.row, priority) if seen.closer <= CLOSER else None
        if row is None and seen.side is Side.CRM and record_id not in seen.twice:
            row = listed.row  # CRMs reuse names every day, so the row is believed until it can be read
        try:
            _settle_doubt(connection, seen, before, record_id, None if row is None else replace(listed, row=row))
        except Exception as error:
            note_odd(connection, seen, listed.row if row is None else row, before.known.get(record_id), error)


async def _read_closer(connection: Connection, seen: Listing, row: Row, priority: Priority) -> Row | None:
    """The row rebuilt from the full record; None if that cannot be read now."""
    connector = connection.connector(seen.side)
    try:
        record = await fetch(connection, seen.side, row.id, priority=priority)
    except Exception as error:
        of_record(error)
        return None
    return Row(row.id, connector.stamp(record), record, hot=row.hot)


def _settle_doubt(
    connection: Connection, seen: Listing, before: Baseline, record_id: str, listed: Listed | None
) -> None:
    """Decide by the full record whose row this is; if that is unknown, the link is looked at again."""
    known, row = before.known.get(record_id), None if listed is None else listed.row
    link_id = None if known is None else known.link_id
    same = _is_same(connection, seen.side, row, known)
    if known is not None and link_id is not None and known.state == "active":
        (seen.moved if same and seen.closer <= CLOSER else seen.absent).add(link_id)
    if listed is not None and not (link_id is not None and same):
        sort_unlinked(connection, seen, listed, before.alone.get(record_id))
        mark_namesake(connection, seen, listed.row, before.namesakes)


def _is_same(connection: Connection, side: Side, row: Row | None, known: Remembered | None) -> bool:
    """Is the row about the known record, as far as their identities tell?"""
    if row is None or known is None:
        return True
    return same_identity(known.identity, connection.facts(side, row.record).identity)


def _note_absences(connection: Connection, seen: Listing, before: Baseline) -> None:
    seen.gone_unlinked.update(before.alone.keys() - seen.ids)
    for record_id, remembered in before.known.items():
        if record_id in seen.ids or remembered.connection != connection.name:
            continue
        if remembered.link_id is not None and remembered.state == "active":
            seen.absent.add(remembered.link_id)
