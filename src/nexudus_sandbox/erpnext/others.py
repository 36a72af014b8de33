"""What customers, quotations, contacts, comments, users and custom fields do when they are saved."""

from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.meta import Field
from nexudus_sandbox.erpnext.opportunity import follow_quotations
from nexudus_sandbox.erpnext.session import CONTROLLERS, Controller
from nexudus_sandbox.erpnext.values import decimal


def _customer_name(document: Document) -> str:
    """A customer is named as it is called; a second one of that name gets a number."""
    wanted, number = str(document.get("customer_name") or ""), 0
    name = wanted
    while document.site.find("Customer", name) is not None:
        number += 1
        name = f"{wanted} - {number}"
    return name


def _contact_name(document: Document) -> str:
    first, last = document.get("first_name"), document.get("last_name")
    return " ".join(part for part in (first, last) if part) or document.site.row_name()


def _validate_quotation(document: Document) -> None:
    own = document.values
    party = document.site.find(own["quotation_to"], own["party_name"]) if own["party_name"] else None
    if party is not None:
        own["customer_name"] = party.get("customer_name") or party.get("title") or party["name"]
    for row in own["items"]:
        row["amount"] = decimal(row["qty"]) * decimal(row["rate"])
    if own["docstatus"] == 1 and own["status"] == "Draft":
        own["status"] = "Open"
    elif own["docstatus"] == 2:
        own["status"] = "Cancelled"


def _quotation_moves_opportunity(document: Document) -> None:
    opportunity, was = document.get("opportunity"), document.before
    moved = was is not None and any(was[name] != document.get(name) for name in ("docstatus", "status"))
    if opportunity and moved:
        follow_quotations(Document.load(document.session, "Opportunity", opportunity))


def _custom_field_name(document: Document) -> str:
    own = document.values
    own["fieldname"] = own["fieldname"] or "custom_" + str(own["label"] or "").strip().lower().replace(" ", "_")
    return f"{own['dt']}-{own['fieldname']}"


def _validate_custom_field(document: Document) -> None:
    own = document.values
    target = document.site.doctypes[own["dt"]]
    if own["fieldname"] in target.by_name:
        text = f"A field with the name <strong>{own['fieldname']}</strong> already exists in {target.name}"
        raise errors.thrown("ValidationError", text)
    own["idx"] = target.position(str(own["insert_after"] or ""))


def _add_field(document: Document) -> None:
    own = document.values
    field = Field(
        own["fieldname"],
        own["fieldtype"],
        own["label"] or "",
        own["options"] or "",
        own["default"],
        reqd=bool(own["reqd"]),
        unique=bool(own["unique"]),
    )
    site = document.site
    site.redefine(site.doctypes[own["dt"]].with_field(field, str(own["insert_after"] or "")))
    for row in list(site.tables[own["dt"]].rows.values()):
        site.put(own["dt"], {**row, field.name: None})


def _user_name(document: Document) -> str:
    """A user is named by their e-mail address, unless they are told another name, as the Administrator is."""
    return str(document.get("name") or document.get("email") or "")


def _validate_user(document: Document) -> None:
    own = document.values
    own["full_name"] = " ".join(part for part in (own["first_name"], own["last_name"]) if part) or own["email"]


def _validate_comment(document: Document) -> None:
    document.values["comment_email"] = document.get("comment_email") or document.session.user.name


CONTROLLERS.update(
    {
        "Customer": Controller(name=_customer_name),
        "Contact": Controller(name=_contact_name),
        "Quotation": Controller(validate=_validate_quotation, on_update=_quotation_moves_opportunity),
        "Custom Field": Controller(name=_custom_field_name, validate=_validate_custom_field, after_insert=_add_field),
        "User": Controller(name=_user_name, validate=_validate_user),
        "Comment": Controller(validate=_validate_comment),
    }
)
