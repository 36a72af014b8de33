"""What waits for people, as one list of conflicts and failures: filtered, counted and paged in SQL."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from nexudus_sync.errors import STORED_DIFFERENTLY
from nexudus_sync.store import search
from nexudus_sync.store.ask import Ask, moment, number, one_of, stored, value

Tab = Literal["waiting", "decided", "dismissed", "told"]
PAGE = 50
"""Items on one page."""
_NOT_TOGETHER = ("match", "deleted", "another-record")
"""Questions about records as a whole: each is answered by itself, since an answer may delete or create a record."""
_OVERWRITTEN = "overwritten"

_CONFLICT_TABS = {
    "waiting": "i.state = 'open'",
    "decided": "i.take IS NOT NULL AND i.state <> 'open'",
}
_FAILURE_TABS = {
    "waiting": "i.state = 'open' AND i.kind <> :told",
    "told": "i.state = 'open' AND i.kind = :told",
    "dismissed": "i.state = 'dismissed'",
}
_SAYING = {"conflict": ("i.nexudus", "i.crm", "i.reason"), "failure": ("i.reason",)}
"""The columns in which a text is looked for, beside the names and ids of the records."""
_AT = {"conflict": "i.opened_at", "failure": "i.first_at"}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items are meant. `before`: only those that wait since before that moment; "" stands for all."""

    connections: tuple[str, ...]
    tab: Tab = "waiting"
    kind: str = ""
    field: str = ""
    text: str = ""
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A conflict or a failure, with the names of its record. What only the other sort has is None, or "".

    `what` is "conflict" or "failure". `value` is the third value that a person wrote.
    """

    what: str
    id: int
    connection: str
    kind: str
    field: str
    nexudus_id: str
    crm_id: str
    state: str
    at: datetime | None
    base: Any = None
    nexudus: Any = None
    crm: Any = None
    side: str = ""
    reason: str = ""
    take: str | None = None
    value: Any = None
    decided_by: str = ""
    decided_at: datetime | None = None
    link_id: int | None = None
    attempts: int = 0
    last_at: datetime | None = None
    next_attempt: datetime | None = None
    edits: Any = None

    @property
    def key(self) -> str:
        """c17 for conflict 17, f4 for failure 4."""
        return f"{self.what[0]}{self.id}"

    @property
    def is_conflict(self) -> bool:
        """Is it a question?"""
        return self.what == "conflict"

    @property
    def together(self) -> bool:
        """May it be answered together with others?"""
        return not self.is_conflict or self.kind not in _NOT_TOGETHER


@dataclass(frozen=True, slots=True)
class Group:
    """How many items of one sort, kind and field wait in a connection."""

    what: str
    connection: str
    kind: str
    field: str
    count: int


def counts(ask: Ask, wanted: Filter) -> dict[str, int]:
    """How many items each tab has, by the tab's name; filters beside the connections do not count."""
    tabs: tuple[Tab, ...] = ("waiting", "decided", "dismissed", "told")
    plain = Filter(wanted.connections)
    return {tab: total(ask, replace(plain, tab=tab)) for tab in tabs}


def total(ask: Ask, wanted: Filter) -> int:
    """How many items there are."""
    parts, values = _parts(wanted)
    return sum(number(ask(f"SELECT count(*) FROM {part}", values)) for _, part in parts)  # noqa: S608


def page(ask: Ask, wanted: Filter, *, offset: int = 0, limit: int = PAGE) -> list[Item]:
    """Some of the items, those that wait for the shortest time first."""
    parts, values = _parts(wanted)
    if not parts:
        return []
    each = [f"SELECT '{what}' AS what, i.id AS id, {_AT[what]} AS at FROM {part}" for what, part in parts]  # noqa: S608
    union = " UNION ALL ".join(each)
    ordered = f"SELECT what, id FROM ({union}) AS u ORDER BY at DESC, what, id DESC LIMIT :limit OFFSET :offset"  # noqa: S608
    keys = [(str(what), int(number)) for what, number in ask(ordered, {**values, "limit": limit, "offset": offset})]
    return _of_keys(ask, keys)


def groups(ask: Ask, wanted: Filter) -> list[Group]:
    """The sorts of items there are, by connection, kind and field: what a filter can choose from."""
    parts, values = _parts(Filter(wanted.connections, wanted.tab))
    found = []
    for what, part in parts:
        grouped = f"SELECT i.connection, i.kind, i.field, count(*) FROM {part} GROUP BY i.connection, i.kind, i.field"  # noqa: S608
        found += [Group(what, *row) for row in ask(grouped, values)]
    return found


