"""`brake`: show what stopped a connection, and let it continue once."""

from nexudus_sync.cli.desk import open_desk, who
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import print_table, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import brakes as deciding
from nexudus_sync.store import brakes
from nexudus_sync.store.tables import Brake
from nexudus_sync.texts import plural


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
        found = deciding.release(session, desk.names(connection), name, by=who(), now=SystemClock().now())
        said = [(one, deciding.permits(desk.settings, one)) for one in found]
    for one, permits in said:
        also = f"; {permits}" if permits else ""
        say(f"{one.connection}: {one.name} is released for the next cycle: {one.evidence}{also}.")


def _state(one: Brake) -> str:
    if one.state == "set":
        return "set: nothing is written"
    until = f", until {plural(len(one.links), 'link')} are settled or restored" if one.links else ""
    return f"released for the next cycle{until}"
