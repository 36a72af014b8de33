"""Version 1 of the API: `/api/resource` and `/api/method`. Facts from frappe (api/v1.py)."""

from collections.abc import Callable
from typing import Any

from nexudus_sandbox.erpnext import errors, methods, queries
from nexudus_sandbox.erpnext.answers import page, succeed
from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.filters import parse_json
from nexudus_sandbox.erpnext.queries import Query
from nexudus_sandbox.erpnext.session import Session
from nexudus_sandbox.wire import Response

Form = dict[str, Any]
VERSION = 1


def serve(session: Session, method: str, path: str, form: Form) -> Response:
    """Answer a request for what stands behind `/api/`. Raises FrappeError."""
    kind, _, rest = path.partition("/")
    if kind == "method" and method in {"GET", "POST"}:
        result = methods.call(session, rest, form)
        return succeed(session, VERSION, {} if result is None else {"message": result})
    doctype, _, name = rest.partition("/")
    handlers = _DOCUMENT if name else _COLLECTION
    handler = handlers.get(method) if kind == "resource" else None
    if handler is None:
        raise errors.no_such_page()
    return handler(session, doctype, name, form)


def _list(session: Session, doctype: str, _name: str, form: Form) -> Response:
    return succeed(session, VERSION, {"data": queries.run(session, Query.of(form, doctype))})


def _create(session: Session, doctype: str, _name: str, form: Form) -> Response:
    document = Document.new(session, doctype, _sent(form))
    document.insert()
    return succeed(session, VERSION, {"data": document.as_dict(nulls=False)})


def _read(session: Session, doctype: str, name: str, _form: Form) -> Response:
    document = Document.load(session, doctype, name)
    user = session.user
    if not user.may("read", doctype) or not user.sees(document.meta, document.values):
        raise _may_not_read(session, doctype)
    return succeed(session, VERSION, {"data": document.as_dict(nulls=False)})


def _may_not_read(session: Session, doctype: str) -> errors.FrappeError:
    refusal = errors.no_permission(session.user.name, doctype)
    if session.site.version >= 16:
        return refusal
    told = refusal.messages[0]["message"]
    further = f"<br>User <strong>{session.user.name}</strong> does not have access to this document"
    return errors.FrappeError("PermissionError", "", (errors.message(told + further),))


def _update(session: Session, doctype: str, name: str, form: Form) -> Response:
    document = Document.load(session, doctype, name)
    document.update(_sent(form))
    document.save()
    return succeed(session, VERSION, {"data": document.as_dict(nulls=False)})


def _delete(session: Session, doctype: str, name: str, _form: Form) -> Response:
    if session.site.find(doctype, name) is None:
        raise errors.no_such_page()
    Document.load(session, doctype, name).delete()
    return succeed(session, VERSION, {"data": "ok"}, 202)


def _run_method(session: Session, doctype: str, name: str, form: Form) -> Response:
    if "run_method" not in form:
        raise errors.python("KeyError", "'run_method'")
    document, wanted = Document.load(session, doctype, name), str(form.pop("run_method"))
    return run_method(document, wanted, form) or succeed(session, VERSION, {})


def run_method(document: Document, wanted: str, arguments: Form) -> Response | None:
    """Call a method of a document; a page for one that does not exist. Raises 403 or 500 for a call that is wrong."""
    controller = document.controller
    if wanted in controller.private:
        raise errors.not_whitelisted(f"{document.meta.python_path}.{wanted}")
    method = controller.methods.get(wanted)
    if method is None:
        return page(404, "Not Found", f"Method {wanted} not found")
    missing = [f"'{name}'" for name in method.required if name not in arguments]
    if missing:
        called, plural = f"{document.meta.name}.{wanted}()", "s" if len(missing) > 1 else ""
        text = f"{called} missing {len(missing)} required positional argument{plural}: {' and '.join(missing)}"
        raise errors.python("TypeError", text)
    method.run(document, arguments)
    return None


def _sent(form: Form) -> Form:
    """The document in a body: as it is, or as JSON under `data`."""
    sent = parse_json(form.get("data"))
    return sent if isinstance(sent, dict) else form


_COLLECTION: dict[str, Callable[[Session, str, str, Form], Response]] = {"GET": _list, "POST": _create}
_DOCUMENT: dict[str, Callable[[Session, str, str, Form], Response]] = {
    "GET": _read,
    "PUT": _update,
    "DELETE": _delete,
    "POST": _run_method,
}
