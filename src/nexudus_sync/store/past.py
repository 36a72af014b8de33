"""The history for people who look through it: filtered and paged in SQL, the newest first."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nexudus_sync.store import search
from nexudus_sync.store.ask import Ask, moment, number, one_of, stored, value
from nexudus_sync.store.lists import HistoryRow

PAGE = 50
"""Entries on one page."""
_COLUMNS = "i.id, i.at, i.connection, i.field, i.old, i.new, i.lost, i.from_side, i.nexudus_id, i.crm_id, i.decided_by"

# in parts, each of which an index answers
_ABOUT = (
    "i.id IN (SELECT id FROM history WHERE nexudus_id = :record"
    " UNION SELECT id FROM history WHERE nexudus_id = '' AND crm_id = :record"
    " UNION SELECT h.id FROM link l JOIN history h ON h.nexudus_id = l.nexudus_id AND h.crm_id = l.crm_id"
    " WHERE l.crm IN (SELECT DISTINCT crm FROM link) AND l.crm_id = :record)"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are meant; "" and None stand for all. `record` is an id of either side; `from_side` a side."""

    connections: tuple[str, ...]
    field: str = ""
    from_side: str = ""
    record: str = ""
    text: str = ""
    since: datetime | None = None


def count(ask: Ask, wanted: Filter) -> int:
    """How many entries there are."""
    where, values = _where(wanted)
    return number(ask(f"SELECT count(*) FROM history i WHERE {where}", values))  # noqa: S608


def page(
    ask: Ask, wanted: Filter, *, before: int | None = None, after: int | None = None, limit: int = PAGE
) -> list[HistoryRow]:
    """The newest entries, those just older than the entry `before`, or those just newer than `after`."""
    where, values = _where(wanted)
    if before is not None:
        where, values = f"{where} AND i.id < :before", {**values, "before": before}
    if after is not None:
        where, values = f"{where} AND i.id > :after", {**values, "after": after}
    order = "ASC" if after is not None else "DESC"
    rows = ask(
        f"SELECT {_COLUMNS} FROM history i WHERE {where} ORDER BY i.id {order} LIMIT :limit",  # noqa: S608
        {**values, "limit": limit},
    )
    found = [_made(row) for row in rows]
    return found[::-1] if after is not None else found


def get(ask: Ask, entry: int) -> HistoryRow | None:
    """The entry of that number."""
    rows = ask(f"SELECT {_COLUMNS} FROM history i WHERE i.id = :entry", {"entry": entry})  # noqa: S608
    return next((_made(row) for row in list(rows)), None)


def look(ask: Ask, wanted: Filter, *, before: int | None, after: int | None) -> tuple[int, list[HistoryRow]]:
    """How many entries there are, and a page of them. A text is looked for once for both."""
    if not wanted.text:
        return count(ask, wanted), page(ask, wanted, before=before, after=after)
    where, values = _where(wanted)
    ids = [int(row[0]) for row in ask(f"SELECT i.id FROM history i WHERE {where} ORDER BY i.id DESC", values)]  # noqa: S608
    named = {f"id_{place}": one for place, one in enumerate(_part(ids, before, after))}
    marks = ", ".join(f":{name}" for name in named) or "0"
    rows = ask(f"SELECT {_COLUMNS} FROM history i WHERE i.id IN ({marks}) ORDER BY i.id DESC", named)  # noqa: S608
    return len(ids), [_made(row) for row in rows]


def _part(ids: list[int], before: int | None, after: int | None) -> list[int]:
    """The page of these numbers, the highest first, that lies before or after one of them."""
    if after is not None:
        return [one for one in ids if one > after][-PAGE:]
    return [one for one in ids if before is None or one < before][:PAGE]


def newest(ask: Ask, wanted: Filter) -> int:
    """The number of the newest entry, 0 where there is none."""
    where, values = _where(wanted)
    return number(ask(f"SELECT i.id FROM history i WHERE {where} ORDER BY i.id DESC LIMIT 1", values))  # noqa: S608


def fields(ask: Ask, connections: tuple[str, ...]) -> list[str]:
    """The fields of the newest entries, which a filter can choose from."""
    mine, names = one_of("connection", connections)
    newest = f"SELECT field FROM history WHERE {mine} ORDER BY id DESC LIMIT 5000"  # noqa: S608
    return [str(row[0]) for row in ask(f"SELECT DISTINCT field FROM ({newest}) AS n ORDER BY field", names)]  # noqa: S608


def by_hour(ask: Ask, connections: tuple[str, ...], now: datetime, hours: int = 24) -> dict[str, list[int]]:
    """How many values were written in each of the last hours, the oldest first, by connection."""
    mine, names = one_of("connection", connections)
    found = {name: [0] * hours for name in connections}
    since = now - timedelta(hours=hours)
    # entries are numbered as they come, so that the first that is too old ends a walk back from the newest
    old = number(ask("SELECT id FROM history WHERE at < :since ORDER BY id DESC LIMIT 1", {"since": stored(since)}))
    for name, at in ask(f"SELECT connection, at FROM history WHERE id > :old AND {mine}", {**names, "old": old}):  # noqa: S608
        written = moment(at)
        if written is not None:
            place = int((written - since).total_seconds() // 3600)
            found[name][min(max(place, 0), hours - 1)] += 1
    return found


def _made(row: Any) -> HistoryRow:
    return HistoryRow(row[0], moment(row[1]), *row[2:4], *map(value, row[4:7]), *row[7:])


def _where(wanted: Filter) -> tuple[str, dict[str, Any]]:
    mine, names = one_of("connection", wanted.connections)
    conditions, values = [f"i.{mine}"], dict[str, Any](names)
    for column, said in (("field", wanted.field), ("from_side", wanted.from_side)):
        if said:
            conditions.append(f"i.{column} = :{column}")
            values[column] = said
    if wanted.record:
        conditions.append(_ABOUT)
        values["record"] = wanted.record
    if wanted.since is not None:
        conditions.append("i.at >= :since")
        values["since"] = stored(wanted.since)
    if wanted.text:
        conditions.append(search.condition(("i.old", "i.new", "i.lost"), wanted.connections))
        values |= search.like(wanted.text)
    return " AND ".join(conditions), values
