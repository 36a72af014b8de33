"""The account's own settings: who it is, its zone, its currency, its people."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(slots=True)
class Account:
    """`kind` is STANDARD, SANDBOX or DEVELOPER_TEST; `owners` are by their id."""

    portal_id: int = 12345678
    kind: str = "STANDARD"
    time_zone: str = "Europe/London"
    currency: str = "GBP"
    more_currencies: tuple[str, ...] = ()
    owners: dict[str, dict[str, Any]] = field(default_factory=dict)

    def details(self, now: datetime) -> dict[str, Any]:
        """The answer about the account."""
        offset = now.astimezone(ZoneInfo(self.time_zone)).utcoffset()
        seconds = 0 if offset is None else int(offset.total_seconds())
        sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
        return {
            "portalId": self.portal_id,
            "accountType": self.kind,
            "timeZone": self.time_zone,
            "companyCurrency": self.currency,
            "additionalCurrencies": list(self.more_currencies),
            "utcOffset": f"{sign}{minutes // 60:02d}:{minutes % 60:02d}",
            "utcOffsetMilliseconds": seconds * 1000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }

    def hire(self, email: str | None, name: str = "", *, archived: bool = False) -> str:
        """Somebody becomes an owner; gives the owner's id."""
        first, _, last = name.partition(" ")
        owner_id = str(81_000_000 + len(self.owners))
        made = datetime(2024, 1, 1, tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.owners[owner_id] = {
            "id": owner_id,
            "email": email,
            "type": "PERSON",
            "firstName": first,
            "lastName": last,
            "userId": None if archived else 700 + len(self.owners),
            "userIdIncludingInactive": 700 + len(self.owners),
            "createdAt": made,
            "updatedAt": made,
            "archived": archived,
        }
        return owner_id

    def user_of(self, email: str) -> int | None:
        """The user's number of an e-mail; a former user has none."""
        return next((one["userId"] for one in self.owners.values() if one["email"] == email), None)

    def owner_of(self, email: str) -> str | None:
        """The owner's id of an e-mail."""
        return next((key for key, one in self.owners.items() if one["email"] == email), None)
