"""`brake`: show what stopped a connection, and let it continue once."""

from typing import Any

from nexudus_sync.cli.desk import open_desk, who
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import print_json, print_table, say, utc
from nexudus_sync.cli.rows import of_tenant
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import brakes as deciding
from nexudus_sync.deciding.records import refuse_tenants
from nexudus_sync.store import brakes
from nexudus_sync.store.tables import Brake
from nexudus_sync.texts import plural


def show(root: Root, connection: str | None, *, as_json: bool) -> None:
    """Print the brakes that are set, or released for the next cycle."""
    with open_desk(root) as desk, desk.store.read() as session:
        found = brakes.of_connections(session, desk.names(connection), ("set", "released"))
    if as_json:
        print_json([{**_json(one), **of_tenant(desk.settings, one.connection)} for one in found])
        return
    rows = [(one.name, one.connection, one.evidence, one.set_at, _state(one)) for one in found]
    print_table(("brake", "connection", "evidence", "since", "state"), rows, empty="No brake is set.")
    if any(one.state == "set" for one in found):
        say("If this is intended: `nexudus-sync brake release NAME`; the next cycle continues, for these records only.")


def _json(one: Brake) -> dict[str, Any]:
    return {
        "brake": one.name,
        "connection": one.connection,
        "evidence": one.evidence,
        "state": one.state,
        "set_at": utc(one.set_at),
        "released_at": utc(one.released_at),
        "released_by": one.released_by,
        "links": len(one.links),
    }


def release(root: Root, name: str, connection: str | None) -> None:
    """Release a brake for one cycle. Raises ConfigError when none of that name is set."""
    with open_desk(root) as desk, desk.store.session() as session:
        names = desk.names(connection)
        set_now = [one.connection for one in brakes.of_connections(session, names, ("set",)) if one.name == name]
        refuse_tenants(desk.settings, f"brake {name}", set_now)
        found = deciding.release(session, names, name, by=who(), now=SystemClock().now())
        said = [(one, deciding.permits(desk.settings, one)) for one in found]
    for one, permits in said:
        also = f"; {permits}" if permits else ""
        say(f"{one.connection}: {one.name} is released for the next cycle: {one.evidence}{also}.")


def _state(one: Brake) -> str:
    if one.state == "set":
        return "set: nothing is written"
    until = f", until {plural(len(one.links), 'link')} are settled or restored" if one.links else ""
    return f"released for the next cycle{until}"
