"""How people work in each CRM, and how it is spoken to on the wire: what differs between the CRMs of an office."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from nexudus_sandbox.crms import SandboxCrm
from nexudus_sandbox.hubspot.objects import Author
from nexudus_sandbox.wire import Request, Response
from nexudus_sync.connectors.base import Connector
from nexudus_sync.connectors.erpnext import ERPNextConnector
from nexudus_sync.connectors.hubspot import HubSpotConnector
from nexudus_sync.connectors.overplane import OverplaneConnector
from nexudus_sync.mapping.shipped import shipped

BEN = "ben@example.com"
CRM_NAMES = ("overplane", "erpnext")


overplane_only = pytest.mark.parametrize("crm_name", ["overplane"], indirect=True)
"""For a test about something that only Overplane has; what only ERPNext has is tested in modules of its own."""


not_hubspot = pytest.mark.parametrize("crm_name", CRM_NAMES, indirect=True)
"""For a test about what no deal of HubSpot has: several lost reasons, or a status with words of its own."""


@dataclass(frozen=True, slots=True)
class Paths:
    """What is asked of a CRM on the wire, for counting and for faults: paths, and the method of an update."""

    deals: str
    leads: str
    update: str


@dataclass(slots=True)
class Desk:
    """A CRM's desk. `kind` is what its change log calls an opportunity.

    `stamps` are the keys that each save moves, `own` those that no two runs of the same story have alike. Where it
    `needs_sweep`, only a reconcile shows what was deleted.
    """

    system: str
    crm: SandboxCrm
    kind: str
    wire: Paths
    connector: type[Connector]
    stamps: tuple[str, ...]
    own: tuple[str, ...]
    needs_sweep: bool
    mapping: str = ""
    """Its mapping file; "" for the shipped one."""
    party_apart: bool = False
    """The customer's e-mail stands on a record of its own, whose edits do not move the opportunity's stamp."""
    dates_closing: bool = False
    """A deal that is made closed gets its closing day from the CRM itself; the day travels back at the next sync."""
    links: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Key of an opportunity → the kind of object it names one of, and what that is called by."""

    @property
    def deals(self) -> Any:
        """The CRM's double, in the words of an opportunity."""
        return self.crm.at_work

    @property
    def updates(self) -> str:
        """An update of any opportunity, as "METHOD /path" begins."""
        return f"{self.wire.update} {self.wire.deals}/"

    def know(self, key: str, *names: str) -> None:
        """Where a key of an opportunity names one of a list, the list has these from now on."""
        if key in self.links:
            kind, name_key = self.links[key]
            for name in sorted({*names} - self._known(kind, name_key)):
                self.deals.add(kind, BEN, **{name_key: name})

    def _known(self, kind: str, name_key: str) -> set[str]:
        raise NotImplementedError

    def lead(self, person: str, email: str | None, **values: Any) -> str:
        """Ben finds the lead with that e-mail, or enters one; gives its id."""
        raise NotImplementedError

    def create(self, title: str, party: str, email: str | None, **values: Any) -> str:
        """Ben enters an opportunity of London's company for a lead; gives its id."""
        usual: dict[str, Any] = {"opportunity_from": "Lead", "company": "Example Corp", "currency": "GBP"}
        usual |= {"sales_stage": "New lead", "transaction_date": "2026-03-02"}
        usual |= {"party_name": party, "contact_email": email}
        return str(self.deals.create(BEN, title=title, **{**usual, **values}))

    def titled(self, key: str) -> str:
        """A key of an opportunity as the stories call it."""
        return key

    def give_email(self, deal: str, email: str) -> None:
        """Ben enters the e-mail of an opportunity's customer."""
        self.deals.edit(deal, BEN, contact_email=email)

    def lead_emails(self) -> Counter[str]:
        """How many leads there are with which e-mail."""
        raise NotImplementedError

    def add_user(self, email: str, name: str) -> None:
        """Somebody joins the sales team."""
        raise NotImplementedError

    def user_id(self, email: str) -> str:
        """What else than their e-mail an opportunity may name its owner by."""
        return email

    def skip_in_next_list(self, deal: str) -> list[str]:
        """Leave an opportunity out of the next list of them; what is returned names it once that has happened."""
        show, skipped = self._hide(deal), list[str]()

        def watch(request: Request, _: Response) -> None:
            is_probe = request.query.get("limit_page_length") == "1"
            if request.path == self.wire.deals and not is_probe and not skipped:
                skipped.append(deal)
                show()

        self.deals.watchers.append(watch)
        return skipped

    def _hide(self, deal: str) -> Callable[[], None]:
        """Leave an opportunity out of what the CRM shows, until the returned function is called."""
        raise NotImplementedError

    def add_field(self, key: str) -> None:
        """An administrator gives opportunities a text field of their own."""

    def content(self, deal: str) -> dict[str, Any]:
        """All that an opportunity says, lost reasons included."""
        return {**self.deals.record(deal), "rows": self.deals.lost_reasons(deal)}

    def as_read(self, deal: str) -> dict[str, Any]:
        """An opportunity as the connector would read it."""
        raise NotImplementedError


