"""The canonical opportunity: ERPNext's `Opportunity` as the Overplane page prints it, plus what only Nexudus has.

Facts from the pages "The Opportunity object" (Overplane: fields, required ones, defaults) and "Create CrmOpportunity"
(Nexudus: lead sources, loss reasons, UTM fields).
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Value = str | int | bool | Decimal | date | datetime | None
"""What one canonical field can say. Blank is None; money is Decimal, a calendar day is date, a moment is aware UTC."""


class Status(StrEnum):
    """ERPNext's opportunity statuses."""

    OPEN = "Open"
    QUOTATION = "Quotation"
    REPLIED = "Replied"
    CONVERTED = "Converted"
    LOST = "Lost"
    CLOSED = "Closed"


class PartyKind(StrEnum):
    """What `opportunity_from` can name."""

    LEAD = "Lead"
    CUSTOMER = "Customer"
    PROSPECT = "Prospect"


class Opportunity(BaseModel):
    """One sales opportunity, as both sides are understood.

    Amounts are in `currency`; `probability` is a percentage; `expected_closing` and `transaction_date` are calendar
    days; `created_at` and `updated_at` are aware UTC; `first_response_time` is in seconds. `lost_reasons` keeps the
    CRM's order. A field that only a mapping file names is kept in `custom`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    title: str | None = None
    status: Status | None = None
    sales_stage: str | None = None
    lost_reasons: tuple[str, ...] = ()
    order_lost_reason: str | None = None
    opportunity_amount: Decimal | None = None
    currency: str | None = None
    expected_closing: date | None = None
    probability: Decimal | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None
    lead_source: str | None = None
    notes: str | None = None
    opportunity_owner: str | None = None
    opportunity_type: str | None = None
    opportunity_from: PartyKind | None = None
    party_name: str | None = None
    customer_name: str | None = None
    contact_email: str | None = None
    contact_mobile: str | None = None
    contact_person: str | None = None
    contact_display: str | None = None
    company: str | None = None
    transaction_date: date | None = None
    customer_address: str | None = None
    address_display: str | None = None
    territory: str | None = None
    customer_group: str | None = None
    language: str | None = None
    no_of_employees: str | None = None
    industry: str | None = None
    market_segment: str | None = None
    website: str | None = None
    whatsapp: str | None = None
    phone: str | None = None
    phone_ext: str | None = None
    job_title: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    annual_revenue: Decimal | None = None
    base_opportunity_amount: Decimal | None = None
    base_total: Decimal | None = None
    total: Decimal | None = None
    conversion_rate: Decimal | None = None
    first_response_time: int | None = None
    custom: dict[str, Value] = Field(default_factory=dict)


FIELDS: tuple[str, ...] = tuple(name for name in Opportunity.model_fields if name not in {"id", "custom"})
"""The canonical field names, in the order people read them."""


def say(value: Value) -> Any:
    """A value for the store, a list or a page: money with its digits, days as YYYY-MM-DD; null is blank."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return value


def hear(field: str, said: Any) -> Value:
    """A value that `say` wrote, back in its canonical field's own type; a custom field's stays as it is.

    Raises pydantic's ValidationError for a value that the field cannot hold.
    """
    declared = Opportunity.model_fields.get(field)
    if said is None or declared is None or field in {"lost_reasons", "status"}:
        return said  # type: ignore[no-any-return]
    value: Value = TypeAdapter[Value](declared.annotation or str).validate_python(said)
    return value
