"""HubSpot: deals, by its CRM API of 2026."""

from typing import TYPE_CHECKING

from nexudus_sync.connectors.hubspot.settings import HubSpotSettings

if TYPE_CHECKING:
    from nexudus_sync.connectors.hubspot.connector import HubSpotConnector

__all__ = ["HubSpotConnector", "HubSpotSettings"]

Settings = HubSpotSettings
"""What the configuration is checked with, without loading the connector."""


def __getattr__(name: str) -> object:
    """The connector itself, loaded when it is first asked for: reading the configuration needs its settings alone."""
    if name != "HubSpotConnector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nexudus_sync.connectors.hubspot.connector import HubSpotConnector

    return HubSpotConnector
