"""The lists: conflicts, failures, links, history. A table shows the newest; JSON has all unless a limit is given."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import print_json_list, print_table, say, utc
from nexudus_sync.cli.reading import Reading, open_reading
from nexudus_sync.errors import STORED_DIFFERENTLY
from nexudus_sync.store import lists
from nexudus_sync.store.lists import ConflictRow, FailureRow, HistoryRow, LinkRow, Listing, Undone
from nexudus_sync.texts import pair_of, plural

if TYPE_CHECKING:
    from nexudus_sync.store.tables import Conflict, History

SHOWN = 50
"""How many rows a table shows unless `--limit` says otherwise."""
CONFLICTS = ("id", "connection", "field", "before", "Nexudus says", "the CRM says", "record", "state")
HISTORY = ("id", "at (UTC)", "field", "old", "new", "lost", "from", "record")
FAILURES = ("id", "connection", "kind", "field", "record", "reason", "tries", "next (UTC)")
LINKS = ("id", "connection", "Nexudus", "CRM", "state", "since (UTC)")

Row = TypeVar("Row")
Undos = Mapping[tuple[str, str, str], Sequence[Undone]]
"""The undos that were carried out, by field, Nexudus id and CRM id."""


def show_conflicts(root: Root, connection: str | None, limit: int | None, *, as_json: bool) -> None:
    """Print the open conflicts; the table also has the resolved ones that wait for the next cycle."""
    with open_reading(root) as desk:
        names = desk.names(connection)
        waiting = lists.conflicts(desk.ask, names)
        if as_json:
            print_json_list(map(conflict_json, waiting.oldest_first(limit)))
            return
        found = lists.conflicts(desk.ask, names, ("open", "resolved"))
        print_conflicts(found.newest_first(limit or SHOWN))
        _tell_rest(found, limit, "conflict")
        if waiting.count():
            say("Resolve one with `nexudus-sync conflicts resolve ID --take nexudus|crm`.")


def print_conflicts(found: "Iterable[ConflictRow] | Iterable[Conflict]") -> None:
    """Print a table of conflicts, with both values."""
    rows = (
        (one.id, one.connection, one.field, one.base, one.nexudus, one.crm, _pair(one), conflict_state(one))
        for one in found
    )
    print_table(CONFLICTS, rows, right=("id",), empty="No conflicts.")


def conflict_state(one: "ConflictRow | Conflict") -> str:
    """The state, and what becomes of a resolved one."""
    if one.state != "resolved":
        return one.state
    does = f"writes {one.value!r}" if one.take == "value" else f"takes {one.take}"
    return f"resolved: the next cycle {does}"


def conflict_json(one: ConflictRow) -> dict[str, Any]:
    """A conflict in the JSON of the contract."""
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


def show_failures(root: Root, connection: str | None, limit: int | None, *, as_json: bool) -> None:
    """Print the open failures."""
    _show(
        root,
        lambda desk: lists.failures(desk.ask, desk.names(connection)),
        limit,
        failure_json if as_json else None,
        lambda found: print_table(FAILURES, map(_failure, found), right=("id", "tries"), empty="No failures."),
        "failure",
    )


def _failure(one: FailureRow) -> tuple[Any, ...]:
    idle = "nothing is waiting" if one.kind == STORED_DIFFERENTLY else "when something changes"
    what = (one.id, one.connection, one.kind, one.field or "the record", _pair(one))
    return (*what, one.reason, one.attempts, one.next_attempt or idle)


def failure_json(one: FailureRow) -> dict[str, Any]:
    """A failure in the JSON of the contract."""
    return {
        "id": str(one.id),
        "connection": one.connection,
        "kind": one.kind,
        "field": one.field,
        "reason": one.reason,
        "nexudus_id": one.nexudus_id,
        "crm_id": one.crm_id,
        "attempts": one.attempts,
        "next_attempt": utc(one.next_attempt),
    }


def show_links(root: Root, connection: str | None, limit: int | None, *, as_json: bool) -> None:
    """Print all links."""
    _show(
        root,
        lambda desk: lists.links(desk.ask, desk.names(connection)),
        limit,
        link_json if as_json else None,
        lambda found: print_table(LINKS, map(_link, found), right=("id",), empty="Nothing is linked yet."),
        "link",
    )


def _link(one: LinkRow) -> tuple[Any, ...]:
    words = {"sleeping": "sleeping: no connection's scope has the card", "closed": f"closed: {one.closed_reason}"}
    return (one.id, one.connection, one.nexudus_id, one.crm_id, words.get(one.state, one.state), one.created_at)


def link_json(one: LinkRow) -> dict[str, Any]:
    """A link as JSON."""
    return {
        "id": str(one.id),
        "connection": one.connection,
        "nexudus_id": one.nexudus_id,
        "crm_id": one.crm_id,
        "state": one.state,
        "reason": one.closed_reason,
        "created_at": utc(one.created_at),
    }


def show_history(root: Root, record: str | None, limit: int | None, *, as_json: bool) -> None:
    """Print the history of one record, or of all."""
    with open_reading(root) as desk:
        found, undone = lists.history(desk.ask, desk.names(), record), lists.undone(desk.ask)
        if as_json:
            print_json_list(history_json(one, undone) for one in found.oldest_first(limit))
            return
        print_history(found.newest_first(limit or SHOWN), undone)
        _tell_rest(found, limit, "entry", "entries")


def print_history(found: "Iterable[HistoryRow] | Iterable[History]", undone: Undos) -> None:
    """Print a table of the history; `undone` are the undos that were carried out."""
    rows = ((one.id, one.at, one.field, one.old, one.new, one.lost, _from(one, undone), _pair(one)) for one in found)
    print_table(HISTORY, rows, right=("id",), empty="Nothing has been overwritten yet.")


def history_json(one: HistoryRow, undone: Undos) -> dict[str, Any]:
    """An entry in the JSON of the contract; one that a person's `undo` caused is from "undo", "by" them if known."""
    cause = cause_of(one, undone)
    return {
        "id": str(one.id),
        "at": utc(one.at),
        "connection": one.connection,
        "field": one.field,
        "old": one.old,
        "new": one.new,
        "lost": one.lost,
        "from": "undo" if cause else one.from_side,
        "nexudus_id": one.nexudus_id,
        "crm_id": one.crm_id,
        **({"by": cause.by} if cause and cause.by else {}),
    }


