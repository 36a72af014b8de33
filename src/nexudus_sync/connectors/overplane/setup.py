"""What `init` asks about Overplane: the token, and which company's opportunities take part."""

from collections import Counter
from collections.abc import Mapping

from nexudus_sync.connectors import companies
from nexudus_sync.connectors.base import Record
from nexudus_sync.connectors.overplane import reading
from nexudus_sync.connectors.overplane.api import Api
from nexudus_sync.connectors.overplane.sweep import Sweeper
from nexudus_sync.connectors.setup import Choice, Question

QUESTIONS = (
    Question("base_url", "The address of Overplane's API"),
    Question("token", "The API token of the Overplane user that the sync works as", hidden=True),
)
_FIELDS = {"sales_stage": "stage_name", "lost_reasons": "lost_reason"}
"""Canonical field → the key that holds the name in the list of its names."""


async def choices(api: Api, sweeper: Sweeper) -> list[Choice]:
    """The companies that opportunities carry: Overplane has no list of them."""
    carried: dict[str, str] = {}
    async for stretch in sweeper.sweep(api.opportunities):
        carried |= {str(row["id"]): reading.text(row, "company") or "" for row in stretch.rows}
    return companies.choices(Counter(carried.values()))


def names(rows: Mapping[str, list[Record]]) -> dict[str, tuple[str, ...]]:
    """The names in the lists, by canonical field, in the order in which they were made; an empty list is left out."""
    found = {
        field: tuple(
            dict.fromkeys(name for row in reversed(listed) if (name := str(row.get(_FIELDS[field]) or "").strip()))
        )
        for field, listed in rows.items()
    }
    return {field: known for field, known in found.items() if known}
