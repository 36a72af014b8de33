"""`brake`: show what stopped a connection, and let it continue once."""

from nexudus_sync.cli.desk import Desk, open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.output import plural, print_table, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.engine.brakes import DELETING
from nexudus_sync.store import brakes
from nexudus_sync.store.tables import Brake


def show(root: Root, connection: str | None) -> None:
    """Print the brakes that are set, or released for the next cycle."""
    with open_desk(root) as desk, desk.store.read() as session:
        found = brakes.of_connections(session, desk.names(connection), ("set", "released"))
    rows = [(one.name, one.connection, one.evidence, one.set_at, _state(one)) for one in found]
    print_table(("brake", "connection", "evidence", "since (UTC)", "state"), rows, empty="No brake is set.")
    if any(one.state == "set" for one in found):
        say("If this is intended: `nexudus-sync brake release NAME`; the next cycle continues, for these records only.")


def release(root: Root, name: str, connection: str | None) -> None:
    """Release a brake for one cycle. Raises ConfigError when none of that name is set."""
    with open_desk(root) as desk, desk.store.session() as session:
        set_now = brakes.of_connections(session, desk.names(connection), ("set",))
        found = [one for one in set_now if one.name == name]
        if not found:
            known = ", ".join(sorted({one.name for one in set_now})) or "none"
            raise no_such("brake", name, f"brakes that are set: {known}")
        for one in found:
            one.state, one.released_at = "released", SystemClock().now()
            session.add(one)
    for one in found:
        say(f"{one.connection}: {one.name} is released for the next cycle: {one.evidence}{_permits(desk, one)}.")


def _state(one: Brake) -> str:
    if one.state == "set":
        return "set: nothing is written"
    until = f", until {plural(len(one.links), 'link')} are settled or restored" if one.links else ""
    return f"released for the next cycle{until}"


def _permits(desk: Desk, one: Brake) -> str:
    """What a release permits, and until when."""
    if not one.links:
        return ""
    number, deletes = plural(len(one.links), "link"), {c.name: c.deletes for c in desk.settings.connections}
    if one.name not in DELETING:
        what = f"the changes of {number} will be carried over"
    elif deletes.get(one.connection) == "propagate":
        what = f"{number} will be closed, and their records on the other side deleted"
    else:
        what = f"{number} will be closed, and their records on the other side kept"
    return f"; {what}, unless they are restored first; further links are counted separately"
