"""Made-up sales opportunities, before either side spells them its own way."""

import random
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from nexudus_sandbox.nexudus.enums import IN_PROGRESS, LOSS_REASONS, LOST, WON
from nexudus_sandbox.seed import words
from nexudus_sandbox.seed.places import STAGES, USERS

_WEIGHTS = (30, 20, 15, 10, 14, 11)
_TIMES = (time(0, 0), time(0, 30), time(9, 15), time(12, 0), time(17, 45), time(23, 30), time(23, 59))
"""Times of day of a due date; those around midnight fall on another day in UTC."""


@dataclass(frozen=True, slots=True)
class Deal:
    """One opportunity. `due` is a local day, `due_time` what only Nexudus keeps; `reason` is a loss reason's number."""

    title: str
    person: str
    email: str | None
    organisation: str | None
    stage: str
    status: int
    reason: int | None
    amount: Decimal | None
    due: date | None
    due_time: time
    utm: tuple[str, str, str, str] | None
    owner: str | None
    created: datetime
    updated: datetime


class Deals:
    """Makes deals, each with a customer of its own; the loss reasons are used in turn, so that none is missing."""

    def __init__(self, rng: random.Random, now: datetime) -> None:
        self._rng, self._now = rng, now
        self._number = 0
        self._lost = 0

    def make(self) -> Deal:
        """The next deal."""
        rng = self._rng
        self._number += 1
        person, organisation = words.person_name(rng), words.organisation(rng) if rng.random() < 0.7 else None
        stage = rng.choices(STAGES, _WEIGHTS)[0]
        created = self._now - timedelta(minutes=rng.randint(3 * 1440, 400 * 1440), seconds=rng.randint(0, 59))
        return Deal(
            title=f"{rng.choice(words.PRODUCTS)} ×{rng.randint(1, 40)} – {organisation or person}",
            person=person,
            email=words.email_of(person, self._number),
            organisation=organisation,
            stage=stage,
            status={"Won": WON, "Lost": LOST}.get(stage, IN_PROGRESS),
            reason=self._reason() if stage == "Lost" else None,
            amount=Decimal(rng.randint(10_000, 2_500_000)).scaleb(-2) if rng.random() < 0.9 else None,
            due=(self._now + timedelta(days=rng.randint(-60, 120))).date() if rng.random() < 0.75 else None,
            due_time=rng.choice(_TIMES),
            utm=self._utm() if rng.random() < 0.6 else None,
            owner=rng.choice(USERS)[0] if rng.random() < 0.85 else None,
            created=created,
            updated=created + (self._now - timedelta(hours=1) - created) * rng.random(),
        )

    def again(self, deal: Deal) -> Deal:
        """Another deal with the same customer."""
        other = self.make()
        return replace(other, person=deal.person, email=deal.email, organisation=deal.organisation)

    def _reason(self) -> int:
        reasons = tuple(LOSS_REASONS)
        self._lost += 1
        return reasons[self._lost % len(reasons)]

    def _utm(self) -> tuple[str, str, str, str]:
        source, medium = self._rng.choice(words.SOURCES)
        return source, medium, self._rng.choice(words.CAMPAIGNS), f"ad-{self._rng.randint(1, 40)}"


def blank_some(deal: Deal, number: int) -> Deal:
    """The deal as a side knows it that has not filled everything in."""
    return (
        replace(deal, amount=None),
        replace(deal, due=None),
        replace(deal, utm=None),
        replace(deal, owner=None),
    )[number % 4]


def differ(deal: Deal, number: int) -> Deal:
    """The deal as a side knows it that was told something else."""
    other_owner = next(email for email, _ in USERS if email != deal.owner)
    return (
        replace(deal, amount=(deal.amount or Decimal(1000)) + Decimal("250.50")),
        replace(deal, due=(deal.due or deal.created.date()) + timedelta(days=7)),
        replace(deal, owner=other_owner),
        replace(deal, stage="Negotiation" if deal.stage != "Negotiation" else "Tour booked"),
    )[number % 4]


def filled(deal: Deal) -> Deal:
    """The deal with nothing left blank that `blank_some` or `differ` could touch."""
    return replace(
        deal,
        amount=deal.amount or Decimal("4800.00"),
        due=deal.due or deal.created.date() + timedelta(days=45),
        utm=deal.utm or ("google", "cpc", "brand", "ad-1"),
        owner=deal.owner or USERS[0][0],
        stage=deal.stage if deal.status == IN_PROGRESS else "Proposal sent",
        status=IN_PROGRESS,
        reason=None,
    )
