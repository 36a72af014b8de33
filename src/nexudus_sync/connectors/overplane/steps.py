"""What has to be written to Overplane, as steps for the journal; pure.

Facts from the page "The Opportunity object": the required fields of a create, partial updates, and child rows that name
their opportunity in `opportunity_id`.
"""

from datetime import date
from typing import Any

from nexudus_sync.connectors.base import Draft, Party, Record, Step
from nexudus_sync.connectors.overplane.parties import NAME_KEY
from nexudus_sync.errors import Refused

CHILDREN = "lost_reasons"
"""The key under which a whole record shows its opportunity-lost-reason-detail rows."""
_CHILD_KEYS = frozenset({CHILDREN})
_UNWRITTEN = frozenset({"id", "created_at", "updated_at", CHILDREN})


def create(system: str, draft: Draft, company: str | None, today: date) -> Step:
    """The step that creates an opportunity. Raises Refused when no company is known for it."""
    if not company:
        remedy = f"set company on the connection, or as crm.{system}.company"
        raise Refused(system, f"an opportunity needs a company: {remedy}", keys=frozenset({"company"}))
    party = draft.party
    always = {
        "opportunity_from": party.kind,
        "party_name": party.id,
        "company": company,
        "transaction_date": today.isoformat(),
        "contact_email": party.email,
        "customer_name": party.name,
        "currency": draft.currency,
    }
    mapped = {key: value for key, value in draft.record.items() if key not in _UNWRITTEN}
    body = {key: value for key, value in (always | _filled(mapped)).items() if not _blank(value)}
    delivered = body.keys() | mapped.keys()
    rows_wait = bool(draft.record.get(CHILDREN))
    return Step("opportunity.create", body, frozenset(delivered) | (frozenset() if rows_wait else _CHILD_KEYS))


def update(before: Record, after: Record) -> list[Step]:
    """One partial update with the keys that differ, then the child rows."""
    record_id = str(before["id"])
    changed = [key for key in before | after if key not in _UNWRITTEN and before.get(key) != after.get(key)]
    steps = []
    if changed:
        body = {key: after.get(key) for key in changed}
        steps.append(Step("opportunity.update", body, frozenset(changed), record_id))
    if CHILDREN in after and after[CHILDREN] != before.get(CHILDREN):
        steps += _rows(record_id, before.get(CHILDREN) or [], after[CHILDREN] or [])
    return steps


def delete(record_id: str) -> Step:
    """The step that deletes an opportunity."""
    return Step("opportunity.delete", {}, record_id=record_id)


def party(system: str, wanted: Party, kind: str) -> Step:
    """The step that creates a customer, lead or prospect. Raises Refused without the e-mail it is found again by."""
    if not wanted.email:
        raise Refused(system, f"a {kind} cannot be created without an e-mail; give the customer one")
    person, firm = wanted.name.strip(), (wanted.company_name or "").strip()
    name = (firm or person) if kind == "Prospect" else (person or firm)
    body: Record = {NAME_KEY[kind]: name or wanted.email, "email_id": wanted.email}
    if kind == "Customer":
        body["customer_type"] = "Individual" if person or not firm else "Company"
    if kind == "Lead" and firm:
        body["company_name"] = firm
    return Step("party.create", {"kind": kind, "body": body})


def _rows(record_id: str, before: list[Record], after: list[Record]) -> list[Step]:
    """Changed rows first, so that a row that takes another's place never stands beside it for long; new ones last."""
    old = {str(row["id"]): row for row in before}
    kept = {str(row["id"]): row for row in after if row.get("id")}
    changes = [(row_id, _difference(old[row_id], row)) for row_id, row in kept.items() if row_id in old]
    steps = [_row_step("update", record_id, {"id": row_id, "body": body}) for row_id, body in changes if body]
    steps += [_row_step("delete", record_id, {"id": row_id}) for row_id in old if row_id not in kept]
    return steps + _new_rows(record_id, after)


def _new_rows(record_id: str, after: list[Record]) -> list[Step]:
    new = ({"opportunity_id": record_id, **_unnumbered(row)} for row in after if not row.get("id"))
    return [_row_step("create", record_id, {"body": body}) for body in new]


def _row_step(verb: str, record_id: str, payload: Record) -> Step:
    return Step(f"lost-reason.{verb}", payload, _CHILD_KEYS, record_id)


def _difference(before: Record, after: Record) -> Record:
    return {key: value for key, value in after.items() if before.get(key) != value}


def _unnumbered(row: Record) -> Record:
    return {key: value for key, value in row.items() if key != "id"}


def _filled(mapped: Record) -> Record:
    return {key: value for key, value in mapped.items() if not _blank(value)}


def _blank(value: Any) -> bool:
    return value is None or value == ""
