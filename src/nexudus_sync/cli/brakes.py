"""`brake`: what stopped a connection, and the word that lets it go on once."""

from sqlmodel import Session, col, select

from nexudus_sync.cli.desk import open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.output import print_table, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.store.tables import Brake


def show(root: Root, connection: str | None) -> None:
    """Print the brakes that are set, or released for the next cycle."""
    with open_desk(root) as desk, desk.store.read() as session:
        found = _found(session, desk.names(connection), ("set", "released"))
    rows = [(one.name, one.connection, one.evidence, one.set_at, _state(one)) for one in found]
    print_table(("brake", "connection", "evidence", "since (UTC)", "state"), rows, empty="No brake is set.")
    if any(one.state == "set" for one in found):
        say("If it is right: `nexudus-sync brake release NAME`, and the next cycle goes on, this once.")


def release(root: Root, name: str, connection: str | None) -> None:
    """Release a brake for one cycle. Raises ConfigError when none of that name is set."""
    with open_desk(root) as desk, desk.store.session() as session:
        set_now = _found(session, desk.names(connection), ("set",))
        found = [one for one in set_now if one.name == name]
        if not found:
            known = ", ".join(sorted({one.name for one in set_now})) or "none"
            raise no_such("brake", name, f"set are: {known}")
        for one in found:
            one.state, one.released_at = "released", SystemClock().now()
            session.add(one)
    for one in found:
        say(f"{one.connection}: {one.name} is released for the next cycle: {one.evidence}.")


def _found(session: Session, names: list[str], states: tuple[str, ...]) -> list[Brake]:
    query = select(Brake).where(col(Brake.connection).in_(names), col(Brake.state).in_(states))
    return list(session.exec(query.order_by(col(Brake.id))))


def _state(one: Brake) -> str:
    return "released for the next cycle" if one.state == "released" else "set: nothing is written"
