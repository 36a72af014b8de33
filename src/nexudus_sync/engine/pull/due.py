"""What is due although no listing shows it: rotating full reads, and fields whose mapping changed."""

from math import ceil

from sqlmodel import Session, col, select, update

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import RECORD
from nexudus_sync.store.tables import Conflict, Failure, Link, Unlinked


def turn(session: Session, connection: str, days: int) -> set[int]:
    """The links whose turn it is, the longest unread first, so that each comes once in so many days.

    What failed as a whole or is asked about may never be read whole: such links are taken besides, and keep no other
    waiting.
    """
    mine = (col(Link.connection) == connection, col(Link.state) == "active")
    query = select(Link.id).where(*mine).order_by(col(Link.verified_at), col(Link.id))
    links = [one for one in session.exec(query) if one is not None]
    stuck = _stuck(session, connection)
    free = [one for one in links if one not in stuck]
    return stuck.intersection(links) | set(free[: ceil(len(links) / days)])


def _stuck(session: Session, connection: str) -> set[int]:
    pair = (col(Failure.nexudus_id) == col(Link.nexudus_id)) & (col(Failure.crm_id) == col(Link.crm_id))
    failed = (
        select(Link.id)
        .join(Failure, pair)
        .where(
            col(Link.connection) == connection,
            col(Failure.field) == "",
            col(Failure.state).in_(("open", "dismissed")),
        )
    )
    asked = select(Conflict.link_id).where(
        col(Conflict.connection) == connection, col(Conflict.field) == RECORD, col(Conflict.state) != "closed"
    )
    return {one for one in (*session.exec(failed), *session.exec(asked)) if one is not None}


def retake(session: Session, connection: Connection) -> None:
    """Unlinked records that a rule refused are looked at again."""
    refused = (col(Unlinked.connection) == connection.name, col(Unlinked.state) == "refused")
    session.execute(update(Unlinked).where(*refused).values(state="waiting"))
