"""What an opportunity does when it is saved, lost or deleted.

Facts from erpnext (crm/doctype/opportunity/opportunity.py), version 15 and 16.
"""

from collections.abc import Mapping
from typing import Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.lead import insert_for_email, refresh_status
from nexudus_sandbox.erpnext.meta import STANDARD
from nexudus_sandbox.erpnext.session import CONTROLLERS, Controller, Method
from nexudus_sandbox.erpnext.values import decimal

_BEHIND_QUOTATION = ("Lost", "Closed")


def _validate(document: Document) -> None:
    if document.before is None and not document.get("opportunity_type"):
        document.values["opportunity_type"] = "Sales"
    _find_party(document)
    _name_items(document)
    _name_customer(document)
    _refill(document)
    _set_exchange_rate(document)
    if not document.get("title"):
        document.values["title"] = document.get("customer_name")
    _add_up(document)


def _find_party(document: Document) -> None:
    """Without a party the contact's e-mail names one: a customer's contact, else a lead, which is made if need be."""
    email = document.get("contact_email")
    if document.get("party_name") or not email:
        return
    for contact in document.site.tables["Contact"].where("email_id", email):
        for row in contact["links"]:
            if row["link_doctype"] == "Customer":
                document.update({"opportunity_from": "Customer", "party_name": row["link_name"]})
                return
    leads = document.site.tables["Lead"].where("email_id", email)
    name = leads[0]["name"] if leads else insert_for_email(document.session, email)
    document.update({"opportunity_from": "Lead", "party_name": name})


def _name_items(document: Document) -> None:
    for row in document.values["items"]:
        if row["item_code"] and not row["item_name"]:
            row["item_name"] = row["item_code"]


def _party(document: Document) -> Row | None:
    kind, name = document.get("opportunity_from"), document.get("party_name")
    return document.site.find(kind, name) if kind and name else None


def _prospect_of_lead(document: Document) -> str | None:
    lead = document.get("party_name")
    prospects = document.site.tables["Prospect"].rows.values()
    return next((row["name"] for row in prospects if any(item["lead"] == lead for item in row["leads"])), None)


def _name_customer(document: Document) -> None:
    party, kind = _party(document), document.get("opportunity_from")
    if party is None:
        return
    if kind == "Customer":
        document.values["customer_name"] = party["customer_name"]
    elif kind == "Prospect":
        document.values["customer_name"] = party["name"]
    elif kind == "Lead":
        own = party["company_name"] or party["lead_name"]
        document.values["customer_name"] = _prospect_of_lead(document) or own


def _refill(document: Document) -> None:
    """Every empty field that the party has too takes the party's value, at every save."""
    party = _party(document)
    if party is None:
        return
    for name in (*STANDARD, *(field.name for field in document.meta.columns)):
        if not document.get(name) and name in party:
            document.values[name] = party[name]


def _set_exchange_rate(document: Document) -> None:
    company = document.site.find("Company", document.get("company"))
    own = company["default_currency"] if company is not None else None
    currency, rate = document.get("currency"), decimal(document.get("conversion_rate"))
    if currency == own:
        document.values["conversion_rate"] = decimal(1)
    elif not rate or rate == 1:
        document.values["conversion_rate"] = _exchange_rate(document, str(currency), str(own))


def _exchange_rate(document: Document, currency: str, own: str) -> Any:
    rate = document.site.rates.get((currency, own))
    if rate is None:
        on = document.get("transaction_date")
        document.session.tell(
            f"Unable to find exchange rate for {currency} to {own} for key date {on}."
            " Please create a Currency Exchange record manually"
        )
    return decimal(rate)


def _add_up(document: Document) -> None:
    rate, rows = decimal(document.get("conversion_rate")), document.values["items"]
    for row in rows:
        row["amount"] = decimal(row["rate"]) * decimal(row["qty"])
        row["base_rate"], row["base_amount"] = rate * decimal(row["rate"]), rate * row["amount"]
    document.values["total"] = sum(row["amount"] for row in rows)
    document.values["base_total"] = sum(row["base_amount"] for row in rows)


def _after_insert(document: Document) -> None:
    if document.get("opportunity_from") == "Lead":
        refresh_status(document.session, document.get("party_name"))


def _on_update(document: Document) -> None:
    """The prospect keeps a row about each of its opportunities."""
    kind = document.get("opportunity_from")
    name = document.get("party_name") if kind == "Prospect" else None
    if kind == "Lead":
        name = _prospect_of_lead(document)
    if not name:
        return
    own = document.values
    row = {
        "opportunity": document.name,
        "amount": own["opportunity_amount"],
        "stage": own["sales_stage"],
        "deal_owner": own["opportunity_owner"],
        "probability": own["probability"],
        "expected_closing": own["expected_closing"],
        "currency": own["currency"],
        "contact_person": own["contact_person"],
    }
    prospect = Document.load(document.session, "Prospect", name)
    known = [item for item in prospect.values["opportunities"] if item["opportunity"] == document.name]
    if known:
        changed = [item | row if item in known else item for item in prospect.values["opportunities"]]
        prospect.site.put("Prospect", {**(prospect.before or {}), "opportunities": changed})
        return
    prospect.values["opportunities"] += prospect.rows("opportunities", [row])
    prospect.privileged = prospect.ignore_mandatory = True
    prospect.save()


def _has_active_quotation(document: Document) -> bool:
    quotations = document.site.tables["Quotation"].where("opportunity", document.name)
    return any(row["docstatus"] == 1 and row["status"] not in _BEHIND_QUOTATION for row in quotations)


def _declare_lost(document: Document, sent: Mapping[str, Any]) -> None:
    if _has_active_quotation(document):
        text = "Cannot declare as lost, because Quotation has been made."
        raise errors.thrown("ValidationError", text, source="erpnext (app)")
    reason = sent.get("detailed_reason")
    told = {"order_lost_reason": reason} if reason else {}
    tables = {"lost_reasons": sent["lost_reasons_list"], "competitors": sent["competitors"]}
    document.update({"status": "Lost", **tables, **told})
    document.save()


def follow_quotations(document: Document) -> None:
    """Set the status its quotations call for, past all checks."""
    quotations = document.site.tables["Quotation"].where("opportunity", document.name)
    states = [row["status"] for row in quotations if row["docstatus"] == 1]
    status = document.get("status")
    if status == "Closed" or "Ordered" in states:
        status = "Closed" if status == "Closed" else "Converted"
    elif any(state not in _BEHIND_QUOTATION for state in states):
        status = "Quotation"
    elif states:
        status = "Lost"
    elif status in {"Quotation", "Converted"}:
        status = "Open"
    document.set_directly(status=status)


CONTROLLERS["Opportunity"] = Controller(
    validate=_validate,
    after_insert=_after_insert,
    on_update=_on_update,
    methods={"declare_enquiry_lost": Method(_declare_lost, ("lost_reasons_list", "competitors"))},
    private=frozenset(
        {
            "after_insert",
            "calculate_totals",
            "has_active_quotation",
            "make_new_lead_if_required",
            "map_fields",
            "on_update",
            "set_exchange_rate",
            "update_prospect",
            "validate",
            "validate_cust_name",
            "validate_item_details",
        }
    ),
)
