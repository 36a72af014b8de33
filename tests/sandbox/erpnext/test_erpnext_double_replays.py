"""The double answers two recorded servers' sessions as they did, call by call and field by field."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from erpnext_recordings import Replay, recorded

OWNER = "sync@example.com"
CUSTOMER = {"opportunity_from": "Customer", "party_name": "Acme Test SL"}
LEAD = {"opportunity_from": "Lead", "party_name": "CRM-LEAD-2026-00001"}
PROSPECT = {"opportunity_from": "Prospect", "party_name": "Prospect Test SL"}

STAMPS = frozenset({"creation", "modified"})
"""Left out where no answer of the session tells the moment: of deletions, and of the company."""


def left_out(call: dict[str, Any]) -> frozenset[str]:
    untold = "/Deleted Document" in call["request"]["path"] or call.get("name") == "list_expand"
    return STAMPS if untold else frozenset()


@pytest.mark.parametrize("version", [15, 16])
def test_a_whole_recorded_session_is_answered_alike(version: int) -> None:
    replay = Replay(version)
    for call in recorded("traces", version):
        assert replay.differences(call, leave_out=left_out(call)) == [], f"{call['n']}: {call['step']}"


def opportunity(at: str = "", series: int | None = None, **values: str) -> Callable[[Replay], None]:
    """Make an opportunity that the recorded calls do not show being made."""

    def prepare(replay: Replay) -> None:
        if series is not None:
            count(replay, series)
        if at:
            replay.time.set_local(at)
        replay.double.create(OWNER, **(values or CUSTOMER))

    return prepare


def count(replay: Replay, opportunities: int, leads: int | None = None) -> None:
    """Set the naming series past documents that the recorded calls do not show."""
    replay.double.site.count("CRM-OPP-2026-", opportunities)
    if leads is not None:
        replay.double.site.count("CRM-LEAD-2026-", leads)
    replay.double.site.commit()


def two_to_merge(replay: Replay) -> None:
    opportunity(series=64)(replay)
    opportunity()(replay)


def lead_to_edit(replay: Replay) -> None:
    count(replay, 66, leads=4)
    replay.double.add("Lead", OWNER, lead_name="Somebody", email_id="somebody@example.com")


def tagged(replay: Replay) -> None:
    """A communication and a tag came to the opportunity of the samples before."""
    site = replay.double.site
    replay.time.set_local("2026-11-20 16:52:18.887162")
    replay.double.edit("CRM-OPP-2026-00067", "Administrator", first_response_time=0)
    row = site.find("Opportunity", "CRM-OPP-2026-00067")
    assert row is not None
    site.put("Opportunity", {**row, "_user_tags": "hot", "first_response_time": Decimal("0.27")})
    site.commit()


SETUP: dict[int, dict[str, Callable[[Replay], None]]] = {
    15: {
        "quotation_create": opportunity("2026-11-20 16:50:15.283755"),
        "delete_as_sales_user": opportunity(),
        "delete_v2": opportunity(),
        "delete_from_lead": opportunity(**LEAD),
        "delete_from_prospect": opportunity("2026-11-20 16:50:17.278906", **PROSPECT),
    },
    16: {
        "quotation_create": opportunity("2026-11-20 16:39:14.443733"),
        "delete_as_sales_user": opportunity("2026-11-20 16:39:15.176258"),
        "delete_v2": opportunity(),
        "delete_from_lead": opportunity(**LEAD),
        "delete_from_prospect": opportunity("2026-11-20 16:39:15.959809", **PROSPECT),
        "concurrent_prospect_3": lambda replay: replay.double.collide("Prospect", "Prospect Test SL"),
        "create_contact_email_only": lambda replay: count(replay, 62),
        "merge_opportunity": two_to_merge,
        "error_lead_bad_phone": lead_to_edit,
        "comment_create": opportunity("2026-11-20 16:52:18.597515"),
        "get_lowercase_name": tagged,
    },
}
"""What happened before a sample and was not recorded."""

PARTLY = frozenset({"quotation_create", "quotation_submit", "list_expand"})
"""Answers with fields that the double does not have; those it has are compared."""


@pytest.mark.parametrize("version", [15, 16])
def test_the_single_samples_are_answered_alike(version: int) -> None:
    replay = Replay(version)
    replay.double.add("Competitor", "Administrator", competitor_name="Other Space")
    replay.double.add("Item", "Administrator", name="DESK")
    for call in recorded("samples", version):
        SETUP[version].get(call["name"], lambda _replay: None)(replay)
        differences = replay.differences(call, leave_out=left_out(call))
        if call["name"] in PARTLY:
            differences = [line for line in differences if not line.endswith('| "absent"')]
        assert differences == [], call["name"]