def cause_of(one: "HistoryRow | History", undone: Undos) -> Undone | None:
    """The `undo` that caused an entry, if a person's did."""
    about = undone.get((one.field, one.nexudus_id, one.crm_id), ())
    return next((undo for undo in reversed(about) if _caused(undo, one)), None)


def _caused(undo: Undone, one: "HistoryRow | History") -> bool:
    in_time = one.at is not None and undo.asked_at <= one.at <= undo.done_at
    return in_time and one.new == undo.old and one.id != undo.entry


def _from(one: "HistoryRow | History", undone: Undos) -> str:
    cause = cause_of(one, undone)
    if cause is None:
        return one.from_side
    return f"undo {cause.entry}" + (f", asked by {cause.by}" if cause.by else "")


def _show(
    root: Root,
    listing: Callable[[Reading], Listing[Row]],
    limit: int | None,
    in_json: Callable[[Row], dict[str, Any]] | None,
    in_table: Callable[[Iterator[Row]], None],
    what: str,
) -> None:
    """Print a list, in JSON if there is a way to say a row `in_json`."""
    with open_reading(root) as desk:
        found = listing(desk)
        if in_json is not None:
            print_json_list(map(in_json, found.oldest_first(limit)))
            return
        in_table(found.newest_first(limit or SHOWN))
        _tell_rest(found, limit, what)


def _tell_rest(found: Listing[Row], limit: int | None, one: str, many: str = "") -> None:
    """Say how many rows of a list the table left out."""
    left = found.count() - (limit or SHOWN)
    if left > 0:
        more = plural(left, f"more {one}", f"more {many or one + 's'}")
        say(f"{more} not shown; --limit N shows the newest N.")


def _pair(one: "ConflictRow | Conflict | FailureRow | HistoryRow | History") -> str:
    return pair_of(one.nexudus_id, one.crm_id)
