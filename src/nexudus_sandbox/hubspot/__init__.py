"""A stand-in for HubSpot's CRM API: deals, contacts, their pipelines, and what HubSpot does by itself."""

from nexudus_sandbox.hubspot.double import HubSpotDouble as HubSpotDouble
from nexudus_sandbox.hubspot.options import HubSpotOptions as HubSpotOptions