class OverplaneDesk(Desk):
    """Overplane: plain objects, and text where others link."""

    def lead(self, person: str, email: str | None, **values: Any) -> str:
        return str(self.deals.add("lead", BEN, lead_name=person, email_id=email, **values))

    def lead_emails(self) -> Counter[str]:
        return Counter(str(row["email_id"]) for row in self.deals.objects.rows["lead"].values())

    def add_user(self, email: str, name: str) -> None:
        self.deals.add("user", BEN, email=email, full_name=name)

    def user_id(self, email: str) -> str:
        return next(str(row["id"]) for row in self.deals.objects.rows["user"].values() if row["email"] == email)

    def _known(self, kind: str, name_key: str) -> set[str]:
        return {row[name_key] for row in self.deals.objects.rows[kind].values()}

    def _hide(self, deal: str) -> Callable[[], None]:
        rows = self.deals.objects.rows
        everything = rows[self.kind]
        rows[self.kind] = {key: row for key, row in everything.items() if key != deal}
        return lambda: rows.update({self.kind: everything})

    def as_read(self, deal: str) -> dict[str, Any]:
        reasons = enumerate(self.deals.lost_reasons(deal))
        rows = [{"id": str(number), "idx": number, "lost_reason": reason} for number, reason in reasons]
        return {**self.deals.record(deal), "lost_reasons": rows}


class ErpnextDesk(Desk):
    """ERPNext: documents that link to others, and one lead an e-mail."""

    def lead(self, person: str, email: str | None, **values: Any) -> str:
        known = self.deals.site.tables["Lead"].where("email_id", email) if email else []
        return str(
            known[0]["name"] if known else self.deals.add("Lead", BEN, lead_name=person, email_id=email, **values)
        )

    def lead_emails(self) -> Counter[str]:
        return Counter(str(row["email_id"]) for row in self.deals.site.tables["Lead"].rows.values())

    def add_user(self, email: str, name: str) -> None:
        self.deals.add("User", BEN, email=email, first_name=name, user_type="System User")

    def _known(self, kind: str, name_key: str) -> set[str]:
        return set(self.deals.site.tables[kind].rows)

    def _hide(self, deal: str) -> Callable[[], None]:
        table = self.deals.site.tables[self.kind]
        row = table.rows[deal]
        table.set(deal, None)
        return lambda: table.set(deal, row)

    def add_field(self, key: str) -> None:
        values = {"dt": "Opportunity", "fieldname": key, "label": key, "fieldtype": "Data", "insert_after": "title"}
        self.deals.add("Custom Field", BEN, **values)

    def content(self, deal: str) -> dict[str, Any]:
        # How a child row is named and stamped says nothing.
        return {**Desk.content(self, deal), "lost_reasons": None}

    def as_read(self, deal: str) -> dict[str, Any]:
        return dict(self.deals.record(deal))


