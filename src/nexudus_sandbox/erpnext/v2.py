"""Version 2 of the API: `/api/v2/document`, `/api/v2/doctype` and `/api/v2/method`. Facts from frappe (api/v2.py)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nexudus_sandbox.erpnext import errors, methods, queries
from nexudus_sandbox.erpnext.answers import succeed
from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.queries import PAGE, Query
from nexudus_sandbox.erpnext.session import Session
from nexudus_sandbox.erpnext.v1 import run_method
from nexudus_sandbox.wire import Response

Form = dict[str, Any]
VERSION = 2


def serve(session: Session, method: str, path: str, form: Form) -> Response:
    """Answer a request for what stands behind `/api/v2/`. Raises FrappeError."""
    kind, _, rest = path.partition("/")
    if kind == "method" and method in {"GET", "POST"}:
        return succeed(session, VERSION, {"data": methods.call(session, rest, form)})
    doctype, _, tail = rest.partition("/")
    if kind == "doctype" and method == "GET" and tail == "count":
        return succeed(session, VERSION, {"data": queries.count(session, _query(session, doctype, form))})
    if kind == "document":
        return _document(session, method, doctype, tail.rstrip("/"), form)
    raise errors.no_such_page()


def _document(session: Session, method: str, doctype: str, tail: str, form: Form) -> Response:
    name, is_call, wanted = tail.partition("/method/")
    if is_call and method in {"GET", "POST"}:
        return _run_method(session, doctype, name, wanted, form)
    handler = (_DOCUMENT if tail else _COLLECTION).get(method)
    if handler is None:
        raise errors.no_such_page()
    return handler(session, doctype, tail, form)


def _query(session: Session, doctype: str, form: Form) -> Query:
    limit = form.get("limit")
    return replace(
        Query.of(form, doctype),
        start=int(form.get("start") or 0),
        limit=PAGE if limit in (None, "") else int(limit),
        lenient=True,
    )


def _list(session: Session, doctype: str, _name: str, form: Form) -> Response:
    query = _query(session, doctype, form)
    if session.site.version < 16:
        return succeed(session, VERSION, {"data": queries.run(session, query)})
    rows = queries.run(session, replace(query, limit=query.limit + 1))
    has_next_page = len(rows) > query.limit
    return succeed(session, VERSION, {"has_next_page": has_next_page, "data": rows[: query.limit]})


def _shown(session: Session, document: Document) -> dict[str, Any]:
    return document.as_dict(nulls=session.site.version >= 16)


def _create(session: Session, doctype: str, _name: str, form: Form) -> Response:
    document = Document.new(session, doctype, form)
    document.insert(name=str(form["name"]) if form.get("name") else None)
    return succeed(session, VERSION, {"data": _shown(session, document)})


def _read(session: Session, doctype: str, name: str, _form: Form) -> Response:
    document = Document.load(session, doctype, name)
    user = session.user
    if not user.may("read", doctype) or not user.sees(document.meta, document.values):
        raise errors.no_permission(user.name, doctype)
    return succeed(session, VERSION, {"data": _shown(session, document)})


def _update(session: Session, doctype: str, name: str, form: Form) -> Response:
    document = Document.load(session, doctype, name)
    document.update(form)
    document.save()
    return succeed(session, VERSION, {"data": _shown(session, document)})


def _delete(session: Session, doctype: str, name: str, _form: Form) -> Response:
    Document.load(session, doctype, name).delete()
    return succeed(session, VERSION, {"data": "ok"}, 202)


def _run_method(session: Session, doctype: str, name: str, wanted: str, form: Form) -> Response:
    document = Document.load(session, doctype, name)
    refusal = run_method(document, wanted, form)
    return refusal or succeed(
        session, VERSION, {"docs": [_shown(session, document)]} if session.site.version >= 16 else {}
    )


_COLLECTION: dict[str, Callable[[Session, str, str, Form], Response]] = {"GET": _list, "POST": _create}
_DOCUMENT: dict[str, Callable[[Session, str, str, Form], Response]] = {
    "GET": _read,
    "PUT": _update,
    "PATCH": _update,
    "DELETE": _delete,
}
