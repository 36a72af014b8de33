"""What a new ERPNext site holds, and the four users the recorded sessions know.

Facts from erpnext (setup/setup_wizard) and frappe (geo).
"""

from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.permissions import (
    ADMINISTRATOR,
    SALES_MANAGER,
    SALES_USER,
    SYSTEM_MANAGER,
    User,
)
from nexudus_sandbox.erpnext.session import Session
from nexudus_sandbox.erpnext.site import Site

STAGES = (
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Identifying Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
)
SOURCES = (
    "Existing Customer",
    "Reference",
    "Advertisement",
    "Cold Calling",
    "Exhibition",
    "Supplier Reference",
    "Mass Mailing",
    "Customer's Vendor",
    "Campaign",
    "Walk In",
)
CURRENCIES = (
    "AED AFN ALL AMD ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KRW MAD"
    " MXN MYR NOK NZD PEN PHP PLN RON SAR SEK SGD THB TRY USD ZAR"
)
NAMES: dict[str, tuple[str, ...]] = {
    "Currency": tuple(CURRENCIES.split()),
    "Country": ("France", "Germany", "Italy", "Portugal", "Spain", "United Kingdom", "United States"),
    "Language": ("en", "es", "fr", "de", "it", "pt"),
    "Opportunity Type": ("Sales", "Support", "Maintenance"),
    "Territory": ("All Territories", "Rest Of The World", "Spain"),
    "Customer Group": ("All Customer Groups", "Individual", "Commercial", "Non Profit", "Government"),
    "Market Segment": ("Lower Income", "Middle Income", "Upper Income"),
    "Industry Type": ("Consulting", "Education", "Real Estate", "Software", "Technology"),
    "UOM": ("Nos", "Hour", "Day"),
}
"""DocTypes named by a prompt, and what they hold."""


def fill(site: Site) -> None:
    """Fill a new site; the company is named in its defaults."""
    session = Session(site, User(ADMINISTRATOR))
    for doctype, names in NAMES.items():
        for name in names:
            _add(session, doctype, name=name)
    for stage in STAGES:
        _add(session, "Sales Stage", stage_name=stage)
    for source in SOURCES:
        if site.version >= 16:
            _add(session, "UTM Source", name=source)
        else:
            _add(session, "Lead Source", source_name=source)
    company, currency = site.defaults["company"], site.defaults["currency"]
    _add(session, "Company", company_name=company, default_currency=currency, country=site.defaults["country"])
    site.commit()


def _add(session: Session, doctype: str, **values: str) -> None:
    Document.new(session, doctype, values).insert()


def users() -> list[User]:
    """An administrator, the sync's own user, a sales user, and one without any rights; key and secret say who."""
    who = {
        "admin": (ADMINISTRATOR, frozenset({SYSTEM_MANAGER})),
        "sync": ("sync@example.com", frozenset({SALES_USER, SALES_MANAGER})),
        "sales": ("salesuser@example.com", frozenset({SALES_USER})),
        "noperm": ("noperm@example.com", frozenset()),
    }
    return [User(name, roles, alias, f"{alias}-secret") for alias, (name, roles) in who.items()]
