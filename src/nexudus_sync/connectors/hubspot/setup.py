"""What `init` asks about HubSpot: the service key, and which pipeline's deals take part."""

from collections import Counter
from collections.abc import Mapping

from nexudus_sync.connectors.base import Record
from nexudus_sync.connectors.hubspot.account import Account, Options
from nexudus_sync.connectors.hubspot.api import Api
from nexudus_sync.connectors.hubspot.records import PIPELINE
from nexudus_sync.connectors.hubspot.settings import HubSpotSettings
from nexudus_sync.connectors.hubspot.stages import named
from nexudus_sync.connectors.setup import Choice, Question
from nexudus_sync.mapping.values import fold

QUESTIONS = (
    Question("base_url", "The address of HubSpot's API (the same for nearly everybody)"),
    Question("token", "The service key of the HubSpot account (Development, Keys, Service keys)", hidden=True),
)
_REASON = "closed_lost_reason"


async def choices(api: Api, account: Account) -> list[Choice]:
    """The account's pipelines, in its own order, with the number of their deals as far as the search has them.

    A pipeline whose label another one has too is chosen by its id.
    """
    pipelines = await account.fresh_pipelines()
    alike = Counter(fold(one.label) for one in pipelines)
    found = []
    for one in pipelines:
        key = one.id if alike[fold(one.label)] > 1 else one.label
        count = await api.count([{"propertyName": PIPELINE, "operator": "EQ", "value": one.id}])
        told = "" if key == one.label else f", id {one.id}"
        label = f"{one.label}{told} ({count:,} deal{'' if count == 1 else 's'})"
        found.append(Choice(label, {PIPELINE: key}, one.label))
    return found


def names(account: Account, part: str | None, properties: Mapping[str, Record]) -> dict[str, tuple[str, ...]]:
    """The stages of the pipeline, and the lost reasons where an administrator made a list of them."""
    pipelines = account.pipelines
    taking = pipelines if part is None else [one for one in [named(pipelines, part)] if one is not None]
    labels = dict.fromkeys(stage.label for one in taking for stage in one.stages)
    options = (properties.get(_REASON) or {}).get("options") or ()
    found = {"sales_stage": tuple(labels), "lost_reasons": Options(options).names()}
    return {field: known for field, known in found.items() if known}


def learned(account: Account, settings: HubSpotSettings) -> dict[str, str]:
    """The account's number, so that the key of another one is refused from now on."""
    number = account.details.get("portalId")
    return {} if settings.portal_id or number is None else {"portal_id": str(number)}
