"""The Nexudus connector."""

from typing import TYPE_CHECKING

from nexudus_sync.connectors.nexudus.settings import NexudusSettings

if TYPE_CHECKING:
    from nexudus_sync.connectors.nexudus.connector import NexudusConnector

__all__ = ["NexudusConnector", "NexudusSettings"]


def __getattr__(name: str) -> object:
    """The connector itself, loaded when it is first asked for: reading the configuration needs its settings alone."""
    if name != "NexudusConnector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nexudus_sync.connectors.nexudus.connector import NexudusConnector

    return NexudusConnector
