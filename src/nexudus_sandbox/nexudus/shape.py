"""The opportunity's fields: what can be written, what a listing leaves out, and the filters a listing knows.

Facts from the pages "Create CrmOpportunity", "List CrmOpportunity records" and the older reference.
"""

from nexudus_sandbox.nexudus import values
from nexudus_sandbox.nexudus.enums import LEAD_SOURCES, LOSS_REASONS, STATUSES

REQUIRED = ("CrmBoardColumnId", "CoworkerId", "Status", "Position")

WRITABLE: dict[str, values.Coerce] = {
    "Name": values.text,
    "CrmBoardColumnId": values.whole,
    "CoworkerId": values.whole,
    "TeamId": values.whole,
    "OpportunityTypeId": values.whole,
    "ResponsibleId": values.whole,
    "ReferrerId": values.whole,
    "AgentId": values.whole,
    "Notes": values.text,
    "Completed": values.boolean,
    "DueDate": values.date,
    "Value": values.money,
    "Reminded": values.boolean,
    "LeadSource": values.member(LEAD_SOURCES),
    "LossReason": values.member(LOSS_REASONS),
    "Status": values.member({0: "", **STATUSES}),
    "WonOn": values.date,
    "LostOn": values.date,
    "Position": values.whole,
    "UtmSource": values.text,
    "UtmMedium": values.text,
    "UtmCampaign": values.text,
    "UtmContent": values.text,
    "UtmTerm": values.text,
    "SystemId": values.text,
    "CustomFields": values.anything,
}

NOT_LISTED = (
    "TeamId",
    "Notes",
    "Value",
    "Reminded",
    "LeadSource",
    "LossReason",
    "Position",
    "UtmSource",
    "UtmMedium",
    "UtmCampaign",
    "UtmContent",
    "UtmTerm",
)
"""What a listing's rows are documented not to carry."""

_BOARD = "CrmBoardColumn_CrmBoard"
_EQUALITY = {
    "Id": "Id",
    "UniqueId": "UniqueId",
    "SystemId": "SystemId",
    "Name": "Name",
    "CrmBoardColumn": "CrmBoardColumnId",
    "CrmBoardColumn_Name": "CrmBoardColumnName",
    f"{_BOARD}_Id": "CrmBoardColumnCrmBoardId",
    f"{_BOARD}_Name": "CrmBoardColumnCrmBoardName",
    f"{_BOARD}_Business_Id": "CrmBoardColumnCrmBoardBusinessId",
    f"{_BOARD}_Business_Name": "CrmBoardColumnCrmBoardBusinessName",
    f"{_BOARD}_Business_Currency_Id": "CrmBoardColumnCrmBoardBusinessCurrencyId",
    f"{_BOARD}_Business_Currency_Code": "CrmBoardColumnCrmBoardBusinessCurrencyCode",
    "Coworker": "CoworkerId",
    "Coworker_FullName": "CoworkerFullName",
    "Coworker_CoworkerType": "CoworkerCoworkerType",
    "Coworker_CompanyName": "CoworkerCompanyName",
    "Coworker_Email": "CoworkerEmail",
    "Team": "TeamId",
    "Team_Name": "TeamName",
    "Team_Description": "TeamDescription",
    "Team_ProfileWebsite": "TeamProfileWebsite",
    "OpportunityType": "OpportunityTypeId",
    "OpportunityType_Name": "OpportunityTypeName",
    "Responsible": "ResponsibleId",
    "Responsible_FullName": "ResponsibleFullName",
    "Referrer": "ReferrerId",
    "Agent": "AgentId",
    **{
        name: name
        for name in (
            "Notes",
            "Completed",
            "DueDate",
            "Value",
            "Reminded",
            "LeadSource",
            "LossReason",
            "Status",
            "WonOn",
            "LostOn",
            "CrmUpdatedOn",
            "Position",
            "UtmSource",
            "UtmMedium",
            "UtmCampaign",
            "UtmContent",
            "UtmTerm",
            "CreatedOn",
            "UpdatedOn",
        )
    },
}
_RANGES = (
    "CrmBoardColumnCrmBoardId",
    "CrmBoardColumnCrmBoardBusinessId",
    "CrmBoardColumnCrmBoardBusinessCurrencyId",
    "DueDate",
    "Value",
    "WonOn",
    "LostOn",
    "CrmUpdatedOn",
    "Position",
    "CreatedOn",
    "UpdatedOn",
)

DATES = frozenset({"DueDate", "WonOn", "LostOn", "CrmUpdatedOn", "CreatedOn", "UpdatedOn"})

EQUALITY_FILTERS = {
    "Id": "Id",
    "UniqueId": "UniqueId",
    **{f"CrmOpportunity_{name}": key for name, key in _EQUALITY.items()},
}
"""Query parameter → key of the record."""

RANGE_FILTERS = {f"{end}_CrmOpportunity_{key}": (end, key) for key in _RANGES for end in ("from", "to")}
"""Query parameter → ("from" or "to", key of the record)."""
