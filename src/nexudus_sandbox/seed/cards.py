"""Deals as Nexudus spells them."""

import random
from collections import Counter
from datetime import datetime
from typing import Any

from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.nexudus.enums import IN_PROGRESS, LEAD_SOURCES, LOST, WON
from nexudus_sandbox.nexudus.values import moment
from nexudus_sandbox.seed import words
from nexudus_sandbox.seed.deals import Deal
from nexudus_sandbox.seed.places import USERS, WELCOME, Place, Places

_ON_OLD_BOARD = 5
_BULK_EDITED = 25
"""Cards that one bulk edit gave the same stamp."""


class CardPlanter:
    """Puts deals into Nexudus, with customers, notes, custom fields and the oddities of grown data."""

    def __init__(self, nexudus: NexudusDouble, places: Places, rng: random.Random) -> None:
        self._nexudus, self._places, self._rng = nexudus, places, rng
        self._positions: Counter[int] = Counter()
        self._customers: dict[tuple[str | None, str], int] = {}
        self._bulk_edit: datetime | None = None

    def plant(self, deal: Deal, place: Place, number: int) -> int:
        """Put the place's deal of that number in; gives the card's id."""
        stage = self._stage(deal, place, number)
        self._positions[stage] += 1
        values: dict[str, Any] = {
            "Name": deal.title,
            "CrmBoardColumnId": stage,
            "CoworkerId": self._customer(deal, place),
            "OpportunityTypeId": self._places.opportunity_types[number % len(self._places.opportunity_types)],
            "ResponsibleId": self._places.owners.get(deal.owner or ""),
            "Notes": words.notes(self._rng),
            "DueDate": _due(deal, place),
            "Value": deal.amount,
            "LeadSource": tuple(LEAD_SOURCES)[number % len(LEAD_SOURCES)] if number % 5 else None,
            "Position": self._positions[stage],
            "CustomFields": _custom(number),
            "Score": number % 100,
            **self._state(deal, number),
            **self._utm(deal),
        }
        by = USERS[number % len(USERS)][0]
        return self._nexudus.cards.plant(values, created=deal.created, updated=self._updated(deal, number), by=by)

    def _stage(self, deal: Deal, place: Place, number: int) -> int:
        old = place is self._places.london and number < _ON_OLD_BOARD and deal.stage != WELCOME
        board = self._places.old_board if old else place.board_id
        return self._nexudus.directory.stage_named(board, deal.stage)

    def _customer(self, deal: Deal, place: Place) -> int:
        key = (deal.email, deal.person)
        if key not in self._customers:
            self._customers[key] = self._nexudus.directory.add_coworker(
                deal.email,
                deal.person,
                place.business_id,
                CompanyName=deal.organisation,
                CoworkerType=2 if deal.organisation else 1,
            )
        return self._customers[key]

    def _updated(self, deal: Deal, number: int) -> datetime:
        if number % 10 or number >= 10 * _BULK_EDITED:
            return deal.updated
        if self._bulk_edit is None or self._bulk_edit < deal.created:
            self._bulk_edit = deal.updated
        return self._bulk_edit

    @staticmethod
    def _state(deal: Deal, number: int) -> dict[str, Any]:
        status: int | None = deal.status
        if deal.status == IN_PROGRESS and number % 50 == 17:
            status = (0, None)[number // 50 % 2]
        return {
            "Status": status,
            "Completed": deal.status != IN_PROGRESS,
            "LossReason": deal.reason,
            "WonOn": moment(deal.updated) if deal.status == WON else None,
            "LostOn": moment(deal.updated) if deal.status == LOST else None,
        }

    def _utm(self, deal: Deal) -> dict[str, Any]:
        if deal.utm is None:
            return {}
        names = ("UtmSource", "UtmMedium", "UtmCampaign", "UtmContent")
        term = self._rng.choice(("coworking near me", "büro mieten", None))
        return dict(zip(names, deal.utm, strict=True)) | {"UtmTerm": term}


def _due(deal: Deal, place: Place) -> str | None:
    if deal.due is None:
        return None
    return moment(datetime.combine(deal.due, deal.due_time, place.zone))


def _custom(number: int) -> dict[str, Any] | None:
    if number % 3:
        return None
    return {"Data": [{"Name": "Broker reference", "Value": f"BR-{number:04d}", "Type": "string", "JsonValue": None}]}
