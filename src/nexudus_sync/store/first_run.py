"""The report of a connection's first run, as it is kept."""

from typing import Any

from nexudus_sync.store.ask import Ask, value

KEPT_AS = "first run"
"""The system of the facts that hold the reports; the key is the connection's name."""


def kept(ask: Ask, connection: str) -> dict[str, Any] | None:
    """The report of a connection's first run; None before it."""
    said = "SELECT value FROM fact WHERE system = :system AND key = :key"
    found = [value(row[0]) for row in ask(said, {"system": KEPT_AS, "key": connection})]
    return found[0] if found and isinstance(found[0], dict) else None
