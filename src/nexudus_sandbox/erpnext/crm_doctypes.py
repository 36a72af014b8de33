"""The DocTypes of ERPNext's CRM: opportunity, lead, customer, prospect, quotation, and their child tables.

Facts from ERPNext's DocType definitions (erpnext/crm, erpnext/selling), version 15 and 16.
"""

from nexudus_sandbox.erpnext.meta import DocType, Field, breaks, link, select

CRM, SELLING = "erpnext.crm", "erpnext.selling"
STATUSES = ("Open", "Quotation", "Converted", "Lost", "Replied", "Closed")
EMPLOYEES = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1000+")
LEAD_STATUSES = (
    "Lead",
    "Open",
    "Replied",
    "Opportunity",
    "Quotation",
    "Lost Quotation",
    "Interested",
    "Converted",
    "Do Not Contact",
)
QUOTATION_STATUSES = ("Draft", "Open", "Replied", "Partially Ordered", "Ordered", "Lost", "Cancelled", "Expired")

CHILDREN = (
    DocType(
        "Opportunity Lost Reason Detail",
        (link("lost_reason", "Opportunity Lost Reason", label="Opportunity Lost Reason"),),
    ),
    DocType("Competitor Detail", (link("competitor", "Competitor", reqd=True),)),
    DocType(
        "Opportunity Item",
        (
            link("item_code", "Item"),
            Field("item_name"),
            link("uom", "UOM", label="UOM"),
            Field("qty", "Float", default=1),
            link("brand", "Brand"),
            link("item_group", "Item Group"),
            Field("description", "Text Editor"),
            Field("image", "Attach"),
            Field("base_rate", "Currency"),
            Field("base_amount", "Currency"),
            Field("rate", "Currency", reqd=True),
            Field("amount", "Currency"),
        ),
    ),
    DocType(
        "CRM Note",
        (Field("note", "Text Editor"), link("added_by", "User"), Field("added_on", "Datetime")),
        "autoincrement",
    ),
    DocType("Prospect Lead", (link("lead", "Lead", reqd=True), Field("lead_name"), Field("email"), Field("status"))),
    DocType(
        "Prospect Opportunity",
        (
            link("opportunity", "Opportunity"),
            Field("amount", "Currency"),
            Field("stage"),
            Field("deal_owner"),
            Field("probability", "Percent"),
            Field("expected_closing", "Date"),
            link("currency", "Currency"),
            link("contact_person", "Contact"),
        ),
    ),
    DocType(
        "Quotation Item",
        (
            link("item_code", "Item"),
            Field("item_name"),
            Field("qty", "Float", default=1),
            Field("rate", "Currency"),
            Field("amount", "Currency"),
            Field("prevdoc_docname"),
        ),
    ),
    DocType(
        "Dynamic Link",
        (link("link_doctype", "DocType", reqd=True), Field("link_name", "Dynamic Link", "", "link_doctype")),
    ),
)

_UTM = (
    link("utm_source", "UTM Source", label="Source"),
    link("utm_campaign", "UTM Campaign", label="Campaign"),
    link("utm_medium", "UTM Medium", label="Medium"),
    Field("utm_content", label="Content"),
)


