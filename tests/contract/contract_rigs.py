"""The rigs of the connectors that come with nexudus-sync."""

from typing import Any, Literal

from contract_kit import ANA, KAI, PAGE, SECRET, SYNC, HttpRig

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.hubspot import HubSpotDouble, HubSpotOptions
from nexudus_sandbox.hubspot.pipelines import Stage
from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.overplane import OverplaneDouble
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync.connectors.base import Scope
from nexudus_sync.connectors.erpnext import ERPNextConnector, ERPNextSettings
from nexudus_sync.connectors.hubspot import HubSpotConnector, HubSpotSettings
from nexudus_sync.connectors.nexudus import NexudusConnector
from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.connectors.overplane import OverplaneConnector, OverplaneSettings

ADMIN = "Administrator"


class NexudusRig(HttpRig):
    """Nexudus, with a location in London and one in Madrid."""

    title, unknown, bad_value = "Name", {"Score": {"deep": [1, None, "ü"]}}, {"LossReason": 77}
    path, party_path, user_path = "/api/crm/crmopportunities", "/api/spaces/coworkers", "/api/sys/users"
    own_scope, other_scope = Scope(business_id=1001), Scope(business_id=1002)
    keeps_author, nobody = True, "87999999"
    zones, fixed_currency = ("Europe/London", "Europe/Madrid"), "GBP"

    def make_double(self, offset: float) -> NexudusDouble:
        double = NexudusDouble(self.clock.now, offset=offset, windows=())
        directory = double.directory
        for place, currency, zone in (("London", "GBP", "Europe/London"), ("Madrid", "EUR", "Europe/Madrid")):
            business = directory.add_business(place, currency=currency, time_zone=zone)
            board = directory.add_board(business, "Sales")
            for stage in ("New lead", "Tour booked"):
                directory.add_stage(board, stage)
        self.customers = {KAI: directory.add_coworker(KAI, "Kai Lund", 1001)}
        double.add_account(SYNC, SECRET)
        return double

    def make_connector(self, transport: DoubleTransport, secret: str) -> NexudusConnector:
        settings = NexudusSettings.model_validate(
            {"base_url": "https://nexudus.test/api", "username": SYNC, "password": secret, "auth": "basic"}
        )
        return NexudusConnector("nexudus", settings, clock=self.clock, rng=self.rng, transport=transport)

    def add(self, title: str, email: str = KAI, *, elsewhere: bool = False) -> str:
        directory = self.double.directory
        if email not in self.customers:
            self.customers[email] = directory.add_coworker(email, title, 1001)
        stage = directory.stage_named(2002 if elsewhere else 2001, "New lead")
        known = {"CrmBoardColumnId": stage, "CoworkerId": self.customers[email], "Position": 1 + len(self.stored())}
        return str(self.double.create(ANA, Name=title, **known))

    def edit(self, record_id: str, **changes: Any) -> None:
        self.double.edit(int(record_id), ANA, **changes)

    def remove(self, record_id: str) -> None:
        self.double.delete(int(record_id), ANA)

    def moved(self) -> tuple[str, ...]:
        return ("UpdatedOn", "UpdatedBy", "ToStringText")

    def hire(self, email: str) -> None:
        self.double.directory.add_user(email, "New Hire")

    def forbid(self) -> None:
        self.double.add_account(SYNC, SECRET, roles=frozenset())


class OverplaneRig(HttpRig):
    """Overplane, with two companies."""

    title, unknown, bad_value = "title", {"my_own_field": {"deep": [1, None, "ü"]}}, {"company": ""}
    path, party_path, user_path = "/api/crm/opportunity", "/api/crm/lead", "/api/core/user"
    own_scope, other_scope = Scope(company="Example Corp"), Scope(company="Example Iberia")
    keeps_author, nobody, has_rights = False, "opportunity_nobody", False

    def make_double(self, offset: float) -> OverplaneDouble:
        double = OverplaneDouble(self.clock.now, offset=offset)
        double.tokens[SECRET] = SYNC
        double.add("lead", ANA, lead_name="Kai Lund", email_id=KAI)
        return double

    def make_connector(self, transport: DoubleTransport, secret: str) -> OverplaneConnector:
        settings = OverplaneSettings.model_validate(
            {"base_url": "https://overplane.test", "token": secret, "page_size": PAGE}
        )
        return OverplaneConnector("overplane", settings, clock=self.clock, rng=self.rng, transport=transport)

    def add(self, title: str, email: str = KAI, *, elsewhere: bool = False) -> str:
        company = self.other_scope.company if elsewhere else self.own_scope.company
        known = {"opportunity_from": "Lead", "party_name": "lead_1", "transaction_date": "2026-03-01"}
        return str(self.double.create(ANA, title=title, contact_email=email, company=company, currency="GBP", **known))

    def edit(self, record_id: str, **changes: Any) -> None:
        self.double.edit(record_id, ANA, **changes)

    def moved(self) -> tuple[str, ...]:
        return ("updated_at",)

    def hire(self, email: str) -> None:
        self.double.add("user", ANA, email=email, full_name="New Hire")


