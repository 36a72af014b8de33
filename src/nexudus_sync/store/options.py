"""The execution options by which the store says what a transaction is for."""

READ_ONLY = "nexudus_sync_read_only"
"""Marks a transaction that only reads."""
SCOPE = "nexudus_sync_scope"
"""Names what a writing transaction is about; without it, it is about everything. A file has one writer in any case."""
UPGRADES = "nexudus_sync_upgrades"
"""Marks a transaction that waits for another one's upgrade, however long that takes."""
