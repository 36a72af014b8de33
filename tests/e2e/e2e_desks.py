"""How people work in each CRM, and how it is spoken to on the wire: what differs between the CRMs of an office."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from nexudus_sandbox.crms import SandboxCrm
from nexudus_sandbox.wire import Request, Response
from nexudus_sync.connectors.base import Connector
from nexudus_sync.connectors.erpnext import ERPNextConnector
from nexudus_sync.connectors.hubspot import HubSpotConnector
from nexudus_sync.connectors.overplane import OverplaneConnector

BEN = "ben@example.com"
CRM_NAMES = ("overplane", "erpnext")


overplane_only = pytest.mark.parametrize("crm_name", ["overplane"], indirect=True)
"""For a test about something that only Overplane has; what only ERPNext has is tested in modules of its own."""


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
        values = {"email": email, "firstname": first, "lastname": last}
        sent = {key: value for key, value in values.items() if value}
        return str(known.id) if known else str(self.deals.add("contacts", BEN, **sent))

    def lead_emails(self) -> Counter[str]:
        return Counter(one.values.get("email", "None") for one in self.deals.objects.live("contacts"))

    def add_user(self, email: str, name: str) -> None:
        self.deals.account.hire(email, name)

    def user_id(self, email: str) -> str:
        return str(self.deals.account.owner_of(email))

    def _hide(self, deal: str) -> Callable[[], None]:
        rows = self.deals.objects.rows["deals"]
        one = rows.pop(int(deal))
        return lambda: rows.update({one.id: one})

    def add_field(self, key: str) -> None:
        self.deals.properties.add("deals", key)

    def as_read(self, deal: str) -> dict[str, Any]:
        return dict(self.deals.as_read(deal))


def hubspot(crm: SandboxCrm) -> Desk:
    """HubSpot's desk."""
    base = "/crm/objects/2026-03"
    return HubspotDesk(
        "hubspot",
        crm,
        "deals",
        Paths(f"{base}/deals", f"{base}/contacts", "PATCH"),
        HubSpotConnector,
        stamps=("hs_lastmodifieddate",),
        own=(
            *("id", "hs_object_id", "createdate", "hs_lastmodifieddate", "party_name", "nexudus_id", "closedate"),
            *("@id", "@createdAt", "@updatedAt", "@contacts"),
        ),
        needs_sweep=True,
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
