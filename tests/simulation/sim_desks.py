"""The CRM of a simulated world: its double, its part of the configuration, and how people work in it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nexudus_sandbox.crms import SandboxCrm
from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.erpnext.errors import FrappeError
from nexudus_sandbox.hubspot.errors import HubSpotError
from nexudus_sandbox.overplane import OverplaneDouble
from nexudus_sandbox.seed import words

BEN = "ben@example.com"
COMPANY = "Example Corp"
STAGES = ("New lead", "Tour booked", "Proposal sent", "Negotiation", "Won", "Lost")
STATUSES = ("Open", "Quotation", "Replied", "Converted", "Lost", "Closed")
REASONS = ("Price", "Timing", "Poor qualification", "Competition")
OWNERS = ("maria.nunez@example.com", "tom.oreilly@example.com", "astrid.lindqvist@example.com")
MAPPED = {
    "title", "status", "sales_stage", "opportunity_amount", "expected_closing", "utm_source", "utm_medium",
    "utm_campaign", "utm_content", "opportunity_owner",
}  # fmt: skip

Edit = tuple[str, Callable[[str], object]]


@dataclass(frozen=True, slots=True)
class Desk:
    """A CRM. `kinds` are what its change log calls an opportunity and its reason rows, the opportunity first.

    `may_write` are the fields a write of the sync may move, those that the server itself derives included. `locks`: an
    edit between our read and our write is refused, so that nothing is lost there.
    """

    system: str
    crm: SandboxCrm
    kinds: tuple[str, ...]
    may_write: frozenset[str]
    locks: bool
    edits: Callable[[Any, int, random.Random], list[Edit]]
    rules: tuple[tuple[str, str], ...] = ()
    """Lines that an operator added to fields of the CRM's mapping file from the start."""
    keeps_histories: bool = False
    """It tells who changed what: an edit between our read and our write is found by a reconcile."""
    sets_itself: frozenset[str] = frozenset()
    """Fields that the server sets when another is written, such as the day on which a deal closes."""

    @property
    def double(self) -> Any:
        """The CRM's double, in the words of an opportunity."""
        return self.crm.at_work

    @property
    def kind(self) -> str:
        """What the change log calls an opportunity."""
        return self.kinds[0]

    def create(self, name: str, **values: Any) -> str:
        """Ben enters an opportunity of a new lead of that name; gives its id."""
        email, is_erpnext = f"{name}@example.org", self.system == "erpnext"
        lead = {"lead_name": name, "email_id": email}
        kind = {"erpnext": "Lead", "overplane": "lead", "hubspot": "contacts"}[self.system]
        lead = {"email": email, "firstname": name} if self.system == "hubspot" else lead
        party = self._at_once(lambda: self.double.add(kind, BEN, **lead))
        own = {} if is_erpnext else {"customer_name": name}
        deal = {"opportunity_from": "Lead", "party_name": party, "company": COMPANY, "transaction_date": "2026-03-02"}
        deal |= {"contact_email": email, "currency": "GBP", "title": name, "sales_stage": STAGES[0]}
        made: str = self.double.create(BEN, **{**deal, **own, **values})
        return made

    def _at_once(self, action: Callable[[], str]) -> str:
        """A lead is there before its opportunity is entered, however late saves show."""
        if self.system != "erpnext":
            return action()
        late, self.double.options.late_commit = self.double.options.late_commit, 0.0
        try:
            return action()
        finally:
            self.double.options.late_commit = late

    def reasons(self, deal: str) -> list[dict[str, Any]]:
        """An opportunity's reason rows, as a record carries them."""
        return [{"id": str(n), "idx": n, "lost_reason": text} for n, text in enumerate(self.double.lost_reasons(deal))]


def attempt(change: Callable[[], object]) -> str:
    """Somebody saves a form: what the server refuses is shown to them and stays undone."""
    try:
        change()
    except (FrappeError, HubSpotError) as error:
        return f" (refused: {error})"
    return ""


