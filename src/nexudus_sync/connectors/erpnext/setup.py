"""What `init` asks about ERPNext: the site, the key of a user of its own, and the company."""

from collections.abc import Iterable
from contextlib import suppress

from nexudus_sync.connectors import companies
from nexudus_sync.connectors.erpnext import checks
from nexudus_sync.connectors.erpnext.api import NAMES, Api, Filter
from nexudus_sync.connectors.erpnext.directories import Directories
from nexudus_sync.connectors.erpnext.records import text
from nexudus_sync.connectors.erpnext.site import OPPORTUNITY, Site
from nexudus_sync.connectors.setup import Choice, Question
from nexudus_sync.errors import Refused, RoleMissing

QUESTIONS = (
    Question("base_url", "The address of the ERPNext site, like https://erp.example.com"),
    Question("api_key", "The API key of the ERPNext user that the sync works as (its page, API Access)"),
    Question("api_secret", "Its API secret", hidden=True),
)
_PAIRED = ("sales_stage", "lost_reasons")
"""The fields whose names are paired with another system's."""
_COUNTED = 20
"""Of so many companies the opportunities are counted, a call each."""


async def choices(api: Api) -> list[Choice]:
    """The site's companies, with the number of their opportunities."""
    names: Iterable[str] = ()
    with suppress(RoleMissing, Refused):
        names = [text(row, "name") for row in await api.rows("Company", NAMES)]
    names = names or await checks.carried_companies(api)
    counted = {}
    for name in [*names][:_COUNTED]:
        where: tuple[Filter, ...] = (("company", "=", name),)
        counted[name] = await api.count(OPPORTUNITY, where) or 0
    return companies.choices(dict.fromkeys(names, 0) | counted)


async def names(directories: Directories, site: Site) -> dict[str, tuple[str, ...]]:
    """The names in the site's own lists, by canonical field; a list that is empty or closed is left out."""
    found = {field: (await directories.read(site.links[field])).names() for field in _PAIRED if field in site.links}
    return {field: known for field, known in found.items() if known}
