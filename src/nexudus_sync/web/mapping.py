"""The mapping as a table: which field is which on both sides, and which values mean the same."""

from dataclasses import dataclass

from starlette.responses import Response

from nexudus_sync.mapping import Sync
from nexudus_sync.mapping import show as tables
from nexudus_sync.web import fleet
from nexudus_sync.web.view import View

_WAYS = {
    Sync.TWO_WAY: "both ways",
    Sync.FROM_NEXUDUS: "from Nexudus only",
    Sync.FROM_CRM: "from the CRM only",
    Sync.OFF: "stays where it is",
}
_WINNERS = {
    "newest": "the newer value wins",
    "nexudus": "Nexudus wins",
    "crm": "the CRM wins",
    "manual": "a person decides",
}
_UNMAPPED = {"park": "waits in the inbox", "skip": "is passed over"}


@dataclass(frozen=True, slots=True)
class Table:
    """One connection's mapping. `files` are the names of its two files."""

    connection: str
    files: tuple[str, str]
    rows: tuple[tables.Row, ...]


def show(view: View) -> Response:
    """The page."""
    chosen = view.query.get("connection", "")
    if not chosen and fleet.is_wanted(view):
        return view.page("choose.html", what="Mapping")
    shown = [name for name in view.desk.names if chosen in ("", name)]
    found = []
    for name in shown:
        mapping = view.desk.mappings[name]
        found.append(Table(name, (mapping.nexudus.source, mapping.crm.source), tuple(tables.rows(mapping))))
    return view.page("mapping.html", tables=found, way=way_word, unmapped=unmapped_word, conflict=conflict_word)


def way_word(row: tables.Row) -> str:
    """Which way a field travels."""
    return _WAYS[row.sync]


def conflict_word(row: tables.Row) -> str:
    """What happens where both sides changed it."""
    return _WINNERS.get(row.on_conflict, row.on_conflict) if row.sync is Sync.TWO_WAY else ""


def unmapped_word(row: tables.Row) -> str:
    """What becomes of a value that the other side has no word for."""
    if row.sync is Sync.OFF:
        return ""
    return _UNMAPPED.get(row.on_unmapped) or row.on_unmapped.replace("default: ", "becomes ")
