"""`conflicts`: fields that both sides changed to different values, for a person to decide."""

from typing import Any

from nexudus_sync.cli.desk import open_desk, who
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.lists import conflict_state
from nexudus_sync.cli.output import print_table, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import conflicts
from nexudus_sync.deciding.records import no_such
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict
from nexudus_sync.texts import pair_of


def show(root: Root, number: int) -> None:
    """Print one conflict in full. Raises ConfigError when no conflict has that id."""
    with open_desk(root) as desk, desk.store.read() as session:
        one = session.get(Conflict, number)
    if one is None:
        raise no_such("conflict", number, "see `nexudus-sync conflicts list`")
    rows: list[tuple[str, Any]] = [
        ("connection", one.connection),
        ("record", pair_of(one.nexudus_id, one.crm_id)),
        ("field", one.field),
        ("when they last agreed", one.base),
        ("Nexudus says", one.nexudus),
        ("the CRM says", one.crm),
        ("open since (UTC)", one.opened_at),
        ("state", conflict_state(one)),
    ]
    rows += [("why", one.reason)] if one.reason else []
    print_table(("conflict", str(one.id)), rows)
    if one.state == "open":
        say(f"Resolve it with {conflicts.how(one)}.")


def resolve(root: Root, number: int, take: str | None, value: str | None) -> None:
    """Store a person's decision for the next cycle: a side, or a third value. Raises ConfigError, SyncError."""
    with open_desk(root) as desk, desk.store.session() as session:
        by, now = who(), SystemClock().now()
        if value is None:
            one = conflicts.take(session, number, Side(take or ""), by=by, now=now)
        else:
            one = conflicts.say_value(session, desk.settings, number, value, by=by, now=now)
        said = conflicts.what_happens(one)
    say(f"{said}, at the next cycle.")


def take_back(root: Root, number: int) -> None:
    """Take a decision back before the next cycle carries it out. Raises ConfigError, SyncError."""
    with open_desk(root) as desk, desk.store.session() as session:
        one = conflicts.take_back(session, number)
        said = f"Conflict {number} about {one.field} of {pair_of(one.nexudus_id, one.crm_id)} is open again."
    say(said)
