"""What only the tests of ERPNext's own ways need of an office."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from e2e_office import Office

from nexudus_sandbox.double import Entry
from nexudus_sync.store.tables import Failure

DOCUMENTS = "/api/resource/Opportunity"


class ErpOffice(Office):
    """An `Office` whose CRM is ERPNext."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, "erpnext", **settings)

    def demote(self, *roles: str) -> None:
        """The sync's own user has these roles and no other from now on."""
        users = self.deals.users
        users["sync@example.com"] = replace(users["sync@example.com"], roles=frozenset(roles))

    def failure_of(self, card: int, field: str) -> Failure | None:
        """What is open about a field of a card."""
        found = self.rows(Failure, nexudus_id=str(card), field=field, state="open")
        assert len(found) <= 1
        return found[0] if found else None


def saves(entries: list[Entry]) -> list[str]:
    """What was asked that could have changed something, without ids."""
    return [f"{entry.method} {entry.status}" for entry in entries if entry.method != "GET"]