def opportunity(version: int) -> DocType:
    """`Opportunity`; its fields stand where they stand on the server, since a custom field's `idx` counts them."""
    modern = version >= 16
    source, campaign, medium, content = _UTM
    utm = (*breaks("utm_analytics_section"), source, content, *breaks("column_break_utm"), campaign, medium)
    fields = (
        select("naming_series", ["CRM-OPP-.YYYY.-"], label="Series", reqd=True, set_only_once=True),
        link("opportunity_from", "DocType", reqd=True),
        Field("party_name", "Dynamic Link", "Party", "opportunity_from", reqd=True),
        Field("customer_name"),
        select("status", STATUSES, default="Open", reqd=True),
        *breaks("column_break0"),
        link("opportunity_type", "Opportunity Type", default=None if modern else "Sales"),
        *(() if modern else (link("source", "Lead Source"),)),
        link("opportunity_owner", "User"),
        *breaks("column_break_10"),
        link("sales_stage", "Sales Stage", default="Prospecting"),
        Field("expected_closing", "Date", "Expected Closing Date"),
        Field("probability", "Percent", "Probability (%)", default=100),
        *_ORGANIZATION,
        *breaks("section_break_14"),
        link("currency", "Currency"),
        *breaks("column_break_36"),
        Field("conversion_rate", "Float", "Exchange Rate"),
        *breaks("column_break_17"),
        Field("opportunity_amount", "Currency"),
        Field("base_opportunity_amount", "Currency", "Opportunity Amount (Company Currency)"),
        *((*utm, *breaks("column_break_utm_end")) if modern else ()),
        *breaks("more_info"),
        link("company", "Company", reqd=True),
        *(() if modern else (link("campaign", "Campaign"),)),
        Field("transaction_date", "Date", "Opportunity Date", default="Today", reqd=True),
        *breaks("column_break1"),
        link("language", "Language", label="Print Language"),
        link("amended_from", "Opportunity"),
        Field("title"),
        *_CONTACT_AND_ITEMS,
    )
    return DocType("Opportunity", fields, "series", CRM)


_ORGANIZATION = (
    *breaks("organization_details_section"),
    select("no_of_employees", EMPLOYEES, label="No of Employees"),
    Field("annual_revenue", "Currency"),
    link("customer_group", "Customer Group"),
    *breaks("column_break_23"),
    link("industry", "Industry Type"),
    link("market_segment", "Market Segment"),
    Field("website"),
    *breaks("column_break_31"),
    Field("city"),
    Field("state"),
    link("country", "Country"),
    link("territory", "Territory"),
)

_CONTACT_AND_ITEMS = (
    Field("first_response_time", "Duration"),
    *breaks("lost_detail_section"),
    Field("lost_reasons", "Table MultiSelect", options="Opportunity Lost Reason Detail"),
    Field("order_lost_reason", "Small Text", "Detailed Reason"),
    *breaks("column_break_56"),
    Field("competitors", "Table MultiSelect", options="Competitor Detail"),
    *breaks("contact_info", "primary_contact_section"),
    link("contact_person", "Contact"),
    Field("job_title"),
    *breaks("column_break_54"),
    Field("contact_email", options="Email"),
    Field("contact_mobile", options="Phone"),
    *breaks("column_break_22"),
    Field("whatsapp", options="Phone", label="WhatsApp"),
    Field("phone", options="Phone"),
    Field("phone_ext"),
    *breaks("address_contact_section", "column_address_html"),
    link("customer_address", "Address", label="Customer / Lead Address"),
    Field("address_display", "Small Text", "Address"),
    *breaks("column_break3"),
    Field("contact_display", "Small Text", "Contact"),
    *breaks("items_section"),
    Field("items", "Table", options="Opportunity Item"),
    *breaks("section_break_32"),
    Field("base_total", "Currency", "Total (Company Currency)"),
    *breaks("column_break_33"),
    Field("total", "Currency"),
    *breaks("notes_tab"),
    Field("notes", "Table", options="CRM Note"),
)