class HubspotDesk(Desk):
    """HubSpot: contacts, and one stage for status and column."""

    def lead(self, person: str, email: str | None, **values: Any) -> str:
        first, _, last = person.partition(" ")
        known = self.deals.objects.where("contacts", "email", email.lower()) if email else None
        values = {"email": email, "firstname": first, "lastname": last, "company": values.get("company_name")}
        sent = {key: value for key, value in values.items() if value}
        return str(known.id) if known else str(self.deals.add("contacts", BEN, **sent))

    def lead_emails(self) -> Counter[str]:
        return Counter(one.values.get("email", "None") for one in self.deals.objects.live("contacts"))

    def add_user(self, email: str, name: str) -> None:
        self.deals.account.hire(email, name)

    def titled(self, key: str) -> str:
        return {"dealname": "title"}.get(key, key)

    def content(self, deal: str) -> dict[str, Any]:
        # what is told in the words of an opportunity need not be told twice
        return {key: value for key, value in Desk.content(self, deal).items() if key not in ("dealname", "amount")}

    def give_email(self, deal: str, email: str) -> None:
        (contact,) = self.deals.record(deal)["@contacts"]
        self.deals.change(self.deals.objects.rows["contacts"][int(contact)], {"email": email}, Author(BEN))

    def _known(self, kind: str, name_key: str) -> set[str]:
        return set.intersection(*({stage.label for stage in one.stages} for one in self.deals.pipelines.all))

    def _hide(self, deal: str) -> Callable[[], None]:
        rows = self.deals.objects.rows["deals"]
        one = rows.pop(int(deal))
        return lambda: rows.update({one.id: one})

    def add_field(self, key: str) -> None:
        self.deals.properties.add("deals", key)

    def as_read(self, deal: str) -> dict[str, Any]:
        return dict(self.deals.as_read(deal))


_OFF = re.compile(r'(?m)^\[fields\.(utm_(?!term)\w+)\]\nsync = "off"')
"""What the shipped mapping leaves off until there are properties for it, as there are here."""


def hubspot(crm: SandboxCrm) -> Desk:
    """HubSpot's desk, in an account whose deals have a property for everything that people edit."""
    base = "/crm/objects/2026-03"
    for name in ("phone", "annual_revenue", "first_response_time"):
        crm.double.properties.add("deals", name)  # type: ignore[union-attr]
    return HubspotDesk(
        "hubspot",
        crm,
        "deals",
        Paths(f"{base}/deals", f"{base}/contacts", "PATCH"),
        HubSpotConnector,
        stamps=("hs_lastmodifieddate", "@updatedAt"),
        own=(
            *("id", "hs_object_id", "createdate", "hs_lastmodifieddate", "party_name", "nexudus_id", "closedate"),
            *("@id", "@createdAt", "@updatedAt", "@contacts"),
        ),
        needs_sweep=True,
        mapping=re.sub(
            r'(?m)^\[fields\.(utm_(?!term)\w+)\]\nsync = "off"', r'[fields.\1]\npath = "\1"', shipped("hubspot")
        ),
        party_apart=True,
        dates_closing=True,
        links={"sales_stage": ("sales-stage", "stage_name")},
    )


def overplane(crm: SandboxCrm) -> Desk:
    """Overplane's desk."""
    base = "/api/crm"
    return OverplaneDesk(
        "overplane",
        crm,
        "opportunity",
        Paths(f"{base}/opportunity", f"{base}/lead", "PATCH"),
        OverplaneConnector,
        stamps=("updated_at",),
        own=("id", "created_at", "updated_at", "party_name"),
        needs_sweep=False,
        links={"sales_stage": ("sales-stage", "stage_name")},
    )


def erpnext(crm: SandboxCrm) -> Desk:
    """ERPNext 16's desk."""
    base = "/api/resource"
    links = {"sales_stage": ("Sales Stage", "stage_name")}
    links |= {key: (name, "name") for key, name in (("utm_source", "UTM Source"), ("utm_medium", "UTM Medium"))}
    links |= {"utm_campaign": ("UTM Campaign", "name")}
    return ErpnextDesk(
        "erpnext",
        crm,
        "Opportunity",
        Paths(f"{base}/Opportunity", f"{base}/Lead", "PUT"),
        ERPNextConnector,
        stamps=("modified", "modified_by"),
        own=("name", "creation", "owner", "modified", "modified_by", "party_name", "custom_nexudus_id"),
        needs_sweep=True,
        links=links,
    )


DESKS = {"overplane": overplane, "erpnext": erpnext, "hubspot": hubspot}
"""By the name of the connector."""
