"""Questions about links: which have to be read, and which wait."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, insert, or_, update
from sqlmodel import Session, col, func, select

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.conflicts import links_asked_about
from nexudus_sync.store.parts import in_parts
from nexudus_sync.store.records import relatives
from nexudus_sync.store.tables import Conflict, Failure, Journal, Link

_THESE = col(Link.id).in_(bindparam("ids", expanding=True))
_MARK = {
    Side.NEXUDUS: update(Link).where(_THESE).values(nexudus_recheck=True),
    Side.CRM: update(Link).where(_THESE).values(crm_recheck=True),
}
_MARKED = {Side.NEXUDUS: col(Link.nexudus_recheck), Side.CRM: col(Link.crm_recheck)}


def _active(connection: str) -> tuple[ColumnElement[bool], ...]:
    return (col(Link.connection) == connection, col(Link.state) == "active")


def _ids(session: Session, query: Any) -> set[int]:
    return {one for one in session.exec(query) if one is not None}


def mark(session: Session, side: Side, link_ids: Iterable[int]) -> None:
    """Mark these links: their records on this side have to be read."""
    for ids in in_parts(sorted(link_ids)):
        session.execute(_MARK[side], {"ids": ids})


def count_active(session: Session, connection: str) -> int:
    """How many active links a connection has."""
    return session.exec(select(func.count()).where(*_active(connection))).one()


def count_marked(session: Session, connection: str) -> dict[Side, int]:
    """How many of them have to be read, by side."""
    nexudus, crm = (func.count(case((_MARKED[side], 1))) for side in Side)
    marks = session.exec(select(nexudus, crm).where(*_active(connection)))
    return dict(zip(Side, marks.one(), strict=True))


def active(session: Session, connection: str) -> set[int]:
    """The active links of a connection."""
    return _ids(session, select(Link.id).where(*_active(connection)))


def marked(session: Session, connection: str, claimed: Collection[int]) -> set[int]:
    """A connection's marked links, and those marked ones of others that it has `claimed`: their card came here."""
    mine = (col(Link.connection) == connection) & (col(Link.state) == "active")
    here = or_(mine, col(Link.id).in_(sorted(claimed)[:30000]))  # SQLite takes no more in one statement
    states = col(Link.state).in_(("active", "sleeping"))
    return _ids(session, select(Link.id).where(here, states, or_(*_MARKED.values())))


def counterparts(session: Session, connection: str, moved: Collection[int]) -> set[str]:
    """The CRM ids of the links that are marked, and of those whose card has moved."""
    ids = set(session.exec(select(Link.crm_id).where(*_active(connection), or_(*_MARKED.values()))))
    for some in in_parts(sorted(moved)):
        ids |= set(session.exec(select(Link.crm_id).where(col(Link.id).in_(some))))
    return ids


def lost_longest_unread(session: Session, connection: str, count: int) -> set[int]:
    """The lost opportunities whose child rows were read longest ago, except those with an open question."""
    asked = select(Conflict.link_id).where(col(Conflict.state) == "open", col(Conflict.link_id).is_not(None))
    free = (col(Link.is_lost), col(Link.crm_recheck).is_(False), col(Link.id).not_in(asked))
    query = select(Link.id).where(*_active(connection), *free)
    return _ids(session, query.order_by(col(Link.crm_children_at).nulls_first(), col(Link.id)).limit(count))


def parked(session: Session, connection: str) -> set[int]:
    """Links with a field that waits for something to appear on the other side (a stage, a user)."""
    waits = (*_active(connection), col(Failure.state) == "open", col(Failure.connection).in_(relatives(connection)))
    return _ids(session, select(Link.id).join(Failure, _of_link()).where(*waits))


def with_resolved_conflicts(session: Session, connection: str) -> set[int]:
    """Links with a conflict that a person resolved and no cycle has carried out yet."""
    mine = (col(Conflict.connection) == connection, col(Conflict.state) == "resolved")
    return _ids(session, select(Conflict.link_id).where(*mine))


def free_to_settle(session: Session, ids: Collection[int]) -> list[Link]:
    """These links, in this order, without those that are closed or wait for the outcome of a write."""
    waiting = select(Journal.link_id).where(col(Journal.state) == "sent", col(Journal.link_id).is_not(None))
    query = select(Link).where(col(Link.id).in_(ids), col(Link.state) != "closed", col(Link.id).not_in(waiting))
    found = {link.id: link for link in session.exec(query)}
    return [found[one] for one in ids if one in found]


def oldest_read(session: Session, connection: str) -> list[int]:
    """The active links of a connection, the longest unread first."""
    query = select(Link.id).where(*_active(connection)).order_by(col(Link.verified_at).nulls_first(), col(Link.id))
    return [one for one in session.exec(query) if one is not None]


