"""Everything an opportunity refers to: locations, boards, stages, users, customers, opportunity types."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from nexudus_sandbox.double import Row
from nexudus_sandbox.nexudus.listing import stamped

SYSTEM = "[System]"
CURRENCIES = {"GBP": 3005, "EUR": 3006, "USD": 3001, "JPY": 3012}
COUNTRIES = {"GBP": 1220, "EUR": 1195, "USD": 1221, "JPY": 1105}
ZONE_NAMES = {
    "Europe/London": "GMT Standard Time",
    "Europe/Madrid": "Romance Standard Time",
    "America/New_York": "Eastern Standard Time",
}
STAGE_FLAGS = {
    "WinOpportunity": False,
    "LoseOpportunity": False,
    "CannedResponseId": None,
    "TaskListId": None,
    "ActivateAccount": False,
    "DeactivateAccount": False,
    "DeleteAccount": False,
}
"""What entering a stage can do, and how a plain stage says that it does nothing."""


class Directory:
    """The tables an opportunity refers to, each by id. `version` moves when one that may be referred to changes."""

    def __init__(self, now: Callable[[], datetime], unique: Callable[[], UUID]) -> None:
        self._now, self._unique = now, unique
        self.version = 0
        self.businesses: dict[int, Row] = {}
        self.boards: dict[int, Row] = {}
        self.stages: dict[int, Row] = {}
        self.users: dict[int, Row] = {}
        self.coworkers: dict[int, Row] = {}
        self.opportunity_types: dict[int, Row] = {}
        self._next = {
            "businesses": 1001,
            "boards": 2001,
            "stages": 3001,
            "users": 4001,
            "opportunity_types": 6001,
            "coworkers": 500_001,
        }

    def put(self, table: str, values: Row, by: str = SYSTEM, row_id: int | None = None) -> int:
        """Add an object to a table and give its id."""
        row_id = row_id if row_id is not None else self._next[table]
        self._next[table] = max(self._next[table], row_id + 1)
        rows: dict[int, Row] = getattr(self, table)
        rows[row_id] = {
            **values,
            **stamped(row_id, self._now(), by),
            "UniqueId": str(self._unique()),
            "IsNew": False,
            "SystemId": None,
            "ToStringText": values.get("Name") or values.get("FullName"),
            "LocalizationDetails": None,
            "CustomFields": None,
        }
        return row_id

    def amend(self, table: str, row_id: int, **values: Any) -> None:
        """Change an object: a renamed stage, a user who left."""
        rows: dict[int, Row] = getattr(self, table)
        rows[row_id] = {**rows[row_id], **values}
        self.version += 1

    def remove(self, table: str, row_id: int) -> None:
        """Take an object out."""
        rows: dict[int, Row] = getattr(self, table)
        del rows[row_id]
        self.version += 1

    def add_business(self, name: str, *, currency: str, time_zone: str, row_id: int | None = None) -> int:
        """Add a location; `currency` is an ISO code, `time_zone` an IANA name."""
        values = {
            "Name": name,
            "CurrencyId": CURRENCIES[currency],
            "CurrencyCode": currency,
            "CountryId": COUNTRIES[currency],
            "SimpleTimeZoneId": 2000 + len(self.businesses),
            "SimpleTimeZoneName": ZONE_NAMES.get(time_zone, time_zone),
            "SimpleTimeZoneNameIana": time_zone,
        }
        return self.put("businesses", values, row_id=row_id)

    def add_board(self, business_id: int, name: str, *, archived: bool = False, row_id: int | None = None) -> int:
        """Add a board to a location."""
        values = {
            "Name": name,
            "BusinessId": business_id,
            "BusinessName": self.businesses[business_id]["Name"],
            "Archived": archived,
        }
        return self.put("boards", values, row_id=row_id)

    def add_stage(self, board_id: int, name: str, *, row_id: int | None = None, **flags: Any) -> int:
        """Add a stage at the end of a board; `flags` are those of `STAGE_FLAGS`."""
        position = 1 + sum(stage["CrmBoardId"] == board_id for stage in self.stages.values())
        values = {
            "Name": name,
            "CrmBoardId": board_id,
            "CrmBoardName": self.boards[board_id]["Name"],
            "Position": position,
            **STAGE_FLAGS,
            **flags,
        }
        return self.put("stages", values, row_id=row_id)

    def add_user(self, email: str, full_name: str, *, row_id: int | None = None) -> int:
        """Add a person of the back office; a login is another thing."""
        return self.put("users", {"Email": email, "FullName": full_name, "Active": True}, row_id=row_id)

    def add_coworker(self, email: str | None, full_name: str, business_id: int, by: str = SYSTEM, **values: Any) -> int:
        """Add a customer."""
        row = {
            "FullName": full_name,
            "Email": email,
            "CompanyName": None,
            "CoworkerType": 1,
            "Active": True,
            "Archived": False,
            "CountryId": self.businesses[business_id]["CountryId"],
            "SimpleTimeZoneId": self.businesses[business_id]["SimpleTimeZoneId"],
            "Businesses": [business_id],
            "InvoicingBusinessId": business_id,
            **values,
        }
        return self.put("coworkers", row, by)

    def stage_named(self, board_id: int, name: str) -> int:
        """A stage's id by its name. Raises KeyError when the board has none of that name."""
        for stage_id, stage in self.stages.items():
            if stage["CrmBoardId"] == board_id and stage["Name"] == name:
                return stage_id
        raise KeyError(name)

    def first_stage(self, board_id: int) -> int:
        """The id of a board's first stage."""
        stages = [stage for stage in self.stages.values() if stage["CrmBoardId"] == board_id]
        return int(min(stages, key=lambda stage: stage["Position"])["Id"])

    def business_of(self, stage_id: int) -> int:
        """The location that a stage belongs to."""
        return int(self.boards[self.stages[stage_id]["CrmBoardId"]]["BusinessId"])
