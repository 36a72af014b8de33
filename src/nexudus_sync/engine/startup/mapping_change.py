"""Adopt an edited mapping file: forget_agreed what never travelled, so that it is matched for the first time."""

from nexudus_sync.engine.connection import Connection, fingerprint
from nexudus_sync.engine.inbox import RECORD
from nexudus_sync.engine.read.changes import forget_agreed, newly_synced, synced_places
from nexudus_sync.engine.read.zones import ZONE
from nexudus_sync.mapping import Field, Side
from nexudus_sync.store import Session, conflicts, failures, links, unlinked
from nexudus_sync.store.tables import ConnectionState


def adopt_mapping(session: Session, connection: Connection, state: ConnectionState) -> None:
    """When the mapping changed, what waits for it is looked at again.

    A field whose edits on a side did not travel before is a first match of its own on every link: what was remembered
    of it was never carried over, so the two sides may differ though neither changed.
    """
    mapping, zone = connection.mapping, connection.scope(Side.NEXUDUS).time_zone
    digest, said = fingerprint(repr(mapping)), f"{ZONE} {zone.key if zone else ''}"
    if state.mapping_digest and state.mapping_digest != digest:
        _look_again(session, connection, newly_synced(mapping, state.mapped_paths))
    if any(one.startswith(ZONE) and one != said for one in state.mapped_paths):
        links.mark(session, Side.NEXUDUS, links.active(session, connection.name))  # its days may be others now
    state.mapping_digest, state.mapped_paths = digest, [*sorted(synced_places(mapping)), said]
    session.add(state)


def _look_again(session: Session, connection: Connection, new: list[Field]) -> None:
    """What waits for another mapping is due; of the fields in `new` nothing is remembered on any link."""
    for link in links.unclosed(session, connection.name) if new else ():
        forget_agreed(link, new)
        session.add(link)
    for side in Side:
        waiting = links.active if new else links.parked
        links.mark(session, side, waiting(session, connection.name))
    unlinked.take_up_again(session, connection.name, "refused")
    failures.wake(session, connection.name, connection.clock.now())
    _drop_questions(session, connection)


def _drop_questions(session: Session, connection: Connection) -> None:
    """Nobody needs to decide about a field that does not travel any more, and nothing of it waits."""
    names = {RECORD, "", *(field.name for field in connection.mapping.fields)}
    conflicts.close_unmapped(session, connection.name, names, connection.clock.now())
    failures.solve_unmapped(session, connection.name, names)
