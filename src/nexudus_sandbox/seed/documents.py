"""Deals as ERPNext keeps them: opportunities of leads and customers, with all that they link to."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.seed import words
from nexudus_sandbox.seed.deals import Deal
from nexudus_sandbox.seed.places import STAGES, USERS, Place, Places
from nexudus_sandbox.seed.rows import status_of

_BY = "Administrator"
KEY_FIELD = "custom_nexudus_id"
_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content")
_BEFORE_UTM = {"utm_source": "source", "utm_campaign": "campaign"}


class DocumentPlanter:
    """Puts deals into ERPNext, with leads, customers and lost reasons. Deals have to come oldest first."""

    def __init__(self, erpnext: ERPNextDouble, rng: random.Random) -> None:
        self._erpnext, self._rng = erpnext, rng
        self._parties: dict[str | None, tuple[str, str]] = {}
        self._numbers = count()

    def furnish(self, places: Places) -> None:
        """Add companies, stages, reasons, sources, campaigns, users, and the field for the external key."""
        add = self._erpnext.add
        for place in (places.london, places.madrid, places.new_york):
            if self._erpnext.site.find("Company", place.company) is None:
                add("Company", _BY, company_name=place.company, default_currency=place.currency)
        for stage in STAGES:
            add("Sales Stage", _BY, stage_name=stage)
        for reason in (*words.REASONS.values(), "Went silent"):
            add("Opportunity Lost Reason", _BY, lost_reason=reason)
        for email, name in USERS:
            first, _, last = name.partition(" ")
            add("User", _BY, email=email, first_name=first, last_name=last, user_type="System User")
        self._add_attribution()
        field = {"dt": "Opportunity", "fieldname": KEY_FIELD, "label": "Nexudus ID", "unique": 1, "no_copy": 1}
        add("Custom Field", _BY, fieldtype="Data", insert_after="title", **field)

    def _add_attribution(self) -> None:
        sources, media = zip(*words.SOURCES, strict=True)
        named = {"UTM Source": sources, "UTM Medium": media, "UTM Campaign": words.CAMPAIGNS}
        field = dict.fromkeys(named, "name")
        if self._erpnext.site.version < 16:
            named = {"Lead Source": sources, "Campaign": words.CAMPAIGNS}
            field = {"Lead Source": "source_name", "Campaign": "campaign_name"}
        for doctype, names in named.items():
            for name in names:
                self._erpnext.add(doctype, _BY, **{field[doctype]: name})

    def plant(self, deal: Deal, place: Place, number: int) -> str:
        """Put the company's deal of that number in; gives its name."""
        with self._at(deal.created + timedelta(microseconds=next(self._numbers))):
            kind, party = self._party(deal, place, number)
            values: dict[str, Any] = {
                "opportunity_from": kind,
                "party_name": party,
                "title": deal.title,
                "status": status_of(deal, self._rng),
                "sales_stage": deal.stage,
                "expected_closing": deal.due.isoformat() if deal.due else None,
                "currency": place.currency,
                "opportunity_amount": deal.amount,
                "contact_email": deal.email,
                "company": place.company,
                "transaction_date": deal.created.date().isoformat(),
                "opportunity_owner": deal.owner,
                "lost_reasons": self._reasons(deal, number),
            }
            name = self._erpnext.create(_BY, **values, **self._utm(deal))
        with self._at(deal.updated):
            self._erpnext.touch(name, deal.owner or _BY)
        return name

    @contextmanager
    def _at(self, moment: datetime) -> Iterator[None]:
        """Let the site stamp what is done meanwhile as of then."""
        site = self._erpnext.site
        site.stamped = moment
        try:
            yield
        finally:
            site.stamped = None

    def _reasons(self, deal: Deal, number: int) -> list[dict[str, str]]:
        if deal.reason is None:
            return []
        reasons = (words.REASONS[deal.reason], "Went silent")[: 2 if number % 4 == 0 else 1]
        return [{"lost_reason": reason} for reason in reasons]

    def _utm(self, deal: Deal) -> dict[str, str]:
        said = dict(zip(_UTM, deal.utm, strict=True)) if deal.utm else {}
        if self._erpnext.site.version >= 16:
            return said
        return {own: said[name] for name, own in _BEFORE_UTM.items() if name in said}

    def _party(self, deal: Deal, place: Place, number: int) -> tuple[str, str]:
        if deal.email not in self._parties:
            if number % 3:
                kind = "Lead"
                values = {"lead_name": deal.person, "company_name": deal.organisation, "email_id": deal.email}
                values["company"] = place.company
            else:
                kind = "Customer"
                form = "Company" if deal.organisation else "Individual"
                name = deal.organisation or deal.person
                values = {"customer_name": name, "customer_type": form, "email_id": deal.email}
            self._parties[deal.email] = (kind, self._erpnext.add(kind, _BY, **values))
        return self._parties[deal.email]
