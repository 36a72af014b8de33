"""`inbox`: all that waits for a person, in one list."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from nexudus_sync.cli import rows
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.lists import SHOWN, How, tell_rest
from nexudus_sync.cli.output import BLANK, cell, print_csv, print_json_list, print_table, say
from nexudus_sync.cli.reading import Reading, open_reading
from nexudus_sync.cli.rows import named
from nexudus_sync.errors import STORED_DIFFERENTLY
from nexudus_sync.store import lists
from nexudus_sync.store.lists import ConflictRow, FailureRow
from nexudus_sync.store.names import Name
from nexudus_sync.texts import pair_of

COLUMNS = ("id", "title", "customer", "what", "since", "connection", "record")
CSV = (
    *("type", "id", "title", "customer", "kind", "field", "reason", "base", "nexudus", "crm", "since"),
    *("connection", "nexudus_id", "crm_id", "nexudus_url", "crm_url"),
)
ALL = 2**31
"""As many as there are."""
Item = ConflictRow | FailureRow


def show(root: Root, connection: str | None, how: How) -> None:
    """Print the open conflicts and failures, the newest first."""
    with open_reading(root) as desk:
        names = desk.names(connection)
        conflicts = lists.conflicts(desk.ask, names, only=how.only)
        failures = lists.failures(desk.ask, names, how.only)
        limit = how.limit or (ALL if how.as_json or how.as_csv else SHOWN)
        found = _newest(conflicts.newest_first(limit), failures.newest_first(limit), limit)
        if how.as_json:
            print_json_list(_json(desk, found))
        elif how.as_csv:
            print_csv(_json(desk, found), rows.columns_for(desk.settings, CSV))
        else:
            cells = (_cells(one, name) for one, name in named(desk.ask, found))
            print_table(
                COLUMNS, cells, right=("id",), empty="Nothing waits for you.", card=rows.card_of(COLUMNS, _lines)
            )
            count = conflicts.count() + failures.count()
            tell_rest(count, how.limit, "item")
            if count:
                say(
                    "Look at one: `conflicts show ID`, `explain RECORD`. Decide: `conflicts resolve`, `failures retry`."
                )


def _newest(conflicts: Iterator[ConflictRow], failures: Iterator[FailureRow], limit: int) -> Iterator[Item]:
    """Both lists as one, the newest first."""
    both: list[Item] = [*conflicts, *failures]
    return islice(sorted(both, key=_since, reverse=True), limit)


def _since(one: Item) -> datetime:
    moment = one.opened_at if isinstance(one, ConflictRow) else one.first_at
    return moment or datetime.min.replace(tzinfo=UTC)


def _json(desk: Reading, found: Iterator[Item]) -> Iterator[dict[str, Any]]:
    for one, name in named(desk.ask, found):
        known = rows.name_json(desk.settings, one, name)
        if isinstance(one, ConflictRow):
            said = rows.conflict_json(one)
            yield {"type": "conflict", **said, "since": said["opened_at"], **known}
        else:
            said = rows.failure_json(one)
            yield {"type": "failure", **said, "since": said["first_at"], **known}


def _cells(one: Item, name: Name) -> tuple[Any, ...]:
    kind = "conflict" if isinstance(one, ConflictRow) else "failure"
    pair = pair_of(one.nexudus_id, one.crm_id)
    return (f"{kind} {one.id}", name.title, name.customer, _what(one), _since(one), one.connection, pair)


def _what(one: Item) -> str:
    if isinstance(one, ConflictRow):
        return f"{one.field}: Nexudus says {cell(one.nexudus)}, the CRM says {cell(one.crm)}"
    told = " (nothing is waiting)" if one.kind == STORED_DIFFERENTLY else ""
    return f"{one.kind}, {one.field or 'the record'}: {one.reason}{told}"


def _lines(said: Any) -> tuple[str, ...]:
    return said["what"], " · ".join(one for one in (said["since"], said["connection"], said["record"]) if one != BLANK)
