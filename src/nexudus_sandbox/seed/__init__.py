"""Realistic data for the doubles: three locations and their opportunities, some of them on both sides."""

from nexudus_sandbox.seed.plant import Seeded as Seeded
from nexudus_sandbox.seed.plant import seed as seed
