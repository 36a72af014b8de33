"""The lists: conflicts, failures, links, history. A table shows the newest; JSON and CSV have all unless limited."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nexudus_sync.cli import rows
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import print_csv, print_json_list, print_table, say
from nexudus_sync.cli.reading import Reading, open_reading
from nexudus_sync.cli.rows import Undos, named
from nexudus_sync.store import lists
from nexudus_sync.store.ask import Ask
from nexudus_sync.store.lists import ConflictRow, FailureRow, HistoryRow, LinkRow, Listing
from nexudus_sync.store.names import Name
from nexudus_sync.store.only import ALL, Only
from nexudus_sync.texts import plural

if TYPE_CHECKING:
    from nexudus_sync.store.tables import Conflict, History

SHOWN = 50
"""How many rows a table shows unless `--limit` says otherwise."""
Row = TypeVar("Row", ConflictRow, FailureRow, LinkRow, HistoryRow)


@dataclass(frozen=True, slots=True)
class How:
    """How a list is wanted: which rows, how many, and for whom."""

    only: Only = ALL
    limit: int | None = None
    as_json: bool = False
    as_csv: bool = False


@dataclass(frozen=True, slots=True)
class _Shape(Generic[Row]):
    """How the rows of a list are said: as a table's cells, as a card's lines, as JSON."""

    columns: Sequence[str]
    cells: Callable[[Row, Name], Sequence[Any]]
    lines: Callable[[Mapping[str, str]], Sequence[str]]
    json: Callable[[Row], dict[str, Any]]
    empty: str
    csv: Sequence[str]
    right: Sequence[str] = ("id",)


_CONFLICTS: _Shape[ConflictRow] = _Shape(
    rows.CONFLICTS, rows.conflict_cells, rows.conflict_lines, rows.conflict_json, "No conflicts.", rows.CONFLICTS_CSV
)
_FAILURES: _Shape[FailureRow] = _Shape(
    rows.FAILURES,
    rows.failure_cells,
    rows.failure_lines,
    rows.failure_json,
    "No failures.",
    rows.FAILURES_CSV,
    ("id", "tries"),
)
_LINKS: _Shape[LinkRow] = _Shape(
    rows.LINKS, rows.link_cells, rows.link_lines, rows.link_json, "Nothing is linked yet.", rows.LINKS_CSV
)


def _history(undone: Undos, *, whose: bool = False) -> _Shape[HistoryRow]:
    """How an entry is said; `whose`: with its connection, where the records of several tenants have the same ids."""
    return _Shape(
        (*rows.HISTORY, "connection") if whose else rows.HISTORY,
        lambda one, name: (*rows.history_cells(one, name, undone), *([one.connection] if whose else [])),
        rows.history_lines,
        lambda one: rows.history_json(one, undone),
        "Nothing has been overwritten yet.",
        rows.HISTORY_CSV,
    )


def show_conflicts(root: Root, connection: str | None, how: How) -> None:
    """Print the open conflicts; the table also has the resolved ones that wait for the next cycle."""
    with open_reading(root) as desk:
        names = desk.names(connection)
        waiting = lists.conflicts(desk.ask, names, only=how.only)
        if how.as_json or how.as_csv:
            _print_data(desk, waiting, _CONFLICTS, how)
            return
        found = lists.conflicts(desk.ask, names, ("open", "resolved"), how.only)
        _print_table(desk.ask, found.newest_first(how.limit or SHOWN), _CONFLICTS)
        tell_rest(found.count(), how.limit, "conflict")
        _tell_unknown(desk.ask, "conflict", names, how)
        if waiting.count():
            say("Look at one: `nexudus-sync conflicts show ID`. Decide: `conflicts resolve ID --take nexudus|crm`.")


def show_failures(root: Root, connection: str | None, how: How) -> None:
    """Print the open failures."""
    with open_reading(root) as desk:
        names = desk.names(connection)
        _show(desk, lists.failures(desk.ask, names, how.only), _FAILURES, how, "failure")
        if not (how.as_json or how.as_csv):
            _tell_unknown(desk.ask, "failure", names, how)


def show_links(root: Root, connection: str | None, how: How) -> None:
    """Print all links."""
    with open_reading(root) as desk:
        _show(desk, lists.links(desk.ask, desk.names(connection)), _LINKS, how, "link")


def show_history(root: Root, record: str | None, how: How) -> None:
    """Print the history of one record, or of all."""
    with open_reading(root) as desk:
        found, undone = lists.history(desk.ask, desk.names(), record), lists.undone(desk.ask, desk.names())
        shape = _history(undone, whose=desk.settings.in_fleet)
        _show(desk, found, shape, how, "entry", "entries")


def print_conflicts(found: "Iterable[ConflictRow] | Iterable[Conflict]", ask: Ask | None = None) -> None:
    """Print a table of conflicts, with both values; with the names of the records if there is a way to `ask`."""
    _print_table(ask, found, _CONFLICTS)


def print_failures(found: Iterable[FailureRow], ask: Ask | None = None) -> None:
    """Print a table of failures."""
    _print_table(ask, found, _FAILURES)


def print_history(found: "Iterable[HistoryRow] | Iterable[History]", undone: Undos, ask: Ask | None = None) -> None:
    """Print a table of the history; `undone` are the undos that were carried out."""
    _print_table(ask, found, _history(undone))


def _show(desk: Reading, found: Listing[Row], shape: _Shape[Row], how: How, one: str, many: str = "") -> None:
    """Print a list as it is asked for; a table shows the newest and counts the rest."""
    if how.as_json or how.as_csv:
        _print_data(desk, found, shape, how)
        return
    _print_table(desk.ask, found.newest_first(how.limit or SHOWN), shape)
    tell_rest(found.count(), how.limit, one, many)


def _print_data(desk: Reading, found: Listing[Row], shape: _Shape[Row], how: How) -> None:
    """Print a list for programs, the oldest first, each row as it is read."""
    each = named(desk.ask, found.oldest_first(how.limit))
    said = ({**shape.json(one), **rows.name_json(desk.settings, one, name)} for one, name in each)
    if how.as_json:
        print_json_list(said)
    else:
        print_csv(said, rows.columns_for(desk.settings, shape.csv))


def _print_table(ask: Ask | None, found: Any, shape: _Shape[Any]) -> None:
    cells = (shape.cells(one, name) for one, name in named(ask, found))
    card = rows.card_of(shape.columns, shape.lines)
    print_table(shape.columns, cells, right=shape.right, empty=shape.empty, card=card)


def _tell_unknown(ask: Ask, table: str, names: Collection[str], how: How) -> None:
    """Say which fields and kinds there are, where one was asked for that nothing has: it may be misspelt."""
    for column, given in (("field", how.only.field), ("kind", how.only.kind)):
        there = [] if given is None else lists.waits_with(ask, table, column, names)
        if given is not None and given not in there:
            say(f"No {table} that waits has the {column} {given!r}; there is {', '.join(there) or 'none at all'}.")


def tell_rest(count: int, limit: int | None, one: str, many: str = "") -> None:
    """Say how many rows of a list the table left out."""
    left = count - (limit or SHOWN)
    if left > 0:
        more = plural(left, f"more {one}", f"more {many or one + 's'}")
        say(f"{more} not shown; --limit N shows the newest N.")
