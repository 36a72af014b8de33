"""Links, and what the store remembers of every record's last seen state."""

from collections.abc import Collection, Iterator
from datetime import datetime
from sys import intern
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import ColumnElement, and_, case, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from nexudus_sync.errors import StoreError
from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.parts import in_parts
from nexudus_sync.store.tables import ConnectionState, Journal, Link, Unlinked


class Remembered(NamedTuple):
    """What a record looked like when it was last read: enough to tell whether it must be read again.

    `link_id` is None for a record without a link; `state` is then `Unlinked.state`, else `Link.state`. `identity` is
    "" where it is not known. There are as many of these as records, so each holds no more than every row needs.
    """

    link_id: int | None
    stamp: str
    digest: str
    recheck: bool
    state: str
    connection: str
    identity: str = ""


class Memory(NamedTuple):
    """What is remembered of one side, by record id: of linked and unlinked records, and of the latter `alone`.

    `replaced` are the connection's active links whose id a younger link goes by: their own record lost it.
    """

    known: dict[str, Remembered]
    alone: dict[str, Remembered]
    replaced: set[int]


def connection_state(session: Session, name: str, crm: str) -> ConnectionState:
    """The state kept for the connection `name`, created if there is none (so the first time needs a writing session).

    Raises StoreError if the store knows the connection with another CRM: its links would be out of sight, and every
    record would be created again.
    """
    state = session.get(ConnectionState, name)
    if state is None:
        state = ConnectionState(name=name, crm=crm)
        session.add(state)
        session.flush()
    elif state.crm != crm:
        raise StoreError(
            f"connection {name}: the store knows it with crm {state.crm!r}, not {crm!r}; give this one another name"
        )
    return state


def links(session: Session, connection: str, states: Collection[str] = ("active",)) -> list[Link]:
    """The connection's links in one of `states`, oldest first, snapshots and all (see `remembered` for a slim view)."""
    query = select(Link).where(col(Link.connection) == connection, col(Link.state).in_(states))
    return list(session.exec(query.order_by(col(Link.id))))


def link_by(
    session: Session,
    crm: str,
    *,
    nexudus_id: str | None = None,
    crm_id: str | None = None,
    crm_identity: str | None = None,
) -> Link | None:
    """The link of a record within one CRM, in whatever connection and state; arguments that are None do not count.

    Of several links whose records had the id in turn, one that is not closed comes first, then the newest. Without any
    id: None.
    """
    asked = ((Link.nexudus_id, nexudus_id), (Link.crm_id, crm_id), (Link.crm_identity, crm_identity))
    terms = [col(column) == value for column, value in asked if value is not None]
    if nexudus_id is None and crm_id is None:
        return None
    query = select(Link).where(col(Link.crm) == crm, *terms)
    closed_last = case((col(Link.state) == "closed", 1), else_=0)
    return session.exec(query.order_by(closed_last, col(Link.id).desc())).first()


def links_of(session: Session, crm: str, side: Side, record_id: str, identity: str) -> list[Link]:
    """The links that may be this very record's: with its id and, as far as known, its identity.

    A link in force comes first, then the newest.
    """
    query = select(Link).where(col(Link.crm) == crm, _id(side) == record_id, may_be(side, identity))
    closed_last = case((col(Link.state) == "closed", 1), else_=0)
    return list(session.exec(query.order_by(closed_last, col(Link.id).desc())))


def mark_namesakes(session: Session, link: Link) -> None:
    """Mark the other links that go by the id of a new link's card: their own card has to be looked for."""
    same = (col(Link.crm) == link.crm, col(Link.nexudus_id) == link.nexudus_id, col(Link.id) != link.id)
    for other in session.exec(select(Link).where(*same, col(Link.state) != "closed")):
        other.nexudus_recheck = True
        session.add(other)


def may_be(side: Side, identity: Any) -> ColumnElement[bool]:
    """The condition for links that may be of a record with this identity (a text or a column): equal or unknown."""
    mine = col(Link.nexudus_identity if side is Side.NEXUDUS else Link.crm_identity)
    unknown = sqlalchemy.literal(identity) if isinstance(identity, str) else identity
    return or_(mine == identity, mine == "", and_(unknown == "", mine.not_like("~%")))


def _id(side: Side) -> Any:
    return col(Link.nexudus_id if side is Side.NEXUDUS else Link.crm_id)


def alone(side: Side, record_id: str) -> tuple[str, str]:
    """The Nexudus id and the CRM id that rows about a record without a counterpart bear."""
    return (record_id, "") if side is Side.NEXUDUS else ("", record_id)


def family(crm: str) -> SelectOfScalar[str]:
    """The connections that there ever were to a CRM: records move from one scope into another."""
    return select(ConnectionState.name).where(col(ConnectionState.crm) == crm)


def relatives(connection: str) -> sqlalchemy.CompoundSelect[Any]:
    """A connection and the others that there ever were to its CRM: rows about a pair may be under any of them."""
    other, own = aliased(ConnectionState), aliased(ConnectionState)
    known = sqlalchemy.select(col(other.name)).join(own, col(own.crm) == col(other.crm))
    itself = sqlalchemy.select(sqlalchemy.literal(connection))  # the store may not know it yet
    return sqlalchemy.union_all(known.where(col(own.name) == connection), itself)


def connections_to(session: Session, crm: str) -> set[str]:
    """The names of the connections that there ever were to a CRM."""
    return set(session.exec(family(crm)))


