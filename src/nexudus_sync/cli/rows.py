"""The rows of the lists, as tables, cards and JSON have them. Each begins with what people know the record by."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from nexudus_sync.cli.output import BLANK, Card, utc
from nexudus_sync.config import Settings
from nexudus_sync.errors import STORED_DIFFERENTLY
from nexudus_sync.store.ask import Ask
from nexudus_sync.store.lists import ConflictRow, FailureRow, HistoryRow, LinkRow, Undone
from nexudus_sync.store.names import Name, OfRecords, about, names
from nexudus_sync.texts import pair_of

if TYPE_CHECKING:
    from nexudus_sync.store.tables import Conflict, History

CONFLICTS = (
    *("id", "title", "customer", "field", "before", "Nexudus says", "the CRM says", "since"),
    *("connection", "record", "state"),
)
FAILURES = ("id", "title", "customer", "kind", "field", "reason", "tries", "next try", "since", "connection", "record")
LINKS = ("id", "title", "customer", "state", "since", "connection", "record")
HISTORY = ("id", "when", "title", "customer", "field", "old", "new", "lost", "from", "record")
_NAME = ("title", "customer")
_IDS = ("connection", "nexudus_id", "crm_id", "nexudus_url", "crm_url")
CONFLICTS_CSV = ("id", *_NAME, "field", "base", "nexudus", "crm", "kind", "reason", "opened_at", *_IDS)
FAILURES_CSV = ("id", *_NAME, "kind", "field", "reason", "attempts", "next_attempt", "first_at", "last_at", *_IDS)
LINKS_CSV = ("id", *_NAME, "state", "reason", "created_at", *_IDS)
HISTORY_CSV = ("id", "at", *_NAME, "field", "old", "new", "lost", "from", "by", *_IDS)
"""The columns of the lists as CSV: the keys of their JSON."""

Undos = Mapping[tuple[str, str, str, str], Sequence[Undone]]
"""The undos that were carried out, by connection, field, Nexudus id and CRM id."""
_PLACE = ("connection", "record")
_AT_ONCE = 200
"""Rows whose names are looked up together."""


Row = TypeVar("Row", bound=OfRecords)


def named(ask: Ask | None, rows: Iterable[Row]) -> Iterator[tuple[Row, Name]]:
    """The rows with the names of their records, as they are read; `ask` None: without names."""
    left = iter(rows)
    while part := list(islice(left, _AT_ONCE)):
        found = {} if ask is None else names(ask, map(about, part))
        for one in part:
            yield one, found.get(about(one), Name())


def name_json(settings: Settings, one: "ConflictRow | FailureRow | LinkRow | HistoryRow", name: Name) -> dict[str, Any]:
    """What people know a record by, and where they open it."""
    nexudus_url, crm_url = settings.urls(one.connection, one.nexudus_id, one.crm_id)
    known = {"title": name.title, "customer": name.customer, "nexudus_url": nexudus_url, "crm_url": crm_url}
    return {**known, **of_tenant(settings, one.connection)}


def of_tenant(settings: Settings, connection: str) -> dict[str, str]:
    """For JSON, in a fleet: whose connection it is."""
    owner = settings.owner(connection)
    return {"tenant": owner} if owner else {}


def columns_for(settings: Settings, columns: Sequence[str]) -> Sequence[str]:
    """The columns of a list as CSV; in a fleet the tenant is one."""
    return (*columns, "tenant") if settings.in_fleet else columns


def _heading(title: str, customer: str) -> str:
    return " · ".join(one for one in (title, customer) if one != BLANK) or "(no title yet)"


def card_of(
    columns: Sequence[str], lines: Callable[[Mapping[str, str]], Sequence[str]]
) -> Callable[[Sequence[str]], Card]:
    """How a row of these columns becomes a card: its id, title and customer, then the lines."""

    def make(cells: Sequence[str]) -> Card:
        said = dict(zip(columns, cells, strict=True))
        return Card(said["id"], _heading(said["title"], said["customer"]), lines(said))

    return make


# -- conflicts ------------------------------------------------------------------------------------------------------


def conflict_state(one: "ConflictRow | Conflict") -> str:
    """The state, and what becomes of a resolved one."""
    if one.state != "resolved":
        return one.state
    does = f"writes {one.value!r}" if one.take == "value" else f"takes {one.take}"
    by = f", decided by {one.decided_by}" if one.decided_by else ""
    return f"resolved: the next cycle {does}{by}"


def conflict_cells(one: "ConflictRow | Conflict", name: Name) -> tuple[Any, ...]:
    """A conflict in the order of `CONFLICTS`."""
    values = (one.field, one.base, one.nexudus, one.crm, one.opened_at)
    return (one.id, name.title, name.customer, *values, one.connection, _pair(one), conflict_state(one))


def conflict_lines(said: Mapping[str, str]) -> Sequence[str]:
    """The lines of a conflict's card."""
    state = [] if said["state"] == "open" else [said["state"]]
    before = f" (before: {said['before']})" if said["before"] != BLANK else ""
    return (
        f"{said['field']}: Nexudus says {said['Nexudus says']}, the CRM says {said['the CRM says']}{before}",
        " · ".join([said["since"], said["connection"], said["record"]]),
        *state,
    )


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
        "kind": one.kind,
        "reason": one.reason,
        "opened_at": utc(one.opened_at),
    }


