"""What `check` says about an Overplane login, without writing anything."""

from collections.abc import Awaitable, Callable

from nexudus_sync.connectors import companies
from nexudus_sync.connectors.base import Check, Record, Scope
from nexudus_sync.connectors.companies import Companies
from nexudus_sync.connectors.failed import failed
from nexudus_sync.connectors.offset import against_ours
from nexudus_sync.connectors.overplane.api import Api, Listing, Resource
from nexudus_sync.connectors.totals import TOLD
from nexudus_sync.errors import AuthenticationFailed, ConnectorError, NotFound

SAMPLE = {"limit": "20", "offset": "0"}
"""The newest records that are read: the documented defaults of `limit` and `offset`."""
_TOLERANCE = 60.0
"""Seconds a server's clock may differ before a person should know."""


async def run(api: Api, scope: Scope, look: Callable[[], Awaitable[Companies]]) -> list[Check]:
    """Token, listing, company, and the lists that names come from. Stops where the opportunities cannot be listed.

    `look` tells how the scope's company stands to those there are.
    """
    try:
        newest = await api.opportunities.page(SAMPLE)
    except ConnectorError as error:
        wrong = isinstance(error, AuthenticationFailed | NotFound)
        return [failed("opportunities", error, str(error), exit_code=2 if wrong else 1)]
    found = len(newest.rows) if newest.total is None else newest.total
    checks = [
        Check("opportunities", "ok", f"can be listed, {found} in all"),
        *_total(newest),
        await _company(scope, look),
    ]
    for subject, resource, without in (
        ("sales stages", api.sales_stages, "any text can be written as a stage"),
        ("users", api.users, "any e-mail can be written as an owner"),
        ("lost reasons", api.lost_reasons, "any text can be written as a lost reason"),
    ):
        checks.append(await _names(subject, resource, without))
    for subject, resource in (("customers", api.customers), ("leads", api.leads)):
        checks.append(await _listed(subject, resource, "no customer can be found, so nothing is created"))
    checks += [await _child_rows(api, row) for row in newest.rows[:1]]
    return checks


def _total(newest: Listing) -> list[Check]:
    """What one page shows of the total; the rest is seen when the list is read whole."""
    listed = len(newest.rows) + newest.unread
    fits = newest.total is not None and (newest.total > listed if newest.has_more else newest.total == listed)
    return [] if fits or (newest.total is None and not newest.has_more) else [Check("totals", "warn", f"it {TOLD}")]


def clock(offset: float | None) -> Check:
    """How far the server's clock is from ours, in seconds."""
    if offset is None:
        return Check(
            "clock", "warn", "the server does not send its time, so no conflict is decided by the newer change"
        )
    return Check("clock", "ok" if abs(offset) <= _TOLERANCE else "warn", against_ours(offset))


async def _company(scope: Scope, look: Callable[[], Awaitable[Companies]]) -> Check:
    try:
        found = await look()
    except ConnectorError as error:
        return failed("company", error)
    if found.wanted is None:
        return Check("company", "warn", "all opportunities take part, but none can be created: set company")
    well = f'"{found.wanted}" {"occurs" if found.carried else "is the first: no opportunity has a company"}'
    if scope.company is None:
        well = f'all opportunities take part; created ones carry "{found.wanted}"'
    return companies.line(found, "Overplane", new=scope.new_company, well=well)


async def _names(subject: str, resource: Resource, without: str) -> Check:
    """A list whose names a write has to keep to, unless there are none."""
    return await _listed(subject, resource, without, empty=Check(subject, "warn", f"the list is empty; {without}"))


async def _listed(subject: str, resource: Resource, without: str, empty: Check | None = None) -> Check:
    try:
        listing = await resource.page(SAMPLE)
    except ConnectorError as error:
        return Check(subject, "warn", f"{error}; {without}")
    if empty is not None and not listing.rows:
        return empty
    return Check(subject, "ok", f"{len(listing.rows) if listing.total is None else listing.total} found")


async def _child_rows(api: Api, row: Record) -> Check:
    try:
        await api.lost_reason_details.of(str(row.get("id")))
    except ConnectorError as error:
        return failed("lost-reason rows", error, f"{error}; opportunities cannot be read whole", exit_code=1)
    return Check("lost-reason rows", "ok", "can be read")
