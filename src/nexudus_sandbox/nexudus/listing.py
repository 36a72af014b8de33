"""Listings: filters, order and pages, with the traps of the page "List CrmOpportunity records".

An unknown parameter is ignored without a word; range filters on dates see whole minutes, in UTC, both ends included.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.nexudus.values import date, moment
from nexudus_sandbox.wire import Response, html_response, raw_json_response
from nexudus_sync import codec

Test = Callable[[Row], bool]

DEFAULT_SIZE, LARGEST_SIZE = 25, 1000
_MINUTE = len("2025-01-15T10:30")


@dataclass(frozen=True, slots=True)
class Filters:
    """What one entity's listing can filter by.

    Query parameter → key, query parameter → (end, key), and which keys are dates.
    """

    equality: Mapping[str, str]
    ranges: Mapping[str, tuple[str, str]]
    dates: frozenset[str]

    @classmethod
    def of(cls, entity: str, keys: Iterable[str], dates: frozenset[str]) -> "Filters":
        """The usual filters: `Entity_Key`, `Entity_Other` for `OtherId`, `from_Entity_Key` and `to_Entity_Key`."""
        names = {key: key for key in keys} | {key.removesuffix("Id"): key for key in keys if len(key) > len("Id")}
        ranges = {f"{end}_{entity}_{key}": (end, key) for key in keys for end in ("from", "to")}
        return cls({f"{entity}_{name}": key for name, key in names.items()}, ranges, dates)

    def tests(self, query: Mapping[str, str]) -> list[Test]:
        """The tests that a query asks for."""
        found = [self._equal(self.equality[name], text) for name, text in query.items() if name in self.equality]
        found += [self._bound(*self.ranges[name], text) for name, text in query.items() if name in self.ranges]
        return [test for test in found if test is not None]

    def _equal(self, key: str, text: str) -> Test | None:
        if text.startswith("["):
            wanted = {part.strip().casefold() for part in text.strip("[]").split(",")}
            return lambda row: _spell(row.get(key)) in wanted
        if key in self.dates:
            minute = _minute(text)
            return None if minute is None else lambda row: (row.get(key) or "")[:_MINUTE] == minute
        plain = _spell(_number(text)) if _number(text) is not None else text.strip().casefold()
        return lambda row: _spell(row.get(key)) == plain

    def _bound(self, end: str, key: str, text: str) -> Test | None:
        bound: Any = _minute(text) if key in self.dates else _number(text)
        if bound is None:
            return None

        def test(row: Row) -> bool:
            value = row.get(key)
            if value is None:
                return False
            if key in self.dates:
                value = value[:_MINUTE]
            return bool(value >= bound if end == "from" else value <= bound)

        return test


def _minute(text: str) -> str | None:
    try:
        return date(text.strip())[:_MINUTE]
    except ValueError:
        return None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _spell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return f"{Decimal(value).normalize():f}"
    return str(value).casefold()


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a listing was asked for, and in which order."""

    page: int
    size: int
    order_by: str
    descending: bool
    zero_one: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str], *, zero_one: bool) -> "Paging":
        """Read `page`, `size`, `orderBy` and `dir`; what makes no sense takes the default."""
        given = {name.lower(): text for name, text in query.items()}
        direction = given.get("dir", "")
        return cls(
            page=max(1, _count(given.get("page", ""), 1)),
            size=min(LARGEST_SIZE, max(1, _count(given.get("size", ""), DEFAULT_SIZE))),
            order_by=given.get("orderby", "Id"),
            descending=direction == ("1" if zero_one else "-1") or direction.lower() == "descending",
            zero_one=zero_one,
        )

    def sort(self, rows: list[Row]) -> list[Row]:
        """The rows in order; ties by id, blanks first, an unknown key means the id."""
        key = self.order_by if rows and self.order_by in rows[0] else "Id"
        if key == "Id":
            return sorted(rows, key=lambda row: int(row["Id"]), reverse=self.descending)
        return sorted(rows, key=lambda row: (_rank(row.get(key)), row["Id"]), reverse=self.descending)

    @property
    def direction(self) -> int:
        """The direction as this server spells it."""
        if self.zero_one:
            return 1 if self.descending else 0
        return -1 if self.descending else 1


def _count(text: str, default: int) -> int:
    return int(text) if text.strip().lstrip("-").isdecimal() else default


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, "")
    if isinstance(value, int | Decimal):
        return (1, Decimal(value))
    return (2, str(value))


def listing(
    rows: Iterable[Row],
    query: Mapping[str, str],
    filters: Filters,
    render: Callable[[Row], str] = codec.dumps,
    *,
    deepest_page: int,
    zero_one: bool = False,
) -> Response:
    """The answer to a listing; `render` writes one row as JSON."""
    paging = Paging.of(query, zero_one=zero_one)
    if paging.page > deepest_page:
        return html_response(403, "Forbidden")
    tests = filters.tests(query)
    matching = paging.sort([row for row in rows if all(test(row) for test in tests)])
    first = (paging.page - 1) * paging.size
    shown = matching[first : first + paging.size]
    pages = -(-len(matching) // paging.size)
    tail = codec.dumps(
        {
            "CurrentPageSize": paging.size,
            "CurrentPage": paging.page,
            "CurrentOrderField": paging.order_by,
            "CurrentSortDirection": paging.direction,
            "FirstItem": first + 1 if shown else 0,
            "HasNextPage": paging.page < pages,
            "HasPreviousPage": paging.page > 1,
            "LastItem": first + len(shown) if shown else 0,
            "PageNumber": paging.page,
            "PageSize": paging.size,
            "TotalItems": len(matching),
            "TotalPages": pages,
        }
    )
    records = ",".join(render(row) for row in shown)
    return raw_json_response(200, f'{{"Records":[{records}],{tail[1:]}')


def stamped(row_id: int, at: datetime, by: str) -> Row:
    """The bookkeeping every object carries."""
    return {"Id": row_id, "CreatedOn": moment(at), "UpdatedOn": moment(at), "UpdatedBy": by}
