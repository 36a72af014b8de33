"""A double of the Nexudus REST API, as its public pages and the clients that use it describe it."""

from nexudus_sandbox.nexudus.double import NexudusDouble as NexudusDouble
from nexudus_sandbox.nexudus.options import NEXUDUS_WINDOWS as NEXUDUS_WINDOWS
from nexudus_sandbox.nexudus.options import NexudusOptions as NexudusOptions
