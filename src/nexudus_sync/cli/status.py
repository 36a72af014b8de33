"""`status`: the state of each connection."""

from dataclasses import asdict
from typing import Any

from nexudus_sync.cli.desk import open_desk
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import plural, print_json, print_table, say, utc
from nexudus_sync.connectors.totals import TOLD, systems_without_totals
from nexudus_sync.store import Session, decisions, unlinked
from nexudus_sync.store.status import ConnectionStatus, connection_status
from nexudus_sync.store.tables import ConnectionState


def status(root: Root, *, as_json: bool, strict: bool) -> int:
    """Print the status of every connection. Returns the exit code."""
    with open_desk(root) as desk, desk.store.read() as session:
        found = [connection_status(session, name) for name in desk.names()]
        if as_json:
            rows = [_row(one) for one in found]
            print_json({"connections": rows})
        else:
            _print(session, found)
    return int(strict and any(one.waiting for one in found))


def _row(one: ConnectionStatus) -> dict[str, Any]:
    """A connection in the JSON of the contract."""
    row = {**asdict(one), "last_success": utc(one.last_success)}
    del row["told"]
    return row


def _print(session: Session, found: list[ConnectionStatus]) -> None:
    columns = ("connection", "links", "conflicts", "failures", "pending", "last success (UTC)", "brake")
    rows = [(c.name, c.links, c.conflicts, c.failures, c.pending, c.last_success or "never", c.brake) for c in found]
    print_table(columns, rows, right=columns[1:5])
    more = [_behind(session, one.name) for one in found]
    behind = (
        "connection",
        "backfilled (UTC)",
        "last reconcile (UTC)",
        "without a counterpart",
        "decisions to carry out",
    )
    print_table(behind, more)
    for one in found:
        _remark(session, one)
    for system in sorted(systems_without_totals(session)):
        say(f"{system} {TOLD}.")
    if any(one.conflicts for one in found):
        say("Conflicts are waiting for you: `nexudus-sync conflicts list`.")
    if any(one.failures for one in found):
        say("To see what failed, and why: `nexudus-sync failures list`.")


def _remark(session: Session, one: ConnectionStatus) -> None:
    """Print what a person should know about a connection besides its counts."""
    if one.brake:
        say(f"{one.name} writes nothing while its brake is set; see `nexudus-sync brake show`.", style="bold red")
    elif one.last_success is None:
        say(_unfinished(session, one.name))
    left = unlinked.count_in(session, one.name, "limit")
    if left:
        records = plural(left, "record")
        say(f"{one.name}: --limit left out {records}; `nexudus-sync sync` copies all, `backfill --limit N` some.")


def _unfinished(session: Session, name: str) -> str:
    """The line about a connection that never finished a cycle: was its backfill begun?"""
    if session.get(ConnectionState, name) is None:
        return f"{name} has never run; `nexudus-sync plan` shows what it would do."
    return f"{name}: the first backfill is not finished; `nexudus-sync backfill` continues where it stopped."


def _behind(session: Session, name: str) -> tuple[object, ...]:
    """The second table's row: when it was matched and swept, which records are unlinked, and waiting decisions."""
    state = session.get(ConnectionState, name)
    alone = unlinked.count_by_state(session, name)
    return (
        name,
        (state and state.backfilled_at) or ("not finished" if state else "never"),
        (state and state.last_reconcile) or "never",
        ", ".join(f"{count:,} {word}" for word, count in sorted(alone.items())) or "none",
        decisions.count_waiting(session, name) or "none",
    )
