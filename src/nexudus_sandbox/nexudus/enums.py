"""The three enums of an opportunity, from the page "Create CrmOpportunity"."""

LEAD_SOURCES = {
    1: "Web",
    2: "Phone",
    4: "Webinar",
    5: "Referral",
    6: "PrintAdvert",
    7: "PurchasedList",
    8: "WordOfMouth",
    9: "DirectEmail",
    10: "EmailMarketing",
    11: "Broker",
    12: "PropertyAgent",
    13: "Facebook",
    14: "Linkedin",
    15: "Instagram",
    16: "Twitter",
    17: "HubbleHq",
    18: "LiquidSpace",
    19: "GoogleSearch",
    20: "SpacePool",
    21: "InstantOffices",
    22: "OfficeFreedom",
    23: "FlexiOffices",
    24: "Workthere",
    25: "Kontor",
    26: "Valve",
    98: "OtherSocialNetwork",
    99: "Other",
}
LOSS_REASONS = {
    1: "Timing",
    2: "Need",
    3: "PoorQualification",
    4: "Price",
    5: "Feature",
    6: "LostMomentum",
    7: "Competition",
    8: "ContractTerm",
    9: "Duplicate",
    10: "Waitlist",
    11: "NotReturningCalls",
    12: "LackOfFacilities",
    13: "NoPetPolicy",
    14: "NoRightFit",
    15: "Location",
    16: "Entrance",
    17: "Errors",
    18: "Archived",
    19: "SearchOnHold",
    20: "RelocationOnHold",
    99: "Other",
}
IN_PROGRESS, WON, LOST = 1, 2, 3
STATUSES = {IN_PROGRESS: "InProgress", WON: "Won", LOST: "Lost"}

ENUMS = {
    "eCrmOpportunitySource": LEAD_SOURCES,
    "eCrmOpportunityLossReason": LOSS_REASONS,
    "eCrmOpportunityStatus": STATUSES,
}
"""By the name that `/utils/enums?name=` takes."""
