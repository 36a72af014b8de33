"""What a new document starts with where the caller says nothing. Facts from frappe (model/create_new.py)."""

from typing import Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext.meta import DocType, Field
from nexudus_sandbox.erpnext.session import Session


def set_defaults(session: Session, meta: DocType, row: Row) -> None:
    """Fill what is still null."""
    for field in meta.columns:
        if row[field.name] is None:
            row[field.name] = _default(session, field)


def _default(session: Session, field: Field) -> Any:
    if field.name in session.site.defaults and field.kind == "Link":
        return session.site.defaults[field.name]
    if field.default == "__user":
        return session.user.name if session.site.find("User", session.user.name) else None
    if field.default == "Today":
        return session.site.today()
    if field.default is None and field.kind == "Select":
        return field.options.split("\n")[0]
    return field.default