def _common(double: Any, n: int, rng: random.Random) -> list[Edit]:
    def fields(**changes: Any) -> Callable[[str], object]:
        return lambda deal: double.edit(deal, BEN, **changes)

    return [
        ("title", fields(title=f"Deal {n}")),
        ("opportunity_amount", fields(opportunity_amount=n * 10 + 5)),
        ("expected_closing", fields(expected_closing=f"2026-0{rng.randint(4, 9)}-{rng.randint(10, 28)}")),
        ("status", fields(status=rng.choice(STATUSES))),
        ("sales_stage", lambda deal: double.move(deal, rng.choice(STAGES), BEN)),
        ("opportunity_owner", fields(opportunity_owner=rng.choice(OWNERS))),
        ("lost_reasons", lambda deal: double.set_lost_reasons(deal, rng.sample(REASONS, rng.randint(0, 2)), BEN)),
        ("phone", fields(phone=f"+44 20 {n}")),
    ]


def _overplane_edits(double: OverplaneDouble, n: int, rng: random.Random) -> list[Edit]:
    def fields(**changes: Any) -> Callable[[str], object]:
        return lambda deal: double.edit(deal, BEN, **changes)

    return [
        *_common(double, n, rng),
        ("utm_source", fields(utm_source=f"crm{n}")),
        ("utm_medium", fields(utm_medium=rng.choice([None, f"med{n}"]))),
    ]


def _erpnext_edits(double: ERPNextDouble, n: int, rng: random.Random) -> list[Edit]:
    sources, media = zip(*words.SOURCES, strict=True)

    def fields(**changes: Any) -> Callable[[str], object]:
        return lambda deal: double.edit(deal, BEN, **changes)

    return [
        *_common(double, n, rng),
        ("utm_source", fields(utm_source=rng.choice(sources))),
        ("utm_medium", fields(utm_medium=rng.choice([None, *media]))),
        ("touched", lambda deal: double.touch(deal, BEN)),
        ("renamed", lambda deal: double.rename(deal, f"{deal.split(' ')[0]} r{n}", BEN)),
    ]


def _hubspot_edits(double: Any, n: int, rng: random.Random) -> list[Edit]:
    def drag(deal: str) -> object:
        stages = [stage.label for stage in double.pipelines.find(double.deal(deal).values["pipeline"]).stages]
        return double.move(deal, rng.choice(stages), BEN)

    return [*(edit for edit in _common(double, n, rng) if edit[0] != "sales_stage"), ("sales_stage", drag)]


def hubspot(crm: SandboxCrm) -> Desk:
    """HubSpot, where status and stage are one value."""
    crm.double.properties.add("deals", "phone")  # type: ignore[union-attr]
    may = {"dealname", "dealstage", "pipeline", "amount", "closedate", "hubspot_owner_id", "closed_lost_reason"}
    may |= {"nexudus_id", "hs_lastmodifieddate"}
    return Desk(
        "hubspot",
        crm,
        ("deals",),
        frozenset({*may, "hs_updated_by_user_id"}),
        locks=False,
        keeps_histories=True,
        edits=_hubspot_edits,
        sets_itself=frozenset({"expected_closing"}),
    )


def overplane(crm: SandboxCrm) -> Desk:
    """Overplane, whose lists come in small pages."""
    crm.double.options.max_limit = 7  # type: ignore[union-attr]
    kinds = ("opportunity", "opportunity-lost-reason-detail")
    may = frozenset(MAPPED | {"lost_reason", "updated_at"})
    return Desk("overplane", crm, kinds, may, locks=False, edits=_overplane_edits)


def erpnext(crm: SandboxCrm) -> Desk:
    """ERPNext 16."""
    may = frozenset(MAPPED | {"lost_reasons", "modified", "modified_by", "custom_nexudus_id"})
    return Desk("erpnext", crm, ("Opportunity",), may, locks=True, edits=_erpnext_edits)


def desk(system: str, crm: SandboxCrm) -> Desk:
    """The desk of a CRM, by the name of its connector."""
    return {"overplane": overplane, "erpnext": erpnext, "hubspot": hubspot}[system](crm)
