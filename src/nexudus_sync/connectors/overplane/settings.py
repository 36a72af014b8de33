"""What Overplane needs in the configuration."""

from typing import Literal

from pydantic import Field

from nexudus_sync.connectors.limits import Limits
from nexudus_sync.connectors.network import HeaderSecret, Network


class OverplaneSettings(Network):
    """The table `[crm.NAME]` of a CRM with `connector = "overplane"`.

    `page_size` is how many records one listing call asks for; the server may honour fewer, which is found out.
    `company` is what a created opportunity carries when its connection names none. `limits` are optional: Overplane
    documents none.
    """

    connector: Literal["overplane"] = "overplane"
    base_url: str = "https://api.overplane.dev"
    token: HeaderSecret = Field(min_length=1)
    company: str | None = None
    page_size: int = Field(default=1000, ge=1)
    limits: Limits = Limits()
