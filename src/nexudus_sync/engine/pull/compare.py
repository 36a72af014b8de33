"""Compare a listed row with what the store remembers: is it news, and whose?"""

from dataclasses import dataclass

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Row
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import of_record
from nexudus_sync.engine.read.changes import as_unlinked
from nexudus_sync.engine.read.fetch import is_older, unusable
from nexudus_sync.engine.read.sight import Fresh, Listed, Listing
from nexudus_sync.mapping import Side
from nexudus_sync.store.records import Remembered


def _is_ours(connection: Connection, side: Side, row: Row, known: Remembered | None) -> bool:
    """Is it in this connection's scope, or linked by it?"""
    linked = known is not None and known.link_id is not None and known.connection == connection.name
    return linked or connection.connector(side).in_scope(row.record, connection.scope(side))


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a listing is compared with: remembered records by id, links by identity, and ids whose rows are wanted.

    `alone` holds the unlinked records, also where a link goes by the same id. `spelt` gives, by the case-folded id, the
    spelling that the store knows.
    """

    known: dict[str, Remembered]
    alone: dict[str, Remembered]
    namesakes: dict[str, list[int]]
    wanted: set[str]
    spelt: dict[str, str]


def sort_row(connection: Connection, seen: Listing, listed: Listed, before: Baseline) -> None:
    """Sort a row; one that makes no sense is noted as odd."""
    known = before.known.get(listed.row.id)
    try:
        _sort(connection, seen, listed, before)
        seen.inside += _is_ours(connection, seen.side, listed.row, known)
    except Exception as error:
        note_odd(connection, seen, listed.row, known, error)


def note_odd(connection: Connection, seen: Listing, row: Row, known: Remembered | None, error: Exception) -> None:
    """Note a row that makes no sense: a linked record is read by its id, an unlinked one becomes a failure."""
    problem = unusable(connection, seen.side, row.record) or of_record(error)
    seen.fresh.pop(row.id, None)
    seen.rows.pop(row.id, None)
    if known is None or known.link_id is None:  # is not linked, so nothing else will show it
        seen.odd[row.id] = problem
    elif known.connection == connection.name:
        seen.moved.add(known.link_id)


def _sort(connection: Connection, seen: Listing, listed: Listed, before: Baseline) -> None:
    """Is this row news, and whose?"""
    row = listed.row
    known = before.known.get(row.id)
    if row.id in seen.twice:  # was listed twice: one of the rows is another record's
        seen.doubtful[row.id] = listed
    elif known is not None and _is_another(connection, seen.side, row, known):
        alone = before.alone.get(row.id)
        if alone is not None and alone.identity == connection.facts(seen.side, row.record).identity:
            sort_unlinked(connection, seen, listed, alone)  # was read before, and is known to be another record
        else:  # says that it is another record, which only a full read proves
            seen.doubtful[row.id] = listed
    elif known is None or known.link_id is None:
        sort_unlinked(connection, seen, listed, known)
        mark_namesake(connection, seen, row, before.namesakes)
        _mark_merged(connection, seen, row, before.known)
    elif known.state != "closed":
        sort_linked(connection, seen, listed, known, known.link_id, before.wanted)


def _is_another(connection: Connection, side: Side, row: Row, known: Remembered) -> bool:
    """Does the row say that it is about another record than the one known by its id?"""
    return bool(known.identity) and not same_identity(known.identity, connection.facts(side, row.record).identity)


def mark_namesake(connection: Connection, seen: Listing, row: Row, namesakes: dict[str, list[int]]) -> None:
    """Mark the links of the same identity under another id: one of them may have been renamed, which a read tells."""
    if namesakes:
        seen.moved.update(namesakes.get(connection.facts(seen.side, row.record).identity, ()))


def _mark_merged(connection: Connection, seen: Listing, row: Row, known: dict[str, Remembered]) -> None:
    """Mark the links of the records that were merged into this new one: one of them follows before it is copied."""
    if seen.side is Side.NEXUDUS:
        return  # merges no cards, and a first run lists many
    for record_id in connection.facts(seen.side, row.record).merged:
        link = known.get(record_id)
        if link is not None and link.link_id is not None and link.state == "active":
            seen.moved.add(link.link_id)


def sort_linked(
    connection: Connection, seen: Listing, listed: Listed, known: Remembered, link_id: int, wanted: set[str]
) -> None:
    """Is a row of a linked record news?"""
    row, mine = listed.row, known.connection == connection.name
    claimed = _is_claimed(connection, seen.side, row, known)
    if not (mine and known.state == "active") and not claimed:
        return
    news = _note_news(connection, seen, row, known, link_id)
    moved = claimed or known.recheck or news or known.stamp == ""
    if moved:
        seen.moved.add(link_id)
    if (moved or row.id in wanted) and not _is_doubtful(connection, seen.side, row, known):
        seen.rows[row.id] = listed
    else:
        seen.rows.pop(row.id, None)


def _is_claimed(connection: Connection, side: Side, row: Row, known: Remembered) -> bool:
    """Did a linked card come into this connection's scope, from another one's or from outside all scopes?"""
    came = known.connection != connection.name or known.state == "sleeping"
    return side is Side.NEXUDUS and came and connection.connector(side).in_scope(row.record, connection.scope(side))


def _note_news(connection: Connection, seen: Listing, row: Row, known: Remembered, link_id: int) -> bool:
    """Did a linked record move? Notes when, and whether only the system moved it, without changing its content."""
    news = known.stamp != "" and _moved(connection, seen.side, row, known)
    if news:
        seen.news[link_id] = connection.our_time(seen.side, row.stamp.at)
        if row.minor and known.digest in {"", connection.digest(seen.side, row.record)}:
            seen.minor.add(link_id)
    elif not known.digest:
        seen.learnt[link_id] = connection.digest(seen.side, row.record)
    return news


def _is_doubtful(connection: Connection, side: Side, row: Row, known: Remembered) -> bool:
    """Is the row older than what is known, or as old with other content? Lists can lag: then the record is read."""
    if row.stamp.token != known.stamp:
        return is_older(connection, side, known, row.stamp)
    return _moved(connection, side, row, known)


def _moved(connection: Connection, side: Side, row: Row, known: Remembered) -> bool:
    if row.stamp.token != known.stamp:
        return True
    return bool(known.digest) and connection.digest(side, row.record) != known.digest


def _is_changed(connection: Connection, side: Side, row: Row, known: Remembered) -> bool:
    """Does the row of a record without a counterpart say something else than when it was last seen?"""
    if row.stamp.token != known.stamp:
        return True
    return bool(known.digest) and connection.digest_alone(side, row.record) != known.digest


def sort_unlinked(connection: Connection, seen: Listing, listed: Listed, known: Remembered | None) -> None:
    """Is a row of a record without a link new or changed? Raises whatever error a row causes that makes no sense."""
    row = listed.row
    if not connection.connector(seen.side).in_scope(row.record, connection.scope(seen.side)):
        if known is not None:
            seen.gone_unlinked.add(row.id)
        return
    if known is None or known.recheck or row.hot or _is_changed(connection, seen.side, row, known):
        # an odd row is told here, not in the transaction that stores all rows
        seen.fresh[row.id] = Fresh(listed, as_unlinked(connection, seen.side, row))
