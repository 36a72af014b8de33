"""A double of the Overplane CRM API, as its page describes it."""

from nexudus_sync.sandbox.overplane.double import OverplaneDouble as OverplaneDouble
from nexudus_sync.sandbox.overplane.options import OverplaneOptions as OverplaneOptions
