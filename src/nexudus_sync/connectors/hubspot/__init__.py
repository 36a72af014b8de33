"""HubSpot: deals, by its CRM API of 2026."""

from nexudus_sync.connectors.hubspot.connector import HubSpotConnector as HubSpotConnector
from nexudus_sync.connectors.hubspot.settings import HubSpotSettings as HubSpotSettings
