"""The filters each listing has. The server ignores a name it does not know and lists everything, so names are checked.

Opportunities: page "Search CrmOpportunities", with `Id`, `UniqueId` and `SystemId` from its older copy. The others: the
"Search …" page of each, as far as this package uses it.
"""

import difflib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from nexudus_sync.connectors.nexudus import moments

Value = str | int | bool | Decimal | datetime | list[int]
"""What a filter can be compared with. A list of ids means any of them."""

_STAMPS = ("CreatedOn", "UpdatedOn")

_OPPORTUNITY = """
    Id UniqueId SystemId Name CrmBoardColumn CrmBoardColumn_Name CrmBoardColumn_CrmBoard_Id CrmBoardColumn_CrmBoard_Name
    CrmBoardColumn_CrmBoard_Business_Id CrmBoardColumn_CrmBoard_Business_Name
    CrmBoardColumn_CrmBoard_Business_Currency_Id CrmBoardColumn_CrmBoard_Business_Currency_Code
    Coworker Coworker_FullName Coworker_CoworkerType Coworker_CompanyName Coworker_Email
    Team Team_Name Team_Description Team_ProfileWebsite OpportunityType OpportunityType_Name
    Responsible Responsible_FullName Referrer Agent Notes Completed DueDate Value Reminded LeadSource LossReason Status
    WonOn LostOn CrmUpdatedOn Position UtmSource UtmMedium UtmCampaign UtmContent UtmTerm CreatedOn
"""
_OPPORTUNITY_RANGES = """
    CrmBoardColumnCrmBoardId CrmBoardColumnCrmBoardBusinessId CrmBoardColumnCrmBoardBusinessCurrencyId
    DueDate Value WonOn LostOn CrmUpdatedOn Position
"""


def _names(entity: str, equality: str, ranges: str = "") -> frozenset[str]:
    equal = {f"{entity}_{name}" for name in equality.split()}
    spans = {f"{end}_{entity}_{name}" for name in (*ranges.split(), *_STAMPS) for end in ("from", "to")}
    return frozenset(equal | spans)


NAMES: Mapping[str, frozenset[str]] = {
    "CrmOpportunity": _names("CrmOpportunity", _OPPORTUNITY, _OPPORTUNITY_RANGES),
    "CrmBoard": _names("CrmBoard", "Business Name Archived"),
    "CrmBoardColumn": _names("CrmBoardColumn", "CrmBoard CrmBoard_Name CrmBoard_Business_Id Name Position", "Position"),
    "Coworker": _names("Coworker", "Id Email FullName CoworkerType"),
    "User": _names("User", "Email FullName Active"),
    "Business": _names("Business", "Name"),
    "OpportunityType": _names("OpportunityType", "Business Name"),
    "CrmOpportunityHistory": _names("CrmOpportunityHistory", "CrmOpportunity"),
    "AuditTrailEntry": _names("AuditTrailEntry", "EntityShortName AuditType EntityId PropertyName ActionBy"),
    "SimpleTimeZone": _names("SimpleTimeZone", "Name"),
}
"""The filter names of each entity."""


def query(entity: str, filters: Mapping[str, Value]) -> dict[str, str]:
    """The query parameters for `filters` of one entity's listing.

    Raises ValueError for a name that the page does not have, since the server would ignore it.
    """
    known = NAMES[entity]
    for name in filters:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ValueError(f"{name} is not a filter of {entity}" + (f"; did you mean {near[0]}?" if near else ""))
    return {name: _text(name, value) for name, value in filters.items()}


def _text(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moments.minute(value, up=name.startswith("to_"))
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    return str(value)
