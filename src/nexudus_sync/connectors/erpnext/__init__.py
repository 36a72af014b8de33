"""ERPNext (version 15 and 16) over the Frappe REST API."""

from nexudus_sync.connectors.erpnext.connector import ERPNextConnector
from nexudus_sync.connectors.erpnext.settings import ERPNextSettings

__all__ = ["ERPNextConnector", "ERPNextSettings"]
