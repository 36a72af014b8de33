"""Deals as HubSpot keeps them: a pipeline for each location, contacts, and one stage for status and column."""

import random
from datetime import datetime
from typing import Any

from nexudus_sandbox.hubspot import HubSpotDouble
from nexudus_sandbox.hubspot.objects import Author
from nexudus_sandbox.hubspot.pipelines import Stage
from nexudus_sandbox.hubspot.shape import CONTACTS, DEALS
from nexudus_sandbox.seed import words
from nexudus_sandbox.seed.deals import Deal
from nexudus_sandbox.seed.places import CRM_ONLY_STAGE, STAGES, USERS, Place, Places

KEY = "nexudus_id"
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content")
_BY = Author("[seed]", "IMPORT", "")
_NAMES = (CRM_ONLY_STAGE, *STAGES)
_CLOSED = {"Won": 1.0, "Lost": 0.0}


class HubDealPlanter:
    """Puts deals into HubSpot, with contacts. Deals have to come oldest first."""

    def __init__(self, hubspot: HubSpotDouble, rng: random.Random) -> None:
        self._hubspot, self._rng = hubspot, rng
        self._contacts: dict[str | None, int] = {}

    def furnish(self, places: Places) -> None:
        """Add pipelines, owners, and the properties for the external key and for where a deal came from."""
        hubspot = self._hubspot
        hubspot.pipelines.all.clear()
        for place in (places.london, places.madrid, places.new_york):
            stages = [Stage(str(70_001_000 + place.business_id * 100 + n), name) for n, name in enumerate(_NAMES)]
            for stage in stages:
                if stage.label in _CLOSED:
                    stage.closed, stage.probability = True, _CLOSED[stage.label]
            hubspot.pipelines.add(place.company, stages)
        for email, name in USERS:
            hubspot.account.hire(email, name)
        hubspot.properties.add(DEALS, KEY, label="Nexudus ID", unique=True)
        for name in UTM:
            hubspot.properties.add(DEALS, name)
        hubspot.account.more_currencies = ("EUR", "USD")

    def plant(self, deal: Deal, place: Place, _number: int) -> str:
        """Put the company's deal of that number in; gives its id."""
        pipeline = next(one for one in self._hubspot.pipelines.all if one.label == place.company)
        stage = next(one for one in pipeline.stages if one.label == deal.stage)
        owner = self._hubspot.account.owner_of(deal.owner) if deal.owner else None
        values: dict[str, Any] = {
            "dealname": deal.title,
            "pipeline": pipeline.id,
            "dealstage": stage.id,
            "amount": deal.amount,
            "closedate": deal.due and datetime.combine(deal.due, deal.due_time, place.zone).isoformat(),
            "hubspot_owner_id": owner,
            "closed_lost_reason": None if deal.reason is None else words.REASONS[deal.reason],
            "deal_currency_code": place.currency,
        }
        values |= dict(zip(UTM, deal.utm, strict=True)) if deal.utm else {}
        hubspot = self._hubspot
        sent = {key: value for key, value in values.items() if value is not None}
        made = hubspot.objects.add(
            DEALS, hubspot.checker.clean(DEALS, sent), _BY, at=deal.created, updated=deal.updated
        )
        hubspot.objects.link(made, CONTACTS, self._contact(deal))
        return str(made.id)

    def _contact(self, deal: Deal) -> int:
        if deal.email not in self._contacts:
            first, _, last = deal.person.partition(" ")
            values = {"email": deal.email, "firstname": first, "lastname": last, "company": deal.organisation}
            sent = {key: value for key, value in values.items() if value is not None}
            cleaned = self._hubspot.checker.clean(CONTACTS, sent)
            self._contacts[deal.email] = self._hubspot.objects.add(CONTACTS, cleaned, _BY, at=deal.created).id
        return self._contacts[deal.email]