class ERPNext16Rig(HttpRig):
    """ERPNext, with two companies and a field of the operator's own."""

    version: Literal[15, 16] = 16
    title, unknown, bad_value = "title", {"my_own_field": "ü – kept"}, {"status": "Nonsense"}
    path, party_path, user_path = "/api/resource/Opportunity", "/api/resource/Lead", "/api/resource/User"
    own_scope, other_scope = Scope(company="Example Corp"), Scope(company="Example Iberia")
    keeps_author, nobody = True, "CRM-OPP-1999-00001"
    counts_in_lists, coarse_stamps, has_lock, throttles = False, False, True, ("throttle_429",)

    def make_double(self, offset: float) -> ERPNextDouble:
        double = ERPNextDouble(
            self.clock.now, version=self.version, offset=offset, company="Example Corp", currency="GBP"
        )
        double.add("Company", ADMIN, company_name="Example Iberia", default_currency="GBP", country="Spain")
        double.add("Custom Field", ADMIN, dt="Opportunity", fieldname="my_own_field", label="Own", fieldtype="Data")
        self.leads = {KAI: double.add("Lead", ADMIN, lead_name="Kai Lund", email_id=KAI)}
        return double

    def make_connector(self, transport: DoubleTransport, secret: str) -> ERPNextConnector:
        known = "sync-secret" if secret == SECRET else secret
        settings = ERPNextSettings.model_validate(
            {"base_url": "https://erpnext.test", "api_key": "sync", "api_secret": known, "page_size": PAGE}
        )
        return ERPNextConnector("erpnext", settings, clock=self.clock, rng=self.rng, transport=transport)

    def add(self, title: str, email: str = KAI, *, elsewhere: bool = False) -> str:
        if email not in self.leads:
            self.leads[email] = self.double.add("Lead", ADMIN, lead_name=title, email_id=email)
        company = self.other_scope.company if elsewhere else self.own_scope.company
        known = {"opportunity_from": "Lead", "party_name": self.leads[email], "transaction_date": "2026-03-01"}
        return str(
            self.double.create(ADMIN, title=title, contact_email=email, company=company, currency="GBP", **known)
        )

    def edit(self, record_id: str, **changes: Any) -> None:
        self.double.edit(record_id, ADMIN, **changes)

    def remove(self, record_id: str) -> None:
        self.double.delete(record_id, ADMIN)

    def moved(self) -> tuple[str, ...]:
        return ("modified", "modified_by")

    def hire(self, email: str) -> None:
        self.double.add("User", ADMIN, name=email, email=email, first_name="New", user_type="System User")

    def forbid(self) -> None:
        self.double.users[SYNC].roles = frozenset()


class ERPNext15Rig(ERPNext16Rig):
    """The same on the version before."""

    version = 15


class HubSpotRig(HttpRig):
    """HubSpot, with two pipelines."""

    title, unknown, bad_value = "dealname", {"x_colour": "ü – kept"}, {"closedate": "soon"}
    path, party_path = "/crm/objects/2026-03/deals", "/crm/objects/2026-03/contacts"
    user_path = "/crm/owners/2026-03"
    own_scope, other_scope = Scope(company="Desks"), Scope(company="Offices")
    keeps_author, nobody, counts_in_lists, pages_hold = False, "1", False, True
    zones, fixed_currency = ("Europe/London", "Europe/London"), "GBP"
    silent_deletes, throttles = True, ("throttle_429",)

    def make_double(self, offset: float) -> HubSpotDouble:
        options = HubSpotOptions(page_size=PAGE, search_size=PAGE)
        double = HubSpotDouble(self.clock.now, offset=offset, options=options)
        double.add_key(SECRET, SYNC)
        double.properties.add("deals", "nexudus_id", unique=True)
        double.properties.add("deals", "x_colour")
        double.account.hire(ANA)
        double.pipelines.all.clear()
        self.pipelines = [double.pipelines.add(label, [Stage(f"{label}-1", "New")]) for label in ("Desks", "Offices")]
        self.contacts = {KAI: double.add("contacts", ANA, email=KAI, firstname="Kai", lastname="Lund")}
        return double

    def make_connector(self, transport: DoubleTransport, secret: str) -> HubSpotConnector:
        settings = HubSpotSettings.model_validate(
            {"base_url": "https://hubspot.test", "token": secret, "page_size": PAGE}
        )
        return HubSpotConnector("hubspot", settings, clock=self.clock, rng=self.rng, transport=transport)

    def add(self, title: str, email: str = KAI, *, elsewhere: bool = False) -> str:
        if email not in self.contacts:
            self.contacts[email] = self.double.add("contacts", ANA, email=email, firstname=title)
        pipeline = self.pipelines[elsewhere]
        place = {"pipeline": pipeline.id, "dealstage": pipeline.stages[0].id}
        return str(self.double.create(ANA, dealname=title, contacts=[self.contacts[email]], **place))

    def edit(self, record_id: str, **changes: Any) -> None:
        self.double.edit(record_id, ANA, **changes)

    def moved(self) -> tuple[str, ...]:
        return ("hs_lastmodifieddate",)

    def hire(self, email: str) -> None:
        self.double.account.hire(email)

    def forbid(self) -> None:
        self.double.gate.keys[SECRET].scopes = frozenset()

    def user_lists(self) -> int | None:
        asked = super().user_lists()
        return None if asked is None else asked // 2  # those who left are in a list of their own
