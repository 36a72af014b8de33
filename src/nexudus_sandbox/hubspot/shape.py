"""The properties of deals, contacts and companies: which there are, of what type, and who may write them."""

from dataclasses import dataclass, replace
from typing import Any

DEALS, CONTACTS, COMPANIES = "deals", "contacts", "companies"
KINDS = {DEALS: "0-3", CONTACTS: "0-1", COMPANIES: "0-2"}
"""The objects, each with its other name in a path."""
STAMPS = {DEALS: "hs_lastmodifieddate", CONTACTS: "lastmodifieddate", COMPANIES: "hs_lastmodifieddate"}


@dataclass(frozen=True, slots=True)
class Property:
    """The definition of a property. `computed`: HubSpot itself sets it; nobody else can."""

    name: str
    label: str
    type: str = "string"
    field_type: str = "text"
    computed: bool = False
    unique: bool = False
    options: tuple[str, ...] = ()
    external: bool = False
    archived: bool = False
    custom: bool = False

    def json(self, kind: str) -> dict[str, Any]:
        """As the properties API shows it."""
        options = [
            {"label": one, "value": one, "displayOrder": place, "hidden": False}
            for place, one in enumerate(self.options)
        ]
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": "",
            "groupName": {DEALS: "dealinformation", CONTACTS: "contactinformation"}.get(kind, "companyinformation"),
            "options": options,
            "displayOrder": -1,
            "calculated": self.computed and self.name.startswith("hs_closed"),
            "externalOptions": self.external,
            "archived": self.archived,
            "hasUniqueValue": self.unique,
            "hidden": False,
            "formField": False,
            "hubspotDefined": not self.custom,
            "modificationMetadata": {
                "archivable": self.custom,
                "readOnlyDefinition": not self.custom,
                "readOnlyValue": self.computed,
            },
        }


def _computed(*names: str, type: str = "string") -> tuple[Property, ...]:  # noqa: A002 (HubSpot's word)
    return tuple(Property(name, name, type, computed=True) for name in names)


_COMMON = (
    *_computed("createdate", "hs_lastmodifieddate", "lastmodifieddate", type="datetime"),
    *_computed("hs_object_id", "hs_object_source", "hs_object_source_id", "hs_merged_object_ids"),
    Property("hubspot_owner_id", "Owner", "enumeration", "select", external=True),
)
_OWN = {
    DEALS: (
        Property("dealname", "Deal name"),
        Property("dealstage", "Deal stage", "enumeration", "radio", external=True),
        Property("pipeline", "Pipeline", "enumeration", "select", external=True),
        Property("amount", "Amount", "number", "number"),
        Property("closedate", "Close date", "datetime", "date"),
        Property("closed_lost_reason", "Closed lost reason", "string", "textarea"),
        Property("closed_won_reason", "Closed won reason", "string", "textarea"),
        Property("description", "Deal description", "string", "textarea"),
        Property("deal_currency_code", "Currency", "enumeration", "select"),
        *_computed("hs_updated_by_user_id", type="number"),
        *_computed("hs_is_closed", "hs_is_closed_won", "hs_deal_stage_probability", "hs_closed_amount"),
    ),
    CONTACTS: (
        *(Property(name, name) for name in ("email", "firstname", "lastname", "company", "phone")),
        Property("hs_additional_emails", "Additional emails"),
    ),
    COMPANIES: (Property("name", "Company name"), Property("domain", "Company domain name")),
}


class Properties:
    """The definitions of an account, by object and name."""

    def __init__(self) -> None:
        self.of = {kind: {one.name: one for one in (*_COMMON, *_OWN[kind])} for kind in KINDS}

    def add(self, kind: str, name: str, **values: Any) -> Property:
        """An administrator makes a property, or takes an archived one of that name back."""
        known = self.of[kind].get(name)
        if known is not None and known.archived:
            made = replace(known, archived=False)
        else:
            made = Property(name, values.pop("label", name), custom=True, **values)
        self.of[kind][name] = made
        return made

    def change(self, kind: str, name: str, **values: Any) -> None:
        """An administrator changes a definition."""
        self.of[kind][name] = replace(self.of[kind][name], **values)

    def live(self, kind: str, name: str) -> Property | None:
        """The definition of that name, unless there is none or it is archived."""
        found = self.of[kind].get(name)
        return None if found is None or found.archived else found

    def unique(self, kind: str) -> list[str]:
        """The names of the properties whose values are unique."""
        own = ["email"] if kind == CONTACTS else []
        return own + [one.name for one in self.of[kind].values() if one.unique and not one.archived]