# -- failures -------------------------------------------------------------------------------------------------------


def failure_cells(one: FailureRow, name: Name) -> tuple[Any, ...]:
    """A failure in the order of `FAILURES`."""
    idle = "nothing is waiting" if one.kind == STORED_DIFFERENTLY else "when something changes"
    what = (one.kind, one.field or "the record", one.reason, one.attempts, one.next_attempt or idle, one.first_at)
    return (one.id, name.title, name.customer, *what, one.connection, _pair(one))


def failure_lines(said: Mapping[str, str]) -> Sequence[str]:
    """The lines of a failure's card."""
    tries = "" if said["tries"] == "1" else f", {said['tries']} tries"
    return (
        f"{said['kind']}, {said['field']}: {said['reason']}",
        f"{said['since']}{tries}, next try {said['next try']} · {said['connection']} · {said['record']}",
    )


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
        "first_at": utc(one.first_at),
        "last_at": utc(one.last_at),
    }


# -- links ----------------------------------------------------------------------------------------------------------


def link_cells(one: LinkRow, name: Name) -> tuple[Any, ...]:
    """A link in the order of `LINKS`."""
    words = {"sleeping": "sleeping: no connection's scope has the card", "closed": f"closed: {one.closed_reason}"}
    state = words.get(one.state, one.state)
    return (one.id, name.title, name.customer, state, one.created_at, one.connection, _pair(one))


def link_lines(said: Mapping[str, str]) -> Sequence[str]:
    """The lines of a link's card."""
    return (f"{said['state']}, since {said['since']} · {said['connection']} · {said['record']}",)


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


# -- history --------------------------------------------------------------------------------------------------------


def history_cells(one: "HistoryRow | History", name: Name, undone: Undos) -> tuple[Any, ...]:
    """An entry in the order of `HISTORY`."""
    values = (one.field, one.old, one.new, one.lost, _from(one, undone))
    return (one.id, one.at, name.title, name.customer, *values, _pair(one))


def history_lines(said: Mapping[str, str]) -> Sequence[str]:
    """The lines of an entry's card."""
    lost = f" (lost: {said['lost']})" if said["lost"] != BLANK else ""
    return (
        f"{said['field']}: {said['old']} → {said['new']}{lost}",
        " · ".join([f"{said['when']}, from {said['from']}", *([said[key] for key in _PLACE if key in said])]),
    )


def history_json(one: HistoryRow, undone: Undos) -> dict[str, Any]:
    """An entry in the JSON of the contract; one that a person's `undo` caused is from "undo", "by" them if known."""
    cause = cause_of(one, undone)
    by = (cause.by if cause else "") or one.decided_by
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
        **({"by": by} if by else {}),
    }


def cause_of(one: "HistoryRow | History", undone: Undos) -> Undone | None:
    """The `undo` that caused an entry, if a person's did."""
    such = undone.get((one.connection, one.field, one.nexudus_id, one.crm_id), ())
    return next((undo for undo in reversed(such) if _caused(undo, one)), None)


def _caused(undo: Undone, one: "HistoryRow | History") -> bool:
    in_time = one.at is not None and undo.asked_at <= one.at <= undo.done_at
    return in_time and one.new == undo.old and one.id != undo.entry


def _from(one: "HistoryRow | History", undone: Undos) -> str:
    cause = cause_of(one, undone)
    if cause is None:
        return f"{one.from_side}, decided by {one.decided_by}" if one.decided_by else one.from_side
    return f"undo {cause.entry}" + (f", asked by {cause.by}" if cause.by else "")


def _pair(one: OfRecords) -> str:
    return pair_of(one.nexudus_id, one.crm_id)
