"""The functions that can be called by their path. Facts from frappe (client.py, auth.py)."""

from collections.abc import Callable, Mapping
from typing import Any

from nexudus_sandbox.erpnext import errors, queries
from nexudus_sandbox.erpnext.answers import TRACEBACK
from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.filters import parse_json
from nexudus_sandbox.erpnext.meta import STANDARD
from nexudus_sandbox.erpnext.queries import Query
from nexudus_sandbox.erpnext.renames import rename
from nexudus_sandbox.erpnext.session import Session
from nexudus_sync import codec

Form = Mapping[str, Any]
GUEST_ZONE = "Asia/Kolkata"
"""What a caller without a login is told: the framework's own default, not the site's zone."""
SETTINGS = "System Settings"
"""The one document of its kind; of it only the time zone matters here."""


def call(session: Session, path: str, form: Form) -> Any:
    """Call a function. Raises 403 for guests, 417 for a path that leads nowhere, 500 for wrong arguments."""
    if path == "frappe.client.get_time_zone":
        return {"time_zone": GUEST_ZONE if session.user.is_guest else _zone(session)}
    if session.user.is_guest:
        raise errors.not_whitelisted(path)
    if path in PRIVATE:
        raise errors.not_whitelisted(PRIVATE[path])
    function = FUNCTIONS.get(path)
    if function is None:
        raise errors.thrown("ValidationError", f"Failed to get method for command {path} with No module named '{path}'")
    try:
        return function(session, form)
    except KeyError as error:
        name = path.rpartition(".")[2]
        raise errors.python("TypeError", f"{name}() missing 1 required positional argument: {error}") from error


def _zone(session: Session) -> str:
    """A user's own where they have one; the site's otherwise."""
    user = session.site.find("User", session.user.name) or {}
    return str(user.get("time_zone") or session.site.zone.key)


def _get_list(session: Session, form: Form) -> Any:
    return queries.run(session, Query.of(form, form["doctype"]))


def _get_count(session: Session, form: Form) -> Any:
    """Version 15 asks the database, and nobody for a permission."""
    count = queries.count if session.site.version >= 16 else queries.count_all
    return count(session, Query.of(form, form["doctype"]))


def _readable(session: Session, doctype: str, name: str) -> Document:
    document = Document.load(session, doctype, name)
    if not session.user.may("read", doctype) or not session.user.sees(document.meta, document.values):
        raise errors.no_permission(session.user.name, doctype)
    return document


def _get(session: Session, form: Form) -> Any:
    doctype = form["doctype"]
    if form.get("name"):
        return _readable(session, doctype, form["name"]).as_dict(nulls=True)
    found = queries.run(session, Query(doctype, filters=form.get("filters"), limit=1))
    if not found:
        raise errors.not_found(doctype, "")
    return _readable(session, doctype, found[0]["name"]).as_dict(nulls=True)


def _get_value(session: Session, form: Form) -> Any:
    doctype, wanted = form["doctype"], parse_json_or_name(form["fieldname"])
    if doctype != SETTINGS:
        session.meta(doctype)
    if not session.user.may("read", doctype):
        raise errors.thrown("PermissionError", f"No permission for {doctype}")
    if doctype == SETTINGS:
        return {name: {"time_zone": session.site.zone.key}.get(name) for name in wanted}
    sent = form.get("filters")
    chosen = {"name": sent} if isinstance(sent, str) and not sent.startswith(("{", "[")) else sent
    found = queries.run(session, Query(doctype, wanted, chosen, limit=1))
    return found[0] if found else {}


def parse_json_or_name(sent: Any) -> list[str]:
    """Field names: a list, its JSON, or one name."""
    if isinstance(sent, str) and not sent.startswith("["):
        return [sent]
    return list(parse_json(sent))


def _has_permission(session: Session, form: Form) -> Any:
    """Without a document the roles alone count."""
    doctype, name = form["doctype"], form["docname"]
    right: Any = str(form.get("perm_type") or "read").lower()
    document = Document.load(session, doctype, name) if name else None
    sees = document is None or session.user.sees(document.meta, document.values)
    return {"has_permission": sees and session.user.may(right, doctype)}


def _insert(session: Session, form: Form) -> Any:
    sent = parse_json(form["doc"])
    document = Document.new(session, sent["doctype"], sent)
    document.insert()
    return document.as_dict(nulls=True)


def _set_value(session: Session, form: Form) -> Any:
    fields = form["fieldname"]
    if isinstance(fields, str) and not fields.startswith("{"):
        if fields in STANDARD:
            raise errors.thrown("ValidationError", "Cannot edit standard fields")
        fields = {fields: form.get("value")}
    document = Document.load(session, form["doctype"], form["name"])
    document.update(parse_json(fields))
    document.save()
    return document.as_dict(nulls=True)


def _delete(session: Session, form: Form) -> Any:
    Document.load(session, form["doctype"], form["name"]).delete()


def _bulk_update(session: Session, form: Form) -> Any:
    failed = []
    for sent in parse_json(form["docs"]):
        savepoint = session.site.savepoint()
        try:
            document = Document.load(session, sent["doctype"], sent["docname"])
            document.update(sent)
            document.save()
        except errors.FrappeError as error:
            session.site.rollback(savepoint)
            session.messages.extend(error.messages)
            failed.append({"doc": sent, "exc": codec.dumps([f"{TRACEBACK}{error.exception}\n"])})
    return {"failed_docs": failed}


def _rename(session: Session, form: Form) -> Any:
    merge = str(form.get("merge") or "0") not in {"0", "false", "False"}
    return rename(session, form["doctype"], form["old_name"], form["new_name"], merge=merge)


def _versions(session: Session, _form: Form) -> Any:
    version = f"{session.site.version}.0.0"
    apps = {"frappe": "Frappe Framework", "erpnext": "ERPNext"}
    return {
        app: {"title": title, "description": title, "branch": "", "version": version} for app, title in apps.items()
    }


PRIVATE = {"frappe.utils.get_system_timezone": "frappe.utils.data.get_system_timezone"}
"""Functions that exist and may not be called, and where they are defined."""

FUNCTIONS: dict[str, Callable[[Session, Form], Any]] = {
    "frappe.auth.get_logged_user": lambda session, _form: session.user.name,
    "frappe.client.get_list": _get_list,
    "frappe.client.get_count": _get_count,
    "frappe.client.get": _get,
    "frappe.client.get_value": _get_value,
    "frappe.client.has_permission": _has_permission,
    "frappe.client.insert": _insert,
    "frappe.client.set_value": _set_value,
    "frappe.client.delete": _delete,
    "frappe.client.bulk_update": _bulk_update,
    "frappe.client.rename_doc": _rename,
    "frappe.utils.change_log.get_versions": _versions,
}
