"""Objects as the API shows them, alone and in lists."""

from collections.abc import Iterable
from typing import Any

from nexudus_sandbox.hubspot.objects import PRIMARY, Object, Objects, Past, iso, user_of
from nexudus_sandbox.hubspot.options import HubSpotOptions
from nexudus_sandbox.hubspot.shape import CONTACTS, DEALS, KINDS, STAMPS, Properties

stamp = iso
_ALWAYS = {
    DEALS: ("amount", "closedate", "dealname", "dealstage", "pipeline"),
    CONTACTS: ("email", "firstname", "lastname"),
    "companies": ("name", "domain"),
}
"""What is shown if nothing is asked for."""
_ECHOED = ("hs_object_source", "hs_object_source_id")


def names(asked: str | Iterable[str] | None) -> list[str]:
    """The properties that a call names: a list, or text with commas."""
    if isinstance(asked, str):
        return [name for name in asked.split(",") if name]
    return list(asked or ())


def shown(
    one: Object,
    asked: list[str],
    properties: Properties,
    options: HubSpotOptions,
    *,
    past: Iterable[str] = (),
    values: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One object. Properties that do not exist are left out without a word; `values`: an older state of it."""
    said = one.values if values is None else values
    found: dict[str, Any] = {name: said.get(name) for name in _known(one, asked, properties)}
    if options.blank == "missing":
        found = {name: value for name, value in found.items() if value is not None}
    body = {
        "id": str(one.id),
        "properties": found,
        "createdAt": iso(one.created),
        "updatedAt": said.get(STAMPS[one.kind], iso(one.updated)),
        "archived": one.archived_at is not None,
        "url": f"https://app.hubspot.com/contacts/12345678/record/{KINDS[one.kind]}/{one.id}",
    }
    if one.archived_at is not None:
        body["archivedAt"] = iso(one.archived_at)
    histories = list(past)
    if histories:
        body["propertiesWithHistory"] = {
            name: [_past(each) for each in one.history.get(name, [])] for name in histories
        }
    return body


def _known(one: Object, asked: list[str], properties: Properties) -> list[str]:
    wanted = [name for name in (asked or _ALWAYS[one.kind]) if properties.live(one.kind, name) is not None]
    return sorted({*wanted, "createdate", STAMPS[one.kind], "hs_object_id"})


def echo(one: Object, sent: Iterable[str], properties: Properties) -> dict[str, Any]:
    """The answer to a write: what was sent, and some properties of the system's own, not the whole record."""
    own = {name: one.values.get(name) for name in {*sent, *_ECHOED} if properties.live(one.kind, name)}
    own |= {"createdate": iso(one.created), STAMPS[one.kind]: one.values[STAMPS[one.kind]], "hs_object_id": str(one.id)}
    return {
        "id": str(one.id),
        "properties": {name: value for name, value in own.items() if value is not None},
        "createdAt": iso(one.created),
        "updatedAt": one.values[STAMPS[one.kind]],
        "archived": False,
    }


def linked(objects: Objects, one: Object, kinds: Iterable[str]) -> dict[str, Any]:
    """The associations of an object as a read of it shows them; a primary company stands there twice."""
    found: dict[str, Any] = {}
    for kind in kinds:
        rows = []
        for other in objects.others(one, kind):
            numbers = objects.links[one.kind, one.id, kind][other]
            single = {"contacts": "contact", "companies": "company"}.get(kind, "deal")
            rows += [{"id": str(other), "type": f"{one.kind[:-1]}_to_{single}"}]
            rows += [{"id": str(other), "type": f"{one.kind[:-1]}_to_{single}_unlabeled"}] * (PRIMARY in numbers)
        if rows:
            found[kind] = {"results": rows}
    return found


def _past(each: Past) -> dict[str, Any]:
    told = {"value": each.value, "timestamp": iso(each.at), "sourceType": each.by.source}
    told |= {"sourceId": each.by.source_id} if each.by.source_id else {}
    user = user_of(each.by)
    return told | ({} if user is None else {"updatedByUserId": user})