def stuck(session: Session, connection: str) -> set[int]:
    """The links that failed as a whole or have a question about the link as a whole."""
    failing = (col(Failure.field) == "", col(Failure.state).in_(("open", "dismissed")))
    mine = (col(Link.connection) == connection, col(Failure.connection).in_(relatives(connection)))
    failed = select(Link.id).join(Failure, _of_link()).where(*mine, *failing)
    return _ids(session, failed) | links_asked_about(session, connection)


def _of_link() -> ColumnElement[bool]:
    """The condition that a failure names both records of a link."""
    return (col(Failure.nexudus_id) == col(Link.nexudus_id)) & (col(Failure.crm_id) == col(Link.crm_id))


def of_record(session: Session, connections: Collection[str], side: Side, record_id: str) -> list[Link]:
    """The links of these connections that go by this id on a side, in whatever state."""
    column = col(Link.nexudus_id) if side is Side.NEXUDUS else col(Link.crm_id)
    return list(session.exec(select(Link).where(col(Link.connection).in_(connections), column == record_id)))


def active_pairs(session: Session, connection: str) -> list[tuple[str, str]]:
    """Nexudus id and CRM id of each active link of a connection."""
    return list(session.exec(select(Link.nexudus_id, Link.crm_id).where(*_active(connection))))


def of_crm_identity(session: Session, crm: str, identity: str) -> Link | None:
    """A link of the CRM's record with this identity, whatever its id by now."""
    return session.exec(select(Link).where(col(Link.crm) == crm, col(Link.crm_identity) == identity)).first()


def count(session: Session, connection: str) -> int:
    """How many links a connection has, closed ones too."""
    return session.exec(select(func.count()).where(col(Link.connection) == connection)).one()


def has_any(session: Session, connection: str) -> bool:
    """Does a connection have any link, even a closed one?"""
    return session.exec(select(Link.id).where(col(Link.connection) == connection).limit(1)).first() is not None


def unclosed(session: Session, connection: str) -> list[Link]:
    """The links of a connection that are active or sleep."""
    return list(session.exec(select(Link).where(col(Link.connection) == connection, col(Link.state) != "closed")))


def count_to_read(session: Session, connection: str) -> int:
    """How many active links have a record that has to be read, on either side."""
    return session.exec(select(func.count()).where(*_active(connection), or_(*_MARKED.values()))).one()


def newest_id(session: Session) -> int:
    """The number of the newest link, 0 where there is none."""
    return session.exec(select(func.max(Link.id))).one() or 0


def made_after(session: Session, number: int, connection: str | None = None) -> list[Link]:
    """The links of one connection, or of all, that are newer than that number, oldest first."""
    query = select(Link).where(col(Link.id) > number)
    if connection is not None:
        query = query.where(col(Link.connection) == connection)
    return list(session.exec(query.order_by(col(Link.id))))


def make(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Store new links, given by column; returns their numbers, in that order."""
    if not rows:
        return []
    made = session.execute(insert(Link).returning(col(Link.id), sort_by_parameter_order=True), rows)
    return [number for (number,) in made]


def note_digests(session: Session, side: Side, digests: Mapping[int, str]) -> None:
    """Keep the digests of the rows that a listing showed of links' records, by link."""
    if digests:
        column = "nexudus_digest" if side is Side.NEXUDUS else "crm_digest"
        session.execute(update(Link), [{"id": link_id, column: digest} for link_id, digest in digests.items()])


def to_read(session: Session, connection: str) -> set[int]:
    """The active links with a record that has to be read, on either side."""
    return _ids(session, select(Link.id).where(*_active(connection), or_(*_MARKED.values())))


def idle_to_read(session: Session, connection: str) -> list[Link]:
    """The sleeping and closed links whose CRM record has to be read, which no merge will do."""
    idle = (col(Link.connection) == connection, col(Link.state) != "active", col(Link.crm_recheck))
    return list(session.exec(select(Link).where(*idle)))


def closed(session: Session, connection: str) -> list[Link]:
    """The closed links of a connection, oldest first."""
    mine = (col(Link.connection) == connection, col(Link.state) == "closed")
    return list(session.exec(select(Link).where(*mine).order_by(col(Link.id))))


def closed_ids(session: Session, connection: str) -> set[int]:
    """The ids of the closed links of a connection."""
    return _ids(session, select(Link.id).where(col(Link.connection) == connection, col(Link.state) == "closed"))


def cards(session: Session) -> set[str]:
    """The cards of all links of all connections, closed ones too."""
    return set(session.exec(select(Link.nexudus_id)))


def of_numbers(session: Session, numbers: Collection[int]) -> list[Link]:
    """The links of these numbers that there are, oldest first."""
    return list(session.exec(select(Link).where(col(Link.id).in_(numbers)).order_by(col(Link.id))))
