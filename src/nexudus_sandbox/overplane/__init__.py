"""A double of the Overplane CRM API, as its page describes it."""

from nexudus_sandbox.overplane.double import OverplaneDouble as OverplaneDouble
from nexudus_sandbox.overplane.options import OverplaneOptions as OverplaneOptions
