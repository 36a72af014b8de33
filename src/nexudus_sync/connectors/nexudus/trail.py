"""The audit trail: who changed which value of which opportunity. Facts from the page on audit trail entries."""

from datetime import datetime
from typing import Any

from nexudus_sync import codec
from nexudus_sync.connectors.base import Audited, Record
from nexudus_sync.connectors.nexudus.api import Filters, NexudusApi
from nexudus_sync.connectors.nexudus.moments import parse
from nexudus_sync.errors import NotFound, RoleMissing, storable

_UPDATE = 2


async def read(api: NexudusApi, login: str, since: datetime) -> list[Audited] | None:
    """The updates of opportunities since a moment, oldest first; None without the role AuditTrailEntry-List."""
    where: Filters = {
        "AuditTrailEntry_EntityShortName": "CrmOpportunity",
        "AuditTrailEntry_AuditType": _UPDATE,
        "from_AuditTrailEntry_CreatedOn": since,
    }
    try:
        rows = await api.audit_entries(where)
    except (RoleMissing, NotFound):
        return None
    updates = (_entry(row, login) for row in rows if row.get("PropertyName") and _is_update(row))
    return sorted((one for one in updates if one is not None), key=lambda one: one.number)


def _is_update(row: Record) -> bool:
    """Is it what was asked for? A filter can be ignored."""
    about = (row.get("EntityShortName", "CrmOpportunity"), row.get("AuditType", _UPDATE))
    return about == ("CrmOpportunity", _UPDATE)


def _entry(row: Record, login: str) -> Audited | None:
    """None for a row that does not tell of which card it is, or when."""
    at = parse(row.get("CreatedOn"))
    if at is None or type(row.get("EntityId")) is not int:
        return None
    author = str(row.get("ActionBy") or "")
    return Audited(
        number=int(row["Id"]),
        record_id=str(row["EntityId"]),
        key=str(row["PropertyName"]),
        old=_value(row.get("OldValue")),
        new=_value(row.get("NewValue")),
        own=author.casefold() == login.casefold(),
        at=at,
        author=storable(author),
    )


def _value(text: Any) -> Any:
    """The trail keeps every value as text; numbers and truth values are read back."""
    if not isinstance(text, str):
        return text
    try:
        value = codec.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | bool) else text
