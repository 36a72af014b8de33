"""What HubSpot needs in the configuration."""

import re
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from nexudus_sync.connectors.limits import Limits
from nexudus_sync.connectors.network import HeaderSecret, Network

_API = "hubapi.com"
_REGION = re.compile(r"pat-([a-z]{2}\d)-")
_FIRST = "na1"


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is no time zone; write it like Europe/London") from None


def _like(pattern: str, told: str) -> AfterValidator:
    """Refuse a text that does not look like that, in words."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(f"'{text}' is {told}")
        return text

    return AfterValidator(check)


_VERSION = _like(r"20\d{2}-(03|09)", "no version of HubSpot's API; write it like 2026-03 or 2026-09")
_PROPERTY = _like(r"([a-z][a-z0-9_]*)?", "no internal name of a property; write it like nexudus_id")
_CURRENCY = _like(r"[A-Z]{3}", "no currency; write it like GBP")


class HubSpotSettings(Network):
    """The table `[crm.NAME]` of a CRM with `connector = "hubspot"`.

    `token` is a service key, or the token of a private app that exists already. `portal_id` is the account's number: a
    key of another account is then refused. `api_version` is the date in the paths; from 2026-09 on HubSpot enforces
    the rules that its administrators set. `pipeline` is where deals are created if a connection names none;
    `won_stage` and `lost_stage` (label or id) choose one where a pipeline has several. `nexudus_id` is the deal
    property that holds the external key, "" for none. `page_size` is how many deals one listing call asks for,
    `overlap` how many seconds a poll reads back, for the search shows changes late. `time_zone` and `currency` are the
    account's own, for a key that may not read them there.
    """

    connector: Literal["hubspot"] = "hubspot"
    base_url: str = "https://api.hubapi.com"
    token: HeaderSecret = Field(min_length=1)
    portal_id: int | None = Field(default=None, gt=0)
    api_version: Annotated[str, _VERSION] = "2026-03"
    pipeline: str | None = None
    won_stage: str | None = None
    lost_stage: str | None = None
    nexudus_id: Annotated[str, _PROPERTY] = "nexudus_id"
    page_size: int = Field(default=100, ge=1, le=100)
    overlap: int = Field(default=300, ge=0)
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    currency: Annotated[str, _CURRENCY] | None = None
    limits: Limits = Limits(per_second=8, per_day=40_000)
    search_limits: Limits = Limits(per_second=3)
    association_limits: Limits = Limits(per_second=8)

    def url_of(self, record_id: str) -> str | None:
        """The deal's page, once the account's number is known; None for a server that is not HubSpot's own."""
        host = urlsplit(self.base_url).hostname or ""
        theirs = host == _API or host.endswith(f".{_API}")
        if self.record_url is None and self.portal_id and record_id and theirs:
            found = _REGION.match(self.token.get_secret_value())
            part = f"-{found[1]}" if found and found[1] != _FIRST else ""
            return f"https://app{part}.hubspot.com/contacts/{self.portal_id}/record/0-3/{quote(record_id, safe='')}"
        return super().url_of(record_id)