def is_another(session: Session, crm: str, crm_id: str, identity: str) -> bool:
    """Is this CRM record known as another one than a renamed one: is it linked, or has matching looked at it?

    An unlinked record that may be a linked one under a new id is not matched before that link's record was read. It is
    waiting only for that read, and no copy of it has been attempted.
    """
    if link_by(session, crm, crm_id=crm_id, crm_identity=identity) is not None:
        return True
    query = select(Unlinked.record_id).where(
        col(Unlinked.connection).in_(family(crm)),
        col(Unlinked.side) == Side.CRM.value,
        col(Unlinked.record_id) == crm_id,
        col(Unlinked.identity) == identity,
        col(Unlinked.state) != "waiting",
    )
    if session.exec(query).first() is not None:
        return True
    tried = select(Journal).where(
        col(Journal.connection).in_(family(crm)),
        col(Journal.side) == Side.NEXUDUS.value,
        col(Journal.crm_id) == crm_id,
        col(Journal.nexudus_id) == "",
    )
    return any(one.step.get("identity") == identity for one in session.exec(tried))


def remembered(session: Session, crm: str, connection: str, side: Side, ids: Collection[str] | None = None) -> Memory:
    """What is remembered of one side: every link of the CRM, and the connection's unlinked records.

    The links of other connections are among them, since a record may have moved from their scope into this one. If
    several records had an id in turn, the link in force wins, then the unlinked record, then closed links. `ids`: only
    of these records.
    """
    alone = dict(_rows(session, _unlinked(connection, side), col(Unlinked.record_id), ids))
    closed, in_force, replaced = dict[str, Remembered](), dict[str, Remembered](), set[int]()
    for record_id, known in _rows(session, _linked(crm, side), _id(side), ids):
        if known.state == "closed":
            closed[record_id] = known
            continue
        older = in_force.get(record_id)
        if older is not None and older.link_id and (older.connection, older.state) == (connection, "active"):
            replaced.add(older.link_id)
        in_force[record_id] = known
    return Memory({**closed, **alone, **in_force}, alone, replaced)


def _unlinked(connection: str, side: Side) -> sqlalchemy.Select[Any]:
    """A connection's records without a counterpart, as `Remembered` wants them."""
    row: Any = Unlinked
    no_link = sqlalchemy.null()
    columns = (row.record_id, no_link, row.stamp, row.digest, row.recheck, row.state, row.connection, row.identity)
    return sqlalchemy.select(*columns).where(row.connection == connection, row.side == side.value)


def _linked(crm: str, side: Side) -> sqlalchemy.Select[Any]:
    """Every link of a CRM, oldest first, as `Remembered` wants it."""
    wanted = ("id", "stamp", "digest", "recheck", "identity")
    record_id, stamp, digest, recheck, identity = (getattr(Link, f"{side.value}_{column}") for column in wanted)
    row: Any = Link
    columns = (record_id, row.id, stamp, digest, recheck, row.state, row.connection, identity)
    return sqlalchemy.select(*columns).where(row.crm == crm).order_by(row.id)


def stamped_at(session: Session, side: Side, link_id: int) -> datetime | None:
    """The time in the newest known stamp of a link's record."""
    column = col(Link.nexudus_stamped_at if side is Side.NEXUDUS else Link.crm_stamped_at)
    return session.exec(select(column).where(col(Link.id) == link_id)).first()


def namesakes(session: Session, crm: str) -> dict[str, list[int]]:
    """By identity, the ids of all links of a CRM, including those whose record lost its id to another link."""
    query = select(Link.crm_identity, Link.id).where(col(Link.crm) == crm, col(Link.crm_identity) != "")
    found: dict[str, list[int]] = {}
    for identity, link_id in session.exec(query):
        if link_id is not None:
            found.setdefault(identity, []).append(link_id)
    return found


def _rows(
    session: Session, query: sqlalchemy.Select[Any], record_id: Any, ids: Collection[str] | None
) -> Iterator[tuple[str, Remembered]]:
    """The rows of a query, all of them or those of these ids, each with the id of its record."""
    parts = [query] if ids is None else [query.where(record_id.in_(some)) for some in in_parts(ids)]
    for part in parts:
        # On the connection itself: as objects of the session, thousands of rows would cost many times as much.
        for named, link_id, stamp, digest, recheck, state, name, identity in session.connection().execute(part):
            # the same few texts in every row
            yield named, Remembered(link_id, stamp, digest, recheck, intern(state), intern(name), identity)


def sides_of(session: Session, connections: Collection[str], record_id: str) -> set[Side]:
    """The sides on which a record of this id is known, linked or alone, in any of these connections."""
    alone = (col(Unlinked.record_id) == record_id, col(Unlinked.connection).in_(connections))
    known = {Side(side) for side in session.exec(select(Unlinked.side).where(*alone))}
    for side in Side:
        linked = (_id(side) == record_id, col(Link.connection).in_(connections))
        if session.exec(select(Link.id).where(*linked).limit(1)).first() is not None:
            known.add(side)
    return known


def connections_of(session: Session, nexudus_id: str, crm_id: str) -> set[str]:
    """The connections that know one of two records, alone or linked with another."""
    alone = select(Unlinked.connection).where(col(Unlinked.record_id).in_((nexudus_id, crm_id)))
    linked = select(Link.connection).where(or_(col(Link.nexudus_id) == nexudus_id, col(Link.crm_id) == crm_id))
    return {*session.exec(alone), *session.exec(linked)}
