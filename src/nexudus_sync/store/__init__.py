"""The store: what the sync remembers between cycles. Tables in `tables`; every query in a module beside it, by subject.

The store is synchronous: its transactions are short and never span an await. Whoever works within one gets a `Session`
and needs nothing of the library beneath.
"""

from sqlmodel import Session

from nexudus_sync.store.database import Store

__all__ = ["Session", "Store"]
