"""Lists: which columns of which documents, in which order.

Facts from frappe (model/db_query.py for version 15, database/query.py for version 16).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.filters import OPTIONAL, conditions, kind_of, parse_json
from nexudus_sandbox.erpnext.meta import STANDARD, DocType
from nexudus_sandbox.erpnext.session import Session
from nexudus_sandbox.erpnext.values import folded

PAGE = 20
_COLUMN = re.compile(r"(?:`tab(?P<of>[^`]+)`\.|(?P<via>\w+)\.)?`?(?P<name>\w+)`?(?:\s+as\s+`?(?P<alias>\w+)`?)?", re.I)
_COUNT = re.compile(r"count\(`?(?P<name>\w+|\*)`?\)\s+as\s+`?(?P<alias>\w+)`?", re.I)
_AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "COUNT": len,
    "SUM": lambda found: sum(found) if found else None,
    "MIN": lambda found: min(found, default=None),
    "MAX": lambda found: max(found, default=None),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One thing a list shows. `table` names the child table whose rows multiply the document's."""

    key: str
    read: Callable[[Row, Row], Any]
    table: str = ""
    aggregate: Callable[[list[Any]], Any] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for, as it was sent. `lenient` drops columns that do not exist instead of refusing them."""

    doctype: str
    fields: Any = None
    filters: Any = None
    or_filters: Any = None
    order_by: str = ""
    start: int = 0
    limit: int = PAGE
    """0: all."""
    expand: Any = None
    lenient: bool = False

    @classmethod
    def of(cls, form: Mapping[str, Any], doctype: str | None = None) -> "Query":
        """A list as version 1 of the API takes it."""
        limit = form.get("limit_page_length", form.get("limit"))
        return cls(
            doctype or str(form.get("doctype")),
            form.get("fields"),
            form.get("filters"),
            form.get("or_filters"),
            str(form.get("order_by") or ""),
            int(form.get("limit_start") or 0),
            PAGE if limit in (None, "") else int(limit),
            form.get("expand"),
        )


def run(session: Session, query: Query) -> list[dict[str, Any]]:
    """The rows of a list. Raises 403 for those who may not read the DocType, 417 for unknown columns."""
    meta = _readable(session, query.doctype)
    columns = _columns(session, meta, query)
    _only_selectable(session, meta, query)
    if session.site.version < 16:
        _unambiguous(session, meta, columns, query.order_by)
    found = ordered(session, meta, query, matching(session, meta, query))
    if any(column.aggregate for column in columns):
        return [{column.key: _aggregate(column, found) for column in columns}]
    page = _page(query, columns, found)
    for name in parse_json(query.expand) or ():
        _expand(session, meta, name, page)
    return page


def _page(query: Query, columns: list[Column], found: list[Row]) -> list[dict[str, Any]]:
    """One page: of the rows, or of what becomes of them where they are joined with a table's."""
    here = slice(query.start, query.start + query.limit if query.limit else None)
    if any(column.table for column in columns):
        return [shown for row in found for shown in _joined(columns, row)][here]
    return [shown for row in found[here] for shown in _joined(columns, row)]


def count(session: Session, query: Query) -> int:
    """How many documents a list has, whatever its page."""
    return len(matching(session, _readable(session, query.doctype), query))


def count_all(session: Session, query: Query) -> int:
    """How many documents pass the filters, also those that the user does not get to see."""
    return len(matching(session, session.meta(query.doctype), query, seen_only=False))


def _readable(session: Session, doctype: str) -> DocType:
    meta = session.meta(doctype)
    if session.user.may("read", doctype) or session.user.may("select", doctype):
        return meta
    if session.site.version >= 16:
        raise errors.thrown("PermissionError", f"Insufficient Permission for <strong>{doctype}</strong>")
    raise errors.no_permission(session.user.name, doctype, traced=True)


def _only_selectable(session: Session, meta: DocType, query: Query) -> None:
    """Who may only select sees a document's name, and may ask by nothing else."""
    if session.user.may("read", meta.name):
        return
    asked = [str(name) for name in parse_json(query.fields) or ["name"]]
    asked += [name for name, _ in _order(session, meta, query.order_by)]
    asked += [one.column for one in conditions(session.site, meta, query.filters)]
    for name in asked:
        if name != "name":
            raise _no_field(meta, name)


def _no_field(meta: DocType, name: str) -> errors.FrappeError:
    text = f"You do not have permission to access field: <strong>{meta.name}.{name}</strong>"
    return errors.thrown("PermissionError", text, title="Permission Error")


def matching(session: Session, meta: DocType, query: Query, *, seen_only: bool = True) -> list[Row]:
    """The documents that pass the filters and (`seen_only`) that the user gets to see, in no order."""
    every = conditions(session.site, meta, query.filters)
    any_of = conditions(session.site, meta, query.or_filters)
    return [
        row
        for row in session.site.tables[meta.name].rows.values()
        if all(condition.holds(row) for condition in every)
        and (not any_of or any(condition.holds(row) for condition in any_of))
        and (not seen_only or session.user.sees(meta, row))
    ]


def ordered(session: Session, meta: DocType, query: Query, rows: list[Row]) -> list[Row]:
    """The documents in the order asked for; without one as the database's index happens to have them."""
    keys = _order(session, meta, query.order_by) or [(_natural_order(session, meta, query), False)]
    for name, descending in reversed(keys):
        rows = sorted(rows, key=_sort_key(name), reverse=descending)
    return rows


def _natural_order(session: Session, meta: DocType, query: Query) -> str:
    """What the two servers read by: creation (16), the stamp, or the name when another column is filtered (15)."""
    if session.site.version >= 16:
        return "creation"
    filtered = (*conditions(session.site, meta, query.filters), *conditions(session.site, meta, query.or_filters))
    return "modified" if all(condition.column == "modified" for condition in filtered) else "name"


