"""Mapping files → lenses: what each side says in the canonical words, and how it is written there.

Pure, but for `shipped`, which reads files. `laws` checks a mapping, `show` prepares it for reading.
"""

from nexudus_sync.mapping.context import Context, Directory, Table
from nexudus_sync.mapping.lenses import Lens
from nexudus_sync.mapping.load import opportunity, pair, parse
from nexudus_sync.mapping.model import Field, Mapping, OnConflict, OnUnmapped, Policy, SideMapping, Sync
from nexudus_sync.mapping.paths import Path, Raw, Record
from nexudus_sync.mapping.shipped import load_file, shipped_names
from nexudus_sync.mapping.sides import Side, Unmapped, Unreadable

__all__ = [
    "Context",
    "Directory",
    "Field",
    "Lens",
    "Mapping",
    "OnConflict",
    "OnUnmapped",
    "Path",
    "Policy",
    "Raw",
    "Record",
    "Side",
    "SideMapping",
    "Sync",
    "Table",
    "Unmapped",
    "Unreadable",
    "load_file",
    "opportunity",
    "pair",
    "parse",
    "shipped_names",
]
