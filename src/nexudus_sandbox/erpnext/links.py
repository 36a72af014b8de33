"""Links between documents: that they exist, what they are rewritten to, and what stands in the way of a deletion.

Facts from frappe (model/base_document.py get_invalid_links, model/delete_doc.py, model/rename_doc.py).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.meta import DocType, Field
from nexudus_sandbox.erpnext.session import Session
from nexudus_sandbox.erpnext.site import Site

if TYPE_CHECKING:
    from nexudus_sandbox.erpnext.documents import Document


def check(document: "Document") -> None:
    """Rewrite each link to the spelling of the document it names. Raises 417 naming all that name nothing."""
    if document.values["docstatus"] == 2:
        return
    site = document.site
    invalid = _invalid(site, document.meta, document.values)
    for table in document.meta.tables:
        child = site.doctypes[table.options]
        for at, row in enumerate(document.values[table.name], 1):
            invalid += [f"Row #{at}: {found}" for found in _invalid(site, child, row)]
    if invalid:
        raise errors.thrown("LinkValidationError", f"Could not find {', '.join(invalid)}")


def _invalid(site: Site, meta: DocType, row: Row) -> list[str]:
    invalid = []
    for field in meta.links:
        value = row[field.name]
        if not value:
            continue
        target = _target(meta, field, row)
        found = canonical(site, target, str(value))
        if found is None:
            invalid.append(f"{field.title}: {value}")
        else:
            row[field.name] = found
    return invalid


def _target(meta: DocType, field: Field, row: Row) -> str:
    if field.kind == "Link":
        return field.options
    if not row.get(field.options):
        raise errors.thrown("ValidationError", f"{meta.label(field.options)} must be set first")
    return str(row[field.options])


def canonical(site: Site, doctype: str, name: str) -> str | None:
    """The name of the document as it is spelled there; None when there is none."""
    if doctype == "DocType":
        return next((kind for kind in site.doctypes if kind.lower() == name.strip().lower()), None)
    row = site.find(doctype, name)
    return str(row["name"]) if row is not None else None


def _pointing(site: Site, doctype: str) -> Iterator[tuple[DocType, Field | None, Field]]:
    """The fields that can link to a DocType: (their DocType, child table or None, field)."""
    parents = [meta for meta in site.doctypes.values() if meta.tables or meta.links]
    for meta in parents:
        for field in meta.links:
            if field.kind == "Dynamic Link" or field.options == doctype:
                yield meta, None, field
        for table in meta.tables:
            for field in site.doctypes[table.options].links:
                if field.kind == "Dynamic Link" or field.options == doctype:
                    yield meta, table, field


def _linking(site: Site, doctype: str, name: str) -> Iterator[tuple[DocType, Field | None, Field, Row]]:
    """The documents that link to a document, with the field they do it by."""
    for meta, table, field in _pointing(site, doctype):
        rows = site.tables[meta.name]
        if table is None:
            for row in rows.where(field.name, name):
                if _points(field, row, doctype, name):
                    yield meta, None, field, row
        else:
            for row in list(rows.rows.values()):
                if any(_points(field, child, doctype, name) for child in row[table.name]):
                    yield meta, table, field, row


def _points(field: Field, row: Row, doctype: str, name: str) -> bool:
    return row.get(field.name) == name and (field.kind == "Link" or row.get(field.options) == doctype)


IGNORED = frozenset({"Comment", "Contact", "Deleted Document"})
"""DocTypes whose links do not prevent a deletion."""


def check_unlinked(session: Session, meta: DocType, name: str) -> None:
    """Raise 417 when another document links to this one."""
    site = session.site
    for other, _, _, row in _linking(site, meta.name, name):
        if other.name in IGNORED or (other.name == meta.name and row["name"] == name) or row["docstatus"] == 2:
            continue
        text = (
            f"Cannot delete or cancel because {meta.name} {anchor(site, meta, name)}"
            f" is linked with {other.name} {anchor(site, other, row['name'])} "
        )
        refusal = errors.thrown("LinkExistsError", text)
        if "disabled" in meta.by_name or "enabled" in meta.by_name:
            advice = errors.thrown("LinkExistsError", f"You can disable this {meta.name} instead of deleting it.")
            advice.messages = (*refusal.messages, *advice.messages)
            raise advice
        raise refusal


def anchor(site: Site, meta: DocType, name: str) -> str:
    """A link to a document's page."""
    return f'<a href="{site.url}/app/{meta.slug}/{quote(name)}">{name}</a>'


def repoint(site: Site, doctype: str, old: str, new: str) -> None:
    """Make every link to a document follow its new name; no stamp moves."""
    for meta, table, field, row in list(_linking(site, doctype, old)):
        current = site.tables[meta.name].rows[row["name"]]
        if table is None:
            site.put(meta.name, {**current, field.name: new})
            continue
        children = [
            {**child, field.name: new} if _points(field, child, doctype, old) else child
            for child in current[table.name]
        ]
        site.put(meta.name, {**current, table.name: children})
