"""Brakes: let the next cycle continue, and what that permits."""

from collections.abc import Collection
from datetime import datetime

from nexudus_sync.config import Settings
from nexudus_sync.deciding.records import no_such
from nexudus_sync.engine.brakes import DELETING
from nexudus_sync.store import Session, brakes
from nexudus_sync.store.tables import Brake
from nexudus_sync.texts import plural


def release(session: Session, connections: Collection[str], name: str, *, by: str, now: datetime) -> list[Brake]:
    """Release a brake of these connections for one cycle. Raises ConfigError when none of that name is set."""
    set_now = brakes.of_connections(session, connections, ("set",))
    found = [one for one in set_now if one.name == name]
    if not found:
        known = ", ".join(sorted({one.name for one in set_now})) or "none"
        raise no_such("brake", name, f"brakes that are set: {known}")
    for one in found:
        one.state, one.released_at, one.released_by = "released", now, by
        session.add(one)
    return found


def permits(settings: Settings, one: Brake) -> str:
    """What a release permits, and until when; "" for a brake that is about no links."""
    if not one.links:
        return ""
    number, deletes = plural(len(one.links), "link"), {c.name: c.deletes for c in settings.connections}
    if one.name not in DELETING:
        what = f"the changes of {number} will be carried over"
    elif deletes.get(one.connection) == "propagate":
        what = f"{number} will be closed, and their records on the other side deleted"
    else:
        what = f"{number} will be closed, and their records on the other side kept"
    return f"{what}, unless they are restored first; further links are counted separately"