def changed_at(ask: Ask, item: Item) -> tuple[datetime | None, datetime | None]:
    """When both records were last changed by people, as far as is known, Nexudus's first."""
    rows = ask("SELECT nexudus_changed_at, crm_changed_at FROM link WHERE id = :link", {"link": item.link_id or 0})
    return next(((moment(nexudus), moment(crm)) for nexudus, crm in list(rows)), (None, None))


def get(ask: Ask, key: str) -> Item | None:
    """The item of that key, None where there is none."""
    what = {"c": "conflict", "f": "failure"}.get(key[:1])
    if what is None or not key[1:].isdecimal() or len(key) > 15:
        return None
    return next(iter(_of_keys(ask, [(what, int(key[1:]))])), None)


def some(ask: Ask, keys: list[str]) -> list[Item]:
    """The items of these keys that there are."""
    split = {"c": "conflict", "f": "failure"}
    known = [
        (split[key[0]], int(key[1:])) for key in keys if key[:1] in split and key[1:].isdecimal() and len(key) < 15
    ]
    return _of_keys(ask, known)


def newer(ask: Ask, wanted: Filter, conflict: int, failure: int) -> int:
    """How many waiting items are newer than these numbers."""
    parts, values = _parts(wanted)
    after = {"conflict": conflict, "failure": failure}
    return sum(
        number(ask(f"SELECT count(*) FROM {part} AND i.id > :after", {**values, "after": after[what]}))  # noqa: S608
        for what, part in parts
    )


def newest(ask: Ask, connections: tuple[str, ...]) -> tuple[int, int]:
    """The numbers of these connections' newest conflict and newest failure, 0 where there is none."""
    mine, names = one_of("connection", connections)
    conflict, failure = (f"SELECT coalesce(max(id), 0) FROM {what} WHERE {mine}" for what in ("conflict", "failure"))  # noqa: S608
    return number(ask(conflict, names)), number(ask(failure, names))


def alike(ask: Ask, item: Item) -> list[int]:
    """The numbers of the open failures that have the same reason, in the same field and connection."""
    same = "connection = :connection AND state = 'open' AND kind = :kind AND field = :field AND reason = :reason"
    named = {"connection": item.connection, "kind": item.kind, "field": item.field, "reason": item.reason}
    return [int(row[0]) for row in ask(f"SELECT id FROM failure WHERE {same} ORDER BY id", named)]  # noqa: S608


@dataclass(frozen=True, slots=True)
class Together:
    """What is answered at once: the numbers, and a fingerprint of all that the person was shown."""

    numbers: tuple[int, ...]
    seen: str


def conflicts_together(ask: Ask, wanted: Filter, numbers: tuple[int, ...] | None = None) -> Together:
    """The open conflicts of a filter, or those of these numbers, that one answer may be given to.

    Questions about records as a whole are never among them, overwritten values only where their kind was asked for.
    """
    kept, values = _kept(wanted)
    return _those(ask, replace(wanted, tab="waiting"), "conflict", "i.id, i.nexudus, i.crm", numbers, kept, values)


def failures_together(ask: Ask, wanted: Filter, numbers: tuple[int, ...] | None = None) -> Together:
    """The failures of a filter, or those of these numbers."""
    return _those(ask, wanted, "failure", "i.id, i.reason", numbers)


def _kept(wanted: Filter) -> tuple[str, dict[str, Any]]:
    """The condition on conflicts that they may be answered together."""
    out = _NOT_TOGETHER if wanted.kind == _OVERWRITTEN else (*_NOT_TOGETHER, _OVERWRITTEN)
    named = {f"out_{place}": kind for place, kind in enumerate(out)}
    return f" AND i.kind NOT IN ({', '.join(f':{name}' for name in named)})", named


def _those(
    ask: Ask,
    wanted: Filter,
    what: str,
    columns: str,
    numbers: tuple[int, ...] | None,
    kept: str = "",
    more: Mapping[str, Any] | None = None,
) -> Together:
    parts, values = _parts(wanted)
    part = next((part for sort, part in parts if sort == what), None)
    if part is None:
        return Together((), "")
    if numbers is not None:
        kept += f" AND i.id IN ({', '.join(map(str, map(int, numbers))) or '0'})"
    return _together(ask(f"SELECT {columns} FROM {part}{kept} ORDER BY i.id", {**values, **(more or {})}))  # noqa: S608


