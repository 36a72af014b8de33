"""The CRMs a sandbox can have beside Nexudus, each with its part of the configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.erpnext.permissions import SALES_MANAGER, SALES_USER, User
from nexudus_sandbox.hubspot import HubSpotDouble
from nexudus_sandbox.hubspot.people import People
from nexudus_sandbox.overplane import OverplaneDouble, OverplaneOptions
from nexudus_sandbox.people import SALESPEOPLE, Person
from nexudus_sandbox.seed.places import SYNC_USER

TOKEN = "sk_test_sandbox"  # noqa: S105  opens nothing but the sandbox
_OVERPLANE = """\
[crm.overplane]
connector = "overplane"
base_url = "{url}"
token = "${{OVERPLANE_TOKEN}}"
"""
_ERPNEXT = """\
[crm.erpnext]
connector = "erpnext"
base_url = "{url}"
api_key = "${{ERPNEXT_API_KEY}}"
api_secret = "${{ERPNEXT_API_SECRET}}"
"""
_HUBSPOT = """\
[crm.hubspot]
connector = "hubspot"
base_url = "{url}"
token = "${{HUBSPOT_TOKEN}}"
limits = {{ per_second = 400, per_day = 250000 }}
search_limits = {{ per_second = 150 }}
association_limits = {{ per_second = 400 }}
"""


CrmDouble = OverplaneDouble | ERPNextDouble | HubSpotDouble


@dataclass(frozen=True, slots=True)
class SandboxCrm:
    """A double with a login for the sync: `table` is its part of the configuration, `{url}` in it its address.

    `title` is what people call it; `environment` holds the variables that the table names; `people` are the salespeople
    who can log in to it. `part` is the key by which a connection names its part of the CRM; `words` puts the words of
    an opportunity into the CRM's own.
    """

    title: str
    double: CrmDouble
    table: str
    environment: Mapping[str, str]
    people: tuple[Person, ...] = ()
    part: str = "company"
    words: Any = None

    @property
    def at_work(self) -> Any:
        """What a story's people work with: the double, or what puts their words into its own."""
        return self.words or self.double


def _overplane(clock: Callable[[], datetime]) -> SandboxCrm:
    double = OverplaneDouble(clock, seed=2, options=OverplaneOptions())
    double.tokens[TOKEN] = SYNC_USER
    people = tuple(Person(email, name, {"token": f"sk_test_{email.partition('.')[0]}"}) for email, name in SALESPEOPLE)
    double.tokens |= {person.crm["token"]: person.email for person in people}
    return SandboxCrm("Overplane", double, _OVERPLANE, {"OVERPLANE_TOKEN": TOKEN}, people)


def _erpnext(clock: Callable[[], datetime]) -> SandboxCrm:
    double = ERPNextDouble(
        clock, seed=2, company="Example Corp", currency="GBP", country="United Kingdom", time_zone="Europe/London"
    )
    user = double.users[SYNC_USER]
    secrets = {"ERPNEXT_API_KEY": user.api_key, "ERPNEXT_API_SECRET": user.api_secret}
    people = []
    for email, name in SALESPEOPLE:  # the seed adds them to the site's users
        key = email.partition(".")[0]
        double.users[email] = User(email, frozenset({SALES_USER, SALES_MANAGER}), key, f"{key}-secret")
        people.append(Person(email, name, {"key": key, "secret": f"{key}-secret"}))
    return SandboxCrm("ERPNext", double, _ERPNEXT, secrets, tuple(people))


def _hubspot(clock: Callable[[], datetime]) -> SandboxCrm:
    double = HubSpotDouble(clock, seed=2)
    double.add_key(TOKEN, SYNC_USER)
    gate = double.gate
    gate.ten_seconds, gate.associations, gate.a_second = 5_000, 5_000, 250  # 50 times what an account has
    people = []
    for number, (email, name) in enumerate(SALESPEOPLE):  # the seed makes them owners
        people.append(Person(email, name, {"token": f"pat-test-{email.partition('.')[0]}"}))
        double.add_key(people[-1].crm["token"], email, app_id=str(4_170_000 + number))
    return SandboxCrm("HubSpot", double, _HUBSPOT, {"HUBSPOT_TOKEN": TOKEN}, tuple(people), "pipeline", People(double))


CRMS = {"overplane": _overplane, "erpnext": _erpnext, "hubspot": _hubspot}
"""By the name that the configuration gives them."""
