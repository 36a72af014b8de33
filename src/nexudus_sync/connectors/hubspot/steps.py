"""What has to be written to HubSpot, as steps for the journal; pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from nexudus_sync.connectors.base import Draft, Party, Record, Step
from nexudus_sync.connectors.hubspot.api import COMPANY_LINK, CONTACT_LINK, PRIMARY_LINK
from nexudus_sync.connectors.hubspot.records import (
    CLOSE,
    CURRENCY,
    ID,
    NAME,
    PIPELINE,
    STAGE,
    STATUS,
)
from nexudus_sync.connectors.hubspot.stages import OPEN, Pipeline
from nexudus_sync.errors import Refused

CREATE, UPDATE, DELETE, PARTY = "opportunity.create", "opportunity.update", "opportunity.delete", "party.create"
PROPERTIES, LINKS, REOPEN, KEY = "properties", "associations", "reopen", "key"


def create(
    system: str, draft: Draft, pipeline: Pipeline | None, key: str, currencies: frozenset[str], company: str | None
) -> Step:
    """The step that creates a deal with all its values, linked with its contact and that one's `company`.

    `key` is the property that holds the external key, "" for none. Raises Refused without a pipeline, a stage or a
    contact, and for a currency that the account does not have.
    """
    if pipeline is None:
        raise Refused(system, "no pipeline to create the deal in; name one as pipeline in the connection")
    stage = pipeline.chosen(draft.record.get(STATUS), draft.record.get(STAGE))
    if stage is None:
        raise Refused(system, pipeline.lacks(draft.record.get(STATUS) or OPEN), keys=frozenset({STATUS}))
    if not draft.party.id.isdecimal():
        raise Refused(system, "the deal has no contact to be with")
    properties = {name: written(value) for name, value in draft.record.items() if not name.startswith("@")}
    properties |= {PIPELINE: pipeline.id, STAGE: stage.id, **({key: draft.key} if key else {})}
    properties.setdefault(NAME, draft.party.name or draft.party.email)
    properties |= _currency(system, draft.currency, currencies)
    links = [_link(draft.party.id, CONTACT_LINK)]
    links += [_link(company, COMPANY_LINK), _link(company, PRIMARY_LINK)] if company else []
    sent = {name: value for name, value in properties.items() if value != ""}
    payload = {PROPERTIES: sent, LINKS: links, KEY: key, "contact": draft.party.id}
    return Step(CREATE, payload, frozenset(draft.record))


def _currency(system: str, code: str | None, currencies: frozenset[str]) -> Record:
    """The property for a deal's currency; none where the account has only one."""
    if not code or len(currencies) <= 1:
        return {}
    if code not in currencies:
        known = ", ".join(sorted(currencies))
        raise Refused(system, f"the account has no currency {code} (it has {known}); add it in HubSpot")
    return {CURRENCY: code}


def update(before: Record, after: Record, pipeline: Pipeline | None) -> list[Step]:
    """The one step that turns `before` into `after`; none if nothing differs.

    A deal that is reopened without a stage goes to the last open one it had, which its history tells when the step is
    carried out.
    """
    changed = _differing(before, after)
    if not changed:
        return []
    properties = {key: written(after.get(key)) for key in sorted(changed - {STATUS})}
    payload: Record = {PROPERTIES: properties}
    if changed & {STATUS, STAGE} and pipeline is not None:
        status = after.get(STATUS) if STATUS in changed else None
        payload[REOPEN] = status == OPEN and STAGE not in changed
        stage = pipeline.chosen(status, after.get(STAGE) if STAGE in changed else None)
        properties |= {PIPELINE: pipeline.id, **({STAGE: stage.id} if stage else {})}
    closes = _closes(properties, pipeline)
    more = {key: before.get(key) for key in _together(changed, closes=closes)}
    return [Step(UPDATE, payload, frozenset(changed), str(before[ID]), verify=closes, over=more)]


def _together(changed: set[str], *, closes: bool) -> set[str]:
    """What a change replaces together: stage and status are one value, and closing a deal sets its close date."""
    return ({STATUS, STAGE} if changed & {STATUS, STAGE} else set()) | ({CLOSE} if closes else set())


def _differing(before: Record, after: Record) -> set[str]:
    keys = {key for key in {*before, *after} if key == STATUS or not key.startswith("@")}
    return {key for key in keys if before.get(key) != after.get(key)}


def _closes(properties: Record, pipeline: Pipeline | None) -> bool:
    """Does the change close the deal? Then HubSpot may set its close date."""
    return pipeline is not None and pipeline.status(properties.get(STAGE)) != OPEN


def delete(record_id: str) -> Step:
    """The step that moves a deal to the recycle bin."""
    return Step(DELETE, {}, record_id=record_id)


def party(system: str, wanted: Party) -> Step:
    """The step that creates a contact. Raises Refused without an e-mail."""
    if not wanted.email:
        raise Refused(system, "a contact cannot be created without an e-mail; give the customer one")
    first, _, last = (wanted.name or "").strip().partition(" ")
    values = {"email": wanted.email.lower(), "firstname": first, "lastname": last, "company": wanted.company_name or ""}
    return Step(PARTY, {PROPERTIES: {key: value for key, value in values.items() if value}, "email": wanted.email})


def written(value: Any) -> str:
    """A value as HubSpot takes it: everything is text, and a blank clears."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def made(step: Step, echo: Mapping[str, Any]) -> Record:
    """What a created deal says, as far as its echo and the step tell."""
    return {**echo, PROPERTIES: {**step.payload[PROPERTIES], **(echo.get(PROPERTIES) or {})}}


def _link(other: str, number: int) -> Record:
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}
    return {"to": {"id": other}, "types": [kind]}
