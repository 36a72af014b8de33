"""The Nexudus connector."""

from nexudus_sync.connectors.nexudus.connector import NexudusConnector
from nexudus_sync.connectors.nexudus.settings import NexudusSettings

__all__ = ["NexudusConnector", "NexudusSettings"]
