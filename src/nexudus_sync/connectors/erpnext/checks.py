"""What `check` says about an ERPNext login and site, without writing anything."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

from nexudus_sync.connectors import companies
from nexudus_sync.connectors.base import Check, Scope
from nexudus_sync.connectors.companies import Companies
from nexudus_sync.connectors.erpnext import roles
from nexudus_sync.connectors.erpnext.api import NAMES, Api, Filter, Query
from nexudus_sync.connectors.erpnext.directories import Directories
from nexudus_sync.connectors.erpnext.records import text
from nexudus_sync.connectors.erpnext.settings import ERPNextSettings
from nexudus_sync.connectors.erpnext.site import OPPORTUNITY, Site
from nexudus_sync.connectors.failed import failed
from nexudus_sync.connectors.offset import against_ours
from nexudus_sync.errors import ConnectorError, Refused, RoleMissing

_FAR = "9999-12-31 00:00:00.000000"
_LOOKED_AT = 1000
"""The number of opportunities that are listed for the companies they carry."""
_TOLERANCE = 60.0
"""Seconds a server's clock may differ before a person should know."""


async def lines(
    api: Api, directories: Directories, site: Site, settings: ERPNextSettings, scope: Scope
) -> AsyncIterator[Check]:
    """Every finding about a site that the login works on."""
    yield Check("login", "ok", f"logged in as {site.user}; its times are in {site.zone.key}")
    yield _fields(site)
    yield _key(site, settings)
    names = _names(directories, site, settings.create_missing)
    for looking in (_zone(api, site), _filters(api), _company(api, settings, scope), _rights(api, scope), names):
        try:
            async for line in looking:
                yield line
        except ConnectorError as error:
            yield failed("site", error)


def clock(offset: float | None) -> Check:
    """How far the server's clock is from ours, in seconds."""
    if offset is None:
        return Check("clock", "warn", "the server does not send its time")
    return Check("clock", "ok" if abs(offset) <= _TOLERANCE else "warn", against_ours(offset))


def _fields(site: Site) -> Check:
    if site.own:
        places = ", ".join(f"{own} is {key}" for key, own in site.own.items())
        without = ", ".join(sorted(site.lacks))
        return Check("fields", "warn", f"version 15: {places}; it has no {without}: such a value waits as a failure")
    if site.lacks:
        return Check("fields", "warn", f"opportunities have no {', '.join(sorted(site.lacks))}")
    return Check("fields", "ok", "version 16: opportunities have all utm fields")


def _key(site: Site, settings: ERPNextSettings) -> Check:
    if site.key_field:
        return Check("external key", "ok", f"{site.key_field} shows what was created when an answer is lost")
    missing = settings.external_key_field or "a custom field"
    advice = f"add {missing} (Data, unique, no copy) to Opportunity, so that a lost answer leaves no doubt"
    if settings.own_names:
        return Check("external key", "ok", f"new opportunities are named NX-…; or {advice}")
    return Check("external key", "warn", f"new opportunities are recognised by their contents; {advice}")


async def _zone(api: Api, site: Site) -> AsyncIterator[Check]:
    """A site gives a user their own time zone as its own; only a System Manager may read the real one."""
    with suppress(RoleMissing, Refused):
        users = await api.rows("User", Query(("name", "time_zone"), (("enabled", "=", 1),)))
        others = Counter(text(user, "time_zone") for user in users if text(user, "name") != site.user)
        others.pop("", None)
        most = max(others, key=lambda zone: others[zone], default=site.zone.key)
        if most != site.zone.key:
            told = f"{site.user} has {site.zone.key}, most other users have {most}"
            advice = "set it to the zone in ERPNext's System Settings, or changes are found hours late"
            yield Check("time zone", "warn", f"{told}; {advice}")


