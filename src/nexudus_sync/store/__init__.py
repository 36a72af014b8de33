"""The store: what the sync remembers between cycles. Tables are in `tables`, queries in one module a subject beside it.

The store is synchronous: its transactions are short and never span an await. Callers work with a `Session` and need
nothing of the library beneath. That is loaded with the first of these names: what only reads a list (`ask`) does not.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlmodel import Session

    from nexudus_sync.store.database import Store

__all__ = ["Session", "Store"]


def __getattr__(name: str) -> object:
    if name == "Session":
        from sqlmodel import Session

        return Session
    if name == "Store":
        from nexudus_sync.store.database import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
