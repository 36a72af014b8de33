"""What a lead does when it is saved: its names, its one e-mail address, its status.

Facts from erpnext (crm/doctype/lead/lead.py, controllers/status_updater.py).
"""

from collections.abc import Iterable

from nexudus_sandbox.erpnext import errors, links
from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.session import CONTROLLERS, Controller, Session
from nexudus_sandbox.erpnext.validation import check_email

SOURCE = "erpnext (app)"


def _before_insert(document: Document) -> None:
    _set_names(document)
    parts = ("first_name", "middle_name", "last_name")
    if not any(document.get(part) for part in parts):
        first, *rest = str(document.get("lead_name")).split() or [""]
        document.values["first_name"] = first
        document.values["last_name"] = rest.pop() if rest else None
        document.values["middle_name"] = " ".join(rest) or None


def _set_names(document: Document) -> None:
    own = document.values
    if own["first_name"]:
        full = (own["salutation"], own["first_name"], own["middle_name"], own["last_name"])
        own["lead_name"] = " ".join(part for part in full if part)
    if not own["lead_name"]:
        if not own["company_name"] and not own["email_id"]:
            text = "A Lead requires either a person's name or an organization's name"
            raise errors.thrown("ValidationError", text, source=SOURCE)
        own["lead_name"] = own["company_name"] or str(own["email_id"]).split("@")[0]


def _validate(document: Document) -> None:
    _set_names(document)
    own = document.values
    own["title"] = own["company_name"] or own["lead_name"]
    if document.before is not None:
        own["status"] = _status(document)
    if own["email_id"]:
        _check_email_is_unique(document)
        check_email(str(own["email_id"]), source=SOURCE)
        own["image"] = own["image"] or ""


def _check_email_is_unique(document: Document) -> None:
    others = document.site.tables["Lead"].where("email_id", document.get("email_id"))
    names = [row["name"] for row in others if row["name"] != document.name]
    if names:
        listed = " and ".join(f"<strong>{links.anchor(document.site, document.meta, name)}</strong>" for name in names)
        text = f"Email Address must be unique, it is already used in {listed}"
        raise errors.thrown("DuplicateEntryError", text, source=SOURCE)


def _status(document: Document) -> str:
    tables, name = document.site.tables, document.name
    quotations = [row for row in tables["Quotation"].where("party_name", name) if row["docstatus"] == 1]
    if tables["Customer"].where("lead_name", name):
        return "Converted"
    if any(row["status"] != "Lost" for row in quotations):
        return "Quotation"
    if any(row["status"] != "Lost" for row in tables["Opportunity"].where("party_name", name)):
        return "Opportunity"
    return "Lost Quotation" if quotations else str(document.get("status"))


def refresh_status(session: Session, name: str) -> None:
    """Set a lead's status from what came of it; its stamp moves even when the status does not."""
    lead = Document.load(session, "Lead", name)
    lead.set_directly(status=_status(lead))


def insert_for_email(session: Session, email: str) -> str:
    """Make a lead of an e-mail address, named after what stands before the @."""
    full_name = " ".join(part.capitalize() for part in _words(email))
    lead = Document.new(session, "Lead", {"email_id": email, "lead_name": full_name or "Unknown"})
    lead.privileged = True
    lead.insert()
    return lead.name


def _words(email: str) -> Iterable[str]:
    return (part for part in email.split("@")[0].split(".") if part)


CONTROLLERS["Lead"] = Controller(before_insert=_before_insert, validate=_validate)
