"""The CRMs a sandbox can have beside Nexudus, each with its part of the configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.overplane import OverplaneDouble, OverplaneOptions
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


@dataclass(frozen=True, slots=True)
class SandboxCrm:
    """A double with a login for the sync: `table` is its part of the configuration, `{url}` in it its address.

    `title` is what people call it; `environment` holds the variables that the table names.
    """

    title: str
    double: OverplaneDouble | ERPNextDouble
    table: str
    environment: Mapping[str, str]


def _overplane(clock: Callable[[], datetime]) -> SandboxCrm:
    double = OverplaneDouble(clock, seed=2, options=OverplaneOptions())
    double.tokens[TOKEN] = SYNC_USER
    return SandboxCrm("Overplane", double, _OVERPLANE, {"OVERPLANE_TOKEN": TOKEN})


def _erpnext(clock: Callable[[], datetime]) -> SandboxCrm:
    double = ERPNextDouble(
        clock, seed=2, company="Example Corp", currency="GBP", country="United Kingdom", time_zone="Europe/London"
    )
    user = double.users[SYNC_USER]
    secrets = {"ERPNEXT_API_KEY": user.api_key, "ERPNEXT_API_SECRET": user.api_secret}
    return SandboxCrm("ERPNext", double, _ERPNEXT, secrets)


CRMS = {"overplane": _overplane, "erpnext": _erpnext}
"""By the name that the configuration gives them."""
