"""Filters of a list: read from what the caller sends, turned into tests of a row.

Facts from frappe (model/db_query.py, database/query.py) and from what two servers matched: a value is compared as the
database compares it, and what is no date in a filter on a date stands for the year 1.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext import errors, values
from nexudus_sandbox.erpnext.meta import DATETIMES, DECIMALS, WHOLES, DocType
from nexudus_sandbox.erpnext.site import Site
from nexudus_sync import codec

Test = Callable[[Any], bool]
Key = Callable[[Any], Any]

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda mine, given: bool(mine == given),
    "!=": lambda mine, given: bool(mine != given),
    "<": lambda mine, given: bool(mine < given),
    ">": lambda mine, given: bool(mine > given),
    "<=": lambda mine, given: bool(mine <= given),
    ">=": lambda mine, given: bool(mine >= given),
}
OTHERS = ("like", "not like", "in", "not in", "between", "is")
OPTIONAL = frozenset({"_user_tags", "_comments", "_assign", "_liked_by"})
"""Columns that no DocType defines and every table has."""


def parse_json(value: Any) -> Any:
    """JSON if it is text, else as it is. Raises 500 for text that is not JSON."""
    if not isinstance(value, str):
        return value
    try:
        return codec.loads(value)
    except ValueError as error:
        raise errors.python("JSONDecodeError", explain(value, error), "json.decoder.") from error


def explain(text: str, error: ValueError) -> str:
    """What Python's own parser says is wrong with a text."""
    try:
        json.loads(text)
    except ValueError as own:
        error = own
    return str(error)


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter. `table` is the child table its column is in, "" for the document's own."""

    table: str
    column: str
    test: Test

    def holds(self, row: Row) -> bool:
        """Does the document pass?"""
        if self.table:
            return any(self.test(child.get(self.column)) for child in row[self.table])
        return self.test(row.get(self.column))


def conditions(site: Site, meta: DocType, sent: Any) -> list[Condition]:
    """What a list's `filters` ask for. Raises 417 for a column that does not exist."""
    return [_condition(site, meta, *parts) for parts in _parts(meta, parse_json(sent))]


def _parts(meta: DocType, sent: Any) -> Iterable[tuple[str, str, str, Any]]:
    """(DocType, column, operator, value) of each filter."""
    if isinstance(sent, Mapping):
        for column, value in sent.items():
            operator, operand = value if isinstance(value, list) else ("=", value)
            yield meta.name, column, operator, operand
        return
    for item in sent or ():
        if len(item) == 4:
            yield item[0], item[1], item[2], item[3]
        else:
            column, operator, operand = item if len(item) == 3 else (item[0], "=", item[1])
            yield meta.name, column, operator, operand


def _condition(site: Site, meta: DocType, doctype: str, column: str, operator: str, operand: Any) -> Condition:
    table = next((field.name for field in meta.tables if field.options == doctype), "")
    kind = kind_of(site.doctypes[doctype] if table else meta, column)
    if kind is None:
        raise errors.thrown("DataError", f"Field not permitted in query: {column}")
    return Condition(table, column, _test(site.version, kind, operator.lower().strip(), operand))


def kind_of(meta: DocType, column: str) -> str | None:
    """The kind of a column; None if it does not exist."""
    if column in {"creation", "modified"}:
        return "Datetime"
    if column in {"docstatus", "idx"}:
        return "Int"
    if column in meta.column_names or column in OPTIONAL:
        field = meta.by_name.get(column)
        return field.kind if field else "Data"
    return None


def _given(kind: str, operand: Any) -> Any:
    """What a filter's value is compared as."""
    if kind in DATETIMES:
        return values.moment(str(operand)) or f"{values.NO_DAY} 00:00:00.000000"
    if kind == "Date":
        return (values.moment(str(operand)) or values.NO_DAY)[:10]
    if kind in DECIMALS or kind in WHOLES:
        return values.decimal(operand)
    return values.folded("" if operand is None else str(operand))


def _key(kind: str) -> Key:
    """What a stored value is compared as; it is in the database's own form already."""
    if kind in DATETIMES or kind == "Date":
        return lambda value: value or values.NO_DAY
    if kind in DECIMALS or kind in WHOLES:
        return lambda value: value or 0
    return lambda value: values.folded("" if value is None else str(value))


def _test(version: int, kind: str, operator: str, operand: Any) -> Test:
    key = _key(kind)
    if operator in COMPARE:
        compare, given = COMPARE[operator], _given(kind, operand)
        return lambda value: compare(key(value), given)
    if operator in {"in", "not in"}:
        listed = _listed(kind, operand)
        return lambda value: (key(value) in listed) == (operator == "in")
    if operator in {"like", "not like"}:
        pattern = _like(values.folded(str(operand)))
        return lambda value: (pattern.fullmatch(values.folded(str(value or ""))) is not None) == (operator == "like")
    if operator == "is":
        wanted = str(operand).lower() == "set"
        return lambda value: (value is not None and value != "") == wanted
    if operator == "between":
        first, last = (_given(kind, bound) for bound in _bounds(version, kind, operand))
        return lambda value: bool(first <= key(value) <= last)
    raise errors.thrown("ValidationError", f"Operator must be one of {', '.join((*COMPARE, *OTHERS))}")


def _listed(kind: str, operand: Any) -> set[Any]:
    sent = operand.split(",") if isinstance(operand, str) else operand or []
    return {_given(kind, item.strip() if isinstance(item, str) else item) for item in sent}


def _bounds(version: int, kind: str, operand: list[Any]) -> tuple[Any, Any]:
    """The bounds of a `between`: before version 16 a last day counts to its end."""
    first, last = operand
    if version < 16 and kind in DATETIMES and len(str(last)) == len(values.NO_DAY):
        last = f"{last} 23:59:59.999999"
    return first, last


def _like(pattern: str) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(char, re.escape(char)) for char in pattern), re.DOTALL)
