"""The objects of the API: paths, fields, defaults and what is required.

Facts from the page "The Opportunity object"; objects that the page only names follow the same conventions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NUMBER, WHOLE, TEXT = "number", "integer", "string"


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of object. `parent` names the kind it is a child of, "" for none."""

    path: str
    fields: Mapping[str, str]
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""

    @property
    def prefix(self) -> str:
        """What its ids begin with."""
        return self.path.rpartition("/")[2]


def _fields(text: str = "", number: str = "", whole: str = "") -> dict[str, str]:
    kinds = ((TEXT, text), (NUMBER, number), (WHOLE, whole))
    return {name: kind for kind, names in kinds for name in names.split()}


OPPORTUNITY = "opportunity"
ITEM = "opportunity-item"
LOST_REASON_DETAIL = "opportunity-lost-reason-detail"

_UTM = "utm_source utm_campaign utm_medium utm_content"

SHAPES: dict[str, Shape] = {
    OPPORTUNITY: Shape(
        "crm/opportunity",
        _fields(
            text="opportunity_from party_name customer_name title opportunity_type status order_lost_reason "
            "expected_closing currency sales_stage customer_address address_display territory customer_group "
            "contact_person contact_display contact_email contact_mobile company transaction_date language "
            "no_of_employees industry market_segment opportunity_owner website whatsapp phone phone_ext job_title city "
            f"state country {_UTM}",
            number="opportunity_amount probability base_opportunity_amount base_total total conversion_rate "
            "annual_revenue",
            whole="first_response_time",
        ),
        required=("opportunity_from", "party_name", "company", "transaction_date"),
        defaults={"status": "Open", "sales_stage": "Prospecting", "probability": 100},
    ),
    ITEM: Shape(
        "crm/opportunity-item",
        _fields(
            text="opportunity_id item_code item_group brand uom item_name description image image_view",
            number="qty rate base_amount amount base_rate",
            whole="idx",
        ),
        required=("opportunity_id",),
        parent=OPPORTUNITY,
    ),
    LOST_REASON_DETAIL: Shape(
        "crm/opportunity-lost-reason-detail",
        _fields(text="opportunity_id lost_reason", whole="idx"),
        required=("opportunity_id",),
        parent=OPPORTUNITY,
    ),
    "opportunity-lost-reason": Shape("crm/opportunity-lost-reason", _fields("lost_reason"), ("lost_reason",)),
    "sales-stage": Shape("crm/sales-stage", _fields("stage_name"), ("stage_name",)),
    "opportunity-type": Shape("crm/opportunity-type", _fields("name description")),
    "campaign": Shape("crm/campaign", _fields("campaign_name description"), ("campaign_name",)),
    "lead": Shape(
        "crm/lead",
        _fields(f"lead_name company_name email_id mobile_no lead_owner status {_UTM}"),
        defaults={"status": "Lead"},
    ),
    "customer": Shape(
        "crm/customer",
        _fields("customer_name customer_type email_id mobile_no customer_group territory"),
        ("customer_name",),
        {"customer_type": "Company"},
    ),
    "prospect": Shape("crm/prospect", _fields("company_name industry market_segment website"), ("company_name",)),
    "user": Shape("core/user", _fields("email first_name last_name full_name"), ("email",)),
}
"""By kind."""
