"""Deals as Overplane spells them."""

import random
from typing import Any

from nexudus_sandbox.nexudus.enums import LOST, WON
from nexudus_sandbox.overplane import OverplaneDouble
from nexudus_sandbox.overplane.shape import LOST_REASON_DETAIL, OPPORTUNITY
from nexudus_sandbox.seed import words
from nexudus_sandbox.seed.deals import Deal
from nexudus_sandbox.seed.places import CRM_ONLY_STAGE, STAGES, SYNC_USER, USERS, Place, Places


class RowPlanter:
    """Puts deals into Overplane, with leads, customers and lost reasons. Deals have to come oldest first."""

    def __init__(self, overplane: OverplaneDouble, rng: random.Random) -> None:
        self._overplane, self._objects, self._rng = overplane, overplane.objects, rng
        self._parties: dict[str | None, tuple[str, str]] = {}

    def furnish(self, places: Places) -> None:
        """Add stages, lost reasons, users and the like."""
        add = self._overplane.add
        for stage in (CRM_ONLY_STAGE, *STAGES):
            add("sales-stage", "[seed]", stage_name=stage)
        for reason in (*words.REASONS.values(), "Went silent"):
            add("opportunity-lost-reason", "[seed]", lost_reason=reason)
        for email, name in (*USERS, (SYNC_USER, "Nexudus Sync")):
            first, _, last = name.partition(" ")
            add("user", "[seed]", email=email, first_name=first, last_name=last, full_name=name)
        add("opportunity-type", "[seed]", name="Sales")
        add("campaign", "[seed]", campaign_name="spring-2025")

    def plant(self, deal: Deal, place: Place, number: int) -> str:
        """Put the company's deal of that number in; gives its id."""
        kind, party = self._party(deal, number)
        values: dict[str, Any] = {
            "opportunity_from": kind,
            "party_name": party,
            "customer_name": deal.organisation or deal.person,
            "title": deal.title,
            "status": status_of(deal, self._rng),
            "expected_closing": deal.due.isoformat() if deal.due else None,
            "currency": place.currency,
            "opportunity_amount": deal.amount if deal.amount is not None else (0, None)[number % 2],
            "sales_stage": deal.stage,
            "contact_email": deal.email,
            "contact_display": deal.person,
            "company": place.company,
            "transaction_date": deal.created.date().isoformat(),
            "opportunity_owner": deal.owner,
            "language": ("en", "es", "fr")[number % 3],
        }
        if deal.utm is not None:
            names = ("utm_source", "utm_medium", "utm_campaign", "utm_content")
            values |= dict(zip(names, deal.utm, strict=True))
        row = self._objects.plant(OPPORTUNITY, values, created=deal.created, updated=deal.updated)
        self._lose(row["id"], deal, number)
        return str(row["id"])

    def _lose(self, row_id: str, deal: Deal, number: int) -> None:
        if deal.reason is None:
            return
        for reason in (words.REASONS[deal.reason], "Went silent")[: 2 if number % 4 == 0 else 1]:
            detail = {"opportunity_id": row_id, "lost_reason": reason}
            self._objects.plant(LOST_REASON_DETAIL, detail, created=deal.updated, updated=deal.updated)

    def _party(self, deal: Deal, number: int) -> tuple[str, str]:
        if deal.email not in self._parties:
            if number % 3:
                kind = "Lead"
                values = {"lead_name": deal.person, "company_name": deal.organisation, "email_id": deal.email}
            else:
                kind = "Customer"
                form = "Company" if deal.organisation else "Individual"
                name = deal.organisation or deal.person
                values = {"customer_name": name, "customer_type": form, "email_id": deal.email}
            row = self._objects.plant(kind.lower(), values, created=deal.created, updated=deal.created)
            self._parties[deal.email] = (kind, str(row["id"]))
        return self._parties[deal.email]


def status_of(deal: Deal, rng: random.Random) -> str:
    """One of the statuses that a salesperson may have left the deal in."""
    if deal.status == WON:
        return "Converted"
    if deal.status == LOST:
        return rng.choice(("Lost", "Lost", "Closed"))
    return "Quotation" if deal.stage == "Proposal sent" else rng.choice(("Open", "Open", "Replied"))
