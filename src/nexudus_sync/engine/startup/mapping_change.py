"""Adopt an edited mapping file: forget what never travelled, so that it is matched for the first time."""

from sqlmodel import Session, col, select, update

from nexudus_sync.engine.connection import Connection, fingerprint
from nexudus_sync.engine.inbox import RECORD
from nexudus_sync.engine.read.changes import forget, heard, newly_heard
from nexudus_sync.engine.read.sight import ZONE
from nexudus_sync.mapping import Side
from nexudus_sync.store import failures, links, unlinked
from nexudus_sync.store.tables import Conflict, ConnectionState, Failure, Link


def adopt_mapping(session: Session, connection: Connection, state: ConnectionState) -> None:
    """When the mapping changed, what waits for it is looked at again.

    A field whose edits on a side did not travel before is a first match of its own on every link: what was remembered
    of it was never carried over, so the two sides may differ though neither changed.
    """
    mapping, zone = connection.mapping, connection.scope(Side.NEXUDUS).time_zone
    digest, said = fingerprint(repr(mapping)), f"{ZONE} {zone.key if zone else ''}"
    if state.mapping_digest and state.mapping_digest != digest:
        new = newly_heard(mapping, state.mapped_paths)
        mine = select(Link).where(col(Link.connection) == connection.name, col(Link.state) != "closed")
        for link in session.exec(mine) if new else ():
            forget(link, new)
            session.add(link)
        for side in Side:
            waiting = links.active if new else links.parked
            links.mark(session, side, waiting(session, connection.name))
        unlinked.take_up_again(session, connection.name, "refused")
        failures.wake(session, connection.name, connection.clock.now())
        _drop_questions(session, connection)
    if any(one.startswith(ZONE) and one != said for one in state.mapped_paths):
        links.mark(session, Side.NEXUDUS, links.active(session, connection.name))  # its days may be others now
    state.mapping_digest, state.mapped_paths = digest, [*sorted(heard(mapping)), said]
    session.add(state)


def _drop_questions(session: Session, connection: Connection) -> None:
    """Nobody needs to decide about a field that does not travel any more, and nothing of it waits."""
    names = {RECORD, "", *(field.name for field in connection.mapping.fields)}
    now = connection.clock.now()
    about = (col(Conflict.connection) == connection.name, col(Conflict.state) != "closed")
    stale = (*about, col(Conflict.field).not_in(names))
    session.execute(update(Conflict).where(*stale).values(state="closed", closed_at=now))
    waits = (
        col(Failure.connection) == connection.name,
        col(Failure.state) != "solved",
        col(Failure.field).not_in(names),
    )
    session.execute(update(Failure).where(*waits).values(state="solved", next_attempt=None))
