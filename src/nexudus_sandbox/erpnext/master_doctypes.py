"""The small DocTypes around the CRM: master data, users, custom fields, deleted documents; and all of them together."""

from nexudus_sandbox.erpnext import crm_doctypes as crm
from nexudus_sandbox.erpnext.meta import DocType, Field, link, select

CORE, SETUP, WEBSITE = "frappe.core", "erpnext.setup", "frappe.website"

NAMED_ELSEWHERE = (
    "Address",
    "Brand",
    "Country",
    "Currency",
    "Customer Group",
    "Gender",
    "Industry Type",
    "Item",
    "Item Group",
    "Language",
    "Market Segment",
    "Opportunity Type",
    "Salutation",
    "Supplier",
    "Territory",
    "UOM",
)
"""DocTypes of which only the names matter here."""

_CHECKS = (
    "hide_seconds hide_days sort_options fetch_if_empty collapsible non_negative reqd unique is_virtual"
    " read_only ignore_user_permissions hidden print_hide print_hide_if_no_value no_copy allow_on_submit"
    " in_list_view in_standard_filter in_global_search in_preview bold report_hide search_index"
    " allow_in_quick_entry ignore_xss_filter translatable hide_border show_dashboard"
)

CUSTOM_FIELD = DocType(
    "Custom Field",
    (
        Field("is_system_generated", "Check"),
        link("dt", "DocType", label="DocType", reqd=True),
        Field("label"),
        Field("fieldname"),
        Field("insert_after"),
        Field("length", "Int"),
        Field("fieldtype", reqd=True, default="Data"),
        select("precision", ["", *"0123456789"]),
        Field("options", "Small Text"),
        Field("default", "Text"),
        *(Field(name, "Check") for name in _CHECKS.split()),
        Field("permlevel", "Int"),
        Field("columns", "Int"),
    ),
    "custom",
    "frappe.custom",
)

DELETED_DOCUMENT = DocType(
    "Deleted Document",
    (
        Field("deleted_name"),
        Field("deleted_doctype"),
        Field("restored", "Check"),
        Field("new_name"),
        Field("data", "Code"),
    ),
    "hash",
    CORE,
)

USER = DocType(
    "User",
    (
        Field("enabled", "Check", default=1),
        Field("email", options="Email", reqd=True),
        Field("first_name"),
        Field("last_name"),
        Field("full_name"),
        Field("username"),
        select("user_type", ["System User", "Website User"]),
        Field("time_zone"),
    ),
    "custom",
    CORE,
)

CONTACT = DocType(
    "Contact",
    (
        Field("first_name"),
        Field("last_name"),
        Field("full_name"),
        Field("email_id", options="Email"),
        Field("company_name"),
        Field("links", "Table", options="Dynamic Link"),
    ),
    "custom",
    "frappe.contacts",
)

COMMENT = DocType(
    "Comment",
    (
        select("comment_type", ["Comment", "Info", "Label"]),
        Field("comment_email"),
        Field("published", "Check"),
        Field("seen", "Check"),
        link("reference_doctype", "DocType"),
        Field("reference_name", "Dynamic Link", "", "reference_doctype"),
        Field("content", "Text Editor"),
    ),
    "hash",
    CORE,
)

COMPANY = DocType(
    "Company",
    (
        Field("company_name", reqd=True),
        link("default_currency", "Currency", reqd=True),
        link("country", "Country"),
    ),
    "field:company_name",
    SETUP,
)

_PLAIN = (
    COMPANY,
    CONTACT,
    COMMENT,
    USER,
    CUSTOM_FIELD,
    DELETED_DOCUMENT,
    crm.CUSTOMER,
    crm.PROSPECT,
    crm.QUOTATION,
    DocType("DocType", (Field("module"),), "prompt", CORE),
    DocType("System Settings", (), "prompt", CORE),
    DocType("Version", (Field("ref_doctype"), Field("docname"), Field("data", "Code")), "hash", CORE),
    DocType("Sales Stage", (Field("stage_name"),), "field:stage_name", crm.CRM),
    DocType("Competitor", (Field("competitor_name", reqd=True), Field("website")), "field:competitor_name", crm.CRM),
    DocType("Opportunity Lost Reason", (Field("lost_reason", "Small Text", reqd=True),), "field:lost_reason", crm.CRM),
    *(DocType(name, (), "prompt", SETUP) for name in NAMED_ELSEWHERE),
)

_SLUG = Field("slug", unique=True)
_UTM = (
    DocType("UTM Source", (_SLUG, Field("description", "Small Text")), "prompt", WEBSITE),
    DocType("UTM Campaign", (_SLUG, Field("campaign_description", "Small Text")), "prompt", WEBSITE),
    DocType("UTM Medium", (_SLUG, Field("description", "Small Text")), "prompt", WEBSITE),
)
_BEFORE_UTM = (
    DocType(
        "Lead Source", (Field("source_name", reqd=True), Field("details", "Text Editor")), "field:source_name", crm.CRM
    ),
    DocType(
        "Campaign", (Field("campaign_name", reqd=True), Field("description", "Text")), "field:campaign_name", crm.CRM
    ),
)


def doctypes(version: int) -> dict[str, DocType]:
    """Every DocType of that version, child tables among them, by name."""
    attribution = _UTM if version >= 16 else _BEFORE_UTM
    kinds = (crm.opportunity(version), crm.lead(version), *crm.CHILDREN, *attribution, *_PLAIN)
    return {kind.name: kind for kind in kinds}