def _together(rows: Iterator[Any]) -> Together:
    numbers, digest = [], hashlib.sha256()
    for row in rows:
        numbers.append(int(row[0]))
        digest.update(repr(tuple(row)).encode())
    return Together(tuple(numbers), digest.hexdigest()[:32])


def _parts(wanted: Filter) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """The sorts of items that a filter is about, each with its `FROM … WHERE …` (as `i`), and the parameters."""
    mine, names = one_of("connection", wanted.connections)
    conditions, values = [f"i.{mine}"], dict[str, Any](names)
    if wanted.kind in ("conflict", "failure", ""):
        sorts = [wanted.kind] if wanted.kind else ["conflict", "failure"]
    else:
        sorts = ["conflict", "failure"]
        conditions.append("i.kind = :kind")
        values["kind"] = wanted.kind
    if wanted.field:
        conditions.append("i.field = :field")
        values["field"] = wanted.field
    values["told"] = STORED_DIFFERENTLY
    found = []
    for what in sorts:
        tab = (_CONFLICT_TABS if what == "conflict" else _FAILURE_TABS).get(wanted.tab)
        if tab is None:
            continue
        where = [*conditions, tab]
        if wanted.before is not None:
            where.append(f"{_AT[what]} < :before")
            values["before"] = stored(wanted.before)
        if wanted.text:
            where.append(search.condition(_SAYING[what], wanted.connections))
            values |= search.like(wanted.text)
        found.append((what, f"{what} i WHERE {' AND '.join(where)}"))
    return found, {key: said for key, said in values.items() if any(f":{key}" in part for _, part in found)}


_CONFLICT = (
    "id, connection, kind, field, nexudus_id, crm_id, state, opened_at, base, nexudus, crm, side, reason, take, value, "
    "decided_by, decided_at, link_id, edits"
)
_FAILURE = "id, connection, kind, field, nexudus_id, crm_id, state, first_at, reason, attempts, last_at, next_attempt"


def _of_keys(ask: Ask, keys: list[tuple[str, int]]) -> list[Item]:
    """The items of these sorts and numbers, in that order."""
    found: Mapping[tuple[str, int], Item] = {**_conflicts(ask, keys), **_failures(ask, keys)}
    return [found[key] for key in keys if key in found]


def _conflicts(ask: Ask, keys: list[tuple[str, int]]) -> dict[tuple[str, int], Item]:
    def make(row: Any) -> Item:
        base, nexudus, crm, side, reason, take, third, by, decided, link_id, edits = row[8:]
        return Item(
            **_common("conflict", row),
            base=value(base),
            nexudus=value(nexudus),
            crm=value(crm),
            side=side or "",
            reason=reason or "",
            take=take,
            value=value(third),
            decided_by=by or "",
            decided_at=moment(decided),
            link_id=link_id,
            edits=value(edits),
        )

    return {("conflict", row[0]): make(row) for row in _rows(ask, "conflict", _CONFLICT, keys)}


def _failures(ask: Ask, keys: list[tuple[str, int]]) -> dict[tuple[str, int], Item]:
    def make(row: Any) -> Item:
        reason, attempts, last, following = row[8:]
        return Item(
            **_common("failure", row),
            reason=reason,
            attempts=attempts,
            last_at=moment(last),
            next_attempt=moment(following),
        )

    return {("failure", row[0]): make(row) for row in _rows(ask, "failure", _FAILURE, keys)}


def _common(what: str, row: Any) -> dict[str, Any]:
    """What both sorts have, which their rows begin with."""
    names = ("id", "connection", "kind", "field", "nexudus_id", "crm_id", "state")
    return {"what": what, **dict(zip(names, row[:7], strict=True)), "at": moment(row[7])}


def _rows(ask: Ask, table: str, columns: str, keys: list[tuple[str, int]]) -> list[Any]:
    wanted = [number for what, number in keys if what == table]
    if not wanted:
        return []
    named = {f"id_{place}": number for place, number in enumerate(wanted)}
    ids = ", ".join(f":{name}" for name in named)
    return list(ask(f"SELECT {columns} FROM {table} WHERE id IN ({ids})", named))  # noqa: S608
