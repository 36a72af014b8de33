"""What an edited mapping file means for what is remembered."""

from sqlmodel import Session, col, select, update

from nexudus_sync.engine.agree import set_snapshot
from nexudus_sync.engine.bridge import Bridge, fingerprint
from nexudus_sync.engine.pull import mark
from nexudus_sync.engine.sight import snapshot_of
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import ConnectionState, Failure, Link, Unlinked


def take_mapping(session: Session, bridge: Bridge, state: ConnectionState) -> None:
    """When the mapping changed, what waits for it is looked at again.

    A field whose edits on a side did not travel before is a first match of its own on every link: what was remembered
    of it was never carried over, so the two sides may differ though neither changed.
    """
    mapping = bridge.mapping
    digest = fingerprint(repr(mapping))
    heard = {f"{side.value} {field.lens(side).path.text}": field for field in mapping.fields for side in field.sources}
    if state.mapping_digest and state.mapping_digest != digest:
        new = {field.name: field for path, field in heard.items() if path not in state.mapped_paths}
        for side in Side:
            _forget(session, bridge, side, {field.lens(side).path.text for field in new.values()})
            mark(session, side, linked(session, bridge) if new else parked(session, bridge))
        retake(session, bridge)
    state.mapping_digest, state.mapped_paths = digest, sorted(heard)
    session.add(state)


def _forget(session: Session, bridge: Bridge, side: Side, paths: set[str]) -> None:
    """Take these places out of what was agreed."""
    if not paths:
        return
    for link in session.exec(select(Link).where(col(Link.connection) == bridge.name, col(Link.state) != "closed")):
        known = snapshot_of(link, side)
        set_snapshot(link, side, {path: raw for path, raw in known.items() if path not in paths})
        session.add(link)


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