async def _filters(api: Api) -> AsyncIterator[Check]:
    """A filter value that the server does not read as a moment matches everything."""
    late: tuple[Filter, ...] = (("modified", ">=", _FAR),)
    if await api.count(OPPORTUNITY, late):
        detail = "the server does not obey the filter for changes; changes cannot be found"
        yield Check("filters", "fail", detail, remedy="ask the site's administrator what changes requests on their way")
    else:
        yield Check("filters", "ok", "the server obeys the filter for changes")


async def _company(api: Api, settings: ERPNextSettings, scope: Scope) -> AsyncIterator[Check]:
    found = await known_companies(api, settings, scope)
    if found.wanted is None:
        yield Check("company", "ok", "all opportunities take part; created ones carry the site's default company")
        return
    listed = await api.count(OPPORTUNITY, (("company", "=", found.wanted),)) if found.carried else 0
    well = f'"{found.wanted}" has {listed} opportunities'
    yield companies.line(found, "ERPNext", new=scope.new_company, well=well)


async def known_companies(api: Api, settings: ERPNextSettings, scope: Scope) -> Companies:
    """How the company carried by creates compares with the site's list and with that of its opportunities."""
    wanted = scope.company or settings.company
    if wanted is None:
        return Companies(None)
    names: tuple[str, ...] | None = None
    with suppress(RoleMissing, Refused):
        names = tuple(text(row, "name") for row in await api.rows("Company", NAMES))
    listed = None if names is None else wanted.strip().casefold() in {name.casefold() for name in names}
    carried = listed is not False and bool(await api.count(OPPORTUNITY, (("company", "=", wanted),)))
    # an opportunity always has a company; one that only creates carry pairs nothing, so it may be new
    others = scope.company is not None and not carried and bool(await api.count(OPPORTUNITY))
    if others and listed is not False:
        names = await carried_companies(api)
    return Companies(wanted, names or (), carried, others, listed)


async def carried_companies(api: Api) -> tuple[str, ...]:
    """The companies that opportunities carry; the site's own list, which not everybody may read, can have more."""
    rows = await api.rows(OPPORTUNITY, Query(("company",), limit=_LOOKED_AT))
    return tuple(sorted({text(row, "company") for row in rows} - {""}))


async def _rights(api: Api, scope: Scope) -> AsyncIterator[Check]:
    """The rights that the user lacks, each with the role that grants it."""
    wanted = [(OPPORTUNITY, right) for right in ("read", "write", "create", "delete")]
    wanted += [(scope.party, "read"), (scope.party, "create")]
    refused = [(doctype, right) for doctype, right in wanted if not await api.may(right, doctype)]
    for doctype, right in refused:
        remedy = "add the role on the user's page in ERPNext"
        yield Check("roles", "fail", roles.lacking("the user", doctype, right), remedy=remedy)
    if not refused:
        yield Check("roles", "ok", f"opportunities and {scope.party.lower()}s can be read and written")
    for kind in [kind for kind in ("Customer", "Contact", "Lead") if not await api.may("read", kind)]:
        lacking = roles.lacking("the user", kind, "read")
        yield Check("roles", "warn", f"{lacking}; nobody can be found there by e-mail")
    if not await api.may("read", "Deleted Document"):
        yield Check("deletions", "ok", "the daily reconcile finds them (only a System Manager may read their list)")


async def _names(directories: Directories, site: Site, create_missing: bool) -> AsyncIterator[Check]:
    """The lists that values must be in."""
    for key, doctype in site.links.items():
        names = await directories.read(doctype)
        if names.takes_any:
            lacking = roles.lacking("the user", doctype, "read")
            yield Check(key, "warn", f"{lacking}; a value that the list lacks makes the whole record refused")
        elif create_missing and not names.can_grow:
            lacking = roles.lacking("the user", doctype, "create")
            yield Check(key, "warn", f"{lacking}; until then a missing value waits as a failure")
        else:
            grows = "; a missing value is created" if names.can_grow else ""
            yield Check(key, "ok", f"{len(names.names())} documents of {doctype}{grows}")
