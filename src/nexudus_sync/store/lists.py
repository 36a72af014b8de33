"""The lists that people page through: conflicts, failures, links, history. Rows come as they are read."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from nexudus_sync.store.ask import Ask, moment, number, one_of, value
from nexudus_sync.store.only import ALL, Only, Where

BROUGHT_BACK = "brought back"
"""The outcome of an undo that was carried out."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A list: what it is of, and how its rows are made. `first`: a column that goes before newness, if any."""

    ask: Ask
    table: str
    columns: str
    where: str
    values: dict[str, Any]
    make: Callable[..., Row]
    first: str = ""

    def count(self) -> int:
        """How many there are."""
        return number(self.ask(f"SELECT count(*) FROM {self.table} WHERE {self.where}", self.values))  # noqa: S608

    def newest_first(self, limit: int) -> Iterator[Row]:
        """The newest `limit` of them, the newest first."""
        order = f"{self.first}, id DESC" if self.first else "id DESC"
        return self._rows(f"{self._select} ORDER BY {order} LIMIT :newest", newest=limit)

    def oldest_first(self, limit: int | None = None) -> Iterator[Row]:
        """All of them, or the newest `limit`, the oldest first."""
        if limit is None:
            return self._rows(f"{self._select} ORDER BY id")
        newest = f"{self._select} ORDER BY id DESC LIMIT :newest"
        return self._rows(f"SELECT {self.columns} FROM ({newest}) AS newest ORDER BY id", newest=limit)  # noqa: S608

    @property
    def _select(self) -> str:
        return f"SELECT {self.columns} FROM {self.table} WHERE {self.where}"  # noqa: S608

    def _rows(self, sql: str, **more: int) -> Iterator[Row]:
        return (self.make(*row) for row in self.ask(sql, {**self.values, **more}))


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """A conflict as its list shows it."""

    id: int
    connection: str
    field: str
    base: Any
    nexudus: Any
    crm: Any
    nexudus_id: str
    crm_id: str
    state: str
    take: str | None
    value: Any
    kind: str
    side: str
    reason: str | None
    opened_at: datetime | None
    decided_by: str


def conflicts(
    ask: Ask, connections: Collection[str], states: Collection[str] = ("open",), only: Only = ALL
) -> Listing[ConflictRow]:
    """The conflicts of these connections in these states; of several states, the open ones come first."""
    where, values = _in(connections, states, only.of("opened_at", ("nexudus", "crm", "base", "reason")))
    columns = "id, connection, field, base, nexudus, crm, nexudus_id, crm_id, state, take, value"
    columns += ", kind, side, reason, opened_at, decided_by"

    def make(*row: Any) -> ConflictRow:
        said = (*row[:3], *map(value, row[3:6]), *row[6:10], value(row[10]), *row[11:14], moment(row[14]), row[15])
        return ConflictRow(*said)

    return Listing(ask, "conflict", columns, where, values, make, first="state")


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A failure as its list shows it."""

    id: int
    connection: str
    kind: str
    field: str
    reason: str
    nexudus_id: str
    crm_id: str
    attempts: int
    next_attempt: datetime | None
    first_at: datetime | None
    last_at: datetime | None


def failures(ask: Ask, connections: Collection[str], only: Only = ALL) -> Listing[FailureRow]:
    """The open failures of these connections."""
    where, values = _in(connections, ("open",), only.of("first_at", ("reason",)))
    columns = "id, connection, kind, field, reason, nexudus_id, crm_id, attempts, next_attempt, first_at, last_at"

    def make(*row: Any) -> FailureRow:
        return FailureRow(*(*row[:8], *map(moment, row[8:])))

    return Listing(ask, "failure", columns, where, values, make)


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link as its list shows it."""

    id: int
    connection: str
    nexudus_id: str
    crm_id: str
    state: str
    closed_reason: str | None
    created_at: datetime | None


def links(ask: Ask, connections: Collection[str]) -> Listing[LinkRow]:
    """All links of these connections, closed ones too."""
    where, values = one_of("connection", connections)
    columns = "id, connection, nexudus_id, crm_id, state, closed_reason, created_at"

    def make(*row: Any) -> LinkRow:
        return LinkRow(*(*row[:-1], moment(row[-1])))

    return Listing(ask, "link", columns, where, dict(values), make)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A history entry as its list shows it."""

    id: int
    at: datetime | None
    connection: str
    field: str
    old: Any
    new: Any
    lost: Any
    from_side: str
    nexudus_id: str
    crm_id: str
    decided_by: str


def history(ask: Ask, connections: Collection[str], record: str | None = None) -> Listing[HistoryRow]:
    """The history of these connections, of one record or of all."""
    where, values = one_of("connection", connections)
    if record is not None:
        where, values = f"{where} AND (nexudus_id = :record OR crm_id = :record)", {**values, "record": record}
    columns = "id, at, connection, field, old, new, lost, from_side, nexudus_id, crm_id, decided_by"

    def make(*row: Any) -> HistoryRow:
        return HistoryRow(row[0], moment(row[1]), *row[2:4], *map(value, row[4:7]), *row[7:])

    return Listing(ask, "history", columns, where, dict(values), make)


@dataclass(frozen=True, slots=True)
class Undone:
    """An `undo` that was carried out: the entry it undid, the value it brought back, and who asked ("": unknown)."""

    entry: int
    old: Any
    asked_at: datetime
    done_at: datetime
    by: str


def undone(ask: Ask, connections: Collection[str]) -> dict[tuple[str, str, str, str], list[Undone]]:
    """The undos of these connections that brought a value back, by connection, field, Nexudus id and CRM id.

    Those are left out whose entry is gone.
    """
    mine, names = one_of("connection", connections)
    such = f"{mine} AND kind = 'undo' AND outcome = :outcome"
    done = f"SELECT args, asked_at, done_at, asked_by, connection FROM decision WHERE {such} ORDER BY id"  # noqa: S608
    found: dict[tuple[str, str, str, str], list[Undone]] = {}
    for args, asked_at, done_at, by, connection in list(ask(done, {**names, "outcome": BROUGHT_BACK})):
        entry = value(args)["history_id"]
        asked = moment(asked_at)
        for field, nexudus_id, crm_id, old in ask(
            "SELECT field, nexudus_id, crm_id, old FROM history WHERE id = :entry", {"entry": entry}
        ):
            assert asked is not None
            one = Undone(entry, value(old), asked, moment(done_at) or asked, by)
            found.setdefault((connection, field, nexudus_id, crm_id), []).append(one)
    return found


def waits_with(ask: Ask, table: str, column: str, connections: Collection[str]) -> list[str]:
    """The fields or kinds (`column`) of what waits in these connections; `table`: "conflict" or "failure"."""
    where, values = _in(connections, ("open", "resolved"), ([], {}))
    found = ask(f"SELECT DISTINCT {column} FROM {table} WHERE {where} ORDER BY {column}", values)  # noqa: S608
    return [str(name) for (name,) in found if name]


def _in(connections: Collection[str], states: Collection[str], only: Where) -> tuple[str, dict[str, Any]]:
    (mine, names), (such, kinds) = one_of("connection", connections), one_of("state", states)
    return " AND ".join([mine, such, *only[0]]), {**names, **kinds, **only[1]}
