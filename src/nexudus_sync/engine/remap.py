"""What an edited mapping file means for what is remembered."""

from collections.abc import Collection, Iterable

from sqlmodel import Session, col, select, update

from nexudus_sync.engine.agree import set_snapshot
from nexudus_sync.engine.bridge import Bridge, fingerprint
from nexudus_sync.engine.outcomes import RECORD
from nexudus_sync.engine.pull import mark
from nexudus_sync.engine.sight import ZONE, snapshot_of
from nexudus_sync.mapping import Field, Mapping, Side
from nexudus_sync.store import failures
from nexudus_sync.store.tables import Conflict, ConnectionState, Failure, Link, Unlinked


def take_mapping(session: Session, bridge: Bridge, state: ConnectionState) -> None:
    """When the mapping changed, what waits for it is looked at again.

    A field whose edits on a side did not travel before is a first match of its own on every link: what was remembered
    of it was never carried over, so the two sides may differ though neither changed.
    """
    mapping, zone = bridge.mapping, bridge.scope(Side.NEXUDUS).time_zone
    digest, said = fingerprint(repr(mapping)), f"{ZONE} {zone.key if zone else ''}"
    if state.mapping_digest and state.mapping_digest != digest:
        new = newly_heard(mapping, state.mapped_paths)
        mine = select(Link).where(col(Link.connection) == bridge.name, col(Link.state) != "closed")
        for link in session.exec(mine) if new else ():
            forget(link, new)
            session.add(link)
        for side in Side:
            mark(session, side, linked(session, bridge) if new else parked(session, bridge))
        retake(session, bridge)
        failures.wake(session, bridge.name, bridge.clock.now())
        _drop_questions(session, bridge)
    if any(one.startswith(ZONE) and one != said for one in state.mapped_paths):
        mark(session, Side.NEXUDUS, linked(session, bridge))  # its days may be others now
    state.mapping_digest, state.mapped_paths = digest, [*sorted(heard(mapping)), said]
    session.add(state)


def heard(mapping: Mapping) -> set[str]:
    """The places whose edits travel, each with its side."""
    return {place for field in mapping.fields for place in _heard_of(field)}


def _heard_of(field: Field) -> set[str]:
    return {f"{side.value} {field.lens(side).path.text}" for side in field.sources}


def newly_heard(mapping: Mapping, before: Collection[str]) -> list[Field]:
    """The fields of which edits on some side did not travel before."""
    return [field for field in mapping.fields if not _heard_of(field) <= set(before)]


def forget(link: Link, fields: Iterable[Field]) -> None:
    """Take these fields out of what was agreed."""
    for side in Side:
        paths = {field.lens(side).path.text for field in fields}
        known = snapshot_of(link, side)
        set_snapshot(link, side, {path: raw for path, raw in known.items() if path not in paths})


def _drop_questions(session: Session, bridge: Bridge) -> None:
    """Nobody needs to decide about a field that does not travel any more, and nothing of it waits."""
    names = {RECORD, "", *(field.name for field in bridge.mapping.fields)}
    now = bridge.clock.now()
    about = (col(Conflict.connection) == bridge.name, col(Conflict.state) != "closed")
    stale = (*about, col(Conflict.field).not_in(names))
    session.execute(update(Conflict).where(*stale).values(state="closed", closed_at=now))
    waits = (col(Failure.connection) == bridge.name, col(Failure.state) != "solved", col(Failure.field).not_in(names))
    session.execute(update(Failure).where(*waits).values(state="solved", next_attempt=None))


def linked(session: Session, bridge: Bridge) -> set[int]:
    """The connection's active links."""
    query = select(Link.id).where(col(Link.connection) == bridge.name, col(Link.state) == "active")
    return {one for one in session.exec(query) if one is not None}


def parked(session: Session, bridge: Bridge) -> set[int]:
    """Links with a field that waits for something to appear on the other side (a stage, a user)."""
    same = (col(Failure.nexudus_id) == col(Link.nexudus_id)) & (col(Failure.crm_id) == col(Link.crm_id))
    mine = (col(Link.connection) == bridge.name, col(Link.state) == "active", col(Failure.state) == "open")
    return {one for one in session.exec(select(Link.id).join(Failure, same).where(*mine)) if one is not None}


def retake(session: Session, bridge: Bridge) -> None:
    """Unlinked records that a rule refused are looked at again."""
    refused = (col(Unlinked.connection) == bridge.name, col(Unlinked.state) == "refused")
    session.execute(update(Unlinked).where(*refused).values(state="waiting"))