def lead(version: int) -> DocType:
    """`Lead`."""
    source, campaign, medium, content = _UTM
    utm = (source, content, campaign, medium)
    old = (link("source", "Lead Source"), link("campaign_name", "Campaign"))
    fields = (
        select("naming_series", ["CRM-LEAD-.YYYY.-"], label="Series", set_only_once=True),
        link("salutation", "Salutation"),
        Field("first_name"),
        Field("middle_name"),
        Field("last_name"),
        Field("lead_name", label="Full Name"),
        Field("job_title"),
        link("gender", "Gender"),
        *(utm if version >= 16 else old[:1]),
        link("lead_owner", "User", default="__user"),
        select("status", LEAD_STATUSES, default="Lead", reqd=True),
        link("customer", "Customer", label="From Customer"),
        select("type", ["", "Client", "Channel Partner", "Consultant"], label="Lead Type"),
        select("request_type", ["", "Product Enquiry", "Request for Information", "Suggestions", "Other"]),
        Field("email_id", options="Email", label="Email"),
        Field("website"),
        Field("mobile_no", options="Phone"),
        Field("whatsapp_no", options="Phone", label="WhatsApp"),
        Field("phone", options="Phone"),
        Field("phone_ext"),
        Field("company_name", label="Organization Name"),
        select("no_of_employees", EMPLOYEES, label="No of Employees"),
        Field("annual_revenue", "Currency"),
        link("industry", "Industry Type"),
        link("market_segment", "Market Segment"),
        link("territory", "Territory"),
        Field("fax"),
        Field("city"),
        Field("state"),
        link("country", "Country"),
        *(() if version >= 16 else old[1:]),
        select("qualification_status", ["Unqualified", "In Process", "Qualified"]),
        link("qualified_by", "User"),
        Field("qualified_on", "Date"),
        link("company", "Company"),
        link("language", "Language", label="Print Language"),
        Field("image", "Attach Image"),
        Field("title"),
        Field("disabled", "Check"),
        Field("unsubscribed", "Check"),
        Field("blog_subscriber", "Check"),
        Field("notes", "Table", options="CRM Note"),
    )
    return DocType("Lead", fields, "series", CRM)


CUSTOMER = DocType(
    "Customer",
    (
        Field("customer_name", reqd=True),
        select("customer_type", ["Company", "Individual", "Partnership"], reqd=True),
        link("customer_group", "Customer Group"),
        link("territory", "Territory"),
        link("lead_name", "Lead", label="From Lead"),
        link("opportunity_name", "Opportunity", label="From Opportunity"),
        link("account_manager", "User"),
        link("default_currency", "Currency", label="Billing Currency"),
        link("market_segment", "Market Segment"),
        link("industry", "Industry Type"),
        Field("website"),
        link("language", "Language", label="Print Language"),
        Field("email_id", label="Email Id"),
        Field("mobile_no"),
        Field("disabled", "Check"),
    ),
    "custom",
    SELLING,
)

PROSPECT = DocType(
    "Prospect",
    (
        Field("company_name", reqd=True, unique=True),
        link("customer_group", "Customer Group"),
        select("no_of_employees", EMPLOYEES, label="No. of Employees"),
        Field("annual_revenue", "Currency"),
        link("market_segment", "Market Segment"),
        link("industry", "Industry Type"),
        link("territory", "Territory"),
        link("prospect_owner", "User"),
        Field("website"),
        Field("fax"),
        link("company", "Company", reqd=True),
        Field("leads", "Table", options="Prospect Lead"),
        Field("opportunities", "Table", options="Prospect Opportunity"),
        Field("notes", "Table", options="CRM Note"),
    ),
    "field:company_name",
    CRM,
)

QUOTATION = DocType(
    "Quotation",
    (
        select("naming_series", ["SAL-QTN-.YYYY.-"], label="Series", reqd=True, set_only_once=True),
        link("quotation_to", "DocType", reqd=True, default="Customer"),
        Field("party_name", "Dynamic Link", "Party", "quotation_to"),
        Field("customer_name"),
        Field("transaction_date", "Date", "Date", default="Today", reqd=True),
        link("company", "Company", reqd=True),
        link("currency", "Currency", reqd=True),
        select("status", QUOTATION_STATUSES, default="Draft", reqd=True),
        link("opportunity", "Opportunity"),
        Field("items", "Table", options="Quotation Item"),
    ),
    "series",
    SELLING,
    submittable=True,
)
