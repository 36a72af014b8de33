"""What ERPNext needs in the configuration."""

from typing import Literal
from urllib.parse import quote

from pydantic import Field

from nexudus_sync.connectors.limits import Limits
from nexudus_sync.connectors.network import HeaderSecret, HeaderText, Network


class ERPNextSettings(Network):
    """The table `[crm.NAME]` of a CRM with `connector = "erpnext"`.

    `api_key` and `api_secret` are those of the sync's own user (its page in ERPNext, "API Access").
    `company` is what a created opportunity carries when its connection names none; without either the site's default.

    How a created opportunity is known again when the answer to its creation was lost: by `external_key_field`, a
    custom field (Data, unique, no copy) of Opportunity, where the site has it; else, with `own_names`, by its name
    ("NX-87000012" instead of the site's naming series); else by what it says.

    `create_missing` lets the sync create a UTM source, medium, campaign, lost reason or sales stage that a value needs
    and the site lacks; otherwise such a value waits as a visible failure. `page_size` is how many opportunities one
    listing call asks for, `overlap` how many seconds a poll reads back. `limits` are optional: a site has none unless
    its administrator sets one.
    """

    connector: Literal["erpnext"] = "erpnext"
    base_url: str = Field(min_length=1)
    api_key: HeaderText = Field(min_length=1)
    api_secret: HeaderSecret = Field(min_length=1)
    company: str | None = None
    external_key_field: str | None = Field(default="custom_nexudus_id", pattern=r"^[a-z][a-z0-9_]*$")
    own_names: bool = False
    create_missing: bool = False
    page_size: int = Field(default=1000, ge=1)
    overlap: int = Field(default=300, ge=0)
    limits: Limits = Limits()

    def url_of(self, record_id: str) -> str | None:
        """The opportunity's page in the site's desk; version 16 leads on from this address to its own."""
        if self.record_url is None and record_id:
            return f"{self.base_url.rstrip('/')}/app/opportunity/{quote(record_id, safe='')}"
        return super().url_of(record_id)
