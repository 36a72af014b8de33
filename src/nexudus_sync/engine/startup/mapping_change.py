"""Adopt an edited mapping file: forget what was never synced, so that it becomes a first match."""

from nexudus_sync.engine.connection import Connection, fingerprint
from nexudus_sync.engine.inbox import RECORD
from nexudus_sync.engine.read.changes import forget_agreed, newly_synced, synced_places
from nexudus_sync.engine.read.zones import ZONE
from nexudus_sync.mapping import Field, Side
from nexudus_sync.store import Session, conflicts, failures, links, unlinked
from nexudus_sync.store.tables import ConnectionState


def adopt_mapping(session: Session, connection: Connection, state: ConnectionState) -> None:
    """If the mapping changed, look again at what waits for another mapping.

    A field with a side whose edits were not synced before is a first match on every link: its remembered value was
    never delivered, so the sides may differ although neither has changed.
    """
    mapping, zone = connection.mapping, connection.scope(Side.NEXUDUS).time_zone
    digest, said = fingerprint(repr(mapping)), f"{ZONE} {zone.key if zone else ''}"
    if state.mapping_digest and state.mapping_digest != digest:
        _look_again(session, connection, newly_synced(mapping, state.mapped_paths))
    if any(one.startswith(ZONE) and one != said for one in state.mapped_paths):
        links.mark(session, Side.NEXUDUS, links.active(session, connection.name))  # days may differ in the new zone
    state.mapping_digest, state.mapped_paths = digest, [*sorted(synced_places(mapping)), said]
    connection.mapping_known = (state.mapping_digest, state.mapped_paths)
    session.add(state)


def _look_again(session: Session, connection: Connection, new: list[Field]) -> None:
    """Make everything due that waits for another mapping, and forget the fields in `new` on every link."""
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
    """Close the questions and failures about fields that are no longer synced."""
    names = {RECORD, "", *(field.name for field in connection.mapping.fields)}
    conflicts.close_unmapped(session, connection.name, names, connection.clock.now())
    failures.solve_unmapped(session, connection.name, names)
