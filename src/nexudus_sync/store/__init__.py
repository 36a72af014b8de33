"""The store: what the sync remembers between cycles. Tables in `tables`, the few queries in the modules beside it.

The store is synchronous: its transactions are short and never span an await.
"""

from nexudus_sync.store.database import Store

__all__ = ["Store"]
