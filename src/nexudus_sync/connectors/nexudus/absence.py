"""Proving that an opportunity is gone: lists show no trace of a deletion, and a missing id answers 404 or 500."""

from collections import deque

from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.nexudus.api import Filters, NexudusApi
from nexudus_sync.errors import AnotherRecord, NotFound, RoleMissing, Unavailable

_DELETED = 3
_WITNESSES = 8


class Absence:
    """Proofs of absence. A listing by ids counts only when it lists a record known to exist; `saw` collects such."""

    def __init__(self, api: NexudusApi) -> None:
        self._api = api
        self._seen: deque[int] = deque(maxlen=_WITNESSES)
        self._audit_readable = True
        self.highest = 0
        """The highest id of a record that was there before; new ones are higher."""

    def saw(self, record_id: int) -> None:
        """Record that a record with that id was just read or listed."""
        self.highest = max(self.highest, record_id)
        if record_id not in self._seen:
            self._seen.append(record_id)

    async def proven(self, record_id: str, priority: Priority) -> bool:
        """404 by id; else two listings by ids without it, or the audit trail. False when in doubt."""
        try:
            await self._api.opportunity(record_id, priority)
        except NotFound:
            # A listing that shows it all the same leaves a doubt.
            return await self._listed(record_id, priority) is not True
        except AnotherRecord:
            return False
        except (Unavailable, RoleMissing):
            return await self._unlisted_twice(record_id, priority) or await self._audited(record_id, priority)
        return False

    async def _unlisted_twice(self, record_id: str, priority: Priority) -> bool:
        for _ in range(2):
            if await self._listed(record_id, priority) is not False:
                return False
        return True

    async def _listed(self, record_id: str, priority: Priority) -> bool | None:
        """Is it in a listing by ids? None if that proves nothing: a filter ignored, no witness in it, no answer."""
        wanted = {int(record_id), *self._seen}
        try:
            found = {row["Id"] for row in (await self._api.opportunities_by_ids(sorted(wanted), priority)).rows}
        except (Unavailable, RoleMissing):
            return None
        if int(record_id) in found:
            return True
        witnessed = bool(found) and found <= wanted
        return False if witnessed else None

    async def _audited(self, record_id: str, priority: Priority) -> bool:
        if not self._audit_readable:
            return False
        where: Filters = {
            "AuditTrailEntry_EntityShortName": "CrmOpportunity",
            "AuditTrailEntry_AuditType": _DELETED,
            "AuditTrailEntry_EntityId": int(record_id),
        }
        try:
            entries = await self._api.audit_entries(where, priority)
        except RoleMissing:
            self._audit_readable = False
            return False
        except Unavailable:
            return False
        return any(
            entry.get("EntityId") == int(record_id)
            and entry.get("AuditType") == _DELETED
            and entry.get("EntityShortName") == "CrmOpportunity"
            for entry in entries
        )
