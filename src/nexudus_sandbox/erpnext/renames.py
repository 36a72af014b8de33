"""Renaming a document, or merging it into another. Facts from frappe (model/rename_doc.py)."""

from nexudus_sandbox.erpnext import errors, links
from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.permissions import demand
from nexudus_sandbox.erpnext.session import Session


def rename(session: Session, doctype: str, old_name: str, new_name: str, *, merge: bool = False) -> str:
    """Give a document a new name: links follow, stamps stay. A merge deletes it and moves the other's stamp."""
    document = Document.load(session, doctype, old_name)
    demand(session.user, "write", document.meta)
    old, new = document.name, new_name.strip()
    existing = session.site.find(doctype, new)
    if merge and existing is None:
        raise errors.thrown("ValidationError", f"{doctype} {new} does not exist, select a new target to merge")
    if not merge and existing is not None and existing["name"] != old:
        raise errors.thrown("ValidationError", f"Another {doctype} with name {new} exists, select another name")
    if merge and existing is not None:
        new = str(existing["name"])
        links.repoint(session.site, doctype, old, new)
        document.discard()
        Document.load(session, doctype, new).set_directly()
    else:
        _move(document, new)
        links.repoint(session.site, doctype, old, new)
    said = f"Document renamed from <strong>{old}</strong> to <strong>{new}</strong>"
    session.tell(said, indicator="green", alert=1)
    return new


def _move(document: Document, new: str) -> None:
    site, meta, row = document.site, document.meta, dict(document.before or {})
    site.remove(meta.name, str(row["name"]))
    row["name"] = new
    if meta.autoname.startswith("field:"):
        row[meta.autoname.removeprefix("field:")] = new
    for table in meta.tables:
        row[table.name] = [{**child, "parent": new} for child in row[table.name]]
    site.put(meta.name, row)
