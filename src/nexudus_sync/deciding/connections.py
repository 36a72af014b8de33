"""Connections: pause one, and let it go on."""

from datetime import datetime

from nexudus_sync.config import Settings
from nexudus_sync.store import Session, records, running
from nexudus_sync.store.tables import ConnectionState


def pause(session: Session, settings: Settings, name: str, *, by: str, now: datetime) -> bool:
    """Run no more cycles of a connection until it is resumed; False if it was paused before.

    The cycle that is under way is finished. Raises ConfigError for a name that is not configured.
    """
    state = _state(session, settings, name)
    if state.paused_at is not None:
        return False
    state.paused_at, state.paused_by = now, by
    session.add(state)
    return True


def resume(session: Session, settings: Settings, name: str, *, now: datetime) -> bool:
    """Let a connection run again; False if it was not paused. Raises ConfigError for a name that is not configured."""
    state = _state(session, settings, name)
    if state.paused_at is None:
        return False
    state.paused_at, state.paused_by = None, ""
    session.add(state)
    running.resumed(session, state.name, now)
    return True


def _state(session: Session, settings: Settings, name: str) -> ConnectionState:
    (connection,) = settings.named(name)
    return records.connection_state(session, connection.name, connection.crm)