def _order(session: Session, meta: DocType, text: str) -> list[tuple[str, bool]]:
    keys = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        column, _, direction = part.partition(" ")
        name = column.rpartition(".")[2].strip("`")
        if kind_of(meta, name) is None:
            raise _unknown_order(session, meta, name)
        keys.append((name, direction.strip().lower() == "desc"))
    return keys


def _unambiguous(session: Session, meta: DocType, columns: list[Column], order_by: str) -> None:
    """Version 15 orders as it is told: a column that both joined tables have needs its table, or to be shown."""
    for joined in {column.table for column in columns} - {""}:
        child = session.site.doctypes[meta.by_name[joined].options]
        shared = {*STANDARD, *(field.name for field in child.columns)} & meta.column_names
        for part in filter(None, (part.strip() for part in order_by.split(","))):
            name = part.partition(" ")[0].strip("`")
            if name in shared - {column.key for column in columns}:
                text = f"Column '{name}' in ORDER BY is ambiguous"
                raise errors.database(session.site.version, 1052, text)


def _unknown_order(session: Session, meta: DocType, name: str) -> errors.FrappeError:
    if session.site.version >= 16:
        return _no_field(meta, name)
    return errors.database(session.site.version, 1054, f"Unknown column '{name}' in 'ORDER BY'")


def _sort_key(name: str) -> Callable[[Row], Any]:
    def key(row: Row) -> tuple[bool, Any]:
        value = row.get(name)
        return value is not None, folded(value) if isinstance(value, str) else value or 0

    return key


def _columns(session: Session, meta: DocType, query: Query) -> list[Column]:
    columns: list[Column] = []
    for sent in parse_json(query.fields) or ["name"]:
        if isinstance(sent, Mapping):
            columns.append(_structured(session, meta, sent))
        else:
            columns += _named(session, meta, str(sent), lenient=query.lenient)
    return columns


def _structured(session: Session, meta: DocType, sent: Mapping[str, Any]) -> Column:
    """Version 16: `{"COUNT": "name", "as": "n"}`, or `{"lost_reasons": ["lost_reason"]}` for rows of a child table."""
    if session.site.version < 16:
        raise errors.python("TypeError", "unhashable type: 'dict'")
    name, wanted = next(iter(sent.items()))
    if name in meta.table_names:
        return Column(name, lambda row, _child: [{key: child.get(key) for key in wanted} for child in row[name]])
    if name.upper() not in _AGGREGATES or kind_of(meta, str(wanted)) is None:
        raise errors.thrown("DataError", f"Field not permitted in query: {wanted}")
    return Column(str(sent.get("as", wanted)), _own(str(wanted)), aggregate=_AGGREGATES[name.upper()])


def _named(session: Session, meta: DocType, text: str, *, lenient: bool) -> list[Column]:
    if text == "*":
        return [Column(name, _own(name)) for name in (*STANDARD, *(field.name for field in meta.columns))]
    match = _COLUMN.fullmatch(text.strip())
    if match is None:
        return [_counted(session, text)]
    name = match["name"]
    key = match["alias"] or name
    elsewhere = _elsewhere(session, meta, match, key)
    if elsewhere is not None:
        return [elsewhere]
    if name not in meta.column_names and name not in OPTIONAL:
        if lenient and session.site.version >= 16:
            return []
        raise errors.thrown("DataError", f"Field not permitted in query: {name}")
    return [Column(key, _own(name))]


def _elsewhere(session: Session, meta: DocType, match: re.Match[str], key: str) -> Column | None:
    """A column of a child table, or of the document that a field links to."""
    owner, via, name = match["of"], match["via"], match["name"]
    table = next((field.name for field in meta.tables if field.options == owner or field.name == via), "")
    if table:
        return Column(key, lambda _row, child: child.get(name), table)
    if via and via in meta.by_name:
        target = session.meta(meta.by_name[via].options).name
        return Column(key, lambda row, _child: (session.site.find(target, row[via]) or {}).get(name))
    return None


def _counted(session: Session, text: str) -> Column:
    """Version 15: `count(name) as n`."""
    match = _COUNT.fullmatch(text.strip())
    if match is None or session.site.version >= 16:
        said = (
            f"Invalid field format for SELECT: {text}."
            " Field names must be simple, backticked, table-qualified, aliased, or '*'."
        )
        raise errors.thrown("PermissionError", said)
    return Column(match["alias"], _own("name"), aggregate=len)


def _own(name: str) -> Callable[[Row, Row], Any]:
    return lambda row, _child: row.get(name)


def _aggregate(column: Column, rows: list[Row]) -> Any:
    found = [value for row in rows if (value := column.read(row, {})) is not None]
    return column.aggregate(found) if column.aggregate else next(iter(found), None)


def _joined(columns: list[Column], row: Row) -> Iterable[dict[str, Any]]:
    """A document's rows in the list: one, or one for each row of a child table that is shown."""
    table = next((column.table for column in columns if column.table), "")
    for child in (row[table] or [{}]) if table else [{}]:
        yield {column.key: column.read(row, child) for column in columns}


def _expand(session: Session, meta: DocType, name: str, page: list[dict[str, Any]]) -> None:
    """Show the document behind a link instead of its name."""
    field = meta.by_name.get(name)
    if field is None or field.kind != "Link":
        return
    other = session.meta(field.options)
    for shown in page:
        row = session.site.find(other.name, shown.get(name)) if shown.get(name) else None
        if row is not None:
            shown[name] = {key: row.get(key) for key in (*STANDARD, *(column.name for column in other.columns))}
