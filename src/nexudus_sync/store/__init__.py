"""The store: what the sync remembers between cycles. Tables are in `tables`, queries in one module a subject beside it.

The store is synchronous: its transactions are short and never span an await. Callers work with a `Session` and need
nothing of the library beneath.
"""

from sqlmodel import Session

from nexudus_sync.store.database import Store

__all__ = ["Session", "Store"]
