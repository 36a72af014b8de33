"""ERPNext (version 15 and 16) over the Frappe REST API."""

from typing import TYPE_CHECKING

from nexudus_sync.connectors.erpnext.settings import ERPNextSettings

if TYPE_CHECKING:
    from nexudus_sync.connectors.erpnext.connector import ERPNextConnector

__all__ = ["ERPNextConnector", "ERPNextSettings"]

Settings = ERPNextSettings
"""What the configuration is checked with, without loading the connector."""


def __getattr__(name: str) -> object:
    """The connector itself, loaded when it is first asked for: reading the configuration needs its settings alone."""
    if name != "ERPNextConnector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nexudus_sync.connectors.erpnext.connector import ERPNextConnector

    return ERPNextConnector
