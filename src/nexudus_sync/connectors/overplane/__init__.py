"""Overplane, a CRM with the ERPNext-style opportunity."""

from nexudus_sync.connectors.overplane.connector import OverplaneConnector
from nexudus_sync.connectors.overplane.settings import OverplaneSettings

__all__ = ["OverplaneConnector", "OverplaneSettings"]
