"""The configuration: config.toml and the environment → validated settings."""

from nexudus_sync.config.load import load
from nexudus_sync.config.settings import (
    CardScope,
    ConnectionSettings,
    CrmSettings,
    LogSettings,
    MappingFiles,
    NotifySettings,
    RunSettings,
    Settings,
    WebSettings,
)

__all__ = [
    "CardScope",
    "ConnectionSettings",
    "CrmSettings",
    "LogSettings",
    "MappingFiles",
    "NotifySettings",
    "RunSettings",
    "Settings",
    "WebSettings",
    "load",
]
