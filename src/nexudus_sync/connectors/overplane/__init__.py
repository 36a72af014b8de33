"""Overplane, a CRM with the ERPNext-style opportunity."""

from typing import TYPE_CHECKING

from nexudus_sync.connectors.overplane.settings import OverplaneSettings

if TYPE_CHECKING:
    from nexudus_sync.connectors.overplane.connector import OverplaneConnector

__all__ = ["OverplaneConnector", "OverplaneSettings"]

Settings = OverplaneSettings
"""What the configuration is checked with, without loading the connector."""


def __getattr__(name: str) -> object:
    """The connector itself, loaded when it is first asked for: reading the configuration needs its settings alone."""
    if name != "OverplaneConnector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nexudus_sync.connectors.overplane.connector import OverplaneConnector

    return OverplaneConnector
