"""What a deal said before: HubSpot keeps each property's values, newest first, with who set them and when."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from nexudus_sync.clock import moment
from nexudus_sync.connectors.base import Priority, Record
from nexudus_sync.connectors.hubspot.api import Api
from nexudus_sync.connectors.hubspot.records import STAGE, STATUS
from nexudus_sync.connectors.hubspot.stages import OPEN, Pipeline


async def last_open_stage(api: Api, deal: str, pipeline: Pipeline | None) -> str | None:
    """The last open stage of its pipeline that a deal had; None if it never had one."""
    if pipeline is None:
        return None
    past = (await api.histories([deal], [STAGE], Priority.LIVE)).get(deal, {})
    known = {one.id for one in pipeline.stages if one.status == OPEN}
    return next((value for value in _values(past.get(STAGE)) if value in known), None)


def entries(values: Any) -> list[Record]:
    """The values that a property had, newest first, as far as they are any."""
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _values(past: Any) -> Iterable[str]:
    return (str(one.get("value")) for one in entries(past))


def changed_at(past: Record, keys: Iterable[str]) -> dict[str, datetime]:
    """When each key was last set, by the server's clock; the status was when the stage was."""
    found = {}
    for key in keys:
        first = next(iter(entries(past.get(STAGE if key == STATUS else key))), None)
        at = moment(str(first.get("timestamp") or "")) if first else None
        if at is not None:
            found[key] = at
    return found
