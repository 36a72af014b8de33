"""`conflicts`: what both sides changed differently, for a person to decide."""

from typing import Any

from nexudus_sync.cli.desk import open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.output import pair_of, print_json, print_table, say
from nexudus_sync.errors import SyncError
from nexudus_sync.store import Store, conflicts
from nexudus_sync.store.tables import Conflict


def show_all(root: Root, connection: str | None, *, as_json: bool) -> None:
    """Print the open conflicts; for people also those that are decided and wait for the next cycle."""
    with open_desk(root) as desk, desk.store.read() as session:
        names = desk.names(connection)
        waiting = [one for one in conflicts.conflicts(session) if one.connection in names]
        decided = [one for one in conflicts.conflicts(session, "resolved") if one.connection in names]
    if as_json:
        print_json([as_row(one) for one in waiting])
        return
    print_conflicts([*waiting, *decided])
    if waiting:
        say("Decide with `nexudus-sync conflicts resolve ID --take nexudus|crm`.")


def print_conflicts(found: list[Conflict]) -> None:
    """A table of conflicts, with what each side says."""
    rows = [
        (
            one.id,
            one.connection,
            one.field,
            one.base,
            one.nexudus,
            one.crm,
            pair_of(one.nexudus_id, one.crm_id),
            _state(one),
        )
        for one in found
    ]
    columns = ("id", "connection", "field", "before", "Nexudus says", "the CRM says", "record", "state")
    print_table(columns, rows, right=("id",), empty="No conflicts.")


def as_row(one: Conflict) -> dict[str, Any]:
    """A conflict as the contract's JSON."""
    return {
        "id": str(one.id),
        "connection": one.connection,
        "field": one.field,
        "base": one.base,
        "nexudus": one.nexudus,
        "crm": one.crm,
        "nexudus_id": one.nexudus_id,
        "crm_id": one.crm_id,
    }


def show(root: Root, number: int) -> None:
    """Print one conflict in full. Raises ConfigError when there is none of that id."""
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
        ("seen since (UTC)", one.opened_at),
        ("state", _state(one)),
    ]
    rows += [("why", one.reason)] if one.reason else []
    print_table(("conflict", str(one.id)), rows)
    if one.state == "open":
        say(f"Decide with `nexudus-sync conflicts resolve {one.id} --take nexudus` or `--take crm`.")


def resolve(root: Root, number: int, take: str) -> None:
    """Keep a person's decision for the next cycle. Raises ConfigError, SyncError."""
    with open_desk(root) as desk:
        one = decide(desk.store, number, take)
    value = one.nexudus if take == "nexudus" else one.crm
    say(f"{one.field} of {pair_of(one.nexudus_id, one.crm_id)}: {value!r} is taken for both sides at the next cycle.")


def decide(store: Store, number: int, take: str) -> Conflict:
    """Note whose value is taken. Raises ConfigError when there is no such conflict, SyncError when it is closed."""
    with store.session() as session:
        one = session.get(Conflict, number)
        if one is None:
            raise no_such("conflict", number, "see `nexudus-sync conflicts list`")
        if one.state == "closed":
            raise SyncError(f"conflict {number} is closed: both sides agree, or it was decided before")
        one.state, one.take = "resolved", take
        session.add(one)
    return one


def _state(one: Conflict) -> str:
    if one.state == "resolved":
        return f"{one.take} taken, at the next cycle"
    return one.state
