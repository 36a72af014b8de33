"""What kind of site it is: who the sync is there, its time zone, and which fields its opportunities have.

All of it is read from the site, nothing is configured. Version 16 has `utm_source`, `utm_medium`, `utm_campaign` and
`utm_content`; version 15 has `source` and `campaign` in their place, and drops what it does not know without a word.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from nexudus_sync.connectors.erpnext.api import Api, Query
from nexudus_sync.connectors.erpnext.dialect import WHO_AM_I
from nexudus_sync.errors import Refused, RoleMissing, Unavailable

OPPORTUNITY = "Opportunity"
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content")
BEFORE_UTM = {"utm_source": "source", "utm_campaign": "campaign"}
"""What stands for the utm fields on a site that has none."""

LINKS = {
    "sales_stage": "Sales Stage",
    "lost_reasons": "Opportunity Lost Reason",
    "utm_source": "UTM Source",
    "utm_medium": "UTM Medium",
    "utm_campaign": "UTM Campaign",
}
"""The keys of a record whose value names a document, and that document's DocType."""
_LINKS_BEFORE_UTM = {"utm_source": "Lead Source", "utm_campaign": "Campaign"}


@dataclass(frozen=True, slots=True)
class Site:
    """One site, as its answers show it.

    `user` is the name the sync's own saves carry; `own` maps a record's key to the site's field where they differ
    (version 15); `lacks` are keys that have no place there; `listed` the optional fields a list can ask for;
    `key_field` the external key's field, None where the site has none. `zone_is_sure`: the zone is the site's own, and
    not what it told the sync's user for lack of rights.
    """

    user: str
    zone: ZoneInfo
    own: Mapping[str, str] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()
    listed: tuple[str, ...] = UTM
    key_field: str | None = None
    zone_is_sure: bool = True

    @property
    def links(self) -> dict[str, str]:
        """The keys of a record that name documents, with the DocType each has on this site."""
        older = _LINKS_BEFORE_UTM if self.own else {}
        return {key: older.get(key, doctype) for key, doctype in LINKS.items() if key not in self.lacks}


async def probe(api: Api, system: str, key_field: str | None) -> Site:
    """Ask the site. Raises AuthenticationFailed, RoleMissing, Unavailable."""
    user = await api.call(WHO_AM_I.removeprefix("/api/method/"))
    name, zone_is_sure = await _zone_name(api)
    wanted = (*UTM, *filter(None, [key_field]))
    found = await _existing(api, wanted)
    own: dict[str, str] = {}
    if not found.intersection(UTM):
        older = await _existing(api, tuple(BEFORE_UTM.values()))
        own = {key: name for key, name in BEFORE_UTM.items() if name in older}
    lacks = frozenset(UTM) - found - own.keys()
    listed = tuple(name for name in (*wanted, *own.values()) if name in found or name in own.values())
    key = key_field if key_field in found else None
    return Site(str(user), _zone(name, system), own, lacks, listed, key, zone_is_sure)


async def _zone_name(api: Api) -> tuple[object, bool]:
    """The site's time zone, and whether it surely is: only a System Manager may read it. Others are told a user's own.

    That is the same mostly: a user is given the site's when they are made. An Administrator is older than the settings.
    """
    asked = {"doctype": "System Settings", "fieldname": "time_zone"}
    with suppress(RoleMissing, Refused, Unavailable):
        settings = await api.call("frappe.client.get_value", asked)
        if isinstance(settings, dict) and settings.get("time_zone"):
            return settings["time_zone"], True
    told = await api.call("frappe.client.get_time_zone")
    return (told.get("time_zone") if isinstance(told, dict) else None), False


def _zone(name: object, system: str) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        problem = f"its time zone {name!r} is unknown; set an IANA name in ERPNext's System Settings"
        raise Unavailable(system, problem) from None


async def _existing(api: Api, wanted: tuple[str, ...]) -> set[str]:
    """Those of the fields that opportunities have: a list refuses the first one it does not know, and names it."""
    left = list(wanted)
    while left:
        try:
            await api.rows(OPPORTUNITY, Query(("name", *left), limit=1))
        except Refused as refused:
            named = [name for name in left if name in re.findall(r"\w+", refused.message)]
            if not named:
                raise Unavailable(refused.system, refused.message) from refused
            left = [name for name in left if name not in named]
        else:
            break
    return set(left)
