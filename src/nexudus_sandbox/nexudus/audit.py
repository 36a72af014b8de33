"""The audit trail and the history of moves. Facts from the page on audit trail entries."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.nexudus.listing import stamped
from nexudus_sync import codec

CREATED, UPDATED, DELETED = 1, 2, 3
_BOOKKEEPING = frozenset({"UpdatedOn", "UpdatedBy", "Position", "CrmUpdatedOn"})


class Audit:
    """Who did what to which opportunity, as `/sys/audittrailentries` lists it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.entries: dict[int, Row] = {}
        self.histories: dict[int, Row] = {}

    def note(self, by: str, before: Row | None, after: Row | None) -> None:
        """Write down a create, an update (one entry a property) or a delete."""
        card = after or before or {}
        if before is None or after is None:
            self._entry(by, card["Id"], CREATED if before is None else DELETED, None, None, None)
        else:
            for key, value in after.items():
                if before[key] != value and key not in _BOOKKEEPING:
                    self._entry(by, card["Id"], UPDATED, key, before[key], value)
        if after is not None and (before is None or before["CrmBoardColumnId"] != after["CrmBoardColumnId"]):
            number = len(self.histories) + 1
            self.histories[number] = {
                "CrmOpportunityId": after["Id"],
                "CrmBoardColumnId": after["CrmBoardColumnId"],
                **stamped(number, self._now(), by),
            }

    def _entry(self, by: str, card_id: int, kind: int, key: str | None, old: Any, new: Any) -> None:
        number = len(self.entries) + 1
        self.entries[number] = {
            "EntityShortName": "CrmOpportunity",
            "EntityId": card_id,
            "AuditType": kind,
            "PropertyName": key,
            "OldValue": _text(old),
            "NewValue": _text(new),
            "ActionBy": by,
            **stamped(number, self._now(), by),
        }


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else codec.dumps(value)
