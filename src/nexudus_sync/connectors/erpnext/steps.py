"""What has to be written to ERPNext, as steps for the journal; pure.

Facts from frappe (model/document.py, api/v1.py): a save takes what it is sent and keeps the rest, a child table that is
sent replaces the one there, and `modified` is the lock.
"""

from datetime import date
from typing import Any

from nexudus_sync.connectors.base import Draft, Party, Record, Step
from nexudus_sync.connectors.erpnext.site import Site
from nexudus_sync.errors import Refused
from nexudus_sync.mapping.markup import kept

CREATE, UPDATE, DELETE, PARTY = "opportunity.create", "opportunity.update", "opportunity.delete", "party.create"
_UNWRITTEN = frozenset(
    {"name", "doctype", "owner", "creation", "modified", "modified_by", "docstatus", "idx", "naming_series"}
)
_UNSAVED = "__unsaved"


def create(draft: Draft, site: Site, company: str | None, day: date, *, own_names: bool) -> Step:
    """The step that creates an opportunity, lost reasons included: nothing has to wait.

    `name` in the payload asks for that name ("" leaves it to the site); `since` is when what it copies came to be.
    """
    party = draft.party
    always: Record = {
        "opportunity_from": party.kind,
        "party_name": party.id,
        "company": company,
        "transaction_date": day.isoformat(),
        "contact_email": party.email,
        "currency": draft.currency,
    }
    mapped = {key: value for key, value in draft.record.items() if key not in _UNWRITTEN}
    body = _filled(always) | _filled({site.own.get(key, key): _sent(value) for key, value in mapped.items()})
    if site.key_field:
        body[site.key_field] = draft.key
    name = own_name(draft.key) if own_names and not site.key_field else ""
    payload: Record = {"name": name, "body": body}
    if draft.created_at is not None:
        payload["since"] = draft.created_at.isoformat()
    return Step(CREATE, payload, frozenset(always | mapped))


def update(before: Record, after: Record, site: Site) -> list[Step]:
    """One save with the keys that differ, under the lock of the state that was merged."""
    changed = [key for key in before | after if key not in _UNWRITTEN and before.get(key) != after.get(key)]
    if not changed:
        return []
    body = {site.own.get(key, key): _sent(after.get(key)) for key in changed}
    payload = {"body": body, "modified": before.get("modified")}
    return [Step(UPDATE, payload, frozenset(changed), str(before["name"]))]


def delete(record_id: str) -> Step:
    """The step that deletes an opportunity."""
    return Step(DELETE, {}, record_id=record_id)


def party(system: str, wanted: Party, kind: str, company: str | None) -> Step:
    """The step that creates a lead, customer or prospect. Raises Refused without the e-mail it is found again by."""
    if not wanted.email:
        raise Refused(system, f"a {kind} cannot be created without an e-mail; give the customer one")
    person, firm = kept(wanted.name.strip()), kept((wanted.company_name or "").strip())
    body = _party_body(kind, wanted.email, person, firm, company)
    return Step(PARTY, {"kind": kind, "email": wanted.email, "body": _filled(body)})


def _party_body(kind: str, email: str, person: str, firm: str, company: str | None) -> Record:
    """What the document says. Each kind has a name of its own that it must not lack."""
    if kind == "Prospect":
        return {"company_name": firm or person or email, "company": company}
    name = person or firm or email
    if kind == "Customer":
        individual = bool(person) or not firm
        return {"customer_name": name, "customer_type": "Individual" if individual else "Company", "email_id": email}
    return {"lead_name": name, "email_id": email, "company_name": firm, "company": company}


def own_name(key: str) -> str:
    """The name for the counterpart of a Nexudus card: the same for each attempt to create it."""
    return f"NX-{key.rpartition(':')[2]}"


def _sent(value: Any) -> Any:
    """A value as it is sent: rows keep their names and all their fields, or the site would empty those."""
    if isinstance(value, list):
        return [{k: v for k, v in row.items() if k != _UNSAVED} if isinstance(row, dict) else row for row in value]
    return value


def _filled(values: Record) -> Record:
    return {key: value for key, value in values.items() if value is not None and value not in ("", [])}
